"""HEIC pictures, as phones take them: the container is read here, the HEVC in it by the decoder that reads videos.

Only what cameras and converters write is read: one coded picture, or a grid of tiles, turned and mirrored as its
properties say. Every number comes from outside and is checked before it is used.
"""

from __future__ import annotations  # av's types are generic in its stubs alone

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import av
import numpy as np

from mien.errors import MediaError, MediaTooLargeError, MediaTruncatedError
from mien.media.colour import Colour, ToRgb, colour_of
from mien.vision.types import Image

_MAX_DEPTH: Final = 4
_MAX_BOXES: Final = 20_000
_MAX_TILES: Final = 1024
_UNSPECIFIED, _BT601 = 2, 6


class HeifImage(NamedTuple):
    """A decoded picture.

    Attributes:
        image: Upright pixels.
        icc_profile: The colour profile that the file carries, unchecked, or None.
        notes: Sentences about what could not be kept.
    """

    image: Image
    icc_profile: bytes | None
    notes: tuple[str, ...]


class _Broken(Exception):  # noqa: N818  # never leaves this module
    """The file is not what it says."""


class _Reader:
    """Reads big-endian numbers and never beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def take(self, size: int) -> bytes:
        if size < 0 or self.at + size > len(self._data):
            raise _Broken("a box is longer than what holds it")
        self.at += size
        return self._data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def rest(self) -> bytes:
        return self.take(len(self._data) - self.at)

    @property
    def left(self) -> int:
        return len(self._data) - self.at


class _Box(NamedTuple):
    kind: bytes
    body: bytes


@dataclass(slots=True)
class _Item:
    kind: bytes = b""
    extents: list[tuple[int, int, int]] = field(default_factory=list)  # construction method, offset, length
    properties: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Meta:
    primary: int = 0
    items: dict[int, _Item] = field(default_factory=dict)
    tiles: dict[int, list[int]] = field(default_factory=dict)
    has_alpha: bool = False
    properties: list[_Box] = field(default_factory=list)
    data: bytes = b""

    def of(self, item: int) -> list[_Box]:
        """Return the properties of an item, in the order in which they apply."""
        numbers = self.items[item].properties
        return [self.properties[n - 1] for n in numbers if 0 < n <= len(self.properties)]

    def first(self, item: int, kind: bytes) -> bytes | None:
        return next((box.body for box in self.of(item) if box.kind == kind), None)


def decode_heif(data: bytes, *, name: str, max_pixels: int) -> HeifImage:
    """Decode the primary picture of a HEIC file.

    Args:
        data: The file.
        name: How to call it in errors.
        max_pixels: Refuse larger ones before any pixel is decoded.

    Raises:
        MediaTooLargeError: It has more than `max_pixels`.
        MediaTruncatedError: It ends too early.
        MediaError: It is no picture that can be read.
    """
    try:
        meta = _read_meta(data)
        return _decode(data, meta, name, max_pixels)
    except _Broken as error:
        raise MediaError(f"{name} is a HEIF file that cannot be read: {error}") from error


def _decode(data: bytes, meta: _Meta, name: str, max_pixels: int) -> HeifImage:
    primary = meta.items.get(meta.primary)
    if primary is None:
        raise _Broken("it names no picture")
    width, height = _size(meta, meta.primary)
    if width * height > max_pixels:
        raise MediaTooLargeError(f"{name} has {width}x{height} pixels, at most {max_pixels} are read")
    tiles = _Tiles(data, meta, name, max_pixels)
    if primary.kind == b"grid":
        image = _assembled(tiles, _payload(data, meta, meta.primary), meta.tiles.get(meta.primary, []), (width, height))
    elif primary.kind in {b"hvc1", b"hev1"}:
        image = tiles(meta.primary)
    else:
        raise _Broken(f"its picture is of kind {primary.kind.decode('latin-1')!r}, only HEVC is read")
    image = _clip(image, width, height)
    notes = list(tiles.notes)
    if meta.has_alpha:
        notes.append("transparency was left out: the picture is opaque")
    return HeifImage(np.ascontiguousarray(_turned(image, meta)), _profile(meta), tuple(notes))


def _clip(image: Image, width: int, height: int) -> Image:
    if image.shape[0] < height or image.shape[1] < width:
        raise _Broken("its pixels are fewer than it says")
    return image[:height, :width]


def _size(meta: _Meta, item: int) -> tuple[int, int]:
    extents = meta.first(item, b"ispe")
    if extents is None:
        raise _Broken("it does not say its size")
    reader = _Reader(extents)
    reader.take(4)
    width, height = reader.number(4), reader.number(4)
    if not width or not height:
        raise _Broken("it has no pixels")
    return width, height


def _assembled(tiles: _Tiles, grid: bytes, numbers: list[int], size_wh: tuple[int, int]) -> Image:
    """Put a grid of tiles together."""
    reader = _Reader(grid)
    reader.take(1)
    wide = 4 if reader.number(1) & 1 else 2
    rows, columns = reader.number(1) + 1, reader.number(1) + 1
    if (reader.number(wide), reader.number(wide)) != size_wh:
        raise _Broken("its grid has another size than its picture")
    if rows * columns > _MAX_TILES or len(numbers) != rows * columns:
        raise _Broken(f"its grid is {columns}x{rows} for {len(numbers)} tiles")
    tile_wh = tiles.size(numbers[0])
    width, height = tile_wh[0] * columns, tile_wh[1] * rows
    # A tile more than needed would be a way to have much decoded and nothing shown.
    if not (width - tile_wh[0] < size_wh[0] <= width and height - tile_wh[1] < size_wh[1] <= height):
        raise _Broken("its tiles do not cover its picture")
    if width * height > 4 * tiles.max_pixels:
        raise _Broken("its tiles reach far beyond its picture")
    image = np.empty((height, width, 3), np.uint8)
    for place, number in enumerate(numbers):
        row, column = divmod(place, columns)
        tile = tiles(number)
        if tile.shape[1::-1] != tile_wh:
            raise _Broken("its tiles are of several sizes")
        top, left = row * tile_wh[1], column * tile_wh[0]
        image[top : top + tile_wh[1], left : left + tile_wh[0]] = tile
    return image


class _Tiles:
    """Decodes coded items to RGB."""

    def __init__(self, data: bytes, meta: _Meta, name: str, max_pixels: int) -> None:
        self._data, self._meta, self._name, self.max_pixels = data, meta, name, max_pixels
        self._rgb = ToRgb()
        self._said = _coding(meta)
        self.notes: dict[str, None] = {}

    def size(self, item: int) -> tuple[int, int]:
        if item not in self._meta.items:
            raise _Broken("a tile is missing")
        return _size(self._meta, item)

    def __call__(self, item: int) -> Image:
        """Return the pixels of one coded item, cut to the size it announces."""
        width, height = self.size(item)
        config = self._meta.first(item, b"hvcC")
        if config is None:
            raise _Broken("a coded picture has no decoder configuration")
        if width * height > self.max_pixels:
            raise _Broken("a tile is larger than the picture may be")
        frame = self._frame(config, _payload(self._data, self._meta, item))
        colour = self._colour(frame)
        if colour.is_hdr:
            self.notes["HDR was brought down to standard range (BT.709)"] = None
        elif any(component.bits > 8 for component in frame.format.components):
            self.notes["more than 8 bits per colour became 8"] = None
        return _clip(self._rgb(frame, colour, (frame.width, frame.height)), width, height)

    def _frame(self, config: bytes, payload: bytes) -> av.VideoFrame:
        decoder = av.CodecContext.create("hevc", "r")
        decoder.extradata = config
        decoder.thread_count = 1
        # Coded sizes are padded to whole blocks of at most 64.
        decoder.options = {"max_pixels": str(self.max_pixels + 64 * 2**16)}
        try:
            frames = [*decoder.decode(av.Packet(payload)), *decoder.decode(None)]
        except (av.FFmpegError, ValueError) as error:
            raise _Broken("a coded picture is damaged") from error
        if not frames:
            raise MediaTruncatedError(f"{self._name} holds a coded picture that cannot be decoded")
        return frames[0]

    def _colour(self, frame: av.VideoFrame) -> Colour:
        if self._said is not None:
            return self._said
        colour = colour_of(frame)
        # Photographs that do not say their matrix are of JPEG's, whatever their size.
        matrix = colour.matrix if int(frame.colorspace) not in {0, _UNSPECIFIED} else _BT601
        return Colour(matrix, colour.full_range, colour.primaries, colour.transfer)


def _coding(meta: _Meta) -> Colour | None:
    """Return the coding that the container announces; it goes before what the coded picture says."""
    for box in meta.of(meta.primary):
        if box.kind == b"colr" and box.body[:4] == b"nclx" and len(box.body) >= 11:
            primaries, transfer, matrix = (int.from_bytes(box.body[at : at + 2], "big") for at in (4, 6, 8))
            matrix = matrix if matrix in {1, 4, 5, 6, 7, 9} else _BT601
            return Colour(matrix, bool(box.body[10] & 0x80), primaries, transfer)
    return None


def _profile(meta: _Meta) -> bytes | None:
    for box in meta.of(meta.primary):
        if box.kind == b"colr" and box.body[:4] in {b"prof", b"rICC"}:
            return box.body[4:]
    return None


def _turned(image: Image, meta: _Meta) -> Image:
    """Turn and mirror, in the order of the properties (ISO/IEC 23008-12, 6.5.10 and 6.5.12)."""
    for box in meta.of(meta.primary):
        if box.kind == b"irot" and box.body:
            image = np.rot90(image, box.body[0] & 3)  # counter-clockwise, as NumPy counts
        elif box.kind == b"imir" and box.body:
            image = image[:, ::-1] if box.body[0] & 1 else image[::-1]
    return image


# --- the container -----------------------------------------------------------------------------------------


def _payload(data: bytes, meta: _Meta, item: int) -> bytes:
    parts = []
    for method, offset, length in meta.items[item].extents:
        if method > 1:
            raise _Broken("its data lie in another item")
        source = meta.data if method == 1 else data
        if offset + length > len(source):
            raise _Broken("it is cut off")
        parts.append(source[offset : offset + length] if length else source[offset:])
    return b"".join(parts)


def _boxes(data: bytes) -> Iterator[_Box]:
    reader, seen = _Reader(data), 0
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
        yield _Box(kind, body)
        seen += 1
        if seen > _MAX_BOXES:
            raise _Broken("it has too many boxes")


def _read_meta(data: bytes) -> _Meta:
    body = next((box.body for box in _boxes(data) if box.kind == b"meta"), None)
    if body is None:
        raise _Broken("it has no index")
    meta = _Meta()
    for kind, content in _boxes(body[4:]):
        match kind:
            case b"pitm":
                reader = _Reader(content)
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


def _read_kinds(content: bytes, meta: _Meta) -> None:
    reader = _Reader(content)
    reader.take(4 if reader.number(4) >> 24 else 2)
    for kind, body in _boxes(reader.rest()):
        if kind == b"infe":
            entry = _Reader(body)
            version = entry.number(4) >> 24
            if version < 2:
                continue
            number = entry.number(4 if version > 2 else 2)
            entry.take(2)
            meta.items.setdefault(number, _Item()).kind = entry.take(4)


def _read_places(content: bytes, meta: _Meta) -> None:
    reader = _Reader(content)
    version = reader.number(4) >> 24
    sizes = reader.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(reader.number(4 if version == 2 else 2)):
        item = meta.items.setdefault(reader.number(4 if version == 2 else 2), _Item())
        method = reader.number(2) & 15 if version else 0
        reader.take(2)
        base = reader.number(base_size)
        for _extent in range(reader.number(2)):
            if version:
                reader.take(index_size)
            item.extents.append((method, base + reader.number(offset_size), reader.number(length_size)))
            if len(item.extents) > _MAX_TILES:
                raise _Broken("an item lies in too many pieces")


def _read_references(content: bytes, meta: _Meta) -> None:
    reader = _Reader(content)
    wide = 4 if reader.number(4) >> 24 else 2
    for kind, body in _boxes(reader.rest()):
        entry = _Reader(body)
        source = entry.number(wide)
        targets = [entry.number(wide) for _ in range(entry.number(2))]
        if kind == b"dimg":
            meta.tiles[source] = targets
        elif kind == b"auxl" and meta.primary in targets:
            meta.has_alpha |= any(b"alpha" in box.body for box in meta.of(source)) if source in meta.items else False


def _read_properties(content: bytes, meta: _Meta) -> None:
    for kind, body in _boxes(content):
        if kind == b"ipco":
            meta.properties = list(_boxes(body))
        elif kind == b"ipma":
            reader = _Reader(body)
            head = reader.number(4)
            wide, long = 2 if head & 1 else 1, 4 if head >> 24 else 2
            for _ in range(reader.number(4)):
                item = meta.items.setdefault(reader.number(long), _Item())
                mask = 0x7FFF if wide == 2 else 0x7F
                item.properties = [reader.number(wide) & mask for _ in range(reader.number(1))]
