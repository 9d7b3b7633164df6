"""What the encoders of all codecs share: one encoder per layer and broadcast, set for real time."""

from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Any, Final

import av
from av.codec.hwaccel import HWAccel
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from mien.media.codecs.encoded import VIDEO_CLOCK_RATE, EncodedFrame
from mien.media.codecs.planes import TreatedPlanes

VIDEO_TIME_BASE: Final = Fraction(1, VIDEO_CLOCK_RATE)
NOMINAL_FPS: Final = 30
"""Codecs are opened for this frame rate."""
MAX_SHARE: Final = 3.0
"""Below a third of the nominal frame rate frames do not get more bits, or a pause would end in a burst."""
NEVER: Final = 1_000_000
"""A distance between keyframes that is never reached: they come when a viewer or the recorder asks."""

_NOMINAL_TICKS: Final = VIDEO_CLOCK_RATE / NOMINAL_FPS
_SMOOTHING: Final = 0.1
_BT601: Final = 6
_VIDEO_RANGE: Final = 1


class Encoder(ABC):
    """Turns treated frames of one layer into encoded ones, each at once and in order.

    The codec is opened for the size of the first frame and again whenever the size changes; the first frame
    after that is a keyframe. Presentation times only rise, whatever the frames' times do.

    Args:
        epoch: The capture time, in seconds, that becomes presentation time zero.
        layer: Written on every encoded frame.
    """

    def __init__(self, *, epoch: float, layer: int = 0) -> None:
        self._epoch = epoch
        self._layer = layer
        self._context: VideoCodecContext | None = None
        self._last_pts = -1
        self._interval = _NOMINAL_TICKS
        self._limit: int | None = None

    @property
    def size_wh(self) -> tuple[int, int] | None:
        """Width and height of the encoded frame; None before the first."""
        return (self._context.width, self._context.height) if self._context else None

    def limit_rate(self, bit_rate: int | None) -> None:
        """Stay below `bit_rate` from the next frame on, or at the size's own rate again with None.

        No keyframe is made for it.
        """
        self._limit = bit_rate

    def reset(self) -> None:
        """Open the codec anew for the next frame, which then is a keyframe."""
        self._context = None

    def encode(self, planes: TreatedPlanes, *, at: float, keyframe: bool = False) -> EncodedFrame | None:
        """Encode one frame to show at `at` seconds.

        Args:
            planes: The frame.
            at: The time it stands for.
            keyframe: Make it a frame that can be decoded by itself.

        Returns:
            The encoded frame; None if the codec left it out.

        Raises:
            TypeError: `planes` is no `TreatedPlanes`; no other frame may leave.
        """
        if not isinstance(planes, TreatedPlanes):
            raise TypeError(f"only TreatedPlanes may be encoded, got {type(planes).__name__}")
        size_wh = planes.size_wh
        context = self._context
        if context is None or size_wh != self.size_wh:
            context = self._context = self._open(size_wh, bit_rate_of(size_wh, self._layer))
        pts = max(self._last_pts + 1, round((at - self._epoch) * VIDEO_CLOCK_RATE))
        share = self._share(pts, bit_rate_of(size_wh, self._layer))
        frame = _frame(planes)
        frame.time_base = VIDEO_TIME_BASE
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        self._pace(context, frame, share)
        packets = self._encoded(context, frame)
        if not packets:
            return None
        return EncodedFrame(b"".join(map(bytes, packets)), pts, packets[0].is_keyframe, self._layer)

    def _share(self, pts: int, full_rate: int) -> float:
        """Return how many bits this frame is worth, over those of one at the nominal frame and full bit rate.

        Frames come unevenly; a smoothed interval between them keeps the quality steady.
        """
        if self._last_pts >= 0:
            interval = min(pts - self._last_pts, MAX_SHARE * _NOMINAL_TICKS)
            self._interval += _SMOOTHING * (interval - self._interval)
        self._last_pts = pts
        return self._interval / _NOMINAL_TICKS * min((self._limit or full_rate) / full_rate, 1.0)

    def _encoded(self, context: VideoCodecContext, frame: av.VideoFrame) -> "list[Packet[Any]]":
        """Return what the codec makes of `frame`."""
        return context.encode(frame)

    @abstractmethod
    def _open(self, size_wh: tuple[int, int], bit_rate: int) -> VideoCodecContext:
        """Return a context that gives each frame out at once."""

    @abstractmethod
    def _pace(self, context: VideoCodecContext, frame: av.VideoFrame, share: float) -> None:
        """Set the time of `frame`, and whatever makes the codec spend `share` of the usual bits on it."""


def bit_rate_of(size_wh: tuple[int, int], layer: int) -> int:
    """Return the bits a second that a frame of this size is worth on this layer.

    Example:
        >>> bit_rate_of((1280, 720), 0), bit_rate_of((640, 360), 1)
        (2027520, 400896)
    """
    # 2 Mbit/s at 1280 x 720 is what browsers' own choices and research into them call good. The lower layers
    # are for lines that carry little: 0.4 Mbit/s beside audio and headers goes through 0.6 Mbit/s.
    bits_per_pixel, least, most = (2.2, 250_000, 4_000_000) if layer == 0 else (1.74, 80_000, 1_000_000)
    return int(min(max(size_wh[0] * size_wh[1] * bits_per_pixel, least), most))


def _frame(planes: TreatedPlanes) -> av.VideoFrame:
    """Return the planes as a frame of their own size."""
    _width, height = planes.size_wh
    # The frame borrows the array, which saves a copy; the codec has taken what it needs when it returns. PyAV takes
    # the height of a borrowed array down to a multiple of four, and then the colours are read from the wrong rows.
    borrows = height % 4 == 0
    make = av.VideoFrame.from_numpy_buffer if borrows else av.VideoFrame.from_ndarray
    return make(planes.i420, format="yuv420p")


def new_context(
    codec: str, size_wh: tuple[int, int], bit_rate: int, *, hwaccel: HWAccel | None = None
) -> VideoCodecContext:
    """Return a context, not yet opened, with everything that does not differ from codec to codec."""
    context: VideoCodecContext = av.CodecContext.create(codec, "w", hwaccel)  # type: ignore[assignment]  # av: by name
    context.width, context.height = size_wh
    context.bit_rate = bit_rate
    context.pix_fmt = "yuv420p"
    context.time_base = VIDEO_TIME_BASE
    context.framerate = Fraction(NOMINAL_FPS)
    context.gop_size = NEVER
    context.max_b_frames = 0
    context.thread_count = 1
    context.colorspace, context.color_range = _BT601, _VIDEO_RANGE
    context.color_primaries = context.color_trc = _BT601
    return context
