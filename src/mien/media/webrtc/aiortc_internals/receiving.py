"""aiortc's receivers: packets and reports as they come, and no datagram that ends a connection."""

from collections.abc import Callable, Collection
from typing import Any, Final, Protocol

import structlog
from aiortc import RTCDtlsTransport, RTCPeerConnection, RTCRtpReceiver
from aiortc.rtp import RtcpByePacket, RtcpSrPacket, RtpPacket

from mien.media.webrtc.feedback import RtcpFeedback

log = structlog.get_logger()

_NTP_FRACTION: Final = 1 << 32
_MAX_SOURCES: Final = 16
"""A browser sends four: two media tracks, each with its retransmissions. aiortc keeps a record of each for ever."""


class Clock(Protocol):
    """What `watch_clock` tells; `media.clock.CaptureClock` is the real one."""

    def arrived(self, kind: str, raw_timestamp: int, clock_rate: int) -> None:
        """Note a packet that came in just now."""
        ...

    def reported(self, kind: str, ntp_seconds: float, raw_timestamp: int) -> None:
        """Note a sender report."""
        ...


def harden(connection: RTCPeerConnection) -> None:
    """Let no datagram end `connection`.

    aiortc closes a transport when it meets a datagram without a byte, which needs no keys to send, or a header
    extension of an odd length; and it remembers every source that a packet names. Call it before media flows.
    """
    transports: set[RTCDtlsTransport] = {each.receiver.transport for each in connection.getTransceivers()}
    for transport in transports:
        _harden(transport)


def _harden(transport: RTCDtlsTransport) -> None:
    ice = transport.transport
    receive, handle_rtp, handle_rtcp = ice._recv, transport._handle_rtp_data, transport._handle_rtcp_data  # noqa: SLF001  # see the module's first line
    sources: set[bytes] = set()

    async def next_datagram() -> bytes:
        while not (data := await receive()):
            pass
        return data

    async def rtp(data: bytes, arrival_time_ms: int) -> None:
        source = data[8:12]
        if source not in sources and len(sources) == _MAX_SOURCES:
            return
        sources.add(source)
        try:
            await handle_rtp(data, arrival_time_ms)
        except Exception as error:  # noqa: BLE001  # whatever a packet holds, it is one packet
            log.debug("rtp_refused", error=type(error).__name__)

    async def rtcp(data: bytes) -> None:
        try:
            await handle_rtcp(data)
        except Exception as error:  # noqa: BLE001  # as above
            log.debug("rtcp_refused", error=type(error).__name__)

    ice._recv = next_datagram  # noqa: SLF001  # as above
    transport._handle_rtp_data = rtp  # type: ignore[method-assign]  # noqa: SLF001  # as above
    transport._handle_rtcp_data = rtcp  # type: ignore[method-assign]  # noqa: SLF001  # as above


def watch_clock(
    receiver: RTCRtpReceiver,
    kind: str,
    clock_rate: int,
    payload_types: Collection[int],
    clock: Clock,
    *,
    is_current: Callable[[int], bool] = lambda _: True,
) -> None:
    """Tell `clock` of every media packet and sender report that `receiver` gets.

    aiortc hands on decoded frames without saying when their packets came.

    Args:
        receiver: The receiver of one media track.
        kind: "audio" or "video".
        clock_rate: Ticks a second of the track's RTP clock.
        payload_types: Those of media. Retransmissions come late, and Chromium probes the line with some whose
            timestamps mean nothing.
        clock: Is told.
        is_current: Whether a source's packets and reports count.
    """
    handle_rtp, handle_rtcp = receiver._handle_rtp_packet, receiver._handle_rtcp_packet  # noqa: SLF001  # as above

    async def rtp(packet: RtpPacket, arrival_time_ms: int) -> None:
        if packet.payload_type in payload_types and packet.payload and is_current(packet.ssrc):
            clock.arrived(kind, packet.timestamp, clock_rate)
        await handle_rtp(packet, arrival_time_ms)

    async def rtcp(packet: Any) -> None:
        if isinstance(packet, RtcpSrPacket) and is_current(packet.ssrc):
            report = packet.sender_info
            clock.reported(kind, report.ntp_timestamp / _NTP_FRACTION, report.rtp_timestamp)
        await handle_rtcp(packet)

    receiver._handle_rtp_packet = rtp  # type: ignore[method-assign]  # noqa: SLF001  # as above
    receiver._handle_rtcp_packet = rtcp  # type: ignore[method-assign]  # noqa: SLF001  # as above


def on_goodbye(receiver: RTCRtpReceiver, call: Callable[[], None]) -> None:
    """Call `call` when the sender says that it ends its media track (RFC 3550, 6.6)."""
    handle_rtcp = receiver._handle_rtcp_packet  # noqa: SLF001  # as above

    async def rtcp(packet: Any) -> None:
        await handle_rtcp(packet)
        if isinstance(packet, RtcpByePacket):
            call()

    receiver._handle_rtcp_packet = rtcp  # type: ignore[method-assign]  # noqa: SLF001  # as above


def take_packets(receiver: RTCRtpReceiver, take: Callable[[RtpPacket], RtcpFeedback | None]) -> None:
    """Give every media packet of `receiver` to `take` instead of to aiortc's own buffer and decoder.

    aiortc goes on with what comes before that and beside it: it undoes retransmissions, estimates the bit rate
    (REMB), keeps statistics and sends receiver reports. Its jitter buffer gives a frame only when the next one
    begins and its decoder's queue has no end; its NACK generator asks for a packet once and, when that is lost
    too, never again.

    Args:
        receiver: The receiver of one media track.
        take: Returns what to ask the sender for.
    """
    tap = _Tap(take)
    handle_rtp = receiver._handle_rtp_packet  # noqa: SLF001  # as above

    async def rtp(packet: RtpPacket, arrival_time_ms: int) -> None:
        tap.feedback = None
        await handle_rtp(packet, arrival_time_ms)
        feedback = tap.feedback
        if feedback is not None and feedback.lost:
            await receiver._send_rtcp_nack(tap.source, list(feedback.lost))  # noqa: SLF001  # as above
        if feedback is not None and feedback.keyframe:
            await receiver._send_rtcp_pli(tap.source)  # noqa: SLF001  # as above

    receiver._handle_rtp_packet = rtp  # type: ignore[method-assign]  # noqa: SLF001  # as above
    receiver._RTCRtpReceiver__nack_generator = tap  # type: ignore[attr-defined]  # noqa: SLF001  # as above
    receiver._RTCRtpReceiver__jitter_buffer = _NoBuffer()  # type: ignore[attr-defined]  # noqa: SLF001  # as above


class _Tap:
    """Stands where aiortc keeps a receiver's NACK generator: the first to see a packet as it was sent first."""

    def __init__(self, take: Callable[[RtpPacket], RtcpFeedback | None]) -> None:
        self.source = 0
        self.feedback: RtcpFeedback | None = None
        self._take = take

    def add(self, packet: RtpPacket) -> bool:
        self.source = packet.ssrc
        self.feedback = self._take(packet)
        return False


class _NoBuffer:
    """Stands where aiortc keeps a receiver's jitter buffer, and never gives a frame."""

    def add(self, _packet: RtpPacket) -> tuple[bool, None]:
        return False, None
