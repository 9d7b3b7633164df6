"""One client's exchange of single pictures: the newest first, never faster than allowed, one at a time."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from mien.media.meters import RateMeter

_BURST_S: Final = 0.1
"""A client may be this much ahead of its rate: pictures come in clumps over a network."""


class Waiting(NamedTuple):
    """A picture that nobody has looked at yet.

    Attributes:
        number: The client's own name for it.
        picture: A JPEG or WebP file, unread.
        at: When it came.
    """

    number: int
    picture: bytes
    at: float


class FrameSlot:
    """Holds the newest picture of one client; drops and counts what is older, or comes too fast.

    Args:
        max_fps: What comes faster is dropped.
        now: Clock in seconds.

    Attributes:
        dropped: Pictures that nobody looked at.

    Example:
        >>> slot = FrameSlot(max_fps=30, now=iter([0.0, 0.04, 0.08]).__next__)
        >>> for number in (1, 2, 3):
        ...     slot.put(number, b"picture")
        >>> slot.take().number, slot.dropped
        (3, 2)
    """

    def __init__(self, *, max_fps: float, now: Callable[[], float] = time.monotonic) -> None:
        self.dropped = 0
        self.incoming = RateMeter()
        self._interval_s = 1 / max_fps
        self._now = now
        self._next_at = 0.0
        self._waiting: Waiting | None = None

    def put(self, number: int, picture: bytes) -> None:
        """Leave a picture, unless it comes too fast."""
        now = self._now()
        self.incoming.tick(now)
        if now < self._next_at - _BURST_S:
            self.dropped += 1
            return
        self._next_at = max(self._next_at, now) + self._interval_s
        if self._waiting is not None:
            self.dropped += 1
        self._waiting = Waiting(number, picture, now)

    def take(self) -> Waiting | None:
        """Return the newest picture and forget it."""
        waiting, self._waiting = self._waiting, None
        return waiting
