"""The formats of a media section: which payload types hold something we speak (RFC 3264, 4566, 6184, 7587, 7741)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mien.errors import SdpError
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.aiortc_internals.payload_types import DYNAMIC
from mien.media.webrtc.sdp.text import Section

_RTPMAP: Final = re.compile(r"([0-9]{1,3}) +([!-.0-~]{1,64})/([0-9]{1,6})(?:/[0-9]{1,3})?")
_NUMBERED: Final = re.compile(r"([0-9]{1,3}|\*) +(.+)")
_FEEDBACK: Final = frozenset({"nack", "nack pli", "ccm fir", "goog-remb"})
_PROFILE: Final = re.compile(r"[0-9a-f]{6}")
_PARAMETER_SETS: Final = re.compile(r"[A-Za-z0-9+/=,]{1,2000}")
_BASELINE: Final = "42"
_DEFAULT_PROFILE: Final = "42000a"
"""RFC 6184, 8.1: baseline at level 1 where nothing is said."""
_AIORTC_H264: Final = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
"""The one description of H.264 under which aiortc takes a payload type, whatever is in it."""


@dataclass(frozen=True, slots=True)
class Format:
    """One payload type of a media section.

    Attributes:
        number: The payload type's number.
        name: The codec's name, in capitals.
        clock_rate: Ticks a second.
        parameters: From `a=fmtp`, names in small letters.
        feedback: From `a=rtcp-fb`, what we know of it.
    """

    number: int
    name: str
    clock_rate: int
    parameters: dict[str, str]
    feedback: tuple[str, ...]

    @property
    def is_h264(self) -> bool:
        """Whether it is H.264 that comes in one packet or is cut over several in order (RFC 6184, 6.2 and 6.3)."""
        return self.name == VideoCodec.H264 and self._mode in {"0", "1"} and bool(_PROFILE.fullmatch(self._profile))

    @property
    def takes_ours(self) -> bool:
        """Whether whoever offers it can decode what this server sends: VP8, or baseline H.264 in mode 1.

        Each profile of H.264 has its own payload type in an offer, and only baseline's takes the stream that we say
        it is. A higher level than the stated one is no obstacle to any browser.
        """
        if self.name == VideoCodec.H264:
            return self.is_h264 and self._mode == "1" and self._profile.startswith(_BASELINE)
        return self.name == VideoCodec.VP8

    @property
    def retransmits(self) -> int | None:
        """The payload type whose packets are sent again in this one (RFC 4588), or None."""
        apt = self.parameters.get("apt", "")
        return int(apt) if self.name == "RTX" and re.fullmatch(r"[0-9]{1,3}", apt) else None

    @property
    def answered_parameters(self) -> str:
        """What an answer says of H.264: the same profile and mode as the offer (RFC 6184, 8.2.2)."""
        names = ("level-asymmetry-allowed", "packetization-mode", "profile-level-id")
        return ";".join(f"{name}={self.parameters[name]}" for name in names if name in self.parameters)

    @property
    def parameter_sets(self) -> str:
        """The parameter sets of H.264 that it names (RFC 6184, 8.1), in Base64; empty where there are none."""
        sets = self.parameters.get("sprop-parameter-sets", "") if self.name == VideoCodec.H264 else ""
        return sets if _PARAMETER_SETS.fullmatch(sets) else ""

    @property
    def _mode(self) -> str:
        return self.parameters.get("packetization-mode", "0")

    @property
    def _profile(self) -> str:
        return self.parameters.get("profile-level-id", _DEFAULT_PROFILE).lower()

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield its attributes as aiortc takes them."""
        channels = "/2" if self.name == "OPUS" else ""
        name = self.name if self.name in set(VideoCodec) else self.name.lower()
        yield "rtpmap", f"{self.number} {name}/{self.clock_rate}{channels}"
        for each in self.feedback:
            yield "rtcp-fb", f"{self.number} {each}"
        if self.name == VideoCodec.H264:
            kept = f";sprop-parameter-sets={self.parameter_sets}" if self.parameter_sets else ""
            yield "fmtp", f"{self.number} {_AIORTC_H264}{kept}"
        elif self.retransmits is not None:
            yield "fmtp", f"{self.number} apt={self.retransmits}"


def formats_of(section: Section) -> list[Format]:
    """Return the formats of a section, in the order of its `m=` line, which is that of preference (RFC 3264, 5.1).

    Raises:
        SdpError: An attribute of a format cannot be read.
    """
    names: dict[str, tuple[str, int]] = {}
    for value in section.all("rtpmap"):
        match = _RTPMAP.fullmatch(value)
        if match is None:
            raise SdpError("a=rtpmap cannot be read")
        names.setdefault(match[1], (match[2].upper(), int(match[3])))
    parameters = {number: _parameters(text) for number, text in _numbered(section, "fmtp")}
    feedback: dict[str, dict[str, None]] = {}
    for number, text in _numbered(section, "rtcp-fb"):
        if text in _FEEDBACK:
            feedback.setdefault(number, {})[text] = None
    everywhere = feedback.get("*", {})
    found = []
    for number in dict.fromkeys(section.formats):
        if number in names and int(number) in DYNAMIC:
            name, clock_rate = names[number]
            asked = tuple(everywhere | feedback.get(number, {}))
            found.append(Format(int(number), name, clock_rate, parameters.get(number, {}), asked))
    return found


def _numbered(section: Section, name: str) -> Iterator[tuple[str, str]]:
    for value in section.all(name):
        match = _NUMBERED.fullmatch(value)
        if match is None:
            raise SdpError(f"a={name} cannot be read")
        yield match[1], match[2]


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.strip().partition("=")
        found.setdefault(name.strip().lower(), value.strip())
    return found
