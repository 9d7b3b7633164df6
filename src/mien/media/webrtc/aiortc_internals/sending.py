"""aiortc's senders and pylibsrtp: others send, many packets to a system call; RTCP stays with aiortc."""

import contextlib
import errno
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from aioice.ice import CandidatePair
from aiortc import RTCDtlsTransport, RTCRtpCodecParameters, RTCRtpSender
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    HeaderExtensions,
    HeaderExtensionsMap,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    unpack_remb_fci,
)
from pylibsrtp import Session
from pylibsrtp._binding import ffi, lib

from mien.media.webrtc.packets import RTP_HEADER, Ancillary, Template

log = structlog.get_logger()

_WORD: Final = 1 << 32
_MAX_MID: Final = 16
"""What a one-byte header extension holds (RFC 8285, 4.2)."""
_LAST_STAMP: Final = (1 << 24) - 1
_REPORTS_KEPT: Final = 16
"""Sender reports that an answer may still speak of: three seconds of a probe's."""


class Feedback(Protocol):
    """What `take_over` tells of a far end; hostile in amount, checked in form."""

    def on_rtcp(self) -> None:
        """Note that the far end lives."""
        ...

    def on_nack(self, sequence_numbers: Sequence[int]) -> None:
        """Note what a NACK asks for."""
        ...

    def wants_keyframe(self) -> None:
        """Note a request for a frame complete in itself."""
        ...

    def on_loss(self, fraction: float, highest: int) -> None:
        """Note the share of packets lost since the last report, and the highest sequence number, counted on."""
        ...

    def on_receiver_report(self, fraction: float, highest: int) -> None:
        """Note the same of the retransmissions."""
        ...

    def round_trip(self, rtt_s: float) -> None:
        """Note for how long a sender report and the first answer to it were on the way, in seconds."""
        ...

    def on_estimate(self, bit_rate: int) -> None:
        """Note what the far end believes its line carries (REMB)."""
        ...

    def report(self) -> "StreamReport":
        """Return what a sender report shall say now."""
        ...


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What a sender report says (RFC 3550, 6.4.1).

    Attributes:
        ntp_timestamp: Now, 32.32 bits.
        rtp_timestamp: The same instant on the stream's clock.
        packets: Sent so far.
        octets: Of payload.
    """

    ntp_timestamp: int
    rtp_timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class StreamTerms:
    """What was agreed on for one RTP stream.

    Attributes:
        mime_type: Of the codec, in lower case.
        ssrc: Of the stream.
        payload_type: Of the codec.
        rtx_ssrc: Of its retransmissions.
        rtx_payload_type: None where the far end takes none.
        extension: The header extension.
        stamp_at: Where in a packet the time of sending stands, or None.
        line: The way out.
    """

    mime_type: str
    ssrc: int
    payload_type: int
    rtx_ssrc: int
    rtx_payload_type: int | None
    extension: bytes
    stamp_at: int | None
    line: "SrtpWriter"


def take_over(
    sender: RTCRtpSender, feedback: Feedback, *, begun: Callable[[StreamTerms], None], ended: Callable[[], None]
) -> Callable[[], None]:
    """Let others send the RTP of `sender`; SDP, ICE, DTLS and RTCP stay with aiortc.

    The sender needs a track whose `recv` never returns.

    Args:
        sender: Of one media track.
        feedback: Is told what the far end reports.
        begun: Called when packets can be sent.
        ended: Called when no more can be.

    Returns:
        Sends a sender report at once, besides aiortc's own, each second or so; nothing before its first.
    """
    left: dict[int, float] = {}
    whole: list[AnyRtcpPacket] = []
    line: SrtpWriter | None = None
    run_rtp, send_rtcp, handle_rtcp = sender._run_rtp, sender._send_rtcp, sender._handle_rtcp_packet  # noqa: SLF001  # see the module's first line

    async def run(codec: RTCRtpCodecParameters) -> None:
        nonlocal line
        try:
            terms = _terms(sender, codec)
            line = terms.line
            begun(terms)
        except Exception:  # aiortc never ends a sender whose own run did not begin
            log.exception("stream_not_begun")
        try:
            await run_rtp(codec)
        finally:
            line = None
            ended()

    def renew(packet: RtcpSrPacket) -> int:
        report = feedback.report()
        info = packet.sender_info
        info.ntp_timestamp, info.rtp_timestamp = report.ntp_timestamp, report.rtp_timestamp
        info.packet_count, info.octet_count = report.packets % _WORD, report.octets % _WORD
        middle = report.ntp_timestamp >> 16 & 0xFFFFFFFF
        left[middle] = time.monotonic()
        while len(left) > _REPORTS_KEPT:
            del left[next(iter(left))]
        return middle

    def report_now() -> None:
        for packet in whole:
            if isinstance(packet, RtcpSrPacket):
                renew(packet)
        if line is not None and whole:
            line.send_control(b"".join(map(bytes, whole)))

    async def send(packets: list[AnyRtcpPacket]) -> None:
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                # aiortc tells round trips and statistics from these.
                private = vars(sender)
                private["_RTCRtpSender__lsr"] = renew(packet)
                private["_RTCRtpSender__packet_count"] = packet.sender_info.packet_count
                private["_RTCRtpSender__octet_count"] = packet.sender_info.octet_count
                whole[:] = packets
        await send_rtcp(packets)

    async def handle(packet: AnyRtcpPacket) -> None:
        feedback.on_rtcp()
        if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == sender._ssrc:  # noqa: SLF001  # as above
                    feedback.on_loss(report.fraction_lost / 256, report.highest_sequence)
                    # RFC 3550, 6.4.1. Each of our reports counts once: the answers to one that came late all say so.
                    at = left.pop(report.lsr, None)
                    if at is not None:
                        feedback.round_trip(max(time.monotonic() - at - report.dlsr / 65536, 0.0))
                elif report.ssrc == sender._rtx_ssrc:  # noqa: SLF001  # as above
                    feedback.on_receiver_report(report.fraction_lost / 256, report.highest_sequence)
            await handle_rtcp(packet)
        elif isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            feedback.on_nack(packet.lost)
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt in {RTCP_PSFB_FIR, RTCP_PSFB_PLI}:
            feedback.wants_keyframe()
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            with contextlib.suppress(ValueError):  # another message of applications
                feedback.on_estimate(unpack_remb_fci(packet.fci)[0])

    sender._run_rtp = run  # type: ignore[method-assign]  # noqa: SLF001  # as above
    sender._send_rtcp = send  # type: ignore[method-assign]  # noqa: SLF001  # as above
    sender._handle_rtcp_packet = handle  # type: ignore[method-assign]  # noqa: SLF001  # as above
    return report_now


def round_trip_s(sender: RTCRtpSender) -> float | None:
    """Return the smoothed round trip time that the reports to `sender` gave, or None before the first."""
    value: float | None = vars(sender)["_RTCRtpSender__rtt"]
    return value


def _terms(sender: RTCRtpSender, codec: RTCRtpCodecParameters) -> StreamTerms:
    private = vars(sender)
    rtx_payload_type: int | None = private["_RTCRtpSender__rtx_payload_type"]
    extension, stamp_at = _extension(private["_RTCRtpSender__rtp_header_extensions_map"], private["_RTCRtpSender__mid"])
    return StreamTerms(
        codec.mimeType.lower(),
        sender._ssrc,  # noqa: SLF001  # as above
        codec.payloadType or 0,
        sender._rtx_ssrc,  # noqa: SLF001  # as above
        rtx_payload_type,
        extension,
        stamp_at,
        SrtpWriter(sender.transport),
    )


def _extension(extensions: HeaderExtensionsMap, mid: str | None) -> tuple[bytes, int | None]:
    """Return the header extension with the media id, and where its time of sending stands."""
    if mid is not None and len(mid.encode()) > _MAX_MID:
        mid = None  # packets are told apart by their source as well
    try:
        low, high = (extensions.set(HeaderExtensions(mid=mid, abs_send_time=stamp)) for stamp in (0, _LAST_STAMP))
    except (AssertionError, struct.error):  # the far end numbered its extensions as no header can
        return b"", None
    profile, value = low
    if not value:
        return b"", None
    before = struct.pack("!HH", profile, len(value) // 4)
    differs = next((at for at, pair in enumerate(zip(value, high[1], strict=True)) if pair[0] != pair[1]), None)
    return before + value, None if differs is None else RTP_HEADER + len(before) + differs


# One for all lines: it is filled and emptied between two turns of the event loop, of which a process has one.
_BUFFER: Final = ffi.new("char[]", 1 << 16)
_VIEW: Final = memoryview(ffi.buffer(_BUFFER))
_LENGTH: Final = ffi.new("int *")
_PROTECT: Final = lib.srtp_protect
_PUT_NUMBERS: Final = struct.Struct("!HLL").pack_into
_PUT_PICTURE_ID: Final = struct.Struct("!H").pack_into

_TAGS: Final = {b"SRTP_AES128_CM_SHA1_80": 10, b"SRTP_AEAD_AES_128_GCM": 16, b"SRTP_AEAD_AES_256_GCM": 16}
"""Bytes that each profile of aiortc's adds (RFC 3711, 8.2; RFC 7714, 13.1)."""
_NO_SEGMENTATION: Final = frozenset({errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOPROTOOPT, errno.EOPNOTSUPP})
"""How kernels, drivers and narrow paths refuse to cut one send into packets."""


class SrtpWriter:
    """The way out through one DTLS transport: packets are protected where they lie, many to a system call.

    The nominated candidate pair is looked up at every send. Where it has no plain UDP socket (a relay, a
    foreign event loop) packets take the transport's own way, one by one.

    Args:
        transport: Connected.

    Attributes:
        tag: How many bytes protection adds to a packet.
        refused: Packets that the kernel or the transport did not take.
    """

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self.tag = _TAGS[transport._ssl.get_selected_srtp_profile()]  # type: ignore[union-attr]  # noqa: SLF001  # it is connected; as above
        self.refused = 0
        self._dtls = transport
        self._session: Session = transport._tx_srtp  # noqa: SLF001  # as above
        self._srtp = self._session._srtp[0]  # noqa: SLF001  # as above
        self._pairs: dict[int, CandidatePair] = transport.transport._connection._nominated  # noqa: SLF001  # as above
        self._pair: CandidatePair | None = None
        self._socket: socket.socket | None = None
        self._address = ("", 0)
        self._segments = False

    def send(self, template: Template, sequence: int, timestamp: int, ssrc: int, picture_id: int) -> None:
        """Send a template's packets.

        Args:
            template: Laid out with this line's tag.
            sequence: Of the first packet; only the lower 16 bits count.
            timestamp: 32 bits.
            ssrc: 32 bits.
            picture_id: 15 bits; used where the template has a place for it.
        """
        # This is what every viewer costs, so it calls as little as can be.
        size = len(template.data)
        _VIEW[:size] = template.data
        picture_id_at = template.picture_id_at
        for at, length in template.places:
            _PUT_NUMBERS(_VIEW, at + 2, sequence & 0xFFFF, timestamp, ssrc)
            if picture_id_at:
                _PUT_PICTURE_ID(_VIEW, at + picture_id_at, 0x8000 | picture_id)
            _LENGTH[0] = length
            if _PROTECT(self._srtp, _BUFFER + at, _LENGTH):
                self.refused += len(template.places)
                return
            sequence += 1
        self._leave(template.runs, template.places)

    def send_one(self, packet: bytes) -> None:
        """Send one complete packet."""
        length = len(packet)
        _VIEW[:length] = packet
        _LENGTH[0] = length
        if _PROTECT(self._srtp, _BUFFER, _LENGTH):
            self.refused += 1
            return
        self._leave(((0, length + self.tag, None),), ((0, length),))

    def send_control(self, packet: bytes) -> None:
        """Send one complete packet of RTCP."""
        protected = self._session.protect_rtcp(packet)
        length = len(protected)
        _VIEW[:length] = protected
        self._leave(((0, length, None),), ((0, length - self.tag),))

    def _leave(self, runs: Sequence[tuple[int, int, Ancillary | None]], places: Sequence[tuple[int, int]]) -> None:
        pair = self._pairs.get(1)
        if pair is not self._pair:
            self._follow(pair)
        out = self._socket
        if out is None or not self._segments:
            self._leave_singly(places)
            return
        for begin, end, order in runs:
            try:
                if order is None:
                    out.sendto(_VIEW[begin:end], self._address)
                else:
                    out.sendmsg((_VIEW[begin:end],), order, 0, self._address)
            except OSError as error:
                inside = [place for place in places if begin <= place[0] < end]
                if order is not None and error.errno in _NO_SEGMENTATION:
                    self._segments = False
                    self._leave_singly(inside)
                else:
                    self.refused += len(inside)

    def _leave_singly(self, places: Sequence[tuple[int, int]]) -> None:
        pair = self._pair
        if pair is None:
            self.refused += len(places)
            return
        for at, length in places:
            packet = _VIEW[at : at + length + self.tag]
            try:
                if self._socket is not None:
                    self._socket.sendto(packet, self._address)
                else:
                    pair.protocol.transport.sendto(bytes(packet), pair.remote_addr)
            except OSError:
                self.refused += 1

    def _follow(self, pair: CandidatePair | None) -> None:
        self._pair = pair
        self._socket = None
        if pair is None:
            return
        wrapped = pair.protocol.transport.get_extra_info("socket")
        # asyncio hides the socket's own methods behind a wrapper without `sendmsg`.
        found = getattr(wrapped, "_sock", None)
        if isinstance(found, socket.socket) and found.type == socket.SOCK_DGRAM:
            self._socket = found
        self._address = pair.remote_addr
        self._segments = sys.platform == "linux"
