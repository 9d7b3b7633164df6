"""The few private parts of aiortc that we lean on, all here; the pinned 1.16 has no public way.

`tests/integration/test_aiortc_privates.py` notices when one of them changes.
"""

import asyncio
import socket
from collections.abc import Callable, Collection
from ipaddress import ip_address
from typing import Any, Final, Protocol

import aioice.ice
import structlog
from aiortc import RTCDtlsTransport, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender
from aiortc.rtp import RtcpByePacket, RtcpSrPacket, RtpPacket

from mien.media.assembly import Wishes
from mien.media.reach import Reach, bind_udp, own_addresses

log = structlog.get_logger()

_NTP_FRACTION: Final = 1 << 32
_GATHER_S: Final = 5
_STOCK_GATHER: Final = aioice.ice.Connection.get_component_candidates
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


def gather_within(reach: Reach) -> None:
    """Let all peers of this process use and announce what `reach` says; aioice has no settings for that.

    The last call counts.

    Raises:
        SettingsError: This machine has no address that `reach` allows.
    """
    reach.choose(own_addresses())

    def host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:  # noqa: FBT001  # aioice's own signature
        families = {4: use_ipv4, 6: use_ipv6}
        return reach.choose((name, address) for name, address in own_addresses() if families[address.version])

    async def gather(
        connection: aioice.ice.Connection,
        component: int,
        addresses: list[str],
        timeout: int = _GATHER_S,  # noqa: ASYNC109  # aioice's own signature
    ) -> list[aioice.Candidate]:
        hosts = [
            host
            for address in addresses
            if (host := await _open_host(connection, component, address, reach)) is not None
        ]
        relayed, reflexive = await asyncio.gather(
            _STOCK_GATHER(connection, component, [], timeout),
            asyncio.gather(*(_ask_stun(connection, host, timeout) for host in hosts)),
        )
        return [host.local_candidate for host in hosts] + [found for found in reflexive if found is not None] + relayed

    aioice.ice.get_host_addresses = host_addresses
    aioice.ice.Connection.get_component_candidates = gather  # type: ignore[method-assign,assignment]  # as above


async def _open_host(
    connection: aioice.ice.Connection, component: int, address: str, reach: Reach
) -> aioice.ice.StunProtocol | None:
    """Open a socket on `address` and make it a host candidate; None where it cannot be bound.

    Raises:
        NoPortError: Every port that media may use is taken.
    """
    try:
        bound = bind_udp(address, reach.ports())
    except OSError:
        return None  # an address that is going or not yet ready; the others may do
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, aioice.turn.UDP_SOCKET_BUFFER_SIZE)
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: aioice.ice.StunProtocol(connection), sock=bound
    )
    protocol.local_candidate = aioice.Candidate(
        foundation=aioice.candidate.candidate_foundation("host", "udp", address),
        component=component,
        transport="udp",
        priority=aioice.candidate.candidate_priority(component, "host"),
        host=reach.announced(address),
        port=bound.getsockname()[1],
        type="host",
    )
    connection._protocols.append(protocol)  # noqa: SLF001  # as above; closing the connection closes it
    return protocol


async def _ask_stun(
    connection: aioice.ice.Connection, host: aioice.ice.StunProtocol, timeout_s: float
) -> aioice.Candidate | None:
    """Return under which address a STUN server sees `host`; None without an answer, or without a server."""
    if connection.stun_server is None or ip_address(host.local_candidate.host).version != 4:
        return None
    try:
        async with asyncio.timeout(timeout_s):
            candidate, _ = await aioice.ice.server_reflexive_candidate(host, connection.stun_server)
    except (OSError, TimeoutError, aioice.stun.TransactionError):
        return None
    return candidate


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


def on_keyframe_request(sender: RTCRtpSender, call: Callable[[], None]) -> None:
    """Call `call` whenever the viewer at the other end of `sender` asks for a picture complete in itself.

    aiortc only raises a flag that its own encoders read; ours is elsewhere.
    """
    sender._send_keyframe = call  # type: ignore[method-assign]  # noqa: SLF001  # see the module's first line


def report_capture_times(sender: RTCRtpSender, clock_rate: int, lag_s: Callable[[], float]) -> None:
    """Make the sender reports of `sender` tell when things were captured.

    aiortc reports a timestamp together with the time at which its packet left. Pictures and sound take
    different times from capture to leaving, so a player that follows such reports would set them apart.

    Args:
        sender: Of one media track.
        clock_rate: Ticks a second of its RTP clock.
        lag_s: Returns how long the packet that left last took from its capture.
    """
    send_rtcp = sender._send_rtcp  # noqa: SLF001  # as above

    async def corrected(packets: list[Any]) -> None:
        for packet in packets:
            if isinstance(packet, RtcpSrPacket) and packet.sender_info.packet_count:
                report = packet.sender_info
                # RFC 3550, 6.4.1: both timestamps of a report stand for the same instant.
                report.rtp_timestamp = (report.rtp_timestamp + round(lag_s() * clock_rate)) % (1 << 32)
        await send_rtcp(packets)

    sender._send_rtcp = corrected  # type: ignore[method-assign]  # noqa: SLF001  # as above


def watch_clock(
    receiver: RTCRtpReceiver, kind: str, clock_rate: int, payload_types: Collection[int], clock: Clock
) -> None:
    """Tell `clock` of every media packet and sender report that `receiver` gets.

    aiortc hands on decoded frames without saying when their packets came.

    Args:
        receiver: Of one media track.
        kind: "audio" or "video".
        clock_rate: Ticks a second of the track's RTP clock.
        payload_types: Those of media. Retransmissions come late, and Chromium probes the line with some whose
            timestamps mean nothing.
        clock: Is told.
    """
    handle_rtp, handle_rtcp = receiver._handle_rtp_packet, receiver._handle_rtcp_packet  # noqa: SLF001  # as above

    async def rtp(packet: RtpPacket, arrival_time_ms: int) -> None:
        if packet.payload_type in payload_types and packet.payload:
            clock.arrived(kind, packet.timestamp, clock_rate)
        await handle_rtp(packet, arrival_time_ms)

    async def rtcp(packet: Any) -> None:
        if isinstance(packet, RtcpSrPacket):
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


def take_packets(receiver: RTCRtpReceiver, take: Callable[[RtpPacket], Wishes | None]) -> None:
    """Give every media packet of `receiver` to `take` instead of to aiortc's own buffer and decoder.

    aiortc goes on with what comes before that and beside it: it undoes retransmissions, estimates the bit rate
    (REMB), keeps statistics and sends receiver reports. Its jitter buffer gives a frame only when the next one
    begins and its decoder's queue has no end; its NACK generator asks for a packet once and, when that is lost
    too, never again.

    Args:
        receiver: Of one media track.
        take: Returns what to ask the sender for.
    """
    tap = _Tap(take)
    handle_rtp = receiver._handle_rtp_packet  # noqa: SLF001  # as above

    async def rtp(packet: RtpPacket, arrival_time_ms: int) -> None:
        tap.wishes = None
        await handle_rtp(packet, arrival_time_ms)
        wishes = tap.wishes
        if wishes is not None and wishes.lost:
            await receiver._send_rtcp_nack(tap.source, list(wishes.lost))  # noqa: SLF001  # as above
        if wishes is not None and wishes.keyframe:
            await receiver._send_rtcp_pli(tap.source)  # noqa: SLF001  # as above

    receiver._handle_rtp_packet = rtp  # type: ignore[method-assign]  # noqa: SLF001  # as above
    receiver._RTCRtpReceiver__nack_generator = tap  # type: ignore[attr-defined]  # noqa: SLF001  # as above
    receiver._RTCRtpReceiver__jitter_buffer = _NoBuffer()  # type: ignore[attr-defined]  # noqa: SLF001  # as above


class _Tap:
    """Stands where aiortc keeps a receiver's NACK generator: the first to see a packet as it was sent first."""

    def __init__(self, take: Callable[[RtpPacket], Wishes | None]) -> None:
        self.source = 0
        self.wishes: Wishes | None = None
        self._take = take

    def add(self, packet: RtpPacket) -> bool:
        self.source = packet.ssrc
        self.wishes = self._take(packet)
        return False


class _NoBuffer:
    """Stands where aiortc keeps a receiver's jitter buffer, and never gives a frame."""

    def add(self, _packet: RtpPacket) -> tuple[bool, None]:
        return False, None
