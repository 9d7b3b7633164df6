"""H.264 units with start codes, as decoders take them (ITU-T H.264, Annex B)."""

import base64
import contextlib
import re
from typing import Final

START_CODE: Final = b"\0\0\0\1"
_ANY_START_CODE: Final = re.compile(rb"\x00?\x00\x00\x01")
_SEARCHED: Final = 4096
"""So far from its start a key frame is searched for parameter sets: they come first and are short."""
_SPS, _PPS, _SLICES = 7, 8, range(1, 6)


def parameter_sets_first(frame: bytes) -> bytes:
    r"""Move the parameter sets of one frame before its first slice, each once.

    GStreamer's payloader repeats them before every slice of a key frame (`config-interval=-1`). A parameter set
    after a slice begins a new frame (ITU-T H.264, 7.4.1.2.3), so FFmpeg's decoder takes the first slice for a
    damaged frame.

    Example:
        >>> sps, pps, idr = b"\0\0\0\1\x67A", b"\0\0\0\1\x68B", b"\0\0\0\1\x65C"
        >>> parameter_sets_first(sps + pps + idr + sps + pps + idr) == sps + pps + idr + idr
        True
    """
    units = [unit for unit in _ANY_START_CODE.split(frame) if unit]
    kinds = [unit[0] & 0x1F for unit in units]
    first_slice = next((at for at, kind in enumerate(kinds) if kind in _SLICES), len(units))
    if not any(kind in {_SPS, _PPS} for kind in kinds[first_slice:]):
        return frame
    is_set = [kind in {_SPS, _PPS} for kind in kinds]
    sets = dict.fromkeys(unit for unit, found in zip(units, is_set, strict=True) if found)
    before = [unit for unit, found in zip(units[:first_slice], is_set, strict=False) if not found]
    slices = [unit for unit, found in zip(units[first_slice:], is_set[first_slice:], strict=True) if not found]
    return b"".join(START_CODE + unit for unit in (*before, *sets, *slices))


class ParameterSets:
    """Gives a key frame the parameter sets that its sender left out because it had named them before.

    Some name them once in the stream, some in the offer alone (`sprop-parameter-sets`, RFC 6184, 8.1).

    Args:
        named: Those that the sender's offer named, in Base64 with commas; empty where it named none.
    """

    def __init__(self, named: str = "") -> None:
        self._last = b"".join(START_CODE + unit for unit in _decoded(named))

    def complete(self, key_frame: bytes) -> bytes:
        r"""Return `key_frame` with parameter sets before it.

        Example:
            >>> sets, sps = ParameterSets(""), b"\0\0\0\1\x67A"
            >>> sets.complete(sps + b"\0\0\0\1\x65B") == sets.complete(b"\0\0\0\1\x65B")
            True
        """
        units = [unit for unit in _ANY_START_CODE.split(key_frame[:_SEARCHED]) if unit]
        own = [START_CODE + unit for unit in units if unit[0] & 0x1F in {_SPS, _PPS}]
        if own:
            self._last = b"".join(own)
            return key_frame
        return self._last + key_frame


def _decoded(sprop: str) -> list[bytes]:
    units = []
    for part in sprop.split(","):
        with contextlib.suppress(ValueError):
            units.append(base64.b64decode(part, validate=True))
    return [unit for unit in units if unit and unit[0] & 0x1F in {_SPS, _PPS}]
