"""The container of HEIF files: boxes, items and their properties (ISO/IEC 14496-12 and 23008-12).

Every number comes from outside and is checked before it is used; no pixel is decoded here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_MAX_BOXES: Final = 20_000
MAX_TILES: Final = 1024


class BrokenHeifError(Exception):
    """The file is not what it says. Never leaves the reader of HEIF files."""


class Reader:
    """Reads big-endian numbers and never beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes; raises `BrokenHeifError` where there are fewer."""
        if size < 0 or self.at + size > len(self._data):
            raise BrokenHeifError("a box is longer than what holds it")
        self.at += size
        return self._data[self.at - size : self.at]

    def number(self, size: int) -> int:
        """Return the next number, of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self._data) - self.at)

    @property
    def left(self) -> int:
        """So many bytes are left."""
        return len(self._data) - self.at


class Box(NamedTuple):
    """A box: its four-letter kind and what is in it."""

    kind: bytes
    body: bytes


@dataclass(slots=True)
class Item:
    """One item: its kind, where its data lie, and the numbers of its properties from 1 on."""

    kind: bytes = b""
    extents: list[tuple[int, int, int]] = field(default_factory=list)  # construction method, offset, length
    properties: list[int] = field(default_factory=list)


@dataclass(slots=True)
class HeifMeta:
    """The index of a file.

    Attributes:
        primary: The item to show.
        items: All items, by number.
        tiles: The items that each grid is made of, row by row.
        has_alpha: Whether the primary item has transparency beside it.
        properties: All properties, to which items refer by number.
        data: What lies in the index itself.
    """

    primary: int = 0
    items: dict[int, Item] = field(default_factory=dict)
    tiles: dict[int, list[int]] = field(default_factory=dict)
    has_alpha: bool = False
    properties: list[Box] = field(default_factory=list)
    data: bytes = b""

    def of(self, item: int) -> list[Box]:
        """Return the properties of an item, in the order in which they apply."""
        numbers = self.items[item].properties
        return [self.properties[n - 1] for n in numbers if 0 < n <= len(self.properties)]

    def first(self, item: int, kind: bytes) -> bytes | None:
        """Return the first property of a kind that an item has."""
        return next((box.body for box in self.of(item) if box.kind == kind), None)


def size_of(meta: HeifMeta, item: int) -> tuple[int, int]:
    """Return the width and height that an item announces; raises `BrokenHeifError` where it does not."""
    extents = meta.first(item, b"ispe")
    if extents is None:
        raise BrokenHeifError("it does not say its size")
    reader = Reader(extents)
    reader.take(4)
    width, height = reader.number(4), reader.number(4)
    if not width or not height:
        raise BrokenHeifError("it has no pixels")
    return width, height


def payload_of(data: bytes, meta: HeifMeta, item: int) -> bytes:
    """Return the bytes of an item; raises `BrokenHeifError` where the file does not hold them."""
    parts = []
    for method, offset, length in meta.items[item].extents:
        if method > 1:
            raise BrokenHeifError("its data lie in another item")
        source = meta.data if method == 1 else data
        if offset + length > len(source):
            raise BrokenHeifError("it is cut off")
        parts.append(source[offset : offset + length] if length else source[offset:])
    return b"".join(parts)


def _boxes(data: bytes) -> Iterator[Box]:
    reader, seen = Reader(data), 0
    while reader.left >= 8:
        size, kind = reader.number(4), reader.take(4)
        head = 8
        if size == 1:
            size, head = reader.number(8), 16
        body = (
            reader.rest()
            if size == 0
            else reader.take(min(size - head, reader.left) if kind == b"mdat" else size - head)
        )
        yield Box(kind, body)
        seen += 1
        if seen > _MAX_BOXES:
            raise BrokenHeifError("it has too many boxes")


def read_meta(data: bytes) -> HeifMeta:
    """Return the index of a file; raises `BrokenHeifError` where it has none that makes sense."""
    body = next((box.body for box in _boxes(data) if box.kind == b"meta"), None)
    if body is None:
        raise BrokenHeifError("it has no index")
    meta = HeifMeta()
    for kind, content in _boxes(body[4:]):
        match kind:
            case b"pitm":
                reader = Reader(content)
                version = reader.number(4) >> 24
                meta.primary = reader.number(4 if version else 2)
            case b"iinf":
                _read_kinds(content, meta)
            case b"iloc":
                _read_places(content, meta)
            case b"iref":
                _read_references(content, meta)
            case b"iprp":
                _read_properties(content, meta)
            case b"idat":
                meta.data = content
    return meta


def _read_kinds(content: bytes, meta: HeifMeta) -> None:
    reader = Reader(content)
    reader.take(4 if reader.number(4) >> 24 else 2)
    for kind, body in _boxes(reader.rest()):
        if kind == b"infe":
            entry = Reader(body)
            version = entry.number(4) >> 24
            if version < 2:
                continue
            number = entry.number(4 if version > 2 else 2)
            entry.take(2)
            meta.items.setdefault(number, Item()).kind = entry.take(4)


def _read_places(content: bytes, meta: HeifMeta) -> None:
    reader = Reader(content)
    version = reader.number(4) >> 24
    sizes = reader.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(reader.number(4 if version == 2 else 2)):
        item = meta.items.setdefault(reader.number(4 if version == 2 else 2), Item())
        method = reader.number(2) & 15 if version else 0
        reader.take(2)
        base = reader.number(base_size)
        for _extent in range(reader.number(2)):
            if version:
                reader.take(index_size)
            item.extents.append((method, base + reader.number(offset_size), reader.number(length_size)))
            if len(item.extents) > MAX_TILES:
                raise BrokenHeifError("an item lies in too many pieces")


def _read_references(content: bytes, meta: HeifMeta) -> None:
    reader = Reader(content)
    wide = 4 if reader.number(4) >> 24 else 2
    for kind, body in _boxes(reader.rest()):
        entry = Reader(body)
        source = entry.number(wide)
        targets = [entry.number(wide) for _ in range(entry.number(2))]
        if kind == b"dimg":
            meta.tiles[source] = targets
        elif kind == b"auxl" and meta.primary in targets:
            meta.has_alpha |= any(b"alpha" in box.body for box in meta.of(source)) if source in meta.items else False


def _read_properties(content: bytes, meta: HeifMeta) -> None:
    for kind, body in _boxes(content):
        if kind == b"ipco":
            meta.properties = list(_boxes(body))
        elif kind == b"ipma":
            reader = Reader(body)
            head = reader.number(4)
            wide, long = 2 if head & 1 else 1, 4 if head >> 24 else 2
            for _ in range(reader.number(4)):
                item = meta.items.setdefault(reader.number(long), Item())
                mask = 0x7FFF if wide == 2 else 0x7F
                item.properties = [reader.number(wide) & mask for _ in range(reader.number(1))]
