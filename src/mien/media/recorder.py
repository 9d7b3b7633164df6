"""Recording of a treated broadcast: what viewers got, packet for packet, in files that survive a crash.

H.264 goes into fragmented MP4, VP8 into WebM (docs/decisions/0050-recordings.md). A file is called `*.part` while
it grows by a fragment at a time; whatever ends the process, it plays up to the last whole fragment, and `recover`
makes a proper file of it at the next start.
"""

import fcntl
import io
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, cast

import av
import structlog
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from mien.errors import OutputError
from mien.media.encoded import PICTURE_CLOCK_RATE, SOUND_CLOCK_RATE, EncodedPicture, EncodedSound, VideoCodec
from mien.media.files import new_file

log = structlog.get_logger()

KEYFRAME_EVERY_S: Final = 2.0
"""A fragment reaches from keyframe to keyframe, and a crash costs the last one."""

_ASK_AGAIN_S: Final = 0.5
_RETRY_S: Final = 5.0
"""So long after the disk refused, another file is begun."""
_SOUND_KEPT: Final = 150
"""Sound runs ahead of its picture; three seconds of it wait for the keyframe that begins a file."""
_WRITE_BYTES: Final = 1 << 20
_PART: Final = ".part"
_PICTURE_TIME_BASE: Final = Fraction(1, PICTURE_CLOCK_RATE)
_SOUND_TIME_BASE: Final = Fraction(1, SOUND_CLOCK_RATE)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of file."""

    suffix: str
    container: str
    codec: str
    options: dict[str, str]


# A fragment is written out when the next one begins; if sound is missing, pictures do not wait for it.
_AT_ONCE: Final = {"flush_packets": "1", "max_interleave_delta": "500000"}
_KINDS: Final = {
    # `hybrid_fragmented`: on a regular close the fragments become one plain MP4 with an index.
    VideoCodec.H264: _Kind(
        ".mp4",
        "mp4",
        "h264",
        {"movflags": "hybrid_fragmented+empty_moov+default_base_moof+frag_keyframe", **_AT_ONCE},
    ),
    VideoCodec.VP8: _Kind(".webm", "webm", "vp8", _AT_ONCE),
}


@dataclass(frozen=True, slots=True)
class RecordingLimits:
    """When a recording ends by itself, and how far it may lag.

    Attributes:
        max_bytes: Of all its files together; None for no limit.
        max_s: From the first picture to the last; None for no limit.
        queue_bytes: What may wait for a slow disk before pictures are left out.
    """

    max_bytes: int | None = None
    max_s: float | None = None
    queue_bytes: int = 16 * 1024 * 1024


class Recorder:
    """Writes the pictures of rung 0 and the sound of one broadcast to files, on a thread of its own.

    `put_picture` and `put_sound` never wait and may be called from any thread. A file begins at a keyframe, and
    another one when the pictures change their size or the disk takes things again after it did not. While the disk
    is slow or full, what comes up to the next keyframe is left out, counted and logged.

    Args:
        folder: Where the files shall lie; it must exist.
        name: Of the first file, without its suffix; the others are called `name-2`, `name-3` and so on.
        codec: Of the pictures.
        sound: Whether the files shall have a track for sound.
        want_keyframe: Called when a keyframe is due, at the beginning and then every two seconds.
        limits: When it ends, and how far it may lag.

    Raises:
        OutputError: `name` is no plain name, or there is no such folder.

    Attributes:
        dropped: Pictures that were left out since the first keyframe.
        gaps: How often it happened.
        ended: Why the recording ended by itself: "size" or "time"; None while it goes on.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        codec: VideoCodec,
        want_keyframe: Callable[[], None],
        sound: bool = True,
        limits: RecordingLimits | None = None,
    ) -> None:
        if not name or Path(name).name != name or name.startswith("."):
            raise OutputError(f"a recording needs a plain name, got {name!r}")
        if not folder.is_dir():
            raise OutputError(f"there is no folder {folder} to record into")
        self.dropped = 0
        self.gaps = 0
        self.ended: str | None = None
        self._folder = folder
        self._name = name
        self._codec = codec
        self._with_sound = sound
        self._limits = limits or RecordingLimits()
        self._want_keyframe = want_keyframe
        self._files: list[Path] = []

        # What the feeding threads share with ours.
        self._changed = threading.Condition()
        self._waiting: deque[EncodedPicture | EncodedSound] = deque()
        self._waiting_bytes = 0
        self._closing = False
        self._in_step = False
        self._began = False
        self._keyframe_pts = 0
        self._asked_pts: int | None = None

        # What belongs to our thread alone.
        self._segment: _Segment | None = None
        self._recent_sound: deque[EncodedSound] = deque(maxlen=_SOUND_KEPT)
        self._finished_bytes = 0
        self._first_pts: int | None = None
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._run, name="mien-recorder", daemon=True)
        self._thread.start()
        want_keyframe()

    @property
    def files(self) -> tuple[Path, ...]:
        """The finished files, in order."""
        return tuple(self._files)

    def put_picture(self, picture: EncodedPicture) -> None:
        """Record a picture; those of other rungs than the best are not wanted."""
        if picture.rung != 0:
            return
        with self._changed:
            if self._closing or self.ended:
                return
            if picture.is_keyframe:
                self._in_step = self._began = True
                self._keyframe_pts = picture.pts
            if self._in_step and self._is_full(picture):
                self._leave_out_until_keyframe("disk_slow")
            if self._in_step:
                self._queue(picture)
            elif self._began:
                self.dropped += 1
            ask = not self._in_step or picture.pts - self._keyframe_pts >= KEYFRAME_EVERY_S * PICTURE_CLOCK_RATE
            asked = self._asked_pts
            if not ask or (asked is not None and picture.pts - asked < _ASK_AGAIN_S * PICTURE_CLOCK_RATE):
                return
            self._asked_pts = picture.pts
        self._want_keyframe()

    def put_sound(self, sound: EncodedSound) -> None:
        """Record a packet of sound."""
        with self._changed:
            if self._closing or self.ended or not self._with_sound:
                return
            if not self._is_full(sound):
                self._queue(sound)

    def close(self, *, timeout_s: float) -> bool:
        """Write what waits, finish the file and return whether all that was done in time."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _is_full(self, item: EncodedPicture | EncodedSound) -> bool:
        return bool(self._waiting) and self._waiting_bytes + len(item.data) > self._limits.queue_bytes

    def _queue(self, item: EncodedPicture | EncodedSound) -> None:
        self._waiting.append(item)
        self._waiting_bytes += len(item.data)
        self._changed.notify()

    def _leave_out_until_keyframe(self, why: str) -> None:
        """Note a gap. Everything between here and the next keyframe would build on what is missing."""
        self._in_step = False
        self.gaps += 1
        if self.gaps & (self.gaps - 1) == 0:
            log.warning("recording_has_gap", why=why, times=self.gaps)

    # Our thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting or self.ended:
                    break
                item = self._waiting.popleft()
                self._waiting_bytes -= len(item.data)
            try:
                if isinstance(item, EncodedPicture):
                    self._write_picture(item)
                else:
                    self._write_sound(item)
            except Exception as error:  # noqa: BLE001  # whatever it was, the next file may go well
                self._give_up_segment(error)
        self._finish_segment()

    def _write_picture(self, picture: EncodedPicture) -> None:
        if picture.is_keyframe:
            shape = _shape(self._codec, picture.data)
            if self._segment is not None and self._segment.shape != shape:
                self._finish_segment()
            if self._segment is None and time.monotonic() >= self._retry_at:
                self._begin_segment(picture, shape)
        if self._segment is None:
            with self._changed:
                self.dropped += 1
            return
        self._segment.add_picture(picture)
        if self._first_pts is None:
            self._first_pts = picture.pts
        if self._limits.max_s is not None and picture.pts - self._first_pts >= self._limits.max_s * PICTURE_CLOCK_RATE:
            self._end("time")
        elif self._limits.max_bytes is not None and self._finished_bytes + self._segment.size > self._limits.max_bytes:
            self._end("size")

    def _write_sound(self, sound: EncodedSound) -> None:
        self._recent_sound.append(sound)
        if self._segment is not None:
            self._segment.add_sound(sound)

    def _begin_segment(self, keyframe: EncodedPicture, shape: bytes) -> None:
        path = self._free_path()
        self._segment = _Segment(path, self._codec, keyframe, shape, sound=self._with_sound)
        for sound in self._recent_sound:
            self._segment.add_sound(sound)
        log.info("recording_began", file=path.name)

    def _finish_segment(self) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        try:
            segment.finish()
        except (OSError, av.FFmpegError) as error:
            log.warning("recording_not_indexed", file=segment.path.name, error=type(error).__name__)
        self._keep(segment)

    def _give_up_segment(self, error: Exception) -> None:
        """End a file that the disk refused to carry on: it keeps its whole fragments."""
        self._retry_at = time.monotonic() + _RETRY_S
        with self._changed:
            self._leave_out_until_keyframe(type(error).__name__)
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.abandon()
            self._keep(segment)

    def _keep(self, segment: "_Segment") -> None:
        self._finished_bytes += segment.size
        try:
            if segment.publish():
                self._files.append(segment.path)
                log.info("recording_finished", file=segment.path.name, size=segment.size)
        except OSError as error:
            log.warning("recording_not_renamed", file=segment.path.name, error=type(error).__name__)

    def _end(self, why: str) -> None:
        with self._changed:
            self.ended = why
            self._waiting.clear()
            self._changed.notify()
        log.info("recording_ended", why=why)

    def _free_path(self) -> Path:
        suffix = _KINDS[self._codec].suffix
        number = 1
        while True:
            path = self._folder / f"{self._name}{f'-{number}' if number > 1 else ''}{suffix}"
            if not path.exists() and not _part(path).exists():
                return path
            number += 1


class _Segment:
    """One file in the making.

    Args:
        path: What it shall be called at the end.
        codec: Of the pictures.
        keyframe: The first picture; its time becomes zero.
        shape: As `_shape` tells of it.
        sound: Whether there is a track for sound.
    """

    def __init__(self, path: Path, codec: VideoCodec, keyframe: EncodedPicture, shape: bytes, *, sound: bool) -> None:
        kind = _KINDS[codec]
        self.path = path
        self.shape = shape
        self._zero_pts = keyframe.pts
        self._last: dict[int, int] = {}
        width, height = _size_wh(kind.codec, keyframe.data)
        self._file = _PartFile(_part(path))
        try:
            self._container: OutputContainer = av.open(
                self._file, "w", format=kind.container, options=kind.options, buffer_size=_WRITE_BYTES
            )
            self._video = self._container.add_mux_stream(kind.codec, width=width, height=height)
            self._video.time_base = _PICTURE_TIME_BASE
            self._sound: Stream | None = None
            if sound:
                # An encoder that encodes nothing: it writes the header that Opus has in a file (RFC 7845, 5.1).
                stream = self._container.add_stream("libopus", rate=SOUND_CLOCK_RATE, layout="stereo")
                stream.time_base = _SOUND_TIME_BASE
                self._sound = stream
        except BaseException:
            self.abandon()
            raise

    @property
    def size(self) -> int:
        """Bytes of whole fragments."""
        return self._file.whole

    def add_picture(self, picture: EncodedPicture) -> None:
        """Append a picture."""
        self._add(self._video, picture.data, picture.pts - self._zero_pts, is_keyframe=picture.is_keyframe)

    def add_sound(self, sound: EncodedSound) -> None:
        """Append a packet of sound, unless it is from before the first picture."""
        pts = sound.pts - self._zero_pts * SOUND_CLOCK_RATE // PICTURE_CLOCK_RATE
        if self._sound is not None and pts >= 0:
            self._add(self._sound, sound.data, pts, is_keyframe=True)

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
            return  # sound that the network brought out of order; muxers take times that rise only
        packet: av.Packet[Any] = av.Packet(data)
        packet.stream = stream
        packet.time_base = _PICTURE_TIME_BASE if stream is self._video else _SOUND_TIME_BASE
        packet.pts = packet.dts = pts
        packet.is_keyframe = is_keyframe
        if last is not None:
            packet.duration = pts - last  # the last one's guess at its own; the index uses the true distances
        self._last[stream.index] = pts
        self._container.mux(packet)
        self._file.commit()


class _PartFile(io.RawIOBase):
    """A file that grows by whole fragments, locked as long as its writer lives.

    Muxers write a fragment within one call. What came since the last `commit` can be taken back.

    Attributes:
        whole: Bytes up to the last commit.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.whole = 0
        self._path = path
        self._raw = path.open("xb", buffering=0)
        self._deaf = False
        fcntl.flock(self._raw, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """Write all of `data`, or raise: the muxer takes a short count for success."""
        if not self._deaf:
            rest = memoryview(data)
            while rest:
                rest = rest[self._raw.write(rest) :]
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def commit(self) -> None:
        """Keep everything that was written up to now."""
        self.whole = os.fstat(self._raw.fileno()).st_size

    def abandon(self) -> None:
        """Take back what came since the last commit and ignore what will come."""
        self._deaf = True
        with suppress(OSError):
            self._raw.truncate(self.whole)

    def publish(self, path: Path) -> bool:
        """Close the file and give it its name; an empty one is removed."""
        if not self.whole:
            self._path.unlink(missing_ok=True)
        else:
            with suppress(OSError):
                os.fsync(self._raw.fileno())
            self._path.rename(path)
        self._raw.close()
        return self.whole > 0


def recover(folder: Path) -> list[Path]:
    """Make proper files of the `*.part` that recorders left in a folder when their process was ended.

    Files of recorders that live, in whatever process, are not touched. Of a file that ends in the middle of a
    fragment the whole fragments are kept. One without a single picture is removed.

    Returns:
        The files that there are now, in alphabetical order.
    """
    found = []
    for part in sorted(folder.glob("*" + _PART)):
        target = part.with_suffix("")
        if part.name.startswith(".") or target.suffix not in {kind.suffix for kind in _KINDS.values()}:
            continue
        with part.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if _recover(part, target):
                found.append(target)
    return found


def _recover(part: Path, target: Path) -> bool:
    try:
        with new_file(target, overwrite=False) as fresh:
            pictures = _copy_whole_packets(part, fresh, target.suffix)
    except _NothingThereError:
        part.unlink()
        log.warning("recording_was_empty", file=target.name)
        return False
    except (OutputError, OSError) as error:
        # No room for a copy: as it is it plays too, only without an index.
        log.warning("recording_not_indexed", file=target.name, error=type(error).__name__)
        if target.exists():
            return False
        part.rename(target)
        return True
    part.unlink()
    log.info("recording_recovered", file=target.name, pictures=pictures)
    return True


class _NothingThereError(Exception):
    """A file holds no picture."""


def _copy_whole_packets(source: Path, target: Path, suffix: str) -> int:
    """Copy every packet that is whole, and return the number of pictures.

    Raises:
        _NothingThereError: There is none.
    """
    container = "mp4" if suffix == ".mp4" else "matroska,webm"
    pictures = 0
    with _opened(source, container) as old:
        if old is None:
            raise _NothingThereError
        with av.open(str(target), "w", format=suffix[1:]) as new:
            streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
            for packet in _whole_packets(old):
                pictures += packet.stream.type == "video"
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    if not pictures:
        raise _NothingThereError
    return pictures


@contextmanager
def _opened(source: Path, container: str) -> Iterator[InputContainer | None]:
    """Open a file that may have been cut off anywhere; None if not even its head is there."""
    try:
        opened = av.open(str(source), format=container)
    except (av.error.InvalidDataError, av.error.EOFError):
        yield None
        return
    with opened:
        yield opened


def _whole_packets(container: InputContainer) -> "Iterator[av.Packet[Any]]":
    try:
        for packet in container.demux():
            if packet.dts is None:
                continue  # the end of a stream
            if packet.is_corrupt:
                return
            yield cast("av.Packet[Any]", packet)
    except av.FFmpegError:
        return  # cut off; all before it is good


def _part(path: Path) -> Path:
    return path.with_name(path.name + _PART)


def _shape(codec: VideoCodec, keyframe: bytes) -> bytes:
    r"""Return the part of a keyframe that a file can have only one of: size, or SPS and PPS.

    Example:
        >>> _shape(VideoCodec.H264, b"\0\0\0\1\x67abc\0\0\0\1\x68d\0\0\1\x65picture")
        b'gabchd'
    """
    if codec is VideoCodec.VP8:
        return keyframe[6:10]  # RFC 6386, 9.1
    units = keyframe.split(b"\0\0\1", 5)[1:]
    return b"".join(unit.rstrip(b"\0") for unit in units if unit and unit[0] & 31 in {7, 8})


def _size_wh(codec: str, keyframe: bytes) -> tuple[int, int]:
    """Return width and height of an encoded picture, as its decoder says."""
    decoder = cast("av.VideoCodecContext", av.CodecContext.create(codec, "r"))
    frames = [*decoder.decode(av.Packet(keyframe)), *decoder.decode(None)]
    return frames[0].width, frames[0].height
