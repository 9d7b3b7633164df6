"""Encoded broadcasts made by code: a counter that moves, a flash and a beep every second."""

from collections.abc import Iterator

import av
import numpy as np

from mien.media.codecs.encoded import EncodedAudio, EncodedFrame, VideoCodec
from mien.media.codecs.layers import LayerEncoders
from mien.vision.types import TreatedFrame
from support.clips import patches
from support.opus import OpusEncoder

FPS = 25
FLASH_S = 0.2


class Broadcast:
    """Encodes pictures of stripes, white for the first fifth of each second, and a tone just as long.

    Args:
        codec: The codec of the frames.
        size_wh: Width and height of the frames.
    """

    def __init__(self, codec: VideoCodec, *, size_wh: tuple[int, int] = (320, 240)) -> None:
        self.size_wh = size_wh
        self._layer_encoders = LayerEncoders(codec, epoch=0.0)
        self._layer_encoders.set_audience(frozenset({0}))
        self._opus = OpusEncoder(epoch=0.0)
        self._number = 0

    def want_keyframe(self) -> None:
        """Make the next picture a keyframe: this broadcast runs faster than time, so no request may wait."""
        self._layer_encoders.want_fresh_start()

    def run(self, seconds: float) -> Iterator[EncodedFrame | EncodedAudio]:
        """Yield pictures and sound of the next seconds as they would come, faster than time."""
        for _ in range(round(seconds * FPS)):
            at = 10 + self._number / FPS
            self._number += 1
            for start in (at, at + 0.02):
                for packet in self._opus.encode(_tone(start), at=start):
                    yield EncodedAudio(bytes(packet), packet.pts or 0)
            image = patches(self.size_wh, self._number)
            if at % 1 < FLASH_S:
                image[:] = 255
            yield from self._layer_encoders.encode(TreatedFrame(image, at=at), at=at)


def _tone(start: float) -> av.AudioFrame:
    times = start + np.arange(960) / 48_000
    wave = np.where(times % 1 < FLASH_S, 12_000 * np.sin(2 * np.pi * 440 * times), 0).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
    frame.sample_rate = 48_000
    return frame
