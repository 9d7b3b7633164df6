"""What a photo file says of itself in its first bytes: which kind it is, and how many pixels it has.

Nothing is decoded here, so that a stranger's file can be refused in the web process before anything is made of it.
What is read is not trusted: the decoder, in a process of its own, looks again.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from mien.errors import MediaError, MediaTooLargeError

PHOTO_FORMATS: Final = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF")
"""What cameras, phones and pages make, by Pillow's names. Every further decoder is one more that a file can break."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_HEIF_BRANDS: Final = frozenset({b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"})
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers that tell the size of what follows (ITU-T T.81, table B.1)."""
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG's markers that nothing belongs to."""
_MAX_STEPS: Final = 4096
"""For a whole file. What needs more has a header in no known way: the event loop waits for us."""


def photo_format(data: bytes) -> str | None:
    r"""Return the kind of a photo file by Pillow's name, or None where it is none that we take.

    Example:
        >>> photo_format(b"\xff\xd8\xff\xe0"), photo_format(b"GIF89a"), photo_format(b"\0\0\0\x1cftypavif\0\0\0\0")
        ('JPEG', None, 'AVIF')
    """
    if data[:2] == b"\xff\xd8":
        return "JPEG"
    if data[:8] == _PNG:
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, min(len(data), _u32(data, 0), 128), 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "HEIF" if brands & _HEIF_BRANDS else None
    return None


def photo_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height as the header of a photo file says, or None where it does not say so in a known way.

    Of a file of several pictures, such as a HEIF's tiles and thumbnail, it is the largest width and height.
    """
    read = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp, "AVIF": _heif, "HEIF": _heif}.get(photo_format(data) or "")
    try:
        return None if read is None else read(data)
    except (struct.error, IndexError):
        return None


def check_photo_header(data: bytes, *, name: str, max_pixels: int, formats: Sequence[str] = PHOTO_FORMATS) -> None:
    """Let pass what may be a picture of these formats and of at most `max_pixels`.

    Raises:
        MediaError: It is none of the kinds that are taken.
        MediaTooLargeError: Its header tells of more pixels.
    """
    if photo_format(data) not in formats:
        raise MediaError(f"{name} is no picture that is taken here: {', '.join(formats)}")
    width, height = photo_size(data) or (0, 0)
    if width * height > max_pixels:
        raise MediaTooLargeError(f"{name} has {width}x{height} pixels, at most {max_pixels} are read")


def _png(data: bytes) -> tuple[int, int] | None:
    return (_u32(data, 16), _u32(data, 20)) if data[12:16] == b"IHDR" else None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    for _ in range(_MAX_STEPS):
        at = data.find(b"\xff", at, at + 65_536)
        if at < 0:
            return None
        at += 1
        marker = data[at]
        if marker == 0xFF:  # a fill byte
            continue
        at += 1
        if marker in _FRAMES:
            height, width = struct.unpack_from("!HH", data, at + 3)
            return width, height
        if marker == 0xDA:  # samples follow
            return None
        if marker not in _ALONE and marker:
            at += max(struct.unpack_from("!H", data, at)[0], 2)
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + _u24(data, 24), 1 + _u24(data, 27)
    if kind == b"VP8L" and data[20] == 0x2F:
        (packed,) = struct.unpack_from("<I", data, 21)
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _heif(data: bytes) -> tuple[int, int] | None:
    """Read the sizes (`ispe`) among the properties of all pictures (ISO/IEC 23008-12, 6.5.3)."""
    sizes = [(_u32(data, at + 4), _u32(data, at + 8)) for at, _ in _inside(data, (b"meta", b"iprp", b"ipco", b"ispe"))]
    return (max(width for width, _ in sizes), max(height for _, height in sizes)) if sizes else None


def _inside(data: bytes, path: tuple[bytes, ...]) -> list[tuple[int, int]]:
    """Return beginning and end of the content of every box at a path of kinds."""
    found = [(0, len(data))]
    steps = iter(range(_MAX_STEPS))
    for kind in path:
        found = [box for start, end in found for box in _boxes(data, kind, start, end, steps)]
        if kind == b"meta":
            found = [(start + 4, end) for start, end in found]  # version and flags come first
    return found


def _boxes(data: bytes, kind: bytes, start: int, end: int, steps: Iterator[int]) -> Iterator[tuple[int, int]]:
    """Yield beginning and end of the content of every box of a kind (ISO/IEC 14496-12, 4.2), while there are steps."""
    for _ in steps:
        if start + 8 > end:
            return
        length, head = _u32(data, start), 8
        if length == 1:
            length, head = struct.unpack_from("!Q", data, start + 8)[0], 16
        elif length == 0:
            length = end - start
        if length < head:
            return
        if data[start + 4 : start + 8] == kind:
            yield start + head, min(start + length, end)
        start += length


def _u32(data: bytes, at: int) -> int:
    (number,) = struct.unpack_from("!I", data, at)
    return int(number)


def _u24(data: bytes, at: int) -> int:
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16
