"""One VP8 encoder per broadcast, set for real time. It takes treated frames and nothing else."""

from fractions import Fraction
from typing import Final

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from mien.errors import ShapeError
from mien.media.frames import to_i420
from mien.vision.faces import TreatedFrame

VIDEO_TIME_BASE: Final = Fraction(1, 90_000)
"""90 kHz is the RTP clock of video (RFC 3551, 5)."""

_BITS_PER_PIXEL: Final = 2.2
"""2 Mbit/s at 1280 x 720, which research into browsers' own choices calls good."""
_MIN_BIT_RATE: Final = 250_000
_MAX_BIT_RATE: Final = 4_000_000


class Vp8Encoder:
    """Turns treated frames into VP8 packets that senders pack without encoding again.

    The encoder is opened for the size of the first frame and again whenever the size changes. Presentation
    times only rise, whatever the frames' times do.

    Args:
        epoch: The capture time, in seconds, that becomes presentation time zero.
    """

    def __init__(self, *, epoch: float) -> None:
        self._epoch = epoch
        self._context: VideoCodecContext | None = None
        self._last_pts = -1

    @property
    def size_wh(self) -> tuple[int, int] | None:
        """Width and height of the encoded picture; None before the first."""
        return (self._context.width, self._context.height) if self._context else None

    def reset(self) -> None:
        """Open the encoder anew for the next frame, which then is a keyframe."""
        self._context = None

    def encode(self, treated: TreatedFrame, *, at: float, keyframe: bool = False) -> "list[av.Packet[av.VideoStream]]":
        """Encode one frame to show at `at` seconds.

        Args:
            treated: The frame.
            at: The time it stands for; differs from `treated.at` when an old frame is shown again.
            keyframe: Make it a picture that can be decoded by itself.

        Returns:
            Packets with presentation times on the 90 kHz clock; normally one.

        Raises:
            TypeError: `treated` is not a `TreatedFrame`; no other picture may leave.
            ShapeError: The frame holds no usable image.
        """
        if not isinstance(treated, TreatedFrame):
            raise TypeError(f"only a TreatedFrame may be encoded, got {type(treated).__name__}")
        planes = to_i420(treated.image)
        size_wh = (planes.shape[1], planes.shape[0] * 2 // 3)
        if size_wh != self.size_wh:
            self._context = _open(size_wh)
        if self._context is None:
            raise ShapeError(f"no encoder for {size_wh}")
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.time_base = VIDEO_TIME_BASE
        frame.pts = self._last_pts = max(self._last_pts + 1, round((at - self._epoch) / VIDEO_TIME_BASE))
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        return self._context.encode(frame)


def _open(size_wh: tuple[int, int]) -> VideoCodecContext:
    context = av.CodecContext.create("libvpx", "w")
    context.width, context.height = size_wh
    bit_rate = int(min(max(size_wh[0] * size_wh[1] * _BITS_PER_PIXEL, _MIN_BIT_RATE), _MAX_BIT_RATE))
    context.bit_rate = bit_rate
    context.pix_fmt = "yuv420p"
    context.time_base = VIDEO_TIME_BASE
    context.framerate = Fraction(30)
    context.gop_size = 3000  # keyframes come when a viewer asks
    context.qmin, context.qmax = 2, 56
    context.thread_count = 1
    rate = str(bit_rate)
    context.options = {
        "deadline": "realtime",
        "cpu-used": "-12",  # 720p in about 8 ms on one core; -6 takes 13 ms for 1 dB
        "lag-in-frames": "0",
        "minrate": rate,  # equal rates make libvpx hold a constant one
        "maxrate": rate,
        "bufsize": rate,
        "undershoot-pct": "100",
        "overshoot-pct": "15",
        "max-intra-rate": "600",  # a keyframe may cost six frames: no burst that fills a router's queue
        "static-thresh": "1",
    }
    return context
