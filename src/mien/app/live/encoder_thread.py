"""The thread that encodes once for all viewers, and decides what they see when nothing new is safe."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from mien.app.states import DELAY_BOUNDS_S
from mien.media.codecs.devices import CodecDevice
from mien.media.codecs.encoded import EncodedFrame, VideoCodec
from mien.media.codecs.layers import LayerEncoders
from mien.media.meters import DurationMeter, Histogram, RateMeter
from mien.media.newest import Newest
from mien.rate_limit import LogThrottle
from mien.vision.render.slate import slate
from mien.vision.types import FaceTold, TreatedFrame

log = structlog.get_logger()

REPEAT_S: Final = 0.2
"""Without news the present frame is sent again at this interval, for late joiners and impatient players."""
_FIRST_SIZE_WH: Final = (640, 360)
_LEAST_SIDE: Final = 16
"""The least side of a slate; the frames of a camera may be too small for any codec."""
_SMOOTHING: Final = 0.05
"""Weight of the newest delay; the smoothed delay follows in about a second, so that audio does not wobble."""


class Tap(Protocol):
    """Somebody else who wants to see what viewers see, such as `ThumbnailMaker`. Both methods return at once."""

    def put(self, treated: TreatedFrame) -> None:
        """Take the frame that is shown now; an older one that still waits is of no interest."""

    def forget(self) -> None:
        """Drop every frame seen so far."""


class EncoderThread:
    """Sends the newest treated frame; in want of one, the last; in want of that, the slate.

    This is the only place from which frames leave, and it knows no other source than `treated`.

    Args:
        emit: Called on this thread with every frame of every layer that has an audience.
        epoch: Capture time that becomes presentation time zero.
        slate_after_s: How long the last frame stays up when no new one comes.
        codec: The broadcast's codec, unless `use_codec` says otherwise.
        devices: As in `LayerEncoders`.
        taps: Get every frame that is shown, and the slate once when it goes up, audience or not.
    """

    def __init__(
        self,
        *,
        emit: Callable[[EncodedFrame], None],
        epoch: float,
        slate_after_s: float,
        codec: VideoCodec = VideoCodec.VP8,
        devices: Sequence[CodecDevice] = (),
        taps: Sequence[Tap] = (),
    ) -> None:
        self.treated = Newest[TreatedFrame]()
        self.out = RateMeter()
        self.delays = DurationMeter()
        self.delay_histogram = Histogram(DELAY_BOUNDS_S)
        self.delay_s = 0.1
        self.on_slate = True
        self.counts: dict[str, int] = {}
        self.faces: tuple[FaceTold, ...] = ()
        self.size_wh: tuple[int, int] | None = None
        self._failures = LogThrottle()
        self.spent_s = 0.0
        self._emit_frame = emit
        self._epoch = epoch
        self._devices = tuple(devices)
        self._layer_encoders = LayerEncoders(codec, epoch=epoch, devices=self._devices)
        self._slate_after_s = slate_after_s
        self._taps = tuple(taps)
        self._sent_at = 0.0
        self._shown: TreatedFrame | None = None
        self._shown_since = 0.0
        self._failing_since: float | None = None
        self._busy_since: float | None = None
        self._slate: TreatedFrame | None = None
        self._generation = 0
        self._slate_at_once = True
        self._generation_lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="mien-encoder", daemon=True)
        self._thread.start()

    def use_codec(self, codec: VideoCodec) -> None:
        """Encode in another codec; only before there is an audience."""
        self._layer_encoders = LayerEncoders(codec, epoch=self._epoch, devices=self._devices)

    def set_audience(self, layers: frozenset[int]) -> None:
        """Say which layers anybody watches; only these are encoded, each from a keyframe on.

        Raises:
            ValueError: There is no such layer.
        """
        self._layer_encoders.set_audience(layers)
        self._hurry()

    def want_keyframe(self, layer: int) -> None:
        """Make the next frame of a layer one that can be decoded by itself."""
        self._layer_encoders.want_keyframe(layer)
        self._hurry()

    def limit_rate(self, layer: int, bit_rate: int | None) -> None:
        """Keep a layer below `bit_rate` bits a second, without a keyframe; None lifts the limit."""
        self._layer_encoders.limit_rate(layer, bit_rate)

    @property
    def errors(self) -> int:
        """So many frames could not be encoded."""
        return self._failures.times

    @property
    def overloaded(self) -> bool:
        """Whether encoding is so late that the lower layers go without every second frame."""
        return self._layer_encoders.overloaded

    @property
    def flows(self) -> bool:
        """Whether treated frames go out: the slate is not up, and encoding has not failed or hung for as long."""
        now = time.monotonic()
        stuck_since = min(now if at is None else at for at in (self._failing_since, self._busy_since))
        return not self.on_slate and now - stuck_since <= self._slate_after_s

    def forget(self, *, at_once: bool = True) -> None:
        """Show the slate until a new frame comes.

        When this returns, no frame made of a frame from before is emitted any more, and none is in a tap. The
        first frame after it is a keyframe, so that nothing shines through.

        Args:
            at_once: False gives a new frame the time of a repetition to come before the slate goes up.
        """
        with self._generation_lock:
            self._generation += 1
            self._shown = None
            self.treated.clear()
            for tap in self._taps:
                tap.forget()
            self._slate_at_once = at_once
        self.treated.nudge()

    def close(self, *, timeout_s: float) -> bool:
        """Stop, and wait for the thread to end; return whether it did."""
        self.treated.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _hurry(self) -> None:
        if time.monotonic() - self._sent_at > REPEAT_S / 2:
            self.treated.nudge()  # nothing is flowing: do not wait for the next repetition

    def _run(self) -> None:
        begun = self._generation
        while not self.treated.closed:
            generation = self._generation
            fresh = self.treated.get(timeout_s=REPEAT_S)
            if self.treated.closed:
                return
            if generation != self._generation:  # the frame may be from before `forget`; the next one is not
                fresh, generation = None, self._generation
            if generation != begun:
                begun = generation
                self._layer_encoders.want_fresh_start()
                if fresh is None and not self._slate_at_once:
                    continue
            self._busy_since = time.monotonic()
            try:
                if fresh is not None:
                    self._show(fresh, generation)
                    self._failing_since = None
                else:
                    self._repeat(generation)
            except Exception as error:  # noqa: BLE001  # a frame that cannot be encoded must not end the broadcast
                self._count(error)
                self._fall_back(generation)
            finally:
                self.spent_s += time.monotonic() - self._busy_since
                self._busy_since = None

    def _show(self, fresh: TreatedFrame, generation: int) -> None:
        if not isinstance(fresh, TreatedFrame):
            raise TypeError(f"only a TreatedFrame may be shown, got {type(fresh).__name__}")
        with self._generation_lock:
            if generation != self._generation:
                return
            self.on_slate = False
            self._shown, self._shown_since = fresh, time.monotonic()
            for tap in self._taps:
                tap.put(fresh)
        self.counts, self.faces = fresh.counts, fresh.faces
        self.size_wh = (fresh.image.shape[1], fresh.image.shape[0])
        left_at = self._send(fresh, generation, at=fresh.at)
        self.out.tick(left_at)
        delay = left_at - fresh.at
        if self.delays.median_ms is None:
            self.delay_s = delay
        self.delay_s += _SMOOTHING * (delay - self.delay_s)
        self.delays.add(delay)
        self.delay_histogram.add(delay)

    def _fall_back(self, generation: int) -> None:
        """Show the slate when frames come but none could be encoded for as long as the last one may stay up."""
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since <= self._slate_after_s or now - self._sent_at <= REPEAT_S:
            return
        with self._generation_lock:
            self._shown = None
        try:
            self._repeat(generation)
        except Exception as error:  # noqa: BLE001  # then the codec is at fault, not the frame
            self._count(error)

    def _count(self, error: Exception) -> None:
        if self._failures.count():
            log.warning("encoding_failed", error=type(error).__name__, times=self.errors)

    def _repeat(self, generation: int) -> None:
        now = time.monotonic()
        with self._generation_lock:
            shown = self._shown
            if generation != self._generation:
                return
            if shown is None or now - self._shown_since > self._slate_after_s:
                width, height = self.size_wh or _FIRST_SIZE_WH
                shown = self._slate_of((max(width, _LEAST_SIDE), max(height, _LEAST_SIDE)))
                if not self.on_slate:
                    for tap in self._taps:
                        tap.put(shown)
                self.on_slate = True
                self.counts, self.faces = {}, ()
        self._send(shown, generation, at=now - self.delay_s)

    def _send(self, treated: TreatedFrame, generation: int, *, at: float) -> float:
        """Encode and emit; return when the best layer left."""
        left_at = None
        for frame in self._layer_encoders.encode(treated, at=at):
            with self._generation_lock:
                if generation != self._generation:
                    break  # the next generation begins with a keyframe, so nobody misses this one
                self._emit_frame(frame)
            self._sent_at = time.monotonic()
            left_at = left_at or self._sent_at
        return left_at or time.monotonic()

    def _slate_of(self, size_wh: tuple[int, int]) -> TreatedFrame:
        if self._slate is None or self._slate.image.shape[1::-1] != size_wh:
            self._slate = slate(size_wh, at=0.0)
        return self._slate
