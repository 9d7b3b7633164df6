"""Opening a video file: which kinds are read, which of its streams travel, and what must stay behind."""

from __future__ import annotations  # av.Packet takes a type only in its stubs

import errno
import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream

from mien.errors import MediaError, MediaTruncatedError
from mien.media.files.frame_times import is_raw
from mien.media.files.kinds import check_supported, is_motion_jpeg, may_be_film, read_head

# Demuxers named one by one: FFmpeg also has formats that are lists of other files or addresses.
_DEMUXERS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,mxf,ivf,gif,nut,h264,hevc,mjpeg,m4v,mpegvideo,obu,dv,yuv4mpegpipe"
_JPEG = b"\xff\xd8\xff"
_NO_FILM = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_OWN_CLOCKS = frozenset({"mpegts", "mpeg"})
_LEAP, _LONG_LEAP = Fraction(10), Fraction(1800)
"""Seconds of silence of every stream that are a jump of the clock: in broadcast streams, and in files that may pause.
A frame of a GIF can last 655 s, a screen recording may stand still for longer."""
_TS_DISCONT = 0x0200  # AVFMT_TS_DISCONT
_CONFIGURED_ONCE = frozenset({"aac", "opus", "vorbis", "flac", "alac"})
_TOLD_TAGS = frozenset(
    {
        *(
            "album",
            "artist",
            "author",
            "comment",
            "composer",
            "copyright",
            "creation",
            "date",
            "description",
            "director",
        ),
        *("genre", "keywords", "location", "lyrics", "make", "model", "performer", "publisher", "rating", "show"),
        *("subtitle", "summary", "synopsis", "xyz", "year"),
    }
)
"""Words in the names of tags that say something to people; what tools write of themselves is not missed."""


@dataclass(frozen=True, slots=True)
class AudioKind:
    """What audio is made of: its channels, such as "stereo", and samples per second."""

    layout: str
    rate: int

    def __str__(self) -> str:
        return f"{self.layout} at {self.rate} Hz"


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of a film, from `start_s` to `end_s`, by its title alone: other tags stay behind."""

    start_s: Fraction
    end_s: Fraction
    title: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The streams of a file that are read.

    Attributes:
        film: The pictures.
        audio: Audio that can be decoded.
        subtitles: Text that can be decoded.
        notes: Sentences about what stays behind.
    """

    film: av.VideoStream
    audio: tuple[AudioStream, ...]
    subtitles: tuple[SubtitleStream, ...]
    notes: tuple[str, ...]


def open_video(path: Path) -> InputContainer:
    """Open a file of one of the kinds that are read.

    Raises:
        MediaTruncatedError: An MP4 without its index.
        MediaError: It is none of them, or cannot be read.
    """
    head = read_head(path)
    check_supported(head, path)
    try:
        return av.open(
            f"file:{path}",
            mode="r",
            # FFmpeg takes what begins like JFIF for a folder of pictures, which is no kind that is read.
            format="mjpeg" if is_motion_jpeg(path.name) and head.startswith(_JPEG) else None,
            metadata_errors="replace",
            container_options={"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"},
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        if head[4:8] == b"ftyp":
            raise MediaTruncatedError(
                f"{path} is an MP4 whose index is missing; it was cut off or is still being written"
            ) from error
        if may_be_film(head):
            raise MediaTruncatedError(f"{path} begins like a video but cannot be read on: {why(error)}") from error
        reason = "a kind of file that is not read" if getattr(error, "errno", None) == errno.EINVAL else why(error)
        raise MediaError(f"{path} is not a picture or video mien can read ({reason})") from error


def why(error: Exception) -> str:
    """Return an error's reason in words alone, without its number or a file's name."""
    return getattr(error, "strerror", None) or str(error)


def select(container: InputContainer, path: Path) -> Selection:
    """Choose the streams to read.

    Only one stream of pictures is taken: a cover, a thumbnail track or a second camera could show an untreated face.

    Raises:
        MediaError: There is no stream of pictures, or none that can be decoded.
    """
    films = [s for s in container.streams.video if not s.disposition & _NO_FILM]
    decodable = [s for s in films if _decodes(s)]
    if not decodable and films:
        raise MediaError(f"{path} holds video in a format that cannot be decoded here")
    if not decodable:
        raise MediaError(f"{path} holds no video ({_streams(container)})")
    film = max(decodable, key=lambda s: (bool(s.disposition & Disposition.default), s.width * s.height))
    audio = tuple(s for s in container.streams.audio if _decodes(s))
    subtitles = tuple(s for s in container.streams.subtitles if _decodes(s))
    return Selection(film, audio, subtitles, tuple(_left_out(container, film)))


def _decodes(stream: Stream) -> bool:
    if cast("object", stream.codec_context) is None:  # PyAV opens no context where there is no decoder
        return False
    # Where too little of the audio could be read to tell what it is made of, there is none.
    return not isinstance(stream, AudioStream) or (
        stream.codec_context.sample_rate > 0 and stream.codec_context.layout.nb_channels > 0
    )


def _left_out(container: InputContainer, film: av.VideoStream) -> list[str]:
    notes = []
    others = len(container.streams.video) - 1
    if others:
        notes.append(f"{others} further picture stream(s), such as a cover, were left out")
    for name, streams in (("sound", container.streams.audio), ("subtitle", container.streams.subtitles)):
        unknown = [str(place) for place, stream in enumerate(streams, 1) if not _decodes(stream)]
        if unknown:
            notes.append(f"{name} track {', '.join(unknown)} of {len(streams)} cannot be decoded here and was left out")
    # The muxers of MP4 and MOV write chapters as a data stream besides.
    if len(container.streams.data) > bool(container.chapters()) or container.streams.attachments:
        notes.append("data streams and attachments (positions, fonts, pictures) were left out")
    if film.metadata.get("alpha_mode") == "1":
        notes.append("the video's transparency was left out: every frame is opaque")
    tags = sorted(key.lower() for key in container.metadata if _TOLD_TAGS & set(re.split(r"[^a-z]", key.lower())))
    if tags:
        notes.append(f"tags other than the title were left out ({', '.join(tags[:8])}{' ...' if tags[8:] else ''})")
    return notes


def _streams(container: InputContainer) -> str:
    kinds = sorted({stream.type for stream in container.streams})
    covers = " as a cover picture alone" if "video" in kinds else ""
    return "it holds " + (", ".join(kinds) or "nothing") + covers


def clock_of(container: InputContainer) -> tuple[Fraction, Fraction]:
    """Return the time of a file's clock that becomes 0, and the leap from which on its clock has jumped, in seconds.

    The clock of a broadcast stream starts anywhere; in other files the distance to 0 is meant.
    """
    own = container.format.name in _OWN_CLOCKS
    start = Fraction(container.start_time or 0, av.time_base) if own else Fraction(0)
    discontinuous = bool(container.format.flags & _TS_DISCONT) or container.format.name == "flv"
    return start, _LEAP if discontinuous else _LONG_LEAP


def chapters_of(container: InputContainer, start: Fraction) -> list[Chapter]:
    """Return the chapters of a file, with `start` as time 0."""
    found = []
    for chapter in container.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        begin, end = (max(chapter[at] * base - start, Fraction(0)) for at in ("start", "end"))
        found.append(Chapter(begin, end, chapter["metadata"].get("title", "")))
    return found


def has_no_shape(container: InputContainer) -> bool:
    """Say whether a kind of file leaves the shape of pixels to the codec alone."""
    return container.format.name in _OWN_CLOCKS or is_raw(container.format.name)


def rate_of(container: InputContainer, film: av.VideoStream) -> tuple[Fraction, bool]:
    """Return frames per second, and whether the file says so.

    FFmpeg calls every raw stream one of 25 on average; what the stream itself says is the decoder's rate.
    """
    if is_raw(container.format.name):
        said = film.codec_context.framerate
        return Fraction(said or 25), bool(said)
    return film.average_rate or film.guessed_rate or Fraction(25), True


def audio_kinds(path: Path, stream: AudioStream) -> list[AudioKind]:
    """Decode one track and return the kinds of audio in it, in order, each once.

    Audio can be copied only where it is one kind: a file says it once, at its beginning. Decoding takes about a
    five-hundredth of the audio's length.

    Raises:
        MediaError: The file cannot be opened again.
    """
    context = stream.codec_context
    said = AudioKind(context.layout.name, context.sample_rate)
    is_told_once = {"mov", "matroska"} & set(stream.container.format.name.split(","))
    if is_told_once and (context.name in _CONFIGURED_ONCE or context.name.startswith("pcm_")):
        return [said]
    found: Counter[AudioKind] = Counter()
    with open_video(path) as container:
        try:
            for packet in container.demux(container.streams[stream.index]):
                for frame in decode_audio(cast("av.Packet[AudioStream]", packet)):
                    found[AudioKind(frame.layout.name, frame.sample_rate)] += 1
        except (av.FFmpegError, OSError):
            pass  # the reader will come to the same place and say so
    # At a change some decoders say the old rate of one new frame.
    return [kind for kind, frames in found.items() if frames > 1] or list(found)


def decode_audio(packet: av.Packet[AudioStream]) -> list[AudioFrame]:
    """Decode a packet; a damaged one is a gap in the audio, as in any player."""
    try:
        return list(packet.decode())
    except (av.FFmpegError, ValueError):
        return []
