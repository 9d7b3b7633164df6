"""One file of a recording: frames and audio muxed as they were encoded, H.264 into MP4 and VP8 into WebM."""

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, cast

import av
from av.container import OutputContainer
from av.stream import Stream

from mien.media.codecs.encoded import AUDIO_CLOCK_RATE, VIDEO_CLOCK_RATE, EncodedAudio, EncodedFrame, VideoCodec
from mien.media.recording.part import PartFile, part_of

_WRITE_BYTES: Final = 1 << 20
_VIDEO_TIME_BASE: Final = Fraction(1, VIDEO_CLOCK_RATE)
_AUDIO_TIME_BASE: Final = Fraction(1, AUDIO_CLOCK_RATE)


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file, and how its muxer is called and set."""

    suffix: str
    container: str
    codec: str
    options: dict[str, str]


# A fragment is written out when the next one begins; if audio is missing, frames do not wait for it.
_AT_ONCE: Final = {"flush_packets": "1", "max_interleave_delta": "500000"}
FILE_KINDS: Final = {
    # `hybrid_fragmented`: on a regular close the fragments become one plain MP4 with an index.
    VideoCodec.H264: FileKind(
        ".mp4",
        "mp4",
        "h264",
        {"movflags": "hybrid_fragmented+empty_moov+default_base_moof+frag_keyframe", **_AT_ONCE},
    ),
    VideoCodec.VP8: FileKind(".webm", "webm", "vp8", _AT_ONCE),
}


class Segment:
    """One file in the making.

    Args:
        path: What it shall be called at the end.
        codec: The codec of the frames.
        keyframe: The first frame; its time becomes zero.
        shape: As `shape_of` tells of it.
        audio: Whether there is a track for audio.
    """

    def __init__(self, path: Path, codec: VideoCodec, keyframe: EncodedFrame, shape: bytes, *, audio: bool) -> None:
        kind = FILE_KINDS[codec]
        self.path = path
        self.shape = shape
        self._zero_pts = keyframe.pts
        self._last: dict[int, int] = {}
        width, height = _size_wh(kind.codec, keyframe.data)
        self._file = PartFile(part_of(path))
        try:
            self._container: OutputContainer = av.open(
                self._file, "w", format=kind.container, options=kind.options, buffer_size=_WRITE_BYTES
            )
            self._video = self._container.add_mux_stream(kind.codec, width=width, height=height)
            self._video.time_base = _VIDEO_TIME_BASE
            self._audio: Stream | None = None
            if audio:
                # An encoder that encodes nothing: it writes the header that Opus has in a file (RFC 7845, 5.1).
                stream = self._container.add_stream("libopus", rate=AUDIO_CLOCK_RATE, layout="stereo")
                stream.time_base = _AUDIO_TIME_BASE
                self._audio = stream
        except BaseException:
            self.abandon()
            raise

    @property
    def size(self) -> int:
        """Bytes of whole fragments."""
        return self._file.whole

    def add_frame(self, frame: EncodedFrame) -> None:
        """Append a frame."""
        self._add(self._video, frame.data, frame.pts - self._zero_pts, is_keyframe=frame.is_keyframe)

    def add_audio(self, audio: EncodedAudio) -> None:
        """Append a packet of audio, unless it is from before the first frame."""
        pts = audio.pts - self._zero_pts * AUDIO_CLOCK_RATE // VIDEO_CLOCK_RATE
        if self._audio is not None and pts >= 0:
            self._add(self._audio, audio.data, pts, is_keyframe=True)

    def finish(self) -> None:
        """Write the rest and the index."""
        self._container.close()
        self._file.commit()

    def abandon(self) -> None:
        """Take back what is not whole, and write nothing more."""
        self._file.abandon()
        container = getattr(self, "_container", None)
        if container is not None:
            with suppress(OSError, av.FFmpegError):
                container.close()  # into nothing: frees what the muxer holds

    def publish(self) -> bool:
        """Give the file its name, or remove it if nothing is in it; return whether there is one."""
        return self._file.publish(self.path)

    def _add(self, stream: Stream, data: bytes, pts: int, *, is_keyframe: bool) -> None:
        last = self._last.get(stream.index)
        if last is not None and pts <= last:
            return  # audio that the network brought out of order; muxers take times that rise only
        packet: av.Packet[Any] = av.Packet(data)
        packet.stream = stream
        packet.time_base = _VIDEO_TIME_BASE if stream is self._video else _AUDIO_TIME_BASE
        packet.pts = packet.dts = pts
        packet.is_keyframe = is_keyframe
        if last is not None:
            packet.duration = pts - last  # the last one's guess at its own; the index uses the true distances
        self._last[stream.index] = pts
        self._container.mux(packet)
        self._file.commit()


def shape_of(codec: VideoCodec, keyframe: bytes) -> bytes:
    r"""Return the part of a keyframe that a file can have only one of: size, or SPS and PPS.

    Example:
        >>> shape_of(VideoCodec.H264, b"\0\0\0\1\x67abc\0\0\0\1\x68d\0\0\1\x65picture")
        b'gabchd'
    """
    if codec is VideoCodec.VP8:
        return keyframe[6:10]  # RFC 6386, 9.1
    units = keyframe.split(b"\0\0\1", 5)[1:]
    return b"".join(unit.rstrip(b"\0") for unit in units if unit and unit[0] & 31 in {7, 8})


def _size_wh(codec: str, keyframe: bytes) -> tuple[int, int]:
    """Return width and height of an encoded frame, as its decoder says."""
    decoder = cast("av.VideoCodecContext", av.CodecContext.create(codec, "r"))
    frames = [*decoder.decode(av.Packet(keyframe)), *decoder.decode(None)]
    return frames[0].width, frames[0].height
