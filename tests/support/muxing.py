"""Video files with any number of tracks, for tests of what comes in: the words around them chosen one by one."""

from __future__ import annotations  # av.Packet takes a type only in its stubs

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.stream import Disposition
from av.video.stream import VideoStream

from mien.vision.types import Image
from support.clips import patches

QUICK = {
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}
DEFAULT = Disposition.default


@dataclass
class Film:
    """A stream of pictures.

    Attributes:
        codec: The encoder.
        size_wh: Width and height of the frames.
        pts: Their times, in `time_base`.
        time_base: Unit of the times.
        pix_fmt: How the frames are coded.
        rate: What the file says of frames per second.
        options: The encoder's options.
        b_frames: How many stand between two others.
        pixel_shape: Width of a pixel over its height.
        rotation: Degrees counter-clockwise that the display matrix asks for.
        interlaced: Whether two fields make a frame.
        first: The number of the first frame in its picture.
        disposition: What the track is for.
        words: Tags of the track.
        alpha: How opaque each frame is, 0 to 255; None where it has no such plane.
        picture: Makes each frame's RGB.
    """

    codec: str = "libx264"
    size_wh: tuple[int, int] = (64, 48)
    pts: Sequence[int] = tuple(range(8))
    time_base: Fraction = Fraction(1, 25)
    pix_fmt: str = "yuv420p"
    rate: Fraction = Fraction(25)
    options: dict[str, str] | None = None
    b_frames: int = 0
    pixel_shape: Fraction | None = None
    rotation: int = 0
    interlaced: bool = False
    first: int = 0
    disposition: Disposition = DEFAULT
    words: dict[str, str] = field(default_factory=dict)
    alpha: int | None = None
    picture: Callable[[tuple[int, int], int], Image] = patches

    def add(self, container: av.container.OutputContainer) -> VideoStream:
        """Announce the stream."""
        options = dict(QUICK.get(self.codec, {}) if self.options is None else self.options)
        if self.codec == "libx264":
            options.setdefault("bf", str(self.b_frames))
        stream = cast("VideoStream", container.add_stream(self.codec, rate=self.rate, options=options))
        stream.width, stream.height = self.size_wh
        stream.pix_fmt = self.pix_fmt
        stream.codec_context.time_base = self.time_base
        if self.codec not in {"libx264", "libx265"} and self.b_frames:
            stream.codec_context.max_b_frames = self.b_frames
        if self.pixel_shape is not None:
            stream.codec_context.sample_aspect_ratio = self.pixel_shape
        if self.rotation:
            stream.set_display_rotation(self.rotation)
        if self.interlaced:
            stream.codec_context.flags |= 1 << 18 | 1 << 29
        stream.disposition = self.disposition
        stream.metadata.update(self.words)
        return stream

    def packets(self, stream: VideoStream) -> list[av.Packet[Any]]:
        """Encode it."""
        made: list[av.Packet[Any]] = []
        for index, pts in enumerate(self.pts):
            frame = self._frame(self.picture(self.size_wh, self.first + index))
            frame.pts, frame.time_base = pts, self.time_base
            made += stream.encode(frame)
        return made + stream.encode(None)

    def _frame(self, image: Image) -> av.VideoFrame:
        if self.alpha is None:
            return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=self.pix_fmt)
        opaque = np.full((*image.shape[:2], 1), self.alpha, np.uint8)
        rgba = np.ascontiguousarray(np.concatenate([image, opaque], axis=2))
        return av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format=self.pix_fmt)


@dataclass
class Audio:
    """A stream of a tone.

    Attributes:
        codec: The encoder.
        rate: Samples per second.
        layout: Its channels.
        start_s: When it begins.
        seconds: How long it lasts.
        disposition: What the track is for.
        words: Tags of the track.
    """

    codec: str = "aac"
    rate: int = 48_000
    layout: str = "stereo"
    start_s: float = 0.0
    seconds: float = 0.32
    disposition: Disposition = DEFAULT
    words: dict[str, str] = field(default_factory=dict)

    def add(self, container: av.container.OutputContainer) -> AudioStream:
        """Announce the stream."""
        stream = cast("AudioStream", container.add_stream(self.codec, rate=self.rate, layout=self.layout))
        stream.disposition = self.disposition
        stream.metadata.update(self.words)
        return stream

    def packets(self, stream: AudioStream) -> list[av.Packet[Any]]:
        """Encode it."""
        wave = np.sin(np.arange(round(self.seconds * self.rate)) * (2 * np.pi * 440 / self.rate)) * 9000
        channels = stream.layout.nb_channels
        frame = av.AudioFrame.from_ndarray(
            np.repeat(wave.astype(np.int16), channels)[None], format="s16", layout=self.layout
        )
        frame.sample_rate, frame.pts = self.rate, round(self.start_s * self.rate)
        frame.time_base = Fraction(1, self.rate)
        return [*stream.encode(frame), *stream.encode(None)]


def mux(
    path: Path,
    *tracks: Film | Audio,
    form: str | None = None,
    options: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    words: Sequence[tuple[float, str]] = (),
    words_codec: str = "subrip",
    words_disposition: Disposition = DEFAULT,
    chapters: Sequence[tuple[float, float, str]] = (),
    attachment: bytes = b"",
) -> Path:
    """Write a file.

    Args:
        path: Where to; its suffix says into which container.
        tracks: Pictures and sound.
        form: The container, where the suffix does not say.
        options: The muxer's options.
        tags: The file's tags.
        words: Subtitles: when, and what; each stays for 0.1 s.
        words_codec: How they are coded.
        words_disposition: What they are for.
        chapters: From, to, title.
        attachment: A picture that lies beside the tracks.
    """
    with av.open(str(path), "w", format=form, options=options or {}) as container:
        container.metadata.update(tags or {})
        container.set_chapters(
            [
                {
                    "id": number,
                    "start": round(begin * 1000),
                    "end": round(end * 1000),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": title},
                }
                for number, (begin, end, title) in enumerate(chapters, 1)
            ]
        )
        streams = [track.add(container) for track in tracks]
        text = container.add_mux_stream(words_codec, time_base=Fraction(1, 1000)) if words else None
        if text is not None:
            text.disposition = words_disposition
        if attachment:
            container.add_attachment("cover.jpg", "image/jpeg", attachment)
        container.start_encoding()
        made = [p for track, stream in zip(tracks, streams, strict=True) for p in track.packets(stream)]  # type: ignore[arg-type]
        for at, said in words:
            packet = av.Packet(said.encode())
            packet.stream, packet.time_base = text, Fraction(1, 1000)  # type: ignore[assignment]
            packet.pts = packet.dts = round(at * 1000)
            packet.duration = 100
            made.append(packet)
        for packet in sorted(made, key=_order):
            container.mux(packet)
    return path


def _order(packet: av.Packet[Any]) -> Fraction:
    return (packet.dts or 0) * (packet.time_base or Fraction(0))
