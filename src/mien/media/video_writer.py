"""Treated videos into files: the picture encoded anew, sound and text copied where the container can hold them."""

from __future__ import annotations  # av.Packet takes a type only in its stubs

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Protocol, Self, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Stream
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from mien.errors import InputError, OutputError, ShapeError
from mien.media.colour import FromRgb
from mien.media.video_reader import CarriedPacket, VideoInfo
from mien.vision.faces import Image, TreatedFrame

_H264 = ("libx264", MappingProxyType({"crf": "19", "preset": "veryfast"}))
# 720p takes 20 ms a frame; the "good" deadline takes 84 ms and saves a fifth of the bytes at a lower fidelity.
_VP9 = (
    "libvpx-vp9",
    MappingProxyType({"crf": "30", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}),
)
_MP4_SOUND = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac", "flac"})
_PCM = frozenset({"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_f32le"})


@dataclass(frozen=True, slots=True)
class _Container:
    """What goes into one kind of file."""

    format: str
    video: tuple[str, MappingProxyType[str, str]]
    sound: frozenset[str]
    sound_codec: str
    text: frozenset[str]
    options: MappingProxyType[str, str]


_NO_OPTIONS: MappingProxyType[str, str] = MappingProxyType({})
_FAST_START = MappingProxyType({"movflags": "+faststart"})
# Subtitles that are pictures, and ASS, which can embed them, never travel.
_CONTAINERS = MappingProxyType(
    {
        ".mp4": _Container("mp4", _H264, _MP4_SOUND, "aac", frozenset({"mov_text"}), _FAST_START),
        ".m4v": _Container("mp4", _H264, _MP4_SOUND, "aac", frozenset({"mov_text"}), _FAST_START),
        ".mov": _Container(
            "mov", _H264, (_MP4_SOUND - {"opus", "flac"}) | _PCM, "aac", frozenset({"mov_text"}), _FAST_START
        ),
        ".mkv": _Container(
            "matroska",
            _H264,
            _MP4_SOUND | (_PCM - {"pcm_s24be"}) | {"vorbis", "dts", "truehd"},
            "aac",
            frozenset({"subrip", "webvtt"}),
            _NO_OPTIONS,
        ),
        ".webm": _Container("webm", _VP9, frozenset({"opus", "vorbis"}), "libopus", frozenset({"webvtt"}), _NO_OPTIONS),
    }
)
WRITABLE_VIDEO_SUFFIXES = tuple(_CONTAINERS)
_MAX_PLAIN_HEADER = 16_384
_PICTURE_MARKS = (b"metadata_block_picture", b"coverart", b"image/", b"\xff\xd8\xff", b"\x89png")
_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})
_OPUS_RATE = 48_000
_LAYOUTS = frozenset({"mono", "stereo", "5.1", "7.1"})


class Travellers(Protocol):
    """The streams that may travel along; a `VideoReader` is one."""

    audio: tuple[AudioStream, ...]
    subtitles: tuple[SubtitleStream, ...]
    info: VideoInfo

    @property
    def title(self) -> str | None:
        """The title of the original file."""
        ...


def check_video_suffix(suffix: str) -> None:
    """Refuse a kind of file that videos are not written as.

    Raises:
        OutputError: Not one of `WRITABLE_VIDEO_SUFFIXES`.
    """
    if suffix.lower() not in _CONTAINERS:
        known = " ".join(_CONTAINERS)
        raise OutputError(f"videos are written as {known}, not {suffix or 'a name without suffix'!r}")


class VideoWriter:
    """Writes one video: treated frames, and the packets of the original that may travel along.

    Args:
        path: Where to.
        suffix: Kind of file: one of `WRITABLE_VIDEO_SUFFIXES`.
        origin: Where the frames come from; gives size, colours and the travelling streams.

    Raises:
        OutputError: The file cannot be written, or the picture does not fit into it.
    """

    def __init__(self, path: Path, *, suffix: str, origin: Travellers) -> None:
        check_video_suffix(suffix)
        self._kind = _CONTAINERS[suffix.lower()]
        self._info = origin.info
        self._to_yuv = FromRgb(origin.info.colour.for_output())
        self._durations: dict[int, int] = {}
        self.notes: list[str] = []
        with _told_as_output(path):
            self._container = av.open(f"file:{path}", "w", format=self._kind.format, options=dict(self._kind.options))
        self._open = True
        try:
            self._video = self._add_video()
            self._routes = {stream.index: self._add_sound(stream) for stream in origin.audio}
            self._routes |= {s.index: copied for s in origin.subtitles if (copied := self._add_text(s))}
            if origin.title:
                self._container.metadata["title"] = origin.title
            with _told_as_output(path):
                self._container.start_encoding()
        except BaseException:
            self._abandon()
            raise
        self._path = path

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
        """Pass a packet of sound or text on; one of a stream that does not travel is dropped.

        Raises:
            OutputError: It cannot be written.
        """
        route = self._routes.get(packet.stream.index)
        if route is not None:
            with _told_as_output(self._path):
                for ready in route(packet):
                    self._container.mux(ready)

    def close(self) -> None:
        """Write what the encoders still hold, and the end of the file.

        Raises:
            OutputError: It cannot be written.
        """
        if not self._open:
            return
        self._mux_video(None)
        with _told_as_output(self._path):
            for route in self._routes.values():
                for ready in route(None):
                    self._container.mux(ready)
            self._open = False
            self._container.close()

    def _abandon(self) -> None:
        """Let go of the file without caring for its end; whoever lent the path removes it."""
        if self._open:
            self._open = False
            try:
                self._container.close()
            except (av.FFmpegError, OSError, ValueError):
                return  # a broken file is being thrown away; the first error is the one to tell

    def _mux_video(self, frame: av.VideoFrame | None) -> None:
        with _told_as_output(self._path):
            for packet in self._video.encode(frame):
                if packet.pts is not None and packet.time_base == self._info.time_base:
                    packet.duration = self._durations.pop(packet.pts, packet.duration or 0)
                self._container.mux(packet)

    @property
    def _needs_even_sides(self) -> bool:
        return self._kind.video is _H264

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

    def _add_sound(self, source: AudioStream) -> _Copy | _Reencode:
        name = source.codec_context.codec.canonical_name
        if name in self._kind.sound and not _may_hide_a_picture(source.codec_context.extradata):
            copy = self._container.add_stream_from_template(source)
            _carry_language(source, copy)
            return _Copy(copy)
        self.notes.append(f"sound was converted from {name} to {self._kind.sound_codec.removeprefix('lib')}")
        return _Reencode(self._container, source, self._kind.sound_codec)

    def _add_text(self, source: SubtitleStream) -> _Copy | None:
        name = source.codec_context.codec.canonical_name
        if name not in self._kind.text:
            self.notes.append(f"subtitles ({name}) do not fit into this kind of file and were left out")
            return None
        copy = self._container.add_stream_from_template(source)
        _carry_language(source, copy)
        return _Copy(copy)


class _Copy:
    """Passes packets on as they are."""

    def __init__(self, target: Stream) -> None:
        self._target = target

    def __call__(self, packet: CarriedPacket | None) -> Iterator[CarriedPacket]:
        if packet is not None and packet.dts is not None:
            packet.stream = self._target
            yield packet


class _Reencode:
    """Decodes sound and encodes it for the new container, at the same times."""

    def __init__(self, container: OutputContainer, source: AudioStream, codec: str) -> None:
        rate = source.codec_context.sample_rate
        rate = rate if codec == "aac" and rate in _AAC_RATES else _OPUS_RATE
        layout = source.codec_context.layout.name
        layout = layout if layout in _LAYOUTS else "stereo"
        self._target = cast("AudioStream", container.add_stream(codec, rate=rate, layout=layout))
        self._target.bit_rate = 96_000 * max(self._target.layout.nb_channels, 1)
        _carry_language(source, self._target)
        self._resampler: AudioResampler | None = None

    def __call__(self, packet: CarriedPacket | None) -> Iterator[CarriedPacket]:
        if self._resampler is None:
            context = self._target.codec_context
            self._resampler = AudioResampler(context.format, context.layout, context.sample_rate, context.frame_size)
        if packet is None:
            for resampled in self._resampler.resample(None):
                yield from self._target.encode(resampled)
            yield from self._target.encode(None)
            return
        for frame in _decode_sound(packet):
            for resampled in self._resampler.resample(frame):
                yield from self._target.encode(resampled)


def _decode_sound(packet: CarriedPacket) -> list[AudioFrame]:
    try:
        return cast("list[AudioFrame]", packet.decode())
    except av.FFmpegError:
        return []  # a damaged packet is a gap in the sound, as in any player


def _carry_language(source: Stream, target: Stream) -> None:
    language = source.metadata.get("language")
    if language:
        target.metadata["language"] = language


def _may_hide_a_picture(header: bytes | None) -> bool:
    r"""Say whether a codec's header may carry cover art: Vorbis and FLAC keep their comments there.

    Example:
        >>> _may_hide_a_picture(b"\x11\x90"), _may_hide_a_picture(b"..METADATA_BLOCK_PICTURE=..")
        (False, True)
    """
    if not header:
        return False
    low = header.lower()
    return len(header) > _MAX_PLAIN_HEADER or any(mark in low for mark in _PICTURE_MARKS)


def _even(image: Image) -> Image:
    """Double the last column and row where a side is odd."""
    height, width = image.shape[:2]
    if not (height % 2 or width % 2):
        return image
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


@contextmanager
def _told_as_output(path: Path) -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"cannot write the video {path.name}: {why}") from error
