"""How each frame of a film is turned; in H.264 a frame may say it for those after it, in JPEGs each says it in EXIF.

FFmpeg applies a display orientation message (ITU-T H.264, D.1.27) to its own frame alone, whatever period it has. What
it makes of EXIF, PyAV hands on as an angle, which tells nothing of a mirror.
"""

from __future__ import annotations  # av.Packet takes a type only in its stubs

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import av
import PIL.Image
from av.codec.context import Flags
from PIL import ExifTags

from mien.media.files.upright import display_matrix

_SEI, _IDR, _SLICES = 6, 5, range(1, 6)
_DISPLAY_ORIENTATION: Final = 47
_START: Final = b"\0\0\1"
_EMULATION: Final = b"\0\0\3"
_LONGEST_SEI: Final = 4096
Matrix = tuple[int, ...]


def _matrix(a: int, b: int, c: int, d: int) -> Matrix:
    return (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)


_EXIF_TURNS: Final[dict[int, Matrix]] = {
    2: _matrix(-1, 0, 0, 1),
    3: _matrix(-1, 0, 0, -1),
    4: _matrix(1, 0, 0, -1),
    5: _matrix(0, 1, 1, 0),
    6: _matrix(0, 1, -1, 0),
    7: _matrix(0, -1, -1, 0),
    8: _matrix(0, -1, 1, 0),
}
"""How each EXIF orientation but the upright one moves a pixel, as in `upright.turn`."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a coded picture says.

    Attributes:
        begins: It is an IDR picture: a new coded video sequence begins.
        turns: It has a display orientation message.
        lasts: The message holds for the pictures after it, too, until another message or an IDR picture.
        matrix: What the EXIF of a JPEG asks for.
    """

    begins: bool = False
    turns: bool = False
    lasts: bool = False
    matrix: Matrix | None = None


class Orientation:
    """Tells how the frames of one stream are turned. Frames are asked about in the order in which they are shown.

    Args:
        film: The stream; its decoder is told to hand on what a packet carries.
    """

    def __init__(self, film: av.VideoStream) -> None:
        context = film.codec_context
        self._reads, self._reads_exif = context.name == "h264", context.name == "mjpeg"
        self._length_bytes = _length_bytes(context.extradata or b"")
        self._lasting: Matrix | None = None
        self._lasts = False
        if self._reads or self._reads_exif:
            context.flags |= Flags.copy_opaque

    def expect(self, packet: av.Packet[av.VideoStream]) -> None:
        """Note what a packet says, before it is decoded."""
        if self._reads and packet.size:
            packet.opaque = said_in(bytes(packet), self._length_bytes)
        elif self._reads_exif and packet.size:
            packet.opaque = Said(matrix=exif_turn(bytes(packet)))

    def __call__(self, frame: av.VideoFrame) -> Matrix | None:
        """Return the nine numbers that say how a frame is turned, or None."""
        said = frame.opaque if isinstance(frame.opaque, Said) else Said()
        if self._reads_exif:
            return said.matrix
        matrix = display_matrix(frame)
        if said.begins or said.turns:
            self._lasts = False
        if said.turns and said.lasts:
            self._lasts, self._lasting = True, matrix
        return self._lasting if self._lasts else matrix


def exif_turn(jpeg: bytes) -> Matrix | None:
    """Return how a JPEG asks to be turned and mirrored (EXIF, tag 0x0112), as a display matrix; None for not at all."""
    try:
        with PIL.Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as opened:
            said = opened.getexif().get(ExifTags.Base.Orientation)
    except (OSError, ValueError, SyntaxError, struct.error, PIL.Image.DecompressionBombError):
        return None  # damaged, or no more than the middle of a picture
    return _EXIF_TURNS.get(said) if isinstance(said, int) else None


def said_in(picture: bytes, length_bytes: int = 0) -> Said:
    """Return what a coded picture says before its first slice.

    Args:
        picture: Its units, with start codes, or each with its length before it.
        length_bytes: Bytes of such a length; 0 for start codes.
    """
    said = Said()
    for unit in _units(picture, length_bytes):
        kind = unit[0] & 0x1F
        if kind == _SEI:
            said = _message_of(bytes(unit[1:_LONGEST_SEI])) or said
        elif kind in _SLICES:
            return Said(kind == _IDR, said.turns, said.lasts)
    return said


def _length_bytes(extradata: bytes) -> int:
    """Return the size of the lengths before units (ISO/IEC 14496-15, 5.3.3.1); 0 where there are start codes."""
    return (extradata[4] & 3) + 1 if len(extradata) > 4 and extradata[0] == 1 else 0  # its version


def _units(picture: bytes, length_bytes: int) -> Iterator[memoryview]:
    whole = memoryview(picture)
    at = 0 if length_bytes else picture.find(_START) + len(_START)
    while (length_bytes or at >= len(_START)) and at < len(picture):
        if length_bytes:
            at += length_bytes
            end = next_at = at + int.from_bytes(whole[at - length_bytes : at])
        else:
            found = picture.find(_START, at)
            end, next_at = (len(picture), len(picture)) if found < 0 else (found, found + len(_START))
        if end > at and at < len(picture):
            yield whole[at:end]
        at = next_at


def _message_of(sei: bytes) -> Said | None:
    """Return what the display orientation message among some says, if there is one."""
    payload = sei.replace(_EMULATION, b"\0\0")
    at = 0
    while at + 2 < len(payload):
        kind, at = _number(payload, at)
        size, at = _number(payload, at)
        if kind == _DISPLAY_ORIENTATION:
            return _orientation(payload[at : at + size])
        at += size
    return None


def _number(payload: bytes, at: int) -> tuple[int, int]:
    """Read a type or a size: bytes of 255 and a last one, added up (7.3.2.3.1)."""
    value = 0
    while at < len(payload) and payload[at] == 0xFF:  # as the standard says
        value, at = value + 0xFF, at + 1
    return value + (payload[at] if at < len(payload) else 0), at + 1


def _orientation(message: bytes) -> Said:
    """Read `display_orientation` (D.1.27): one bit that cancels, two that flip, 16 that turn, and the period."""
    bits = int.from_bytes(message)
    length = 8 * len(message)
    if not length or bits >> (length - 1):
        return Said(turns=True)
    period_at = 19
    # The period is an Exp-Golomb code (9.1): a single 1 is 0, which stands for this picture alone.
    lasts = length > period_at and not (bits >> (length - 1 - period_at)) & 1
    return Said(turns=True, lasts=lasts)
