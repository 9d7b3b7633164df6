"""Ingest: a publisher's peer connection, from which decoded frames come with their capture time."""

import time
from collections.abc import AsyncIterator, Sequence

import av
from aiortc import RTCRtpTransceiver
from aiortc.mediastreams import MediaStreamError

from mien.media.clock import CaptureClock
from mien.media.peer import CLOCK_RATES, IceServer, Peer, codecs
from mien.media.privates import first_rtp_timestamp, watch_clock
from mien.media.sdp import Offer, payload_types, with_start_bitrate


class Ingest(Peer):
    """The receiving end of WHIP. Read `video` and `sound` at once and always: aiortc queues without limit."""

    def __init__(self, offer: Offer, ice_servers: Sequence[IceServer], *, start_kbps: int, max_kbps: int) -> None:
        super().__init__(offer, ice_servers)
        self._clock = CaptureClock(time.monotonic)
        self._transceivers: dict[str, RTCRtpTransceiver] = {}
        self._start_kbps = start_kbps
        self._max_kbps = max_kbps

    async def answer(self) -> str:
        """Return the SDP answer with the hint that makes a browser begin at full quality.

        Raises:
            SdpError: The offer has neither VP8 nor H.264, or sound that is not Opus.
        """
        answer = await super().answer()
        for kind, transceiver in self._transceivers.items():
            types = payload_types(answer, kind)
            watch_clock(transceiver.receiver, kind, CLOCK_RATES[kind], types, self._clock)
        return with_start_bitrate(answer, start_kbps=self._start_kbps, max_kbps=self._max_kbps)

    async def video(self) -> AsyncIterator[tuple[av.VideoFrame, float]]:
        """Yield video frames with their capture time until the publisher stops."""
        async for frame, at in self._frames("video"):
            if isinstance(frame, av.VideoFrame):
                yield frame, at

    async def sound(self) -> AsyncIterator[tuple[av.AudioFrame, float]]:
        """Yield audio frames with their capture time until the publisher stops; none without sound."""
        async for frame, at in self._frames("audio"):
            if isinstance(frame, av.AudioFrame):
                yield frame, at

    async def _frames(self, kind: str) -> AsyncIterator[tuple[object, float]]:
        transceiver = self._transceivers.get(kind)
        if transceiver is None:
            return
        receiver = transceiver.receiver
        while True:
            try:
                frame = await receiver.track.recv()
            except MediaStreamError:
                return
            if frame.pts is None:
                continue
            yield frame, self._clock.captured(kind, (first_rtp_timestamp(receiver) + frame.pts) % (1 << 32))

    def _prepare(self) -> None:
        for kind in self.offer.kinds:
            transceiver = self.connection.addTransceiver(kind, direction="recvonly")
            wanted = ("VP8", "H264") if kind == "video" else ("opus",)
            transceiver.setCodecPreferences(codecs(kind, *wanted))
            self._transceivers[kind] = transceiver
