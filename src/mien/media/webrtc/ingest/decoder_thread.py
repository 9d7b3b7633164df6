"""The thread that decodes: every frame in its order, and what comes out is the newest frame."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final, Literal

import av
import structlog
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from mien.media.codecs.annex_b import ParameterSets
from mien.media.codecs.devices import CodecDevice, decodes_on
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.ingest.depacketizer import ReceivedFrame
from mien.rate_limit import LogThrottle
from mien.tracing import span

log = structlog.get_logger()

_MAX_WAITING: Final = 30
"""A second of frames. Whoever is that late will not catch up by decoding them all."""
_MICROSECOND: Final = Fraction(1, 1_000_000)
_MAX_IN_VAIN: Final = 3
"""A device that fails so often and decodes no frame between key frames meanwhile is at fault, not the sender."""
_VP8_SHOWN: Final = 0x10
"""The bit in the first byte of a VP8 frame without which it is only built on (RFC 6386, 9.1)."""
# FFmpeg's own VP8 decoder is faster than libvpx, and asks about the size before it takes memory.
_DECODERS: Final[dict[VideoCodec, Literal["vp8", "h264"]]] = {VideoCodec.VP8: "vp8", VideoCodec.H264: "h264"}


class DecoderThread:
    """Decodes one publisher's frames as they come.

    A frame builds on the one before, so none can be left out: when the thread is late by a second it goes on
    at the newest key frame, and when a frame is broken it waits for the next one. Frames that the decoder
    itself calls damaged go nowhere.

    Args:
        sink: Called on this thread with each frame and its capture time.
        ask_for_keyframe: Called, on any thread, when nothing can be decoded before the next key frame.
        max_pixels: Larger frames are refused before memory is taken for them.
        parameter_sets: As in `ParameterSets`.
        devices: Where frames are decoded, the preferred one first; in software where none does it.

    Attributes:
        dropped: Frames that were not decoded because the thread was late or a key frame was missing.
    """

    def __init__(
        self,
        *,
        sink: Callable[[av.VideoFrame, float], None],
        ask_for_keyframe: Callable[[], None],
        max_pixels: int,
        parameter_sets: str = "",
        devices: Sequence[CodecDevice] = (),
    ) -> None:
        self.dropped = 0
        self._failures = LogThrottle()
        self._sink = sink
        self._ask_for_keyframe = ask_for_keyframe
        self._max_pixels = max_pixels
        self._parameter_sets = ParameterSets(parameter_sets)
        self._devices = list(devices)
        self._on_device: VideoCodec | None = None
        self._in_vain = 0
        self._waiting: deque[tuple[ReceivedFrame, float]] = deque()
        self._in_step = False
        self._closed = False
        self._changed = threading.Condition()
        self._context: VideoCodecContext
        self._thread = threading.Thread(target=self._run, name="mien-decoder", daemon=True)
        self._thread.start()

    @property
    def errors(self) -> int:
        """Frames that could not be decoded."""
        return self._failures.times

    def put(self, frame: ReceivedFrame, at: float) -> None:
        """Decode `frame`, captured at `at` seconds, when its turn comes. Never waits."""
        with self._changed:
            if len(self._waiting) == _MAX_WAITING:
                self.dropped += len(self._waiting)
                self._waiting.clear()
                self._in_step = False
            if frame.is_keyframe:
                self._in_step = True
            if self._in_step and not self._closed:
                self._waiting.append((frame, at))
                self._changed.notify()
                return
            self.dropped += 1
        self._ask_for_keyframe()

    def close(self, *, timeout_s: float) -> bool:
        """Hand on nothing more and end; return whether the thread did within `timeout_s`."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                frame, at = self._waiting.popleft()
            try:
                self._decode(frame, at)
            except Exception as error:  # noqa: BLE001  # the frame is a stranger's; no frame may end the thread
                self._wait_for_keyframe(error)

    def _decode(self, frame: ReceivedFrame, at: float) -> None:
        data = frame.data
        if frame.is_keyframe and frame.codec is VideoCodec.H264:
            data = self._parameter_sets.complete(data)
        packet = av.Packet(data)
        packet.pts, packet.time_base = round(at / _MICROSECOND), _MICROSECOND
        try:
            with span("decode"):
                frames = self._begin(frame.codec, packet) if frame.is_keyframe else self._go_on(frame, packet)
            if any(decoded.is_corrupt for decoded in frames):
                raise ValueError("the picture is damaged")  # noqa: TRY301  # the device may be why, as for the others
        except Exception as error:
            self._count_in_vain(error)
            raise
        if not frame.is_keyframe:
            self._in_vain = 0
        for decoded in frames:
            if decoded.width * decoded.height > self._max_pixels:
                raise ValueError(f"a picture may have {self._max_pixels} pixels, got {decoded.width}x{decoded.height}")
            if decoded.pts is not None and not self._closed:
                self._sink(decoded, float(decoded.pts * _MICROSECOND))

    def _begin(self, codec: VideoCodec, packet: "av.Packet[Any]") -> list[av.VideoFrame]:
        """Decode a key frame with a new decoder: nothing of a damaged frame before, or of one made to confuse, is left.

        A device takes a tenth of a second to open, so its decoder goes on until a frame fails. One that fails in a key
        frame is given up, and that frame is decoded in software.
        """
        while self._devices:
            try:
                if self._on_device is not codec:
                    self._context = _set_up(decodes_on(self._devices[0], _DECODERS[codec]), self._max_pixels)
                frames = self._context.decode(packet)
                if not frames:
                    raise _held_back()  # noqa: TRY301  # as others
            except Exception as error:  # noqa: BLE001  # drivers fail in many ways, and frames must go on
                self._give_up(error)
            else:
                self._on_device = codec
                return frames
        self._context = _set_up(av.CodecContext.create(_DECODERS[codec], "r"), self._max_pixels)
        return self._context.decode(packet)

    def _go_on(self, frame: ReceivedFrame, packet: "av.Packet[Any]") -> list[av.VideoFrame]:
        """Decode a frame between key frames. To hold it back is a failure of a device: it would be shown late."""
        frames = self._context.decode(packet)
        if self._on_device is not None and not frames and _is_shown(frame):
            raise _held_back()
        return frames

    def _count_in_vain(self, error: Exception) -> None:
        """Give a device up that decodes key frames and nothing between them: it would be opened again for each."""
        if self._on_device is not None:
            self._in_vain += 1
            if self._in_vain == _MAX_IN_VAIN:
                self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        device, self._on_device, self._in_vain = self._devices.pop(0), None, 0
        log.warning("decoding_device_given_up", device=device.value, error=type(error).__name__)

    def _wait_for_keyframe(self, error: Exception) -> None:
        if self._failures.count():
            log.warning("decoding_failed", error=type(error).__name__, reason=str(error)[:200], times=self.errors)
        self._on_device = None
        with self._changed:
            while self._waiting and not self._waiting[0][0].is_keyframe:
                self._waiting.popleft()
                self.dropped += 1
            self._in_step = bool(self._waiting)
        if not self._in_step:
            self._ask_for_keyframe()


def _is_shown(frame: ReceivedFrame) -> bool:
    return frame.codec is not VideoCodec.VP8 or bool(frame.data[0] & _VP8_SHOWN)


def _held_back() -> RuntimeError:
    return RuntimeError("the device does not give each frame out at once")


def _set_up(context: VideoCodecContext, max_pixels: int) -> VideoCodecContext:
    context.thread_count = 1  # more would hold frames back, one per thread
    context.flags |= Flags.low_delay  # hand on a frame with its own packet, whatever order a profile allows
    # Decoders round sizes up to whole blocks and more; the frame itself is measured when it is there.
    context.options = {"max_pixels": str(max_pixels * 5 // 4)}
    return context
