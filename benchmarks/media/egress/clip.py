"""The clip that every server of `egress.py` sends, encoded before the clock starts and played in real time."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from mien.media.codecs.encoded import EncodedFrame, VideoCodec
from mien.vision.types import Image
from support.egress import encoded_frames

SIZE_WH: Final = (1280, 720)
FPS: Final = 30
BIT_RATE: Final = 2_000_000
GOP: Final = 30


def texture(size_wh: tuple[int, int], number: int) -> Image:
    """Draw a panned texture with grain: enough to fill the bit rate with pictures that move."""
    width, height = size_wh
    noise = np.random.default_rng(5)
    coarse = noise.integers(0, 255, (12, 24, 3), np.uint8)
    wall = cv2.resize(coarse, (width + 400, height), interpolation=cv2.INTER_CUBIC)
    shift = round(200 + 180 * np.sin(number / 25))
    grain = np.random.default_rng(number).normal(0, 4, (height, width, 1)).astype(np.int16)
    return np.asarray(np.clip(wall[:, shift : shift + width].astype(np.int16) + grain, 0, 255), np.uint8)


def encoded_clip(seconds: int) -> list[EncodedFrame]:
    """Return so much of it as VP8."""
    return encoded_frames(
        VideoCodec.VP8, size_wh=SIZE_WH, count=seconds * GOP, keyframe_every=GOP, bit_rate=BIT_RATE, draw=texture
    )


class Clip:
    """The clip in real time; a wish for a keyframe skips to the next one, as an encoder would make it."""

    def __init__(self, frames: list[EncodedFrame]) -> None:
        self._frames = frames
        self._wanted = False
        self._key_at = 0.0

    def want_keyframe(self, _layer: int = 0) -> None:
        self._wanted = True

    async def play(self, send: Callable[[EncodedFrame], object]) -> None:
        began, at, number = time.monotonic(), 0, 0
        while True:
            await asyncio.sleep(max(began + number / FPS - time.monotonic(), 0))
            now = time.monotonic()
            if self._wanted and now - self._key_at >= 0.25:
                self._wanted = False
                at = -(-at // GOP) * GOP
            frame = self._frames[at % len(self._frames)]
            if frame.is_keyframe:
                self._key_at = now
            send(EncodedFrame(frame.data, number * 90_000 // FPS, is_keyframe=frame.is_keyframe))
            at, number = at + 1, number + 1
