"""What goes into each kind of video file: codecs, audio that can be copied, text that can be copied."""

from dataclasses import dataclass
from types import MappingProxyType

from mien.errors import OutputError

H264 = ("libx264", MappingProxyType({"crf": "19", "preset": "veryfast"}))
# 720p takes 20 ms a frame; the "good" deadline takes 84 ms and saves a fifth of the bytes at a lower fidelity.
_VP9 = (
    "libvpx-vp9",
    MappingProxyType({"crf": "30", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}),
)
_MP4_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac", "flac"})
_PCM = frozenset({"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_f32le"})


@dataclass(frozen=True, slots=True)
class Container:
    """What goes into one kind of file.

    Attributes:
        format: FFmpeg's name of it.
        video: The encoder and its options.
        audio_codecs: Those of audio that is copied.
        audio_codec: The encoder of all other audio.
        text: Codecs of subtitles that are copied.
        options: The muxer's options.
    """

    format: str
    video: tuple[str, MappingProxyType[str, str]]
    audio_codecs: frozenset[str]
    audio_codec: str
    text: frozenset[str]
    options: MappingProxyType[str, str]


_NO_OPTIONS: MappingProxyType[str, str] = MappingProxyType({})
_FAST_START = MappingProxyType({"movflags": "+faststart"})
# Subtitles that are pictures, and ASS, which can embed them, never travel.
CONTAINERS = MappingProxyType(
    {
        ".mp4": Container("mp4", H264, _MP4_AUDIO, "aac", frozenset({"mov_text"}), _FAST_START),
        ".m4v": Container("mp4", H264, _MP4_AUDIO, "aac", frozenset({"mov_text"}), _FAST_START),
        ".mov": Container(
            "mov", H264, (_MP4_AUDIO - {"opus", "flac"}) | _PCM, "aac", frozenset({"mov_text"}), _FAST_START
        ),
        ".mkv": Container(
            "matroska",
            H264,
            _MP4_AUDIO | (_PCM - {"pcm_s24be"}) | {"vorbis", "dts", "truehd"},
            "aac",
            frozenset({"subrip", "webvtt"}),
            _NO_OPTIONS,
        ),
        ".webm": Container("webm", _VP9, frozenset({"opus", "vorbis"}), "libopus", frozenset({"webvtt"}), _NO_OPTIONS),
    }
)
WRITABLE_VIDEO_SUFFIXES = tuple(CONTAINERS)


def check_video_suffix(suffix: str) -> None:
    """Refuse a kind of file that videos are not written as.

    Raises:
        OutputError: Not one of `WRITABLE_VIDEO_SUFFIXES`.
    """
    if suffix.lower() not in CONTAINERS:
        known = " ".join(CONTAINERS)
        raise OutputError(f"videos are written as {known}, not {suffix or 'a name without suffix'!r}")
