"""Offers, answers and trickled fragments: hostile text until it has passed through here.

`limits` bounds a text before it is parsed, `text` parses it, `offer` and `answer` choose what of it is
taken and write that anew. None of them hands on a line that it was given.
"""

import asyncio
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Concatenate, Final, ParamSpec, TypeVar

from mien.errors import SdpError, SdpLimitError
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.ice.candidates import MAX_CANDIDATES, Candidate, read_candidate
from mien.media.webrtc.sdp.answer import answer_to, payload_types_of, read_answer
from mien.media.webrtc.sdp.limits import MAX_SDP_BYTES, split_lines
from mien.media.webrtc.sdp.offer import Offer, read_offer
from mien.media.webrtc.sdp.text import read_attribute, read_description
from mien.media.webrtc.sdp.transport import UFRAG

__all__ = [
    "MAX_CANDIDATES",
    "MAX_SDP_BYTES",
    "Fragment",
    "Offer",
    "answer_to",
    "choose_codec",
    "payload_types",
    "read_answer",
    "read_fragment",
    "read_off_loop",
    "read_offer",
    "with_start_bitrate",
]


_Args = ParamSpec("_Args")
_Read = TypeVar("_Read")
_READ_S: Final = 5.0
_READER: Final = ThreadPoolExecutor(1, "sdp-reader")
"""One thread: readers hold the interpreter, so more would only take it from the event loop."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a trickle PATCH carries (RFC 8840).

    Attributes:
        ufrag: The ICE user fragment it belongs to, or None.
        candidates: In order, those that checks could be sent to.
        complete: Whether it says that no more candidates will come.
        octets: How much the far end sent.
    """

    ufrag: str | None
    candidates: tuple[Candidate, ...]
    complete: bool
    octets: int


async def read_off_loop(
    read: Callable[Concatenate[str, _Args], _Read], text: str, *args: _Args.args, **more: _Args.kwargs
) -> _Read:
    """Call one of this module's readers away from the event loop, which goes on meanwhile.

    Raises:
        SdpLimitError: It takes too long.
        SdpError: Whatever the reader says.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_READ_S):
            return await loop.run_in_executor(_READER, partial(read, text, *args, **more))
    except TimeoutError:
        raise SdpLimitError("SDP takes too long to read") from None


def read_fragment(text: str) -> Fragment:
    """Read an `application/trickle-ice-sdpfrag` body.

    An empty candidate is what browsers say when there are no more (W3C WebRTC, 4.8.1.2).

    Raises:
        SdpLimitError: There is more in it than any client sends.
        SdpError: It cannot be read.
    """
    ufrag: str | None = None
    found: list[Candidate | None] = []
    complete = False
    for line in split_lines(text):
        if not line.startswith("a="):
            continue
        attribute = read_attribute(line)
        name, value = (attribute.name, attribute.value or "") if attribute else ("candidate", "")
        if name == "ice-ufrag":
            ufrag = _trickled_ufrag(value)
        elif name == "end-of-candidates" or (name == "candidate" and not value):
            complete = True
        elif name == "candidate":
            if len(found) == MAX_CANDIDATES:
                raise SdpLimitError(f"at most {MAX_CANDIDATES} candidates are taken at a time")
            found.append(read_candidate(value))
    if ufrag is None and not found and not complete:
        raise SdpError("a fragment must have ICE credentials, candidates or end-of-candidates, got none of them")
    usable = tuple(each for each in dict.fromkeys(found) if each is not None)
    return Fragment(ufrag, usable, complete, len(text))


def _trickled_ufrag(value: str) -> str:
    if not UFRAG.fullmatch(value):
        raise SdpError("an ICE user fragment is 4 to 256 letters, digits, + or /")
    return value


def payload_types(text: str, kind: str) -> dict[int, str]:
    """Return the media of `kind` in a description, without retransmissions: payload types and codec names."""
    sections = [section for section in read_description(text).sections if section.kind == kind]
    return {number: name for section in sections for number, name in payload_types_of(section).items()}


def choose_codec(preferred: Sequence[VideoCodec], takers: Iterable[Container[VideoCodec]]) -> VideoCodec:
    """Return the codec of a broadcast: the first preferred one that everybody asked can take.

    It is chosen once: everybody gets what was encoded once. So it should be asked for what the publisher's
    browser can take, who looks at their own picture, and whoever watches already.

    Args:
        preferred: The operator's codecs, best first. None besides these is used.
        takers: What each peer can take.

    Raises:
        SdpError: There is no such codec.

    Example:
        >>> both, old = frozenset(VideoCodec), frozenset({VideoCodec.VP8})
        >>> str(choose_codec([VideoCodec.H264, VideoCodec.VP8], [both, old]))
        'VP8'
    """
    takers = tuple(takers)
    for codec in preferred:
        if all(codec in taker for taker in takers):
            return codec
    raise SdpError(f"none of the codecs of this server ({', '.join(preferred)}) can be taken by everybody")


def with_start_bitrate(answer: str, *, start_kbps: int, max_kbps: int) -> str:
    """Tell a Chromium publisher the bit rate to begin with.

    With aiortc's feedback alone a browser sends 0.2 to 0.6 Mbit/s for the first 12 seconds; with this hint
    720p arrives in the first second. Others ignore the parameters.
    """
    hint = f"x-google-start-bitrate={start_kbps};x-google-max-bitrate={max_kbps}"
    lines = answer.splitlines()
    payload_types = {match[1] for line in lines if (match := re.fullmatch(r"a=rtpmap:(\d+) (?:VP8|H264)/90000", line))}
    return "".join(line + "\r\n" for line in _hinted(lines, payload_types, hint))


def _hinted(lines: list[str], payload_types: set[str], hint: str) -> Iterator[str]:
    has_fmtp = {match[1] for line in lines if (match := re.match(r"a=fmtp:(\d+) ", line))}
    for line in lines:
        match = re.match(r"a=(fmtp|rtpmap):(\d+) ", line)
        if match and match[1] == "fmtp" and match[2] in payload_types:
            yield f"{line};{hint}"
            continue
        yield line
        if match and match[1] == "rtpmap" and match[2] in payload_types - has_fmtp:
            yield f"a=fmtp:{match[2]} {hint}"
