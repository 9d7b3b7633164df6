"""H.264 through x264, where the operator allows it: constrained baseline, which everything decodes."""

from typing import ClassVar, Final

import av
from av.video.codeccontext import VideoCodecContext

from mien.media.codecs.encoded import VIDEO_CLOCK_RATE
from mien.media.codecs.encoder import MAX_SHARE, NEVER, NOMINAL_FPS, Encoder, new_context

_STEP: Final = 0.05
"""x264 plans anew at every change of the rate, so small ones are left out."""
# Adaptive quantisation gives flat areas more bits than they show: without it a frame has 1.1 to 1.4 dB more, its SSIM
# rises, too, and it takes a tenth less time.
_OPTIONS: Final = {"tune": "zerolatency", "profile": "baseline", "forced-idr": "1", "aq-mode": "0"}


class H264Encoder(Encoder):
    """H.264 in Annex B, with SPS and PPS before every keyframe, and each keyframe an IDR frame."""

    speeds: ClassVar[tuple[str, str]] = ("superfast", "superfast")
    """x264's `preset` for the best layer and the lower ones: ultrafast saves 2 ms and costs 2 dB, veryfast gains
    nothing (`python -m benchmarks.media.encoder`)."""

    def __init__(self, *, epoch: float, layer: int = 0) -> None:
        super().__init__(epoch=epoch, layer=layer)
        self._number = 0
        self._full_rate = 0

    def _open(self, size_wh: tuple[int, int], bit_rate: int) -> VideoCodecContext:
        context = new_context("libx264", size_wh, round(bit_rate * MAX_SHARE))
        context.options = {
            "preset": self.speeds[min(self._layer, 1)],
            **_OPTIONS,
            # x264 can change its rate only if it began as a constant one (maxrate = bit_rate) with a buffer, both
            # given here and not in x264-params; and only to less than it began with. A buffer of a quarter of
            # a second keeps a keyframe at a fifth of the size that it has without.
            "maxrate": str(context.bit_rate),
            "bufsize": str(bit_rate // 4),
            "x264-params": f"scenecut=0:keyint={NEVER}",  # a cut costs what the buffer allows, not a keyframe
        }
        context.open()  # with the rate above; `_pace` brings it down before the first frame
        self._full_rate = bit_rate
        return context

    def _pace(self, context: VideoCodecContext, frame: av.VideoFrame, share: float) -> None:
        # x264 told to heed the times of frames holds each back until it knows the next. So it counts them
        # at the nominal rate, and the bit rate is what follows the clock.
        self._count(frame)
        bit_rate = round(self._full_rate * share)
        if abs(bit_rate - (context.bit_rate or 0)) > _STEP * bit_rate:
            context.bit_rate = bit_rate

    def _count(self, frame: av.VideoFrame) -> None:
        self._number += 1
        frame.pts = self._number * VIDEO_CLOCK_RATE // NOMINAL_FPS
