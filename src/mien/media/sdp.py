"""Offers, answers and trickled fragments: hostile text until it has passed through here."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiortc import RTCIceCandidate
from aiortc.sdp import SessionDescription, candidate_from_sdp

from mien.errors import SdpError
from mien.media.encoded import VideoCodec

MAX_SDP_BYTES: Final = 64 * 1024
MAX_CANDIDATES: Final = 64
"""Every remote candidate is probed from every local address; browsers send fewer than twenty."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that was read and found fit.

    Attributes:
        text: The SDP.
        kinds: "audio" and "video", in the order of the offer; each at most once.
    """

    text: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a trickle PATCH carries (RFC 8840).

    Attributes:
        ufrag: The ICE user fragment it belongs to, or None.
        candidates: In order.
        complete: Whether it says that no more candidates will come.
    """

    ufrag: str | None
    candidates: tuple[RTCIceCandidate, ...]
    complete: bool


def read_offer(text: str, *, direction: str) -> Offer:
    """Check an SDP offer.

    Args:
        text: The SDP.
        direction: What the peer must want to do with its media: "sendonly" (WHIP) or "recvonly" (WHEP);
            "sendrecv" is taken too.

    Raises:
        SdpError: It cannot be read, or is not one bundle with one video and at most one audio section.
    """
    description = _parse(text)
    kinds = tuple(media.kind for media in description.media)
    if sorted(kinds) not in (["video"], ["audio", "video"]):
        raise SdpError(f"an offer must have one video and at most one audio section, got {list(kinds)[:8]}")
    for media in description.media:
        if media.direction not in {direction, "sendrecv"}:
            raise SdpError(f"{media.kind} must be {direction}, got {media.direction}")
        if len(media.ice_candidates) > MAX_CANDIDATES:
            raise SdpError(f"at most {MAX_CANDIDATES} candidates are taken, got {len(media.ice_candidates)}")
        if not media.rtcp_mux:
            raise SdpError(f"{media.kind} lacks rtcp-mux")
        if media.dtls is None or not media.dtls.fingerprints:
            raise SdpError(f"{media.kind} lacks a DTLS fingerprint")
        if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
            raise SdpError(f"{media.kind} lacks ICE credentials")
    bundle = next((group.items for group in description.group if group.semantic == "BUNDLE"), [])
    mids = [media.rtp.muxId for media in description.media]
    if len(mids) > 1 and (bundle != mids or len(set(mids)) != len(mids)):
        # RFC 9725, 4.4.1: WHIP clients use max-bundle.
        raise SdpError(f"all media must be in one BUNDLE, in order; got {bundle[:8]} for {mids}")
    return Offer(text, kinds)


def read_answer(text: str, *, kinds: Sequence[str]) -> None:
    """Check an SDP answer to an offer to send `kinds`, in that order.

    Raises:
        SdpError: It cannot be read, or does not take the picture.
    """
    media = _parse(text).media
    if [section.kind for section in media] != list(kinds):
        raise SdpError(f"the answer must have {list(kinds)}, got {[section.kind for section in media][:8]}")
    for section in media:
        if section.kind == "video" and (section.port == 0 or section.direction not in {"recvonly", "sendrecv"}):
            raise SdpError("the answer does not take the picture")
        if len(section.ice_candidates) > MAX_CANDIDATES:
            raise SdpError(f"at most {MAX_CANDIDATES} candidates are taken, got {len(section.ice_candidates)}")


def read_fragment(text: str) -> Fragment:
    """Read an `application/trickle-ice-sdpfrag` body.

    Raises:
        SdpError: It cannot be read.
    """
    _check_text(text)
    ufrag: str | None = None
    mid: str | None = None
    candidates: list[RTCIceCandidate] = []
    complete = False
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "a=ice-ufrag":
            ufrag = value
        elif name == "a=mid":
            mid = value
        elif name == "a=end-of-candidates":
            complete = True
        elif name == "a=candidate":
            if len(candidates) == MAX_CANDIDATES:
                raise SdpError(f"at most {MAX_CANDIDATES} candidates are taken at a time")
            candidates.append(_candidate(value, mid))
    if ufrag is None and not candidates and not complete:
        raise SdpError("a fragment must have ICE credentials, candidates or end-of-candidates, got none of them")
    return Fragment(ufrag, tuple(candidates), complete)


def without_hidden_addresses(text: str) -> tuple[str, bool]:
    """Take out the candidates whose address a browser hides behind a multicast name.

    Asking the network for each name takes up to a second where nobody answers, and is of no use: the browser
    knows our addresses and its own checks tell us where it is.

    Returns:
        The description, and whether anything was hidden; then there is no end of candidates in it either,
        since one more will come by itself (RFC 8445, 7.3.1.3).
    """
    lines = text.splitlines()
    kept = [line for line in lines if not (line.startswith("a=candidate:") and is_hidden(line.split(" ")[4:5]))]
    if len(kept) == len(lines):
        return text, False
    return "".join(line + "\r\n" for line in kept if line != "a=end-of-candidates"), True


def is_hidden(address: Sequence[str]) -> bool:
    """Whether an address is a multicast DNS name."""
    return any(part.rstrip(".").lower().endswith(".local") for part in address)


def ice_ufrag(text: str) -> str:
    """Return the ICE user fragment of a description that `read_offer` let through or we made."""
    ice = _parse(text).media[0].ice
    return (ice and ice.usernameFragment) or ""


def is_dtls_client(text: str) -> bool:
    """Whether an offer insists on the client's part in the DTLS handshake (RFC 8842); most leave it to us."""
    return re.search(r"^a=setup:active\s*$", text, re.MULTILINE) is not None


def payload_types(text: str, kind: str) -> dict[int, str]:
    """Return the media of `kind` in a description of ours, without retransmissions: payload types and codec names."""
    return {
        codec.payloadType: codec.name
        for media in _parse(text).media
        if media.kind == kind
        for codec in media.rtp.codecs
        if codec.payloadType is not None and codec.name.lower() != "rtx"
    }


def video_codecs(text: str) -> tuple[VideoCodec, ...]:
    """Return the codecs of ours that an offer or answer can take, in its order.

    H.264 counts only where it can be cut over packets (packetization-mode 1, RFC 6184, 6.3) and in a profile
    of which constrained baseline is a part; a higher level than the stated one is no obstacle to any browser.

    Raises:
        SdpError: It cannot be read.
    """
    found = []
    for media in _parse(text).media:
        if media.kind != "video":
            continue
        for codec in media.rtp.codecs:
            name = codec.name.upper()
            if name == VideoCodec.VP8 or (name == VideoCodec.H264 and _takes_baseline(codec.parameters)):
                found.append(VideoCodec(name))
    return tuple(dict.fromkeys(found))


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


def _takes_baseline(parameters: Mapping[str, object]) -> bool:
    """Read an H.264 format's parameters as RFC 6184, 8.1 says; left out they mean baseline and mode 0.

    Example:
        >>> _takes_baseline({"profile-level-id": "42e01f", "packetization-mode": 1})
        True
        >>> _takes_baseline({"profile-level-id": "42e01f"}), _takes_baseline({"packetization-mode": "1"})
        (False, True)
    """
    profile = str(parameters.get("profile-level-id", "42000a")).lower()
    # Each profile has its own payload type in an offer. Only baseline's takes the stream that we say it is.
    return re.fullmatch(r"42[0-9a-f]{4}", profile) is not None and str(parameters.get("packetization-mode")) == "1"


def _check_text(text: str) -> None:
    if len(text) > MAX_SDP_BYTES:
        raise SdpError(f"SDP may have {MAX_SDP_BYTES} characters, got {len(text)}")
    if "\0" in text:
        raise SdpError("SDP holds a NUL")


def _parse(text: str) -> SessionDescription:
    _check_text(text)
    if not text.startswith("v=0"):
        raise SdpError("SDP must begin with v=0")
    try:
        return SessionDescription.parse(text)
    except Exception as error:
        # aiortc's parser trusts its input: it raises whatever the first odd line makes Python raise.
        raise SdpError(f"SDP cannot be read ({type(error).__name__})") from error


def _candidate(value: str, mid: str | None) -> RTCIceCandidate:
    try:
        candidate = candidate_from_sdp(value)
    except Exception as error:
        raise SdpError(f"a candidate cannot be read ({type(error).__name__})") from error
    candidate.sdpMid = mid
    candidate.sdpMLineIndex = None if mid is not None else 0
    return candidate
