"""One client's exchange of single frames: the newest first, never faster than allowed, one at a time."""

import time
from collections.abc import Callable
from typing import NamedTuple

from mien.media.meters import RateMeter


class Waiting(NamedTuple):
    """A frame that nobody has looked at yet.

    Attributes:
        number: The client's own name for it.
        frame: A JPEG or WebP file, unread.
        at: When it came.
    """

    number: int
    frame: bytes
    at: float


class FrameSlot:
    """Holds the newest frame of one client; drops and counts what is older.

    A client may send as fast as it likes: the slot is read no faster than allowed, and what it sent last is never
    lost, so that who waits for an answer gets one.

    Args:
        max_fps: So often the slot may be read.
        now: Clock in seconds.

    Attributes:
        dropped: Frames that nobody looked at.
        incoming: Counts those that came.

    Example:
        >>> slot = FrameSlot(max_fps=10, now=iter([0.0, 0.0, 0.0, 0.0, 0.06]).__next__)
        >>> for number in (1, 2, 3):
        ...     slot.put(number, b"frame")
        >>> slot.take().number, slot.dropped, round(slot.pause_s, 2)
        (3, 2, 0.04)
    """

    def __init__(self, *, max_fps: float, now: Callable[[], float] = time.monotonic) -> None:
        self.dropped = 0
        self.incoming = RateMeter()
        self._interval_s = 1 / max_fps
        self._now = now
        self._next_at = 0.0
        self._waiting: Waiting | None = None

    def put(self, number: int, frame: bytes) -> None:
        """Leave a frame in the place of the one before."""
        now = self._now()
        self.incoming.tick(now)
        if self._waiting is not None:
            self.dropped += 1
        self._waiting = Waiting(number, frame, now)

    def take(self) -> Waiting | None:
        """Return the newest frame and forget it."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            # Counted from when it was due, not from now: a late reader catches up, within one interval.
            now = self._now()
            self._next_at = max(self._next_at, now - self._interval_s) + self._interval_s
        return waiting

    @property
    def pause_s(self) -> float:
        """For how long the slot must not be read."""
        return max(0.0, self._next_at - self._now())
