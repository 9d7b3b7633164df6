"""What we rely on inside aiortc still is there and does what we think; a new version shows itself here."""

import asyncio
import contextlib
import socket

import av
from aiortc import RTCSessionDescription
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtpPacket,
    pack_remb_fci,
)

from mien.media.webrtc.aiortc_internals import (
    StreamReport,
    harden,
    on_goodbye,
    round_trip_s,
    take_over,
    take_packets,
    watch_clock,
    widen_dtls,
)
from mien.media.webrtc.egress.subscriber import SilentTrack
from mien.media.webrtc.feedback import RtcpFeedback
from support.live import Camera, first_rtp_timestamp, peer

HANDSHAKE = ("_do_handshake", "_validate_peer_identity", "_setup_srtp", "_write_ssl")


class Notes:
    def __init__(self):
        self.arrivals, self.reports = [], []

    def arrived(self, kind, raw_timestamp, clock_rate):
        self.arrivals.append((kind, raw_timestamp, clock_rate))

    def reported(self, kind, ntp_seconds, raw_timestamp):
        self.reports.append((kind, ntp_seconds, raw_timestamp))


async def until(true):
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.01)


async def test_clocks_and_reports_pass_through_our_hooks():
    sending, receiving = peer(), peer()
    sending.addTransceiver(Camera(), direction="sendonly")
    notes = Notes()
    try:
        await sending.setLocalDescription(await sending.createOffer())
        await receiving.setRemoteDescription(RTCSessionDescription(sending.localDescription.sdp, "offer"))
        (receiver,) = receiving.getReceivers()
        watch_clock(receiver, "video", 90_000, range(128), notes)
        await receiving.setLocalDescription(await receiving.createAnswer())
        await sending.setRemoteDescription(RTCSessionDescription(receiving.localDescription.sdp, "answer"))

        async with asyncio.timeout(30):
            frame = await receiver.track.recv()
            assert isinstance(frame, av.VideoFrame)
            assert notes.arrivals[0] == ("video", (first_rtp_timestamp(receiver) + 0) % (1 << 32), 90_000)
            while not notes.reports:
                await receiver.track.recv()
        _, _, reported = notes.reports[0]
        assert (notes.arrivals[-1][1] - reported) % (1 << 32) < 90_000
    finally:
        await sending.close()
        await receiving.close()


class Feedback:
    def __init__(self):
        self.heard_of, self.terms, self.over = {}, None, asyncio.Event()

    def __getattr__(self, name):
        return lambda *values: self.heard_of.setdefault(name, []).append(values)

    def report(self):
        return StreamReport(0x83AA7E80_12345678, 4711, 12, 3456)

    def begin(self, terms):
        self.terms = terms


async def test_a_sender_taken_over_tells_its_terms_its_feedback_and_says_our_reports():
    sending, receiving = peer(), peer()
    sender = sending.addTransceiver(SilentTrack("video"), direction="sendonly").sender
    feedback, notes = Feedback(), Notes()
    report_now = take_over(sender, feedback, begun=feedback.begin, ended=feedback.over.set)
    try:
        await sending.setLocalDescription(await sending.createOffer())
        await receiving.setRemoteDescription(RTCSessionDescription(sending.localDescription.sdp, "offer"))
        (receiver,) = receiving.getReceivers()
        watch_clock(receiver, "video", 90_000, range(128), notes)
        await receiving.setLocalDescription(await receiving.createAnswer())
        await sending.setRemoteDescription(RTCSessionDescription(receiving.localDescription.sdp, "answer"))
        await until(lambda: feedback.terms)
        terms = feedback.terms
        assert (terms.mime_type, terms.payload_type, terms.rtx_payload_type) == ("video/vp8", 97, 98)
        assert (terms.ssrc, terms.rtx_ssrc) == (sender._ssrc, sender._rtx_ssrc)
        # One-byte headers (RFC 8285): the media id "0" under 1, three bytes of sending time under 3.
        assert terms.extension == bytes.fromhex("bede0002 1030 32000000 0000")
        assert terms.stamp_at == 12 + 4 + 3

        await until(lambda: receiver.transport.state == "connected")  # what comes before is lost
        header = bytes.fromhex("9061000700000bb8") + terms.ssrc.to_bytes(4, "big") + terms.extension
        terms.line.send_one(header + b"\x90\x80\x80\x01hello")
        await until(lambda: notes.arrivals)
        assert notes.arrivals == [("video", 3000, 90_000)]
        assert terms.line.refused == 0

        await receiver._send_rtcp_pli(terms.ssrc)
        await receiver._send_rtcp_nack(terms.ssrc, [5, 6, 30])
        remb = RtcpPsfbPacket(15, 1, 0, fci=pack_remb_fci(512_000, [terms.ssrc]))
        await receiver.transport._send_rtp(bytes(remb))
        await until(lambda: {"wants_keyframe", "on_nack", "on_loss"} <= set(feedback.heard_of))
        await until(lambda: round_trip_s(sender) is not None)
        await until(lambda: feedback.heard_of.get("round_trip"))
        assert 0 <= feedback.heard_of["round_trip"][0][0] < 10
        told = len(notes.reports)
        report_now()
        report_now()
        await until(lambda: len(notes.reports) >= told + 2)
        assert feedback.heard_of["wants_keyframe"] == [()]
        assert feedback.heard_of["on_nack"] == [([5, 6, 30],)]
        assert feedback.heard_of["on_estimate"] == [(512_000,)]
        assert feedback.heard_of["on_loss"][0][0] == 0.0
        assert notes.reports[0] == ("video", 0x83AA7E80_12345678 / (1 << 32), 4711)
        assert 0 <= round_trip_s(sender) < 10
        statistics = await sender.getStats()
        assert {one.packetsSent for one in statistics.values() if one.type == "outbound-rtp"} == {12}
        assert not feedback.over.is_set()
    finally:
        await sending.close()
        await receiving.close()
    assert feedback.over.is_set()


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


async def test_packets_come_to_us_with_retransmissions_undone_and_reports_go_on():
    taken, said, farewells = [], [], []
    lost = []

    def take(packet):
        taken.append(packet)
        if len(taken) == 5:
            lost.append(packet.sequence_number)
            return RtcpFeedback(tuple(lost), keyframe=True)
        return RtcpFeedback()

    def prepare(sending, receiving):
        (receiver,) = receiving.getReceivers()
        (sender,) = sending.getSenders()
        take_packets(receiver, take)
        on_goodbye(receiver, lambda: farewells.append(1))
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
        assert len([p for p in said if isinstance(p, RtcpPsfbPacket) and p.fmt == RTCP_PSFB_PLI]) == 1
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


async def test_a_handshake_goes_through_our_hooks_with_our_suites():
    """What `widen_dtls` replaces is still what aiortc calls."""
    sending, receiving = peer(), peer()
    for connection in (sending, receiving):
        widen_dtls(connection, rsa_too=connection is receiving)
    sending.addTransceiver(Camera(), direction="sendonly")
    try:
        await sending.setLocalDescription(await sending.createOffer())
        await receiving.setRemoteDescription(RTCSessionDescription(sending.localDescription.sdp, "offer"))
        await receiving.setLocalDescription(await receiving.createAnswer())
        offered, answered = (each.localDescription.sdp.count("a=fingerprint:") for each in (sending, receiving))
        assert (offered, answered) == (3, 6)
        await sending.setRemoteDescription(RTCSessionDescription(receiving.localDescription.sdp, "answer"))
        await until(lambda: receiving.connectionState == "connected" == sending.connectionState)
        for connection in (sending, receiving):
            transport = (connection.getSenders() + connection.getReceivers())[0].transport
            assert {getattr(transport, name).__module__ for name in HANDSHAKE} == {
                "mien.media.webrtc.aiortc_internals.dtls"
            }
            assert {suite for suite in transport._ssl.get_cipher_list() if "-RSA-" in suite}
            assert transport._ssl.get_protocol_version() == 0xFEFD
    finally:
        await sending.close()
        await receiving.close()


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
