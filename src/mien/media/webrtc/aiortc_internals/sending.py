"""aiortc's senders: others send their RTP; RTCP stays with aiortc. Private parts, for there is no public way."""

import contextlib
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from aiortc import RTCRtpCodecParameters, RTCRtpSender
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    HeaderExtensions,
    HeaderExtensionsMap,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    unpack_remb_fci,
)

from mien.media.webrtc.aiortc_internals.srtp_writer import SrtpWriter
from mien.media.webrtc.packets import RTP_HEADER

log = structlog.get_logger()

_WORD: Final = 1 << 32
_MAX_MID: Final = 16
"""What a one-byte header extension holds (RFC 8285, 4.2)."""
_LAST_STAMP: Final = (1 << 24) - 1
_REPORTS: Final = (RtcpRrPacket, RtcpSrPacket)
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
        octets: Bytes of payload.
    """

    ntp_timestamp: int
    rtp_timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class StreamTerms:
    """What was agreed on for one RTP stream.

    Attributes:
        mime_type: The codec's MIME type, in lower case.
        ssrc: The stream's SSRC.
        payload_type: The codec's payload type.
        rtx_ssrc: The SSRC of its retransmissions.
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
        sender: The sender of one media track.
        feedback: Is told what the far end reports.
        begun: Called when packets can be sent.
        ended: Called when no more can be.

    Returns:
        Sends a sender report at once, besides aiortc's own, each second or so; nothing before its first.
    """
    taken = _TakenOver(sender, feedback, begun, ended)
    sender._run_rtp = taken.run  # type: ignore[method-assign]  # noqa: SLF001  # see the module's first line
    sender._send_rtcp = taken.send_rtcp  # type: ignore[method-assign]  # noqa: SLF001  # as above
    sender._handle_rtcp_packet = taken.handle_rtcp  # type: ignore[method-assign]  # noqa: SLF001  # as above
    return taken.report_now


class _TakenOver:
    """A sender of aiortc's whose RTP others send: what stands in the place of three of its methods."""

    def __init__(
        self,
        sender: RTCRtpSender,
        feedback: Feedback,
        begun: Callable[[StreamTerms], None],
        ended: Callable[[], None],
    ) -> None:
        self._sender, self._feedback, self._begun, self._ended = sender, feedback, begun, ended
        self._run_rtp = sender._run_rtp  # noqa: SLF001  # as above
        self._send_rtcp = sender._send_rtcp  # noqa: SLF001  # as above
        self._handle_rtcp = sender._handle_rtcp_packet  # noqa: SLF001  # as above
        self._left_at: dict[int, float] = {}  # when which of our sender reports left, by the middle of its NTP time
        self._last_reports: list[AnyRtcpPacket] = []
        self._line: SrtpWriter | None = None

    async def run(self, codec: RTCRtpCodecParameters) -> None:
        """Stand for `_run_rtp`: aiortc's own ends with the sender, and sends reports meanwhile."""
        try:
            terms = _terms(self._sender, codec)
            self._line = terms.line
            self._begun(terms)
        except Exception:  # aiortc never ends a sender whose own run did not begin
            log.exception("stream_not_begun")
        try:
            await self._run_rtp(codec)
        finally:
            self._line = None
            self._ended()

    async def send_rtcp(self, packets: list[AnyRtcpPacket]) -> None:
        """Stand for `_send_rtcp`: sender reports tell of what others sent."""
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                # aiortc tells round trips and statistics from these.
                private = vars(self._sender)
                private["_RTCRtpSender__lsr"] = self._renew(packet)
                private["_RTCRtpSender__packet_count"] = packet.sender_info.packet_count
                private["_RTCRtpSender__octet_count"] = packet.sender_info.octet_count
                self._last_reports[:] = packets
        if self._line is not None and any(isinstance(packet, RtcpSrPacket) for packet in packets):
            self._line.send_control(b"".join(map(bytes, packets)))  # aiortc's own way takes four coroutines
        else:
            await self._send_rtcp(packets)

    async def handle_rtcp(self, packet: AnyRtcpPacket) -> None:
        """Stand for `_handle_rtcp_packet`: requests are ours to answer."""
        self._feedback.on_rtcp()
        if isinstance(packet, _REPORTS):
            for report in packet.reports:
                self._take_report(report)
            await self._handle_rtcp(packet)
        elif isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            self._feedback.on_nack(packet.lost)
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt in {RTCP_PSFB_FIR, RTCP_PSFB_PLI}:
            self._feedback.wants_keyframe()
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            with contextlib.suppress(ValueError):  # another message of applications
                self._feedback.on_estimate(unpack_remb_fci(packet.fci)[0])

    def report_now(self) -> None:
        """Send the last sender report again, brought up to date."""
        for packet in self._last_reports:
            if isinstance(packet, RtcpSrPacket):
                self._renew(packet)
        if self._line is not None and self._last_reports:
            self._line.send_control(b"".join(map(bytes, self._last_reports)))

    def _take_report(self, report: RtcpReceiverInfo) -> None:
        if report.ssrc == self._sender._ssrc:  # noqa: SLF001  # as above
            self._feedback.on_loss(report.fraction_lost / 256, report.highest_sequence)
            # RFC 3550, 6.4.1. Each of our reports counts once: the answers to one that came late all say so.
            at = self._left_at.pop(report.lsr, None)
            if at is not None:
                self._feedback.round_trip(max(time.monotonic() - at - report.dlsr / 65536, 0.0))
        elif report.ssrc == self._sender._rtx_ssrc:  # noqa: SLF001  # as above
            self._feedback.on_receiver_report(report.fraction_lost / 256, report.highest_sequence)

    def _renew(self, packet: RtcpSrPacket) -> int:
        """Have a sender report say what is true now; return the middle of its NTP time, by which answers name it."""
        report = self._feedback.report()
        info = packet.sender_info
        info.ntp_timestamp, info.rtp_timestamp = report.ntp_timestamp, report.rtp_timestamp
        info.packet_count, info.octet_count = report.packets % _WORD, report.octets % _WORD
        middle = report.ntp_timestamp >> 16 & 0xFFFFFFFF
        self._left_at[middle] = time.monotonic()
        while len(self._left_at) > _REPORTS_KEPT:
            del self._left_at[next(iter(self._left_at))]
        return middle


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
