"""What we rely on inside aiortc still is there and does what we think; a new version shows itself here."""

import asyncio

import av
from aiortc import RTCSessionDescription

from mien.media.privates import (
    first_rtp_timestamp,
    on_keyframe_request,
    report_capture_times,
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
