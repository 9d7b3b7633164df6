"""Small real videos made by code, and simple pipelines for the file job."""

from __future__ import annotations  # av.Packet takes a type only in its stubs

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from mien.media.colour import Colour, FromRgb
from mien.vision.types import Image, TreatedFrame

PATCHES = ((200, 30, 60), (20, 180, 90), (250, 250, 250), (10, 10, 10), (128, 128, 128), (30, 60, 200))
LIMITED_709 = Colour(1, full_range=False, primaries=1, transfer=1)


def patches(size_wh: tuple[int, int], index: int = 0) -> Image:
    """Return upright stripes of `PATCHES`; a white mark in the top row counts the frames."""
    width, height = size_wh
    image = np.zeros((height, width, 3), np.uint8)
    edges = np.linspace(0, width, len(PATCHES) + 1).astype(int)
    for rgb, left, right in zip(PATCHES, edges, edges[1:], strict=False):
        image[:, left:right] = rgb
    image[: height // 4] = 0
    image[: height // 4, : width * (index % 20) // 20] = 255
    return image


def frame_index(image: Image) -> int:
    """Read back what `patches` counted."""
    row = image[image.shape[0] // 8, :, 1] > 128
    return round(float(row.mean()) * 20)


@dataclass
class Clip:
    """What to put into a video.

    Attributes:
        size_wh: Width and height of the coded frames.
        pts: The time of each frame, in `time_base`.
        time_base: Unit of `pts`.
        colour: How the frames are coded and tagged.
        tagged: Whether the colours are told.
        picture: Makes each frame's RGB.
        codec: The video's codec.
        pixel_shape: Width of a pixel over its height.
        rotation: Degrees counter-clockwise that the display matrix asks for.
        mirror: Whether the display matrix mirrors left and right.
        sound: Codec of a tone, or "".
        audio_start_s: When the tone begins.
        title: The file's title.
        metadata: Further tags of the file.
    """

    size_wh: tuple[int, int] = (192, 108)
    pts: Sequence[int] = tuple(range(12))
    time_base: Fraction = Fraction(1, 25)
    colour: Colour = LIMITED_709
    tagged: bool = True
    picture: Callable[[tuple[int, int], int], Image] = patches
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=lambda: {"crf": "8", "preset": "ultrafast"})
    pixel_shape: Fraction | None = None
    rotation: int = 0
    mirror: bool = False
    sound: str = ""
    audio_start_s: float = 0.0
    metadata: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        """Encode the clip to `path`; its suffix says into which container."""
        with av.open(str(path), "w") as container:
            container.metadata.update(self.metadata)
            video = cast("VideoStream", container.add_stream(self.codec, rate=25, options=self.options))
            video.width, video.height = self.size_wh
            video.pix_fmt = "yuv420p"
            video.codec_context.time_base = self.time_base
            if self.tagged:
                video.codec_context.colorspace = self.colour.matrix
                video.codec_context.color_range = int(self.colour.range_code)
                video.codec_context.color_primaries = self.colour.primaries
                video.codec_context.color_trc = self.colour.transfer
            if self.pixel_shape:
                video.codec_context.sample_aspect_ratio = self.pixel_shape
            if self.rotation or self.mirror:
                video.set_display_rotation(self.rotation, hflip=self.mirror)
            sound = cast("AudioStream", container.add_stream(self.sound, rate=48_000)) if self.sound else None
            container.start_encoding()
            to_yuv = FromRgb(self.colour)
            for index, pts in enumerate(self.pts):
                frame = to_yuv(self.picture(self.size_wh, index))
                frame.pts, frame.time_base = pts, self.time_base
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            if sound is not None:
                seconds = float((self.pts[-1] - self.pts[0] + 1) * self.time_base)
                for tone in _tone(sound, self.audio_start_s, seconds):
                    container.mux(sound.encode(tone))
                container.mux(sound.encode(None))
        return path


def _tone(stream: AudioStream, start_s: float, seconds: float) -> Iterator[av.AudioFrame]:
    size = stream.codec_context.frame_size or 1024
    layout, form = stream.codec_context.layout.name, stream.codec_context.format.name
    resampler = av.AudioResampler(form, layout, 48_000)
    start = round(start_s * 48_000)
    for first in range(0, int(seconds * 48_000), size):
        wave = np.sin(np.arange(first, first + size) * (2 * np.pi * 440 / 48_000)) * 8000
        frame = av.AudioFrame.from_ndarray(np.repeat(wave.astype(np.int16), 2)[None], format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start + first, Fraction(1, 48_000)
        yield from resampler.resample(frame)


def decode(path: Path) -> list[av.VideoFrame]:
    """Return all frames of a video's first video stream."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def packets(path: Path, kind: str) -> list[tuple[bytes, float]]:
    """Return the bytes and time of every packet of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        found = cast("Iterator[Any]", container.demux(stream))
        return [(bytes(p), float(p.pts * p.time_base)) for p in found if p.size and p.pts is not None]


@dataclass
class Keep:
    """Returns every frame as it is, called treated, after a delay: for tests of the way, not of the eyes."""

    delay: int = 0
    counts: dict[str, int] = field(default_factory=lambda: {"mosaic": 1})
    images: list[Image] = field(default_factory=list)
    _held: deque[TreatedFrame] = field(default_factory=deque)

    def __call__(self, image: Image, *, at: float) -> TreatedFrame | None:
        self.images.append(image.copy())
        self._held.append(TreatedFrame(image, at, dict(self.counts), altered=True))
        return self._held.popleft() if len(self._held) > self.delay else None

    def flush(self) -> Iterator[TreatedFrame]:
        while self._held:
            yield self._held.popleft()
