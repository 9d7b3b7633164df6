"""HEIC pictures made by code: tiles coded by libx265, the boxes around them written here."""

from __future__ import annotations  # av's types are generic in its stubs alone

import re
import struct
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np

from mien.vision.types import Image


def box(kind: bytes, *content: bytes) -> bytes:
    """Return a box of ISO/IEC 14496-12."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *content: bytes) -> bytes:
    """Return a box with a version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def coded(image: Image, *, bits: int = 8) -> tuple[bytes, bytes]:
    """Return an image as HEVC: its decoder configuration (ISO/IEC 14496-15, 8.3.3.1), and its data behind lengths."""
    encoder = av.CodecContext.create("libx265", "w")
    encoder.width, encoder.height = image.shape[1], image.shape[0]
    encoder.pix_fmt = "yuv444p" if bits == 8 else "yuv444p10le"
    encoder.time_base = Fraction(1)
    encoder.options = {"preset": "ultrafast", "x265-params": "log-level=none:crf=4"}
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
        format=encoder.pix_fmt, dst_colorspace="itu601", dst_color_range="MPEG"
    )
    frame.pts, frame.time_base = 0, Fraction(1)
    stream = b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
    units = [unit for unit in re.split(b"\0\0\0?\1", stream) if unit]
    config = bytes([1, *bytes(20), 0b11, 3])  # lengths of four bytes, three arrays
    for kind in (32, 33, 34):  # VPS, SPS, PPS
        found = [unit for unit in units if unit[0] >> 1 & 63 == kind]
        config += struct.pack(">BH", kind, len(found))
        config += b"".join(struct.pack(">H", len(unit)) + unit for unit in found)
    frames = [unit for unit in units if unit[0] >> 1 & 63 < 32]
    return config, b"".join(struct.pack(">I", len(unit)) + unit for unit in frames)


def heic(
    image: Image,
    *,
    tile: int = 0,
    rotation: int = 0,
    mirror: int | None = None,
    profile: bytes = b"",
    bits: int = 8,
    says_wh: tuple[int, int] | None = None,
    brand: bytes = b"heic",
) -> bytes:
    """Write an image as a HEIC file.

    Args:
        image: As it is stored, before it is turned.
        tile: Side of the tiles of a grid; 0 for one single coded picture.
        rotation: Quarter turns counter-clockwise that a reader is to make.
        mirror: 0 to swap top and bottom, 1 to swap left and right.
        profile: An ICC profile.
        bits: Per sample.
        says_wh: The size the file announces; the true one where None.
        brand: The file's main brand.
    """
    height, width = image.shape[:2]
    parts = _tiles(image, tile) if tile else [image]
    codes = [coded(part, bits=bits) for part in parts]
    part_wh = (parts[0].shape[1], parts[0].shape[0])
    properties = [
        full_box(b"ispe", 0, 0, struct.pack(">II", *(says_wh or (width, height)))),
        full_box(b"ispe", 0, 0, struct.pack(">II", *part_wh)),
        box(b"hvcC", codes[0][0]),
        box(b"irot", bytes([rotation])),
        box(b"imir", bytes([mirror or 0])),
        box(b"colr", b"prof", profile),
    ]
    looks = [4] * (rotation > 0) + [5] * (mirror is not None) + [6] * bool(profile)
    items: list[tuple[bytes, list[int], bytes]] = []
    if tile:
        rows, columns = -(-height // tile), -(-width // tile)
        grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
        items.append((b"grid", [1, *looks], grid))
        items += [(b"hvc1", [2, 3], data) for _config, data in codes]
    else:
        items.append((b"hvc1", [1, 3, *looks], codes[0][1]))
    return _file(items, properties, brand=brand)


def _file(items: Sequence[tuple[bytes, list[int], bytes]], properties: list[bytes], *, brand: bytes) -> bytes:
    kinds = [
        full_box(b"infe", 2, 0, struct.pack(">HH4s", number, 0, kind), b"\0")
        for number, (kind, _look, _data) in enumerate(items, 1)
    ]
    uses = b"".join(
        struct.pack(">HB", number, len(look)) + bytes(look) for number, (_kind, look, _data) in enumerate(items, 1)
    )
    grid = full_box(
        b"iref",
        0,
        0,
        box(b"dimg", struct.pack(f">HH{len(items) - 1}H", 1, len(items) - 1, *range(2, len(items) + 1))),
    )

    def meta(first: int) -> bytes:
        places, at = b"", first
        for number, (_kind, _look, data) in enumerate(items, 1):
            places += struct.pack(">HHHII", number, 0, 1, at, len(data))
            at += len(data)
        return full_box(
            b"meta",
            0,
            0,
            full_box(b"hdlr", 0, 0, b"\0\0\0\0pict", bytes(13)),
            full_box(b"pitm", 0, 0, struct.pack(">H", 1)),
            full_box(b"iloc", 0, 0, struct.pack(">HH", 0x4400, len(items)), places),
            full_box(b"iinf", 0, 0, struct.pack(">H", len(items)), *kinds),
            grid if len(items) > 1 else b"",
            box(b"iprp", box(b"ipco", *properties), full_box(b"ipma", 0, 0, struct.pack(">I", len(items)), uses)),
        )

    head = box(b"ftyp", brand, bytes(4), b"mif1heic")
    first = len(head) + len(meta(0)) + 8
    return head + meta(first) + box(b"mdat", *(data for _kind, _look, data in items))


def _tiles(image: Image, side: int) -> list[Image]:
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, -height % side), (0, -width % side), (0, 0)), mode="edge")
    return [
        np.ascontiguousarray(padded[top : top + side, left : left + side])
        for top in range(0, padded.shape[0], side)
        for left in range(0, padded.shape[1], side)
    ]
