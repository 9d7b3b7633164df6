"""Treated videos into files: the picture encoded anew, audio and text copied where the container can hold them."""

from __future__ import annotations  # av.Packet takes a type only in its stubs

import math
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from mien.errors import InputError, OutputError, ShapeError
from mien.media.colour import FromRgb
from mien.media.files.atomic import explain
from mien.media.files.audio_tracks import Converted, Copied, describe, may_hide_an_image
from mien.media.files.containers import CONTAINERS, H264, check_video_suffix
from mien.media.files.demuxing import AudioKind, Chapter
from mien.media.files.video_frames import CarriedPacket, VideoInfo
from mien.vision.types import Image, TreatedFrame


class Travellers(Protocol):
    """The streams that may travel along; a `VideoReader` is one."""

    audio: tuple[AudioStream, ...]
    subtitles: tuple[SubtitleStream, ...]
    info: VideoInfo

    @property
    def title(self) -> str | None:
        """The title of the original file."""
        ...

    @property
    def film(self) -> av.VideoStream:
        """The stream that the frames come from."""
        ...

    @property
    def chapters(self) -> list[Chapter]:
        """The chapters of the original file, in the time of the frames."""
        ...

    def audio_kinds(self, stream: AudioStream) -> list[AudioKind]:
        """Return the kinds of audio in a track, in order, each once."""
        ...


class VideoWriter:
    """Writes one video: treated frames, and the packets of the original that may travel along.

    Args:
        path: Where to.
        suffix: Kind of file: one of `WRITABLE_VIDEO_SUFFIXES`.
        origin: Where the frames come from; gives size, colours and the travelling streams.
        name: How to call the file in errors; `path` may be a name for the time being.

    Raises:
        OutputError: The file cannot be written, or the picture does not fit into it.
    """

    def __init__(self, path: Path, *, suffix: str, origin: Travellers, name: str | None = None) -> None:
        check_video_suffix(suffix)
        self._kind = CONTAINERS[suffix.lower()]
        self._name = path.name if name is None else name
        self._info = origin.info
        self._to_yuv = FromRgb(origin.info.colour.for_output())
        self._durations: dict[int, int] = {}
        self.notes: list[str] = []
        self._unfit = 0
        with _told_as_output(self._name):
            self._container = av.open(f"file:{path}", "w", format=self._kind.format, options=dict(self._kind.options))
        self._open = True
        try:
            self._video = self._add_video()
            describe(origin.film, self._video)
            self._routes = {s.index: self._add_audio(s, origin.audio_kinds(s)) for s in origin.audio}
            self._routes |= {s.index: copied for s in origin.subtitles if (copied := self._add_text(s))}
            if origin.title:
                self._container.metadata["title"] = origin.title
            if origin.chapters:
                self._container.set_chapters([_told(n, chapter) for n, chapter in enumerate(origin.chapters, 1)])
            with _told_as_output(self._name):
                self._container.start_encoding()
        except BaseException:
            self._abandon()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()

    def write_frame(self, frame: TreatedFrame, *, pts: int, duration: int = 0) -> None:
        """Encode one frame.

        Args:
            frame: The only kind of picture that may leave.
            pts: Its time, in units of the origin's time base.
            duration: In the same unit; 0 if unknown.

        Raises:
            InputError: It is no treated frame, or not of the size announced.
            OutputError: It cannot be written.
        """
        if not isinstance(frame, TreatedFrame):
            raise InputError(f"only a TreatedFrame may be written, got {type(frame).__name__}")
        if frame.image.shape[1::-1] != self._info.size_wh:
            raise ShapeError(f"frames must be {self._info.size_wh}, got {frame.image.shape[1::-1]} (width, height)")
        video_frame = self._to_yuv(_even(frame.image) if self._needs_even_sides else frame.image)
        video_frame.pts, video_frame.time_base = pts, self._info.time_base
        if duration > 0:
            self._durations[pts] = duration
        self._mux_video(video_frame)

    def write_packet(self, packet: CarriedPacket) -> None:
        """Pass a packet of audio or text on; one of a stream that does not travel is dropped.

        Raises:
            OutputError: It cannot be written.
        """
        route = self._routes.get(packet.stream.index)
        if route is not None:
            with _told_as_output(self._name):
                self._mux_carried(route(packet))

    def close(self) -> None:
        """Write what the encoders still hold, and the end of the file.

        Raises:
            OutputError: It cannot be written.
        """
        if not self._open:
            return
        self._mux_video(None)
        with _told_as_output(self._name):
            for route in self._routes.values():
                self._mux_carried(route(None))
            self._open = False
            self._container.close()
        if self._unfit:
            self.notes.append(f"{self._unfit} packet(s) of sound or text did not fit into this kind of file")

    def _abandon(self) -> None:
        """Let go of the file without caring for its end; whoever lent the path removes it."""
        if self._open:
            self._open = False
            try:
                self._container.close()
            except (av.FFmpegError, OSError, ValueError):
                return  # a broken file is being thrown away; the first error is the one to tell

    def _mux_carried(self, packets: Iterator[CarriedPacket]) -> None:
        """Write audio or text; what the container will not take is counted, and costs nobody the whole film."""
        for packet in packets:
            try:
                self._container.mux(packet)
            except (av.error.InvalidDataError, av.error.ArgumentError):
                self._unfit += 1

    def _mux_video(self, frame: av.VideoFrame | None) -> None:
        with _told_as_output(self._name):
            for packet in self._video.encode(frame):
                if packet.pts is not None and packet.time_base == self._info.time_base:
                    packet.duration = self._durations.pop(packet.pts, packet.duration or 0)
                self._container.mux(packet)

    @property
    def _needs_even_sides(self) -> bool:
        return self._kind.video is H264

    def _add_video(self) -> VideoStream:
        codec, options = self._kind.video
        colour = self._info.colour.for_output()
        width, height = self._info.size_wh
        if self._needs_even_sides and (width % 2 or height % 2):
            self.notes.append("H.264 wants even sides: the last column or row was doubled")
            width, height = width + width % 2, height + height % 2
        rate = self._info.rate.limit_denominator(100_000)
        stream = cast("VideoStream", self._container.add_stream(codec, rate=rate, options=dict(options)))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = self._info.time_base
        context.colorspace, context.color_range = colour.matrix, int(colour.range_code)
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        context.thread_count = 0  # as many as there are cores; FFmpeg's own default is one
        # A keyframe every ten seconds of x264's default makes seeking in the result sluggish.
        context.gop_size = max(math.ceil(4 * rate), 1)
        return stream

    def _add_audio(self, source: AudioStream, kinds: list[AudioKind]) -> Copied | Converted:
        name, codec = source.codec_context.codec.canonical_name, self._kind.audio_codec
        fits = name in self._kind.audio_codecs and not may_hide_an_image(source.codec_context.extradata)
        if fits and len(kinds) <= 1:
            copy = self._container.add_stream_from_template(source)
            describe(source, copy)
            return Copied(copy)
        if len(kinds) > 1:
            self.notes.append(f"sound changes midway ({', then '.join(map(str, kinds))}) and was made one kind")
        self.notes.append(f"sound was converted from {name} to {codec.removeprefix('lib')}")
        converted = Converted(self._container, source, codec, kinds)
        describe(source, converted.target)
        return converted

    def _add_text(self, source: SubtitleStream) -> Copied | None:
        name = source.codec_context.codec.canonical_name
        if name not in self._kind.text:
            self.notes.append(f"subtitles ({name}) do not fit into this kind of file and were left out")
            return None
        copy = self._container.add_stream_from_template(source)
        describe(source, copy)
        return Copied(copy)


def _told(number: int, chapter: Chapter) -> av.container.core.Chapter:
    """Return a chapter as PyAV takes it."""
    return {
        "id": number,
        "start": round(chapter.start_s * 1000),
        "end": round(chapter.end_s * 1000),
        "time_base": Fraction(1, 1000),
        "metadata": {"title": chapter.title} if chapter.title else {},
    }


def _even(image: Image) -> Image:
    """Double the last column and row where a side is odd."""
    height, width = image.shape[:2]
    if not (height % 2 or width % 2):
        return image
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


@contextmanager
def _told_as_output(name: str) -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, OSError, ValueError) as error:
        raise OutputError(f"cannot write the video {name}: {explain(error)}") from error
