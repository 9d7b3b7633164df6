"""What lies behind the last packet that was read: another film that was joined on, or what only describes this one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_DESCRIBE: Final = frozenset(
    {b"moov", b"meta", b"udta", b"uuid", b"free", b"skip", b"wide", b"mfra", b"sidx", b"pdin", b"styp"}
)
"""Boxes of an MP4 without pictures of the film; the first one holds cover pictures of any size besides."""
_MOST_BOXES: Final = 4096
_HEADER: Final = 8
_LONG_HEADER: Final = 16


def film_behind(path: Path, read_to: int) -> int:
    """Return how many bytes behind `read_to` may hold more of a film.

    In an MP4 those are what is neither index nor description, and all from the beginning of a second file on. Of other
    kinds nothing is known, so all bytes are. A file that has gone meanwhile has nothing behind.
    """
    try:
        size = path.stat().st_size
        boxes = list(_boxes(path, size))
    except OSError:
        return 0
    described, began = 0, False
    for kind, start, end in boxes:
        if kind == b"ftyp" and began:
            break
        began = True
        if kind in _DESCRIBE:
            described += max(end - max(start, read_to), 0)
    return max(size - read_to - described, 0)


def _boxes(path: Path, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, begin and end of the boxes of an MP4, as long as they follow one another; nothing of other files."""
    with path.open("rb") as file:
        start = 0
        for _ in range(_MOST_BOXES):
            file.seek(start)
            header = file.read(_LONG_HEADER)
            if len(header) < _HEADER or (start == 0 and header[4:8] != b"ftyp"):
                return
            length, least = int.from_bytes(header[:4]), _HEADER
            if length == 1:
                length, least = int.from_bytes(header[8:16]), _LONG_HEADER
            end = size if length == 0 else start + length
            if end < start + least:
                return
            yield header[4:8], start, min(end, size)
            start = end
