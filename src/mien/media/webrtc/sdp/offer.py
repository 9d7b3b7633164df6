"""Offers: which sections of a stranger's description are taken, and those alone written anew.

What goes on from here is a normal form of few words in one order, which aiortc takes: session-level attributes stand in
each section, one transport is named in all of them, and nothing that was not understood is in it.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mien.errors import SdpError
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.ice.candidates import Candidate, read_candidate
from mien.media.webrtc.sdp.codec_formats import Format, formats_of
from mien.media.webrtc.sdp.text import Attribute, Description, Section, attributes, read_description, write_description
from mien.media.webrtc.sdp.transport import Transport, transport_of

DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")
_PROTOCOL: Final = re.compile(r"((UDP|TCP)/(D?TLS)/)?RTP/SAVPF?")
"""RFC 9429, 5.1.2 has all of them taken; media are DTLS-SRTP over UDP whichever it says."""
_MID: Final = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,64}")
_RID: Final = re.compile(r"[A-Za-z0-9_-]{1,16}")
_MAX_LAYERS: Final = 4
_MOST_ALIKE: Final = 8
"""Payload types of one codec; Chromium has six for H.264. What aiortc does with them grows with their square."""
SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_EXTENSIONS: Final = frozenset(
    {
        "urn:ietf:params:rtp-hdrext:sdes:mid",
        "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        SEND_TIME,
    }
)
"""What aiortc knows."""
LAYER_EXTENSION: Final = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
"""Names a packet's layer. Nobody here reads it, but browsers refuse an answer that has layers without it."""


@dataclass(frozen=True, slots=True)
class OfferedSection:
    """A media section of an offer as it was, for the answer, which must have the same ones (RFC 3264, 6).

    Attributes:
        kind: "audio", "video" or another.
        protocol: As offered.
        formats: As offered.
        mid: Or None where there was none.
        is_taken: False where the answer refuses it.
        parameters: What the answer says of the H.264 formats, by payload type.
        layers: Names of simulcast layers that are taken, as offered.
        layer_extension: The number of the header extension that names them.
        has_sim_group: Whether layers are offered by their sources, as browsers did before they had names.
    """

    kind: str
    protocol: str
    formats: tuple[str, ...]
    mid: str | None
    is_taken: bool
    parameters: dict[str, str] = field(default_factory=dict)
    layers: tuple[str, ...] = ()
    layer_extension: int | None = None
    has_sim_group: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that was read and found fit.

    Attributes:
        text: What we take of it, written anew, without candidates.
        kinds: "audio" and "video", in the order of the offer; each at most once.
        sections: All media sections as they were.
        bundle: Names of the sections that are taken and bundled, in the order of their group; empty without one.
        ufrag: ICE user fragment of the far end.
        candidates: The far end's candidates; where they lead has not been looked at yet.
        takes: The codecs that the far end can take from us, in its order.
        octets: How much the far end sent.
        is_dtls_client: Whether the far end insists on the client's part in the DTLS handshake (RFC 8842); most leave it
            to us.
        parameter_sets: What H.264 needs before its first key frame (RFC 6184, 8.1), in Base64, or nothing.
    """

    text: str
    kinds: tuple[str, ...]
    sections: tuple[OfferedSection, ...]
    bundle: tuple[str, ...]
    ufrag: str
    candidates: tuple[Candidate, ...]
    takes: tuple[VideoCodec, ...]
    octets: int
    is_dtls_client: bool
    parameter_sets: str

    @property
    def is_simulcast(self) -> bool:
        """Whether the video comes in several sizes."""
        return any(len(section.layers) > 1 or section.has_sim_group for section in self.sections)


def read_offer(text: str, *, direction: str) -> Offer:
    """Check an SDP offer, and choose what of it is taken: one video and at most one audio section.

    A section that cannot be taken is refused alone, in the answer (RFC 3264, 6), as long as there is a video.

    Args:
        text: The SDP.
        direction: What the peer must want to do with its media: "sendonly" (WHIP) or "recvonly" (WHEP);
            "sendrecv" is taken too.

    Raises:
        SdpLimitError: There is more in it than any client sends.
        SdpError: It cannot be read, or has no video that can be taken.
    """
    description = read_description(text)
    mids = [mid for section in description.sections for mid in section.all("mid")]
    if len(set(mids)) != len(mids) or not all(map(_MID.fullmatch, mids)):
        raise SdpError("each media section needs a name (a=mid) of its own, for BUNDLE")
    group = bundle_of(description)
    taken = _choose(description, group, direction)
    video = taken["video"]
    kept = [section for section in description.sections if section in taken.values()]
    # RFC 9143, 7.3: the first of the bundle that is taken says where everybody goes.
    bundled = sorted(kept, key=lambda each: group.index(each.first("mid") or "")) if len(kept) > 1 else kept
    others = [each for each in description.sections if each not in kept and (each.first("mid") or "-") in group]
    transport = transport_of(description, [*bundled, *(others if video.first("mid") in group else [])])
    formats = {section.kind: _spoken(section, direction) for section in kept}
    return Offer(
        text=write_description(_normal_description(description, kept, formats, transport, direction)),
        kinds=tuple(section.kind for section in kept),
        sections=tuple(
            _as_offered(description, section, formats[section.kind] if section in kept else None, direction)
            for section in description.sections
        ),
        bundle=tuple(mid for each in bundled if (mid := each.first("mid")) is not None and mid in group),
        ufrag=transport.ufrag,
        candidates=candidates_of(description, [*bundled, *others]),
        takes=_takes(video),
        octets=len(text),
        is_dtls_client=transport.setup == "active",
        parameter_sets=next((each.parameter_sets for each in formats["video"] if each.parameter_sets), ""),
    )


def _normal_description(
    description: Description,
    kept: Sequence[Section],
    formats: Mapping[str, Sequence[Format]],
    transport: Transport,
    direction: str,
) -> Description:
    """Return what is taken of an offer, written anew."""
    names = {each.kind: each.first("mid") or f"-{number}" for number, each in enumerate(kept)}
    return Description(
        [Attribute("ice-lite")] * transport.is_lite
        + [Attribute("group", " ".join(["BUNDLE", *names.values()]))] * (len(kept) > 1),
        [
            _normal(description, section, formats[section.kind], transport, names[section.kind], direction)
            for section in kept
        ],
    )


def _choose(description: Description, group: Sequence[str], direction: str) -> dict[str, Section]:
    """Return the sections to take: the first video that can be, and the first audio that is bundled with it."""
    taken: dict[str, Section] = {}
    reasons: dict[str, str] = {}
    for kind in ("video", "audio"):
        for section in description.sections:
            if section.kind != kind or kind in taken:
                continue
            try:
                _check(description, section, group, direction)
                _check_bundled([*taken.values(), section], group)
                taken[kind] = section
            except SdpError as error:
                reasons.setdefault(kind, str(error))
        if "video" not in taken:
            kinds = [section.kind[:16] for section in description.sections[:8]]
            raise SdpError(reasons.get("video", f"an offer must have one video section, got {kinds}"))
    return taken


def _check(description: Description, section: Section, group: Sequence[str], direction: str) -> None:
    """Raise `SdpError` where a section cannot be taken."""
    kind = section.kind
    if section.port == 0 and not (section.has("bundle-only") and section.first("mid") in group):
        raise SdpError(f"{kind} has port 0, which refuses it")
    if not _PROTOCOL.fullmatch(section.protocol):
        raise SdpError(f"{kind} must be UDP/TLS/RTP/SAVPF, got {section.protocol[:32]}")
    wanted = direction_of(description, section)
    if wanted not in {direction, "sendrecv"}:
        raise SdpError(f"{kind} must be {direction}, got {wanted}")
    if not section.has("rtcp-mux"):
        raise SdpError(f"{kind} lacks rtcp-mux")
    if not _spoken(section, direction):
        if direction == "recvonly" and any(each.name == VideoCodec.H264 for each in formats_of(section)):
            # RFC 6184, 8.1 takes a format without parameters for mode 0, whose packets hold whole slices.
            raise SdpError(
                "video takes H264, but not with packetization-mode=1 and a baseline profile-level-id (42....)"
            )
        raise SdpError(f"{kind} has none of {'VP8, H264' if kind == 'video' else 'Opus'} that can be taken")


def _check_bundled(sections: Sequence[Section], group: Sequence[str]) -> None:
    """Raise `SdpError` where sections would need a transport each (RFC 9725, 4.4.1: one bundle)."""
    if len(sections) > 1 and not {section.first("mid") for section in sections} <= set(group):
        raise SdpError("audio and video must be in one BUNDLE")


def direction_of(description: Description, section: Section) -> str:
    """Return a section's direction: its own, that of the session, or both ways (RFC 8866, 6.7)."""
    for place in (section, description):
        found = next((each.name for each in place.attributes if each.name in DIRECTIONS), None)
        if found is not None:
            return found
    return "sendrecv"


def _spoken(section: Section, direction: str) -> list[Format]:
    """Return the formats that we speak, and those that send them again."""
    known = formats_of(section)
    if section.kind == "audio":
        return [each for each in known if (each.name, each.clock_rate) == ("OPUS", 48_000)][:_MOST_ALIKE]
    ours = [
        each
        for each in known
        if each.clock_rate == 90_000
        and (each.takes_ours if direction == "recvonly" else each.name == VideoCodec.VP8 or each.is_h264)
    ]
    media = {
        each.number for codec in VideoCodec for each in [each for each in ours if each.name == codec][:_MOST_ALIKE]
    }
    again = {each.retransmits: each.number for each in reversed(known) if each.retransmits in media}
    repeats = set(again.values()) if direction == "recvonly" or len(_sources(section)) == 2 else set()
    return [each for each in known if each.number in media | repeats]


def _sources(section: Section) -> list[str]:
    """Return the source that sends a section's medium and the one that sends it again, as far as they are told."""
    named = dict.fromkeys(value.partition(" ")[0] for value in section.all("ssrc"))
    found = [each for each in named if each.isascii() and each.isdigit() and int(each) < 1 << 32]
    pairs = [value.split()[1:] for value in section.all("ssrc-group") if value.startswith("FID ")]
    if _is_simulcast(section):
        return []  # several media: they are told apart as they come
    if len(pairs) == 1 and len(pairs[0]) == 2 and set(pairs[0]) <= set(found):
        return pairs[0]
    return found if len(found) <= 2 else found[:1]


def _has_sim_group(section: Section) -> bool:
    return any(value.startswith("SIM ") for value in section.all("ssrc-group"))


def _is_simulcast(section: Section) -> bool:
    return section.has("simulcast") or _has_sim_group(section)


def _takes(section: Section) -> tuple[VideoCodec, ...]:
    return tuple(dict.fromkeys(VideoCodec(each.name) for each in formats_of(section) if each.takes_ours))


def bundle_of(description: Description) -> tuple[str, ...]:
    """Return the names in the BUNDLE group that a video is in; none where there is no such group."""
    videos = {section.first("mid") for section in description.sections if section.kind == "video"}
    for value in description.all("group"):
        semantics, *mids = value.split(" ")
        if semantics == "BUNDLE" and videos & set(mids):
            return tuple(dict.fromkeys(mids))
    return ()


def candidates_of(description: Description, sections: Iterable[Section]) -> tuple[Candidate, ...]:
    """Return the candidates of a bundle, wherever they stand, each once, without those that no check can be sent to."""
    values = [value for each in (*sections, description) for value in each.all("candidate") if value]
    return tuple(each for each in dict.fromkeys(map(read_candidate, values)) if each is not None)


def _normal(
    description: Description,
    section: Section,
    formats: Sequence[Format],
    transport: Transport,
    mid: str,
    direction: str,
) -> Section:
    """Return a section in the form that aiortc takes, of known words only."""
    pairs: list[tuple[str, str | None]] = [("mid", mid), (direction_of(description, section), None), ("rtcp-mux", None)]
    pairs += transport.lines()
    # aiortc's estimate, which it makes of send times, follows what comes. Where a still frame needs little, browsers
    # switch the larger layers off for it and never on again; without it they go by the loss that we report.
    known = _EXTENSIONS - {SEND_TIME} if direction == "sendonly" and _is_simulcast(section) else _EXTENSIONS
    for number, uri in extensions_of(description, section, known):
        pairs.append(("extmap", f"{number} {uri}"))
    for each in formats:
        pairs += each.lines()
    if direction == "sendonly":
        pairs += [("ssrc", f"{source} cname:-") for source in _sources(section)]
    numbers = tuple(str(each.number) for each in formats)
    return Section(section.kind, 9, "UDP/TLS/RTP/SAVPF", numbers, attributes(pairs), "IN IP4 0.0.0.0")


def extensions_of(
    description: Description, section: Section, known: Container[str] = _EXTENSIONS
) -> Iterator[tuple[int, str]]:
    """Yield the header extensions that are known, each number once (RFC 8285, 5)."""
    seen = set()
    for value in (*section.all("extmap"), *description.all("extmap")):
        match = re.match(r"([0-9]{1,3})(?:/[a-z]{1,8})? +([!-~]{1,256})", value)
        if match and match[2] in known and 1 <= int(match[1]) <= 255 and match[1] not in seen:  # RFC 8285, 4.3
            seen.add(match[1])
            yield int(match[1]), match[2]


def _as_offered(
    description: Description, section: Section, formats: Sequence[Format] | None, direction: str
) -> OfferedSection:
    h264 = [each for each in formats or () if each.name == VideoCodec.H264]
    extension = next((number for number, _ in extensions_of(description, section, {LAYER_EXTENSION})), None)
    is_video_in = formats is not None and direction == "sendonly" and section.kind == "video"
    return OfferedSection(
        section.kind,
        section.protocol,
        section.formats,
        section.first("mid"),
        formats is not None,
        {str(each.number): each.answered_parameters for each in h264},
        _layers(section) if is_video_in and extension else (),
        extension,
        is_video_in and _has_sim_group(section),
    )


def _layers(section: Section) -> tuple[str, ...]:
    """Return the names of the simulcast layers that are offered (RFC 8853, 5.1): the first alternative of each."""
    fields = (section.first("simulcast") or "").split(" ")
    sent = dict(zip(fields[::2], fields[1::2], strict=False)).get("send", "")
    offered = {value.partition(" ")[0] for value in section.all("rid") if value.partition(" ")[2].startswith("send")}
    names = [layer.partition(",")[0].lstrip("~") for layer in sent.split(";")]
    return tuple(name for name in dict.fromkeys(names) if _RID.fullmatch(name) and name in offered)[:_MAX_LAYERS]
