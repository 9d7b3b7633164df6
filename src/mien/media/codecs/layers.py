"""The sizes of a broadcast: each treated frame is encoded once for every rung that somebody watches."""

import threading
import time
from collections.abc import Iterator
from typing import Final

from mien.media.codecs.encoded import EncodedPicture, VideoCodec
from mien.media.codecs.encoder import NOMINAL_FPS, Encoder
from mien.media.codecs.h264 import H264Encoder
from mien.media.codecs.planes import TreatedPlanes
from mien.media.codecs.vp8 import Vp8Encoder
from mien.vision.types import TreatedFrame

RUNGS: Final = 2
"""Rung 0 has the size of the treated frame, each further one half the sides of the one before."""
KEYFRAME_GAP_S: Final = 0.25
"""Keyframe requests closer together than this are answered by one keyframe."""

_ENCODERS: Final[dict[VideoCodec, type[Encoder]]] = {VideoCodec.VP8: Vp8Encoder, VideoCodec.H264: H264Encoder}
_OVERLOADED: Final = 0.9
_RELAXED: Final = 0.75
"""Shares of the time between two pictures that encoding them may take. Two, lest it flutters."""
_SMOOTHING: Final = 0.1


class Ladder:
    """Encodes treated frames on all rungs that have an audience.

    When encoding cannot keep up, the best rung goes on with every frame and the others take every second one.

    `encode` belongs to one thread; the other methods may be called from any.

    Args:
        codec: Of all rungs.
        epoch: The capture time, in seconds, that becomes presentation time zero.

    Attributes:
        overloaded: Whether the lower rungs go without every second frame.
    """

    def __init__(self, codec: VideoCodec, *, epoch: float) -> None:
        self.overloaded = False
        self._encoders = tuple(_ENCODERS[codec](epoch=epoch, rung=rung) for rung in range(RUNGS))
        self._audience: frozenset[int] = frozenset()
        self._wanted: set[int] = set()
        self._keyframe_at = [-KEYFRAME_GAP_S] * RUNGS
        self._costs_s = [0.0] * RUNGS
        self._interval_s = 1 / NOMINAL_FPS
        self._began_at: float | None = None
        self._odd = False
        self._lock = threading.Lock()

    def set_audience(self, rungs: frozenset[int]) -> None:
        """Say which rungs are watched. The first picture of one that was not is a keyframe.

        Raises:
            ValueError: There is no such rung.
        """
        if not rungs <= frozenset(range(RUNGS)):
            raise ValueError(f"there are the rungs 0 to {RUNGS - 1}, got {sorted(rungs)}")
        with self._lock:
            self._want_at_once(rungs - self._audience)
            self._audience = rungs

    def want_keyframe(self, rung: int) -> None:
        """Make the next picture of a rung one that can be decoded by itself, or one soon after it if need be."""
        with self._lock:
            self._wanted.add(rung)

    def want_fresh_start(self) -> None:
        """Make the very next picture of every rung a keyframe: nothing of what was before can be seen in it."""
        with self._lock:
            self._want_at_once(frozenset(range(RUNGS)))

    def limit_rate(self, rung: int, bit_rate: int | None) -> None:
        """Keep a rung below `bit_rate`; None lifts the limit. It costs no keyframe."""
        self._encoders[rung].limit_rate(bit_rate)

    def encode(self, treated: TreatedFrame, *, at: float) -> Iterator[EncodedPicture]:
        """Yield `treated`, to show at `at` seconds, as a picture of each rung, the best first.

        Each picture can be sent before the next one is encoded. If a rung fails, it begins anew with the next
        frame, the others go on, and the error is raised after them.

        Raises:
            TypeError: `treated` is not a `TreatedFrame`; no other picture may leave.
            ShapeError: The frame holds no usable image.
        """
        audience = self._audience
        if not audience:
            return
        began = self._begin()
        planes, level = TreatedPlanes(treated), 0
        failed: Exception | None = None
        best = True
        for rung in sorted(audience):
            if not best and self.overloaded and self._odd:
                continue
            while level < rung:
                planes, level = planes.halved(), level + 1
            try:
                picture = self._encoders[rung].encode(planes, at=at, keyframe=self._is_keyframe_due(rung, began))
            except Exception as error:  # noqa: BLE001  # the other rungs go on; raised below
                self._encoders[rung].reset()
                failed = failed or error
                continue
            ended = time.monotonic()
            self._costs_s[rung] += _SMOOTHING * (ended - began - self._costs_s[rung])
            if picture is not None:
                if picture.is_keyframe:
                    self._keyframe_at[rung] = ended
                yield picture
            began = time.monotonic()
            best = False
        if failed is not None:
            raise failed

    def _begin(self) -> float:
        now = time.monotonic()
        if self._began_at is not None:
            self._interval_s += _SMOOTHING * (now - self._began_at - self._interval_s)
        self._began_at = now
        load = sum(self._costs_s[rung] for rung in self._audience) / self._interval_s
        self.overloaded = len(self._audience) > 1 and load > (_RELAXED if self.overloaded else _OVERLOADED)
        self._odd = not self._odd
        return now

    def _is_keyframe_due(self, rung: int, now: float) -> bool:
        with self._lock:
            due = rung in self._wanted and now - self._keyframe_at[rung] >= KEYFRAME_GAP_S
            if due:
                self._wanted.discard(rung)
            return due

    def _want_at_once(self, rungs: frozenset[int]) -> None:
        for rung in rungs:
            self._wanted.add(rung)
            self._keyframe_at[rung] = -KEYFRAME_GAP_S
