"""RTP payloads of VP8 and H.264: what one packet adds to a frame. Hostile bytes: nothing raises."""

from dataclasses import dataclass
from typing import Final

from mien.media.codecs.annex_b import START_CODE

_NAL_IDR, _NAL_SPS, _NAL_AUD, _NAL_LAST_SINGLE, _NAL_STAP_A, _NAL_FU_A = 5, 7, 9, 23, 24, 28
VP8_KEY_START: Final = b"\x9d\x01\x2a"


@dataclass(frozen=True, slots=True)
class Piece:
    """What one packet adds to a frame.

    Attributes:
        data: Its share of the encoded frame.
        begins: Whether nothing of the frame can come before it.
        begins_key: Whether a key frame begins with it.
        is_key: Whether it holds some of a key frame.
        continues: Whether its first unit began in the packet before.
        goes_on: Whether its last unit ends in a later packet.
    """

    data: bytes
    begins: bool = False
    begins_key: bool = False
    is_key: bool = False
    continues: bool = False
    goes_on: bool = False


def vp8_piece(payload: bytes) -> Piece | None:
    r"""Read the payload of a VP8 packet; None if it cannot be one.

    Source:
        RFC 7741, 4.2 (payload descriptor) and 4.3 (payload header).

    Example:
        >>> vp8_piece(bytes([0x90, 0x80, 42, 0, 1, 2])).data
        b'\x00\x01\x02'
    """
    at = 1
    if payload[0] & 0x80:  # X: extensions follow
        extensions = payload[at] if at < len(payload) else 0
        at += 1
        if extensions & 0x80:  # I: picture id, of 7 bits or 15
            at += 2 if at < len(payload) and payload[at] & 0x80 else 1
        at += bool(extensions & 0x40)  # L: index of the key picture of the base layer
        at += bool(extensions & 0x30)  # T or K: one byte for both
    data = payload[at:]
    if not data:
        return None
    begins = payload[0] & 0x17 == 0x10  # S, and partition 0
    is_key = begins and not data[0] & 1
    return Piece(data, begins=begins, begins_key=is_key, is_key=is_key)


def h264_piece(payload: bytes) -> Piece | None:
    r"""Read the payload of an H.264 packet; None if it cannot be one.

    Source:
        RFC 6184: 5.6 (single unit), 5.7.1 (STAP-A), 5.8 (FU-A), all that its non-interleaved mode has.

    Example:
        >>> h264_piece(bytes([0x7C, 0x85, 1, 2])).data
        b'\x00\x00\x00\x01e\x01\x02'
    """
    kind = payload[0] & 0x1F
    if kind == _NAL_FU_A:
        return _h264_fragment(payload)
    units = [payload] if kind != _NAL_STAP_A else _h264_units(payload)
    kinds = [unit[0] & 0x1F for unit in units]
    if not units or not all(1 <= each <= _NAL_LAST_SINGLE for each in kinds):
        return None
    data = b"".join(START_CODE + unit for unit in units)
    begins, is_key = kinds[0] in {_NAL_AUD, _NAL_SPS}, _NAL_IDR in kinds
    return Piece(data, begins=begins, begins_key=begins and (is_key or _NAL_SPS in kinds), is_key=is_key)


def _h264_fragment(payload: bytes) -> Piece | None:
    if len(payload) < 3:
        return None
    starts, ends, kind = payload[1] & 0x80, payload[1] & 0x40, payload[1] & 0x1F
    if (starts and ends) or not 1 <= kind <= _NAL_LAST_SINGLE:
        return None
    head = START_CODE + bytes([payload[0] & 0xE0 | kind]) if starts else b""
    return Piece(head + payload[2:], is_key=kind == _NAL_IDR, continues=not starts, goes_on=not ends)


def _h264_units(payload: bytes) -> list[bytes]:
    units, at = [], 1
    while at < len(payload):
        size = int.from_bytes(payload[at : at + 2])
        unit = payload[at + 2 : at + 2 + size]
        if not size or len(unit) != size:
            return []
        units.append(unit)
        at += 2 + size
    return units
