"""How large an encoded key frame is, without decoding it."""

from typing import Final

from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.ingest.depacketizer import ReceivedFrame

_START_CODE: Final = b"\0\0\1"
_SPS: Final = 7
_MOST_BYTES: Final = 1024
"""A sequence parameter set has some dozens of bytes; scaling lists make a few hundred of it."""
_WITH_CHROMA: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_MOST_ZEROS: Final = 31


def key_frame_size_wh(frame: ReceivedFrame) -> tuple[int, int] | None:
    r"""Return width and height of a key frame, cropping left aside; None where they cannot be read.

    Source:
        RFC 6386, 9.1 (VP8) and ITU-T H.264, 7.3.2.1.1 (sequence parameter set).

    Example:
        >>> data = b"\x10\x00\x00\x9d\x01\x2a\x80\x02\xe0\x01"
        >>> key_frame_size_wh(ReceivedFrame(data, VideoCodec.VP8, 0, is_keyframe=True))
        (640, 480)
    """
    if not frame.is_keyframe:
        return None
    if frame.codec is VideoCodec.VP8:
        data = frame.data
        if len(data) < 10:
            return None
        return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
    return _h264_size_wh(frame.data)


def _h264_size_wh(data: bytes) -> tuple[int, int] | None:
    at = data.find(_START_CODE)
    while at >= 0 and at + 4 < len(data):
        begins = at + len(_START_CODE)
        if data[begins] & 0x1F == _SPS:
            try:
                return _sps_size_wh(data[begins + 1 : begins + _MOST_BYTES])
            except IndexError:
                return None
        at = data.find(_START_CODE, begins)
    return None


def _sps_size_wh(data: bytes) -> tuple[int, int]:
    """Read a sequence parameter set up to its size.

    Raises:
        IndexError: It ends before that, or is none.
    """
    bits = _Bits(data.replace(b"\0\0\3", b"\0\0"))  # H.264, 7.4.1: emulation prevention
    profile = bits.take(8)
    bits.take(16)  # constraints and level
    bits.ue()
    if profile in _WITH_CHROMA:
        _skip_chroma(bits)
    bits.ue()  # log2_max_frame_num_minus4
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.take(1)
        bits.ue()
        bits.ue()
        for _ in range(min(bits.ue(), 255)):
            bits.ue()
    bits.ue()  # max_num_ref_frames
    bits.take(1)
    columns, rows = bits.ue() + 1, bits.ue() + 1
    fields = 2 - bits.take(1)  # frame_mbs_only_flag
    return 16 * columns, 16 * rows * fields


def _skip_chroma(bits: "_Bits") -> None:
    chroma = bits.ue()
    if chroma == 3:
        bits.take(1)
    bits.ue()
    bits.ue()
    bits.take(1)
    if not bits.take(1):  # seq_scaling_matrix_present_flag
        return
    for number in range(12 if chroma == 3 else 8):
        if bits.take(1):
            _skip_scaling_list(bits, 16 if number < 6 else 64)


def _skip_scaling_list(bits: "_Bits", size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.ue()
            following = (last + ((code + 1) // 2 if code % 2 else -(code // 2))) % 256
        last = following or last


class _Bits:
    """Reads bits and Exp-Golomb codes; an IndexError where there are no more."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def ue(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > _MOST_ZEROS:
                raise IndexError
        return (1 << zeros) - 1 + self.take(zeros)
