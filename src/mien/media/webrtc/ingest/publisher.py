"""Ingest: a publisher's peer connection, from which frames and audio come with their capture time.

packets ─► Depacketizer ─► whole frames ─► DecoderThread ─► `sink`
       └─► AudioReorderer ─► Opus packets, undecoded ─────► `audio`
"""

import asyncio
import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import av
import structlog
from aiortc import RTCRtpTransceiver
from aiortc.rtp import RtpPacket

from mien.media.codecs.devices import CodecDevice
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.aiortc_internals import on_goodbye, take_packets, watch_clock
from mien.media.webrtc.feedback import RtcpFeedback
from mien.media.webrtc.ingest.audio import AudioReorderer, CapturedAudio
from mien.media.webrtc.ingest.capture_clock import CaptureClock
from mien.media.webrtc.ingest.decoder_thread import DecoderThread
from mien.media.webrtc.ingest.depacketizer import Depacketizer, ReceivedFrame
from mien.media.webrtc.ingest.simulcast import SimulcastSelector
from mien.media.webrtc.peer import CLOCK_RATES, IceServer, Peer
from mien.media.webrtc.sdp.parse import Offer, with_start_bitrate
from mien.tracing import span

log = structlog.get_logger()

_AUDIO_QUEUE: Final = 250
"""Five seconds; the reader only passes packets on, so it is never that late."""
_THREAD_TIMEOUT_S: Final = 2.0


class Ingest(Peer):
    """The receiving end of WHIP.

    Args:
        offer: What the publisher offers.
        ice_servers: To find each other.
        start_kbps: Bit rate at which a browser begins.
        max_kbps: Its highest bit rate.
        max_pixels: Larger frames are refused.
        devices: As in `DecoderThread`.
        sink: Called on the decoder's thread with each frame and its capture time, which rises; no more once `leave`
            has returned. It must be quick: the next frame waits for it.
    """

    def __init__(
        self,
        offer: Offer,
        ice_servers: Sequence[IceServer],
        *,
        start_kbps: int,
        max_kbps: int,
        max_pixels: int,
        devices: Sequence[CodecDevice] = (),
        sink: Callable[[av.VideoFrame, float], None],
    ) -> None:
        super().__init__(offer, ice_servers)
        self._loop = asyncio.get_running_loop()
        self._clock = CaptureClock(time.monotonic)
        self._transceivers: dict[str, RTCRtpTransceiver] = {}
        self._start_kbps = start_kbps
        self._max_kbps = max_kbps
        self._depacketizer: Depacketizer | SimulcastSelector = Depacketizer({})
        self._sink = sink
        self._gate = threading.Lock()
        self._has_left = False
        self._decoder = DecoderThread(
            sink=self._pass_on,
            ask_for_keyframe=self._start_over,
            max_pixels=max_pixels,
            parameter_sets=offer.parameter_sets,
            devices=devices,
        )
        self._last_at = -math.inf
        self._audio_order = AudioReorderer()
        self._audio_packets: deque[CapturedAudio] = deque(maxlen=_AUDIO_QUEUE)
        self._audio_came = asyncio.Event()

    @property
    def dropped(self) -> int:
        """Frames that came and were not handed on: broken or late."""
        return self._depacketizer.dropped + self._decoder.dropped + self._decoder.errors

    async def answer(self) -> str:
        """Return the SDP answer with the hint that makes a browser begin at full quality.

        Raises:
            SdpError: The offer has neither VP8 nor H.264, or audio that is not Opus.
        """
        answer = await super().answer()
        for kind, transceiver in self._transceivers.items():
            types = self.payload_types[kind]
            receiver = transceiver.receiver
            if kind == "video":
                codecs = {number: VideoCodec(name) for number, name in types.items()}
                is_simulcast = self.offer.is_simulcast
                self._depacketizer = (
                    SimulcastSelector(codecs, changed=self._change_layer) if is_simulcast else Depacketizer(codecs)
                )
                take_packets(receiver, self._take_video)
                on_goodbye(receiver, self.leave)
            else:
                take_packets(receiver, self._take_audio)
            watch_clock(receiver, kind, CLOCK_RATES[kind], types, self._clock, is_current=self._is_current)
        return with_start_bitrate(answer, start_kbps=self._start_kbps, max_kbps=self._max_kbps)

    async def audio(self) -> AsyncIterator[CapturedAudio]:
        """Yield Opus packets in order until the publisher stops; none without audio."""
        while not self.gone.is_set():
            await self._audio_came.wait()
            self._audio_came.clear()
            while self._audio_packets:
                yield self._audio_packets.popleft()

    def leave(self) -> None:
        """Let whoever serves this peer close it; nothing more is handed on or yielded."""
        with self._gate:
            self._has_left = True
        super().leave()
        self._audio_came.set()

    async def close(self) -> None:
        """Close the connection and end the decoder; safe to call twice."""
        await super().close()
        if not await asyncio.to_thread(self._decoder.close, timeout_s=_THREAD_TIMEOUT_S):
            log.error("decoder_thread_abandoned")

    def _prepare(self) -> None:
        for kind in self.offer.kinds:
            # Without preferences of ours its own order counts: a publisher knows best what it encodes at little
            # cost (RFC 9429, 5.3.1). `read_offer` left in what we decode and nothing else.
            self._transceivers[kind] = self.connection.addTransceiver(kind, direction="recvonly")

    # Video ----------------------------------------------------------------------------------------------------

    def _take_video(self, packet: RtpPacket) -> RtcpFeedback:
        now = time.monotonic()
        with span("depacketise"):
            frames = self._depacketizer.add(packet, now)
        for frame in frames:
            self._decoder.put(frame, self._rising(self._clock.captured("video", frame.timestamp)))
        return self._depacketizer.feedback(now)

    def _is_current(self, source: int) -> bool:
        """Whether a source's RTP clock is that of the frames which go on; simulcast layers have one each."""
        layers = self._depacketizer
        return not isinstance(layers, SimulcastSelector) or layers.source in {None, source}

    def _change_layer(self, frame: ReceivedFrame) -> None:
        self._clock.arrived("video", frame.timestamp, CLOCK_RATES["video"])

    def _rising(self, at: float) -> float:
        """Return `at`, or the next moment after the last one where the clock was set back."""
        self._last_at = max(at, self._last_at + 1e-3)
        return self._last_at

    def _pass_on(self, frame: av.VideoFrame, at: float) -> None:
        with self._gate:  # so that no frame passes once `leave` has returned
            if not self._has_left:
                self._sink(frame, at)

    def _start_over(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to ask
            self._loop.call_soon_threadsafe(self._depacketizer.start_over)

    # Audio ----------------------------------------------------------------------------------------------------

    def _take_audio(self, packet: RtpPacket) -> None:
        for turn, ticks in self._audio_order.add(packet):
            at = self._clock.captured("audio", turn.timestamp)
            self._audio_packets.append(CapturedAudio(turn.payload, ticks, at))
            self._audio_came.set()
