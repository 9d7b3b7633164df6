"""The thread that encodes once for all viewers, and decides what they see when nothing new is safe."""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from mien.media.egress import AnyPacket
from mien.media.encoder import Vp8Encoder
from mien.media.meters import DurationMeter, Histogram, RateMeter
from mien.media.newest import Newest
from mien.sessions.states import DELAY_BOUNDS_S
from mien.vision.faces import TreatedFrame
from mien.vision.slate import slate

log = structlog.get_logger()

REPEAT_S: Final = 0.2
"""Without news the present picture is sent again at this interval, for late joiners and impatient players."""
KEYFRAME_GAP_S: Final = 0.25
"""Keyframe requests closer together than this are answered by one keyframe."""
_FIRST_SIZE_WH: Final = (640, 360)
_SMOOTHING: Final = 0.05
"""Weight of the newest delay; the smoothed delay follows in about a second, so that sound does not wobble."""


class EncoderThread:
    """Sends the newest treated frame; in want of one, the last; in want of that, the slate.

    This is the only place from which pictures leave, and it knows no other source than `treated`.

    Args:
        emit: Called on this thread with every packet.
        epoch: Capture time that becomes presentation time zero.
        slate_after_s: How long the last frame stays up when no new one comes.
    """

    def __init__(self, *, emit: Callable[[AnyPacket], None], epoch: float, slate_after_s: float) -> None:
        self.treated = Newest[TreatedFrame]()
        self.out = RateMeter()
        self.delays = DurationMeter()
        self.delay_histogram = Histogram(DELAY_BOUNDS_S)
        self.delay_s = 0.1
        self.on_slate = True
        self.counts: dict[str, int] = {}
        self.size_wh: tuple[int, int] | None = None
        self._emit = emit
        self._encoder = Vp8Encoder(epoch=epoch)
        self._slate_after_s = slate_after_s
        self._audience = False
        self._keyframe_wanted = False
        self._keyframe_at = -KEYFRAME_GAP_S
        self._sent_at = 0.0
        self._shown: TreatedFrame | None = None
        self._shown_since = 0.0
        self._slate: TreatedFrame | None = None
        self._errors = 0
        self._thread = threading.Thread(target=self._run, name="mien-encoder", daemon=True)
        self._thread.start()

    def set_audience(self, *, present: bool) -> None:
        """Say whether anybody watches; without anybody nothing is encoded."""
        self._audience = present

    def want_keyframe(self) -> None:
        """Make the next picture one that can be decoded by itself."""
        self._keyframe_wanted = True
        if time.monotonic() - self._sent_at > REPEAT_S / 2:
            self.treated.nudge()  # nothing is flowing: do not wait for the next repetition

    def forget(self) -> None:
        """Show the slate until a new frame comes."""
        self.treated.clear()
        self._shown = None
        self.treated.nudge()

    def close(self, *, timeout_s: float) -> bool:
        """Stop, and wait for the thread to end; return whether it did."""
        self.treated.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self.treated.closed:
            fresh = self.treated.get(timeout_s=REPEAT_S)
            if self.treated.closed:
                return
            try:
                if fresh is not None:
                    self._show(fresh)
                else:
                    self._repeat()
            except Exception as error:  # noqa: BLE001  # a frame that cannot be encoded must not end the broadcast
                self._errors += 1
                self._encoder.reset()
                if self._errors & (self._errors - 1) == 0:
                    log.warning("encoding_failed", error=type(error).__name__, times=self._errors)

    def _show(self, fresh: TreatedFrame) -> None:
        if not isinstance(fresh, TreatedFrame):
            raise TypeError(f"only a TreatedFrame may be shown, got {type(fresh).__name__}")
        now = time.monotonic()
        self.on_slate = False
        self._shown, self._shown_since = fresh, now
        self.counts = fresh.counts
        self.size_wh = (fresh.image.shape[1], fresh.image.shape[0])
        self._send(fresh, at=fresh.at)
        done = time.monotonic()
        self.out.tick(done)
        delay = done - fresh.at
        if self.delays.median_ms is None:
            self.delay_s = delay
        self.delay_s += _SMOOTHING * (delay - self.delay_s)
        self.delays.add(delay)
        self.delay_histogram.add(delay)

    def _repeat(self) -> None:
        now = time.monotonic()
        shown = self._shown
        if shown is None or now - self._shown_since > self._slate_after_s:
            self.on_slate = True
            self.counts = {}
            shown = self._slate_of(self.size_wh or _FIRST_SIZE_WH)
        self._send(shown, at=now - self.delay_s)

    def _send(self, treated: TreatedFrame, *, at: float) -> None:
        if not self._audience:
            return
        now = time.monotonic()
        keyframe = self._keyframe_wanted and now - self._keyframe_at >= KEYFRAME_GAP_S
        if keyframe:
            self._keyframe_wanted = False
        for packet in self._encoder.encode(treated, at=at, keyframe=keyframe):
            if packet.is_keyframe:
                self._keyframe_at = now
            self._emit(packet)
        self._sent_at = time.monotonic()

    def _slate_of(self, size_wh: tuple[int, int]) -> TreatedFrame:
        if self._slate is None or self._slate.image.shape[1::-1] != size_wh:
            self._slate = slate(size_wh, at=0.0)
        return self._slate
