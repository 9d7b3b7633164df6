"""What we rely on inside aiortc still is there and does what we think; a new version shows itself here."""

import asyncio
import contextlib
import socket

import av
from aiortc import RTCSessionDescription
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, RtcpRrPacket, RtcpRtpfbPacket, RtpPacket

from mien.media.assembly import Wishes
from mien.media.privates import (
    harden,
    on_goodbye,
    on_keyframe_request,
    report_capture_times,
    take_packets,
    watch_clock,
)
from support.live import Camera, first_rtp_timestamp, peer


class Notes:
    def __init__(self):
        self.arrivals, self.reports = [], []

    def arrived(self, kind, raw_timestamp, clock_rate):
        self.arrivals.append((kind, raw_timestamp, clock_rate))

    def reported(self, kind, ntp_seconds, raw_timestamp):
        self.reports.append((kind, ntp_seconds, raw_timestamp))


async def test_keyframe_requests_clocks_and_reports_pass_through_our_hooks():
    sending, receiving = peer(), peer()
    sender = sending.addTransceiver(Camera(), direction="sendonly").sender
    asked = asyncio.Event()
    notes = Notes()
    on_keyframe_request(sender, asked.set)
    report_capture_times(sender, 90_000, lambda: 10.0)
    try:
        await sending.setLocalDescription(await sending.createOffer())
        await receiving.setRemoteDescription(RTCSessionDescription(sending.localDescription.sdp, "offer"))
        (receiver,) = receiving.getReceivers()
        watch_clock(receiver, "video", 90_000, range(128), notes)
        await receiving.setLocalDescription(await receiving.createAnswer())
        await sending.setRemoteDescription(RTCSessionDescription(receiving.localDescription.sdp, "answer"))

        async with asyncio.timeout(10):
            frame = await receiver.track.recv()
            assert isinstance(frame, av.VideoFrame)
            assert notes.arrivals[0] == ("video", (first_rtp_timestamp(receiver) + 0) % (1 << 32), 90_000)
            await receiver._send_rtcp_pli(receiver.getSynchronizationSources()[0].source)
            await asked.wait()
            while not notes.reports:
                await receiver.track.recv()
        _, _, reported = notes.reports[0]
        ahead = (reported - notes.arrivals[-1][1]) % (1 << 32)
        assert 9.0 < ahead / 90_000 < 10.1  # the report speaks of a time ten seconds after the picture's
    finally:
        await sending.close()
        await receiving.close()


@contextlib.asynccontextmanager
async def one_way(prepare):
    """Connect a sender of pictures with a receiver; `prepare` gets both connections before media flows."""
    sending, receiving = peer(), peer()
    sending.addTransceiver(Camera(), direction="sendonly")
    try:
        await sending.setLocalDescription(await sending.createOffer())
        await receiving.setRemoteDescription(RTCSessionDescription(sending.localDescription.sdp, "offer"))
        await receiving.setLocalDescription(await receiving.createAnswer())
        prepare(sending, receiving)
        await sending.setRemoteDescription(RTCSessionDescription(receiving.localDescription.sdp, "answer"))
        yield sending, receiving
    finally:
        await sending.close()
        await receiving.close()


async def until(true):
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  # several things are awaited at once
            await asyncio.sleep(0.01)


async def test_packets_come_to_us_with_retransmissions_undone_and_reports_go_on():
    taken, said, asked, farewells = [], [], [], []
    lost = []

    def take(packet):
        taken.append(packet)
        if len(taken) == 5:
            lost.append(packet.sequence_number)
            return Wishes(tuple(lost), keyframe=True)
        return Wishes()

    def prepare(sending, receiving):
        (receiver,) = receiving.getReceivers()
        (sender,) = sending.getSenders()
        take_packets(receiver, take)
        on_goodbye(receiver, lambda: farewells.append(1))
        on_keyframe_request(sender, lambda: asked.append(1))
        handle = sender._handle_rtcp_packet

        async def listen(packet):
            said.append(packet)
            await handle(packet)

        sender._handle_rtcp_packet = listen

    async with one_way(prepare) as (sending, receiving):
        (receiver,) = receiving.getReceivers()
        await until(lambda: sum(packet.sequence_number in lost for packet in taken) == 2)
        first, again = (packet for packet in taken if packet.sequence_number in lost)
        assert (again.payload, again.payload_type, again.ssrc) == (first.payload, first.payload_type, first.ssrc)
        await until(lambda: any(isinstance(packet, RtcpRrPacket) for packet in said))
        await until(lambda: any(isinstance(p, RtcpPsfbPacket) and p.fmt == RTCP_PSFB_APP for p in said))
        nacks = [packet for packet in said if isinstance(packet, RtcpRtpfbPacket)]
        assert [packet.lost for packet in nacks] == [lost]
        assert asked == [1]
        assert receiver.track._queue.empty()
        await sending.getSenders()[0].stop()
        await until(lambda: farewells)


async def test_no_datagram_ends_a_hardened_connection():
    taken = []

    def prepare(_sending, receiving):
        (receiver,) = receiving.getReceivers()
        take_packets(receiver, taken.append)
        harden(receiving)

    async with one_way(prepare) as (sending, receiving):
        await until(lambda: len(taken) > 5)
        transport = receiving.getReceivers()[0].transport
        pair = transport.transport._connection._nominated[1]
        address = pair.local_candidate.host, pair.local_candidate.port
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"", address)
        # The absolute send time in two bytes, where it has three.
        number = transport._rtp_header_extensions_map._HeaderExtensionsMap__ids.abs_send_time
        plain = RtpPacket(payload_type=taken[0].payload_type, ssrc=4242, payload=b"x").serialize()
        odd = bytes([plain[0] | 0x10]) + plain[1:12] + bytes([0xBE, 0xDE, 0, 1, number << 4 | 1, 1, 2, 0]) + b"x"
        await sending.getSenders()[0].transport._send_rtp(odd)
        before = len(taken)
        await until(lambda: len(taken) > before + 20)
        assert transport.state == "connected"


async def test_only_so_many_sources_are_remembered():
    def prepare(_sending, receiving):
        harden(receiving)

    async with one_way(prepare) as (sending, receiving):
        await until(lambda: receiving.connectionState == "connected" == sending.connectionState)
        transport = receiving.getReceivers()[0].transport
        for ssrc in range(1, 60):
            await sending.getSenders()[0].transport._send_rtp(
                RtpPacket(payload_type=97, ssrc=ssrc, payload=b"xx").serialize()
            )
        await asyncio.sleep(0.2)
        assert len(transport._rtp_router.ssrc_table) <= 18
