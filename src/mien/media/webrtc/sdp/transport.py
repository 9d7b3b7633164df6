"""What a description says of its transport: ICE credentials and the certificate's fingerprints."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mien.errors import SdpError
from mien.media.webrtc.sdp.text import Description, Section

UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
PASSWORD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_FINGERPRINT: Final = re.compile(r"([A-Za-z0-9-]{1,16}) +((?:[0-9A-Fa-f]{2}:)*[0-9A-Fa-f]{2})")
_DIGEST_BYTES: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
"""The hash functions that aiortc knows; RFC 8122, 5 has others that nobody should use."""
_SETUPS: Final = frozenset({"active", "passive", "actpass"})


@dataclass(frozen=True, slots=True)
class Transport:
    """One transport.

    Attributes:
        ufrag: ICE user fragment.
        password: ICE password.
        is_lite: Whether the far end does no checks of its own.
        setup: DTLS role: "active", "passive" or "actpass".
        fingerprints: Hash functions and digests of the certificate.
    """

    ufrag: str
    password: str
    is_lite: bool
    setup: str
    fingerprints: tuple[tuple[str, str], ...]

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield its attributes of media level."""
        yield "ice-ufrag", self.ufrag
        yield "ice-pwd", self.password
        for algorithm, digest in self.fingerprints:
            yield "fingerprint", f"{algorithm} {digest}"
        yield "setup", self.setup


def transport_of(description: Description, sections: Sequence[Section]) -> Transport:
    """Return the transport that bundled sections share.

    Only one of them need name it (RFC 9143, 7.1.3); what none of them says, the session level does.

    Args:
        description: What the sections are in.
        sections: The one that counts first.

    Raises:
        SdpError: Something is missing or cannot be read.
    """
    named = next((each for each in sections if each.has("ice-ufrag") and each.has("ice-pwd")), None)
    source: Section | Description = named or description
    kind = sections[0].kind
    ufrag, password = source.first("ice-ufrag"), source.first("ice-pwd")
    if not ufrag or not password:
        raise SdpError(f"{kind} lacks ICE credentials")
    if not UFRAG.fullmatch(ufrag) or not PASSWORD.fullmatch(password):
        # RFC 8839, 5.4. Each connectivity check repeats the user fragment, so it must not be anybody's text.
        raise SdpError("ICE credentials are 4 to 256 and 22 to 256 letters, digits, + or /")
    places: list[Section | Description] = [*sections, description]
    setup = next((value for each in places if (value := each.first("setup")) is not None), "active")  # RFC 4145, 4
    if setup not in _SETUPS:
        raise SdpError("a=setup must be active, passive or actpass")
    return Transport(ufrag, password, description.has("ice-lite"), setup, _fingerprints(places, kind))


def _fingerprints(places: Sequence[Section | Description], kind: str) -> tuple[tuple[str, str], ...]:
    values = next((found for each in places if (found := tuple(each.all("fingerprint")))), ())
    known: dict[tuple[str, str], None] = {}
    for value in values:
        match = _FINGERPRINT.fullmatch(value)
        if match is None:
            raise SdpError("a=fingerprint cannot be read")
        algorithm = match[1].lower()
        if _DIGEST_BYTES.get(algorithm) == (len(match[2]) + 1) // 3:
            known[algorithm, match[2].upper()] = None
    if not known:
        raise SdpError(f"{kind} lacks a DTLS fingerprint of {', '.join(_DIGEST_BYTES)}")
    return tuple(known)
