"""VP8 through libvpx: the default, free of licences, and in every browser."""

from typing import ClassVar, Final

import av
from av.video.codeccontext import VideoCodecContext

from mien.media.codecs.encoded import VIDEO_CLOCK_RATE
from mien.media.codecs.encoder import NOMINAL_FPS, Encoder, new_context

_NOMINAL_TICKS: Final = VIDEO_CLOCK_RATE // NOMINAL_FPS


class Vp8Encoder(Encoder):
    """VP8, at a constant rate.

    libvpx through FFmpeg takes its rate once, when it is opened, and a keyframe at every change of rate would
    cost more than the change saves. But it deals out its bits by the duration of the frames. So it gets a
    clock of its own, which runs slower by as much as the rate shall be lower.
    """

    speeds: ClassVar[tuple[str, str]] = ("-12", "-8")
    """libvpx's `cpu-used` for the best layer and the lower ones, where 0.3 ms more buy 1.5 dB
    (`python -m benchmarks.media.encoder`)."""

    def __init__(self, *, epoch: float, layer: int = 0) -> None:
        super().__init__(epoch=epoch, layer=layer)
        self._clock = 0

    def _open(self, size_wh: tuple[int, int], bit_rate: int) -> VideoCodecContext:
        context = new_context("libvpx", size_wh, bit_rate)
        context.qmin, context.qmax = 2, 56
        rate = str(bit_rate)
        context.options = {
            "deadline": "realtime",
            "cpu-used": self.speeds[min(self._layer, 1)],
            "lag-in-frames": "0",
            "minrate": rate,  # equal rates make libvpx hold a constant one
            "maxrate": rate,
            "bufsize": rate,
            "undershoot-pct": "100",
            "overshoot-pct": "15",
            "max-intra-rate": "600",  # a keyframe may cost six frames: no burst that fills a router's queue
            "static-thresh": "1",
        }
        self._clock = 0
        return context

    def _pace(
        self,
        context: VideoCodecContext,  # noqa: ARG002  # H.264 needs it
        frame: av.VideoFrame,
        share: float,
    ) -> None:
        frame.pts, frame.duration = self._clock, max(round(_NOMINAL_TICKS * share), 1)
        self._clock += frame.duration
