"""HEIC pictures, as phones take them, decoded by the decoder that reads videos; see `heif_container` for the rest.

Only what cameras and converters write is read: one coded picture, or a grid of tiles, turned and mirrored as its
properties say. Every number comes from outside and is checked before it is used.
"""

from __future__ import annotations  # av's types are generic in its stubs alone

from typing import NamedTuple

import av
import numpy as np

from mien.errors import MediaError, MediaTooLargeError, MediaTruncatedError
from mien.media.colour import Colour, ToRgb, colour_of
from mien.media.files.heif_container import MAX_TILES, BrokenHeifError, HeifMeta, Reader, payload_of, read_meta, size_of
from mien.vision.types import Image

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
        meta = read_meta(data)
        return _decode(data, meta, name, max_pixels)
    except BrokenHeifError as error:
        raise MediaError(f"{name} is a HEIF file that cannot be read: {error}") from error


def _decode(data: bytes, meta: HeifMeta, name: str, max_pixels: int) -> HeifImage:
    primary = meta.items.get(meta.primary)
    if primary is None:
        raise BrokenHeifError("it names no picture")
    width, height = size_of(meta, meta.primary)
    if width * height > max_pixels:
        raise MediaTooLargeError(f"{name} has {width}x{height} pixels, at most {max_pixels} are read")
    tiles = _Tiles(data, meta, name, max_pixels)
    if primary.kind == b"grid":
        image = _assembled(
            tiles, payload_of(data, meta, meta.primary), meta.tiles.get(meta.primary, []), (width, height)
        )
    elif primary.kind in {b"hvc1", b"hev1"}:
        image = tiles(meta.primary)
    else:
        raise BrokenHeifError(f"its picture is of kind {primary.kind.decode('latin-1')!r}, only HEVC is read")
    image = _clip(image, width, height)
    notes = list(tiles.notes)
    if meta.has_alpha:
        notes.append("transparency was left out: the picture is opaque")
    return HeifImage(np.ascontiguousarray(_turned(image, meta)), _profile(meta), tuple(notes))


def _clip(image: Image, width: int, height: int) -> Image:
    if image.shape[0] < height or image.shape[1] < width:
        raise BrokenHeifError("its pixels are fewer than it says")
    return image[:height, :width]


def _assembled(tiles: _Tiles, grid: bytes, numbers: list[int], size_wh: tuple[int, int]) -> Image:
    """Put a grid of tiles together."""
    reader = Reader(grid)
    reader.take(1)
    wide = 4 if reader.number(1) & 1 else 2
    rows, columns = reader.number(1) + 1, reader.number(1) + 1
    if (reader.number(wide), reader.number(wide)) != size_wh:
        raise BrokenHeifError("its grid has another size than its picture")
    if rows * columns > MAX_TILES or len(numbers) != rows * columns:
        raise BrokenHeifError(f"its grid is {columns}x{rows} for {len(numbers)} tiles")
    tile_wh = tiles.size(numbers[0])
    width, height = tile_wh[0] * columns, tile_wh[1] * rows
    # A tile more than needed would be a way to have much decoded and nothing shown.
    if not (width - tile_wh[0] < size_wh[0] <= width and height - tile_wh[1] < size_wh[1] <= height):
        raise BrokenHeifError("its tiles do not cover its picture")
    if width * height > 4 * tiles.max_pixels:
        raise BrokenHeifError("its tiles reach far beyond its picture")
    image = np.empty((height, width, 3), np.uint8)
    for place, number in enumerate(numbers):
        row, column = divmod(place, columns)
        tile = tiles(number)
        if tile.shape[1::-1] != tile_wh:
            raise BrokenHeifError("its tiles are of several sizes")
        top, left = row * tile_wh[1], column * tile_wh[0]
        image[top : top + tile_wh[1], left : left + tile_wh[0]] = tile
    return image


class _Tiles:
    """Decodes coded items to RGB."""

    def __init__(self, data: bytes, meta: HeifMeta, name: str, max_pixels: int) -> None:
        self._data, self._meta, self._name, self.max_pixels = data, meta, name, max_pixels
        self._rgb = ToRgb()
        self._said = _coding(meta)
        self.notes: dict[str, None] = {}

    def size(self, item: int) -> tuple[int, int]:
        if item not in self._meta.items:
            raise BrokenHeifError("a tile is missing")
        return size_of(self._meta, item)

    def __call__(self, item: int) -> Image:
        """Return the pixels of one coded item, cut to the size it announces."""
        width, height = self.size(item)
        config = self._meta.first(item, b"hvcC")
        if config is None:
            raise BrokenHeifError("a coded picture has no decoder configuration")
        if width * height > self.max_pixels:
            raise BrokenHeifError("a tile is larger than the picture may be")
        frame = self._frame(config, payload_of(self._data, self._meta, item))
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
            raise BrokenHeifError("a coded picture is damaged") from error
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


def _coding(meta: HeifMeta) -> Colour | None:
    """Return the coding that the container announces; it goes before what the coded picture says."""
    for box in meta.of(meta.primary):
        if box.kind == b"colr" and box.body[:4] == b"nclx" and len(box.body) >= 11:
            primaries, transfer, matrix = (int.from_bytes(box.body[at : at + 2], "big") for at in (4, 6, 8))
            matrix = matrix if matrix in {1, 4, 5, 6, 7, 9} else _BT601
            return Colour(matrix, bool(box.body[10] & 0x80), primaries, transfer)
    return None


def _profile(meta: HeifMeta) -> bytes | None:
    for box in meta.of(meta.primary):
        if box.kind == b"colr" and box.body[:4] in {b"prof", b"rICC"}:
            return box.body[4:]
    return None


def _turned(image: Image, meta: HeifMeta) -> Image:
    """Turn and mirror, in the order of the properties (ISO/IEC 23008-12, 6.5.10 and 6.5.12)."""
    for box in meta.of(meta.primary):
        if box.kind == b"irot" and box.body:
            image = np.rot90(image, box.body[0] & 3)  # counter-clockwise, as NumPy counts
        elif box.kind == b"imir" and box.body:
            image = image[:, ::-1] if box.body[0] & 1 else image[::-1]
    return image
