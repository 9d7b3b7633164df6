"""Answers: ours to an offer, with the sections that the offer had, and those of servers that we push to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mien.errors import SdpError
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.ice.candidates import MAX_CANDIDATES, Candidate, is_fit
from mien.media.webrtc.sdp.codec_formats import Format, formats_of
from mien.media.webrtc.sdp.offer import (
    LAYER_EXTENSION,
    Offer,
    OfferedSection,
    candidates_of,
    direction_of,
    extensions_of,
)
from mien.media.webrtc.sdp.text import Attribute, Description, Section, attributes, read_description, write_description
from mien.media.webrtc.sdp.transport import Transport, transport_of

_NOWHERE = "IN IP4 0.0.0.0"


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """Our answer to an offer.

    Attributes:
        text: The SDP.
        payload_types: Payload type numbers and codec names for each kind of media, without retransmissions.
    """

    text: str
    payload_types: dict[str, dict[int, str]]


def answer_to(offer: Offer, text: str) -> OwnAnswer:
    """Return the answer to what was offered.

    Args:
        offer: As it was read.
        text: aiortc's answer to its normal form: what is taken, in order.

    Returns:
        An answer with the media sections of the offer in their order and under their names (RFC 9429, 5.3.1).
    """
    given = read_description(text)
    types = {section.kind: payload_types_of(section) for section in given.sections}
    taken = iter(given.sections)
    sections = [_answered(each, next(taken)) if each.is_taken else _refused(each) for each in offer.sections]
    group = [Attribute("group", " ".join(["BUNDLE", *offer.bundle]))] if offer.bundle else []
    others = [each for each in given.attributes if each.name != "group"]
    return OwnAnswer(write_description(Description([*group, *others], sections, given.origin)), types)


def payload_types_of(section: Section) -> dict[int, str]:
    """Return the payload types and codecs of a section of ours, without retransmissions."""
    named = [value.partition(" ") for value in section.all("rtpmap")]
    codecs = {int(number): codec.partition("/")[0] for number, _, codec in named}
    return {number: name for number, name in codecs.items() if name.lower() != "rtx"}


def _answered(offered: OfferedSection, section: Section) -> Section:
    section.protocol = offered.protocol
    kept = []
    for each in section.attributes:
        number, _, _ = (each.value or "").partition(" ")
        if each.name == "mid" and offered.mid is None:
            continue
        if each.name == "fmtp" and number in offered.parameters:
            if offered.parameters[number]:
                kept.append(Attribute("fmtp", f"{number} {offered.parameters[number]}"))
            continue
        kept.append(each)
    if offered.layers:
        kept.append(Attribute("extmap", f"{offered.layer_extension} {LAYER_EXTENSION}"))
        kept += attributes(("rid", f"{name} recv") for name in offered.layers)
        kept.append(Attribute("simulcast", f"recv {';'.join(offered.layers)}"))
    section.attributes = kept
    return section


def _refused(offered: OfferedSection) -> Section:
    """Return a section with port 0 (RFC 3264, 6)."""
    mid = [("mid", offered.mid)] if offered.mid is not None else []
    pairs: list[tuple[str, str | None]] = [*mid, ("inactive", None)]
    return Section(offered.kind, 0, offered.protocol, offered.formats[:1], attributes(pairs), _NOWHERE)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of a server elsewhere.

    Attributes:
        text: What we take of it, written anew, without candidates.
        candidates: Those that may be reached.
    """

    text: str
    candidates: tuple[Candidate, ...]


def read_answer(text: str, *, kinds: Sequence[str], may_reach: Callable[[str], bool]) -> Answer:
    """Check an SDP answer to an offer of ours to send `kinds`, in that order and named "0", "1", in one bundle.

    Args:
        text: The SDP.
        kinds: "video", "audio".
        may_reach: Tells which addresses may be sent to.

    Raises:
        SdpLimitError: There is more in it than any server sends.
        SdpError: It cannot be read, or does not take the video.
    """
    description = read_description(text)
    media = description.sections
    if [section.kind for section in media] != list(kinds):
        raise SdpError(f"the answer must have {list(kinds)}, got {[section.kind[:16] for section in media[:8]]}")
    taken = [section for section in media if _spoken(section) and _takes(description, section)]
    if not any(section.kind == "video" for section in taken):
        raise SdpError("the answer does not take the video")
    transport = transport_of(description, taken)
    if transport.setup == "actpass":
        raise SdpError("an answer must choose a DTLS role")  # RFC 5763, 5
    fit = tuple(each for each in candidates_of(description, taken) if is_fit(each, may_reach))
    normal = Description(
        [Attribute("ice-lite")] * transport.is_lite
        + [Attribute("group", " ".join(["BUNDLE", *map(str, range(len(media)))]))],
        [
            _normal(description, section, str(number), transport, is_taken=section in taken)
            for number, section in enumerate(media)
        ],
    )
    return Answer(write_description(normal), fit[:MAX_CANDIDATES])


def _takes(description: Description, section: Section) -> bool:
    return section.port != 0 and direction_of(description, section) in {"recvonly", "sendrecv"}


def _spoken(section: Section) -> list[Format]:
    """Return the formats that our stream fits, and those that send it again."""
    known = formats_of(section)
    media = {each.number for each in known if each.takes_ours or each.name == "OPUS"}
    return [each for each in known if each.number in media or each.retransmits in media]


def _normal(description: Description, section: Section, mid: str, transport: Transport, *, is_taken: bool) -> Section:
    formats = _spoken(section) if is_taken else [_stand_in(section.kind)]
    pairs: list[tuple[str, str | None]] = [
        ("mid", mid),
        ("recvonly" if is_taken else "inactive", None),
        ("rtcp-mux", None),
        *transport.lines(),
    ]
    if is_taken:
        pairs += [("extmap", f"{number} {uri}") for number, uri in extensions_of(description, section)]
    for each in formats:
        pairs += each.lines()
    numbers = tuple(str(each.number) for each in formats)
    return Section(section.kind, 9, "UDP/TLS/RTP/SAVPF", numbers, attributes(pairs), _NOWHERE)


def _stand_in(kind: str) -> Format:
    """Return a format for a section that is refused: aiortc wants one that it knows, and sends nothing there."""
    if kind == "audio":
        return Format(96, "OPUS", 48_000, {}, ())
    return Format(97, VideoCodec.VP8, 90_000, {}, ())
