"""What we rely on inside aiortc still is there and does what we think; a new version shows itself here."""

import asyncio

import av
from aiortc import RTCSessionDescription
from aiortc.rtp import RtcpPsfbPacket, pack_remb_fci

from mien.media.egress import SilentTrack
from mien.media.privates import (
    StreamReport,
    first_rtp_timestamp,
    round_trip_s,
    take_over,
    watch_clock,
)
from support.live import Camera, peer


class Notes:
    def __init__(self):
        self.arrivals, self.reports = [], []

    def arrived(self, kind, raw_timestamp, clock_rate):
        self.arrivals.append((kind, raw_timestamp, clock_rate))

    def reported(self, kind, ntp_seconds, raw_timestamp):
        self.reports.append((kind, ntp_seconds, raw_timestamp))


async def until(true):
    async with asyncio.timeout(10):
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

        async with asyncio.timeout(10):
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
    take_over(sender, feedback, begun=feedback.begin, ended=feedback.over.set)
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

        header = bytes.fromhex("9061000700000bb8") + terms.ssrc.to_bytes(4, "big") + terms.extension
        terms.line.send_one(header + b"\x90\x80\x80\x01hello")
        await until(lambda: notes.arrivals)
        assert notes.arrivals == [("video", 3000, 90_000)]
        assert terms.line.refused == 0

        await receiver._send_rtcp_pli(terms.ssrc)
        await receiver._send_rtcp_nack(terms.ssrc, [5, 6, 30])
        remb = RtcpPsfbPacket(15, 1, 0, fci=pack_remb_fci(512_000, [terms.ssrc]))
        await receiver.transport._send_rtp(bytes(remb))
        await until(lambda: {"wants_keyframe", "missed", "lost"} <= set(feedback.heard_of))
        await until(lambda: round_trip_s(sender) is not None)
        assert feedback.heard_of["wants_keyframe"] == [()]
        assert feedback.heard_of["missed"] == [([5, 6, 30],)]
        assert feedback.heard_of["estimated"] == [(512_000,)]
        assert feedback.heard_of["lost"][0] == (0.0,)
        assert notes.reports[0] == ("video", 0x83AA7E80_12345678 / (1 << 32), 4711)
        assert 0 <= round_trip_s(sender) < 1
        statistics = await sender.getStats()
        assert {one.packetsSent for one in statistics.values() if one.type == "outbound-rtp"} == {12}
        assert not feedback.over.is_set()
    finally:
        await sending.close()
        await receiving.close()
    assert feedback.over.is_set()
