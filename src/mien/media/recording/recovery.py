"""What a crash left of recordings, made into proper files."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import av
import structlog
from av.container import InputContainer

from mien.errors import OutputError
from mien.media.files.atomic import new_file
from mien.media.recording.part import PART
from mien.media.recording.segment import FILE_KINDS

log = structlog.get_logger()


def recover(folder: Path) -> list[Path]:
    """Make proper files of the `*.part` that recorders left in a folder when their process was ended.

    Files of recorders that live, in whatever process, are not touched. Of a file that ends in the middle of a
    fragment the whole fragments are kept. One without a single frame is removed.

    Returns:
        The files that there are now, in alphabetical order.
    """
    found = []
    for part in sorted(folder.glob("*" + PART)):
        target = part.with_suffix("")
        if part.name.startswith(".") or target.suffix not in {kind.suffix for kind in FILE_KINDS.values()}:
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
            frames = _copy_whole_packets(part, fresh, target.suffix)
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
    log.info("recording_recovered", file=target.name, frames=frames)
    return True


class _NothingThereError(Exception):
    """A file holds no frame."""


def _copy_whole_packets(source: Path, target: Path, suffix: str) -> int:
    """Copy every packet that is whole, and return the number of frames.

    Raises:
        _NothingThereError: There is none.
    """
    container = "mp4" if suffix == ".mp4" else "matroska,webm"
    frames = 0
    with _opened(source, container) as old:
        if old is None:
            raise _NothingThereError
        with av.open(str(target), "w", format=suffix[1:]) as new:
            streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
            for packet in _whole_packets(old):
                frames += packet.stream.type == "video"
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    if not frames:
        raise _NothingThereError
    return frames


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
