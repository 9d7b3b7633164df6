"""How large a session description may be; checked before anything is parsed.

The numbers leave room above what clients send. Chromium 120 to 150 offers two media sections, 60 to 220 lines each,
8 to 14 KB in all; Firefox and OBS offer less; simulcast and a data channel add some thirty lines.
"""

import re
from typing import Final

from mien.errors import SdpError, SdpLimitError
from mien.media.webrtc.ice.candidates import MAX_CANDIDATE_LENGTH, MAX_CANDIDATES

MAX_SDP_BYTES: Final = 64 * 1024
MAX_LINES: Final = 1200
MAX_LINE_LENGTH: Final = 4096
"""Firefox's identity assertions have two or three thousand characters; nothing that is used has 600."""
MAX_SECTIONS: Final = 16
MAX_FORMATS: Final = 128
"""RTP has 128 payload types."""
MAX_OF_A_KIND: Final = {
    "candidate": MAX_CANDIDATES,
    "rtpmap": MAX_FORMATS,
    "fmtp": MAX_FORMATS,
    "rtcp-fb": 512,  # Chromium names up to seven for each of its twenty codecs
    "extmap": 64,
    "ssrc": 128,
    "ssrc-group": 32,
    "fingerprint": 16,
    "rid": 16,
    "group": 8,
}
"""Attributes of one name in one media section, or on session level."""
MAX_VALUE_LENGTH: Final = {
    "candidate": MAX_CANDIDATE_LENGTH,
    "rtpmap": 128,
    "fmtp": 2048,  # H.264 parameter sets may stand in it
    "rtcp-fb": 128,
    "extmap": 512,
    "ssrc": 512,
    "ssrc-group": 512,
    "fingerprint": 256,
    "mid": 256,
    "ice-ufrag": 256,
    "ice-pwd": 256,
    "ice-options": 256,
    "rid": 256,
    "simulcast": 512,
    "group": 1024,
}

# A tab or a lone carriage return parts words or lines for one parser and not for the next.
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")


def split_lines(text: str) -> list[str]:
    """Return the lines of a description or fragment, without trailing blanks; empty ones are left out.

    The work is linear in the length of the text, and the text is bounded.

    Raises:
        SdpLimitError: There is too much of it.
        SdpError: It holds control characters.
    """
    if len(text) > MAX_SDP_BYTES:
        raise SdpLimitError(f"SDP may have {MAX_SDP_BYTES} characters, got {len(text)}")
    lines = text.count("\n") + 1
    if lines > MAX_LINES:
        raise SdpLimitError(f"SDP may have {MAX_LINES} lines, got {lines}")
    if found := _CONTROL.search(text):
        raise SdpError("SDP holds a NUL" if found[0] == "\0" else f"SDP holds the control character {found[0]!r}")
    split = [line.rstrip("\r ") for line in text.split("\n")]
    longest = max(map(len, split))
    if longest > MAX_LINE_LENGTH:
        raise SdpLimitError(f"a line of SDP may have {MAX_LINE_LENGTH} characters, got {longest}")
    return [line for line in split if line]


def check_value(name: str, value: str) -> None:
    """Raise `SdpLimitError` where the value of an attribute is longer than any that is used."""
    limit = MAX_VALUE_LENGTH.get(name, MAX_LINE_LENGTH)
    if len(value) > limit:
        raise SdpLimitError(f"a={name} may have {limit} characters, got {len(value)}")


def check_count(name: str, number: int) -> None:
    """Raise `SdpLimitError` where there are more attributes of one name than any client sends."""
    limit = MAX_OF_A_KIND.get(name, MAX_LINES)
    if number > limit:
        what = "candidates are" if name == "candidate" else f"lines a={name} are"
        raise SdpLimitError(f"at most {limit} {what} taken, got more")
