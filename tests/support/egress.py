"""Encoded pictures and sound made by code, and a viewer linked to a receiving peer in the same process."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtcpSrPacket, RtpPacket

from mien.media.codecs.encoded import EncodedAudio, EncodedFrame, VideoCodec
from mien.media.webrtc.egress.fan_out import FanOut, Viewer
from mien.media.webrtc.sdp.parse import read_offer
from support.live import peer, stripes

FPS = 30


def encoded_frames(
    codec: VideoCodec,
    *,
    size_wh: tuple[int, int] = (320, 240),
    count: int = 60,
    keyframe_every: int = 10,
    layer: int = 0,
    bit_rate: int = 1_000_000,
    draw: Callable[[tuple[int, int], int], Any] = stripes,
) -> list[EncodedFrame]:
    """Encode moving stripes as a broadcast would."""
    context = av.CodecContext.create("libvpx" if codec is VideoCodec.VP8 else "libx264", "w")
    context.width, context.height = size_wh
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, 90_000)
    context.framerate = Fraction(FPS)
    context.bit_rate = bit_rate
    context.gop_size = keyframe_every
    rate = str(bit_rate)
    context.options = (
        {"deadline": "realtime", "cpu-used": "-12", "lag-in-frames": "0", "minrate": rate, "maxrate": rate}
        if codec is VideoCodec.VP8
        else {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "maxrate": rate, "bufsize": rate}
    )
    pictures = []
    for number in range(count):
        planes = cv2.cvtColor(np.ascontiguousarray(draw(size_wh, number)), cv2.COLOR_RGB2YUV_I420)
        frame = av.VideoFrame.from_ndarray(np.asarray(planes, np.uint8), format="yuv420p")
        frame.pts, frame.time_base = number * 90_000 // FPS, context.time_base
        if number % keyframe_every == 0:
            frame.pict_type = av.video.frame.PictureType.I
        pictures += [
            EncodedFrame(bytes(packet), packet.pts or 0, is_keyframe=packet.is_keyframe, layer=layer)
            for packet in context.encode(frame)
        ]
    return pictures


def encoded_tone(*, hertz: float = 440.0, seconds: float = 2.0) -> list[EncodedAudio]:
    """Encode a tone in pieces of 20 ms."""
    context = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = 48_000, "mono", "s16"
    context.time_base = Fraction(1, 48_000)
    sounds = []
    for number in range(round(seconds * 50)):
        samples = np.arange(number * 960, (number + 1) * 960) / 48_000
        wave = (np.sin(2 * np.pi * hertz * samples) * 12_000).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, number * 960, context.time_base
        sounds += [EncodedAudio(bytes(packet), number * 960) for packet in context.encode(frame)]
    return sounds


@dataclass
class Link:
    """A viewer of `fan_out` and the receiving peer at its other end.

    Attributes:
        packets: RTP of pictures that arrived, in order of arrival, retransmissions unwrapped or not.
        reports: Sender reports, by kind.
        frames: What was decoded, by kind.
        lose: Tells by payload type and sequence number whether a packet gets lost on its way.
    """

    viewer: Viewer
    connection: RTCPeerConnection
    lose: Callable[[int, int], bool]
    packets: list[RtpPacket] = field(default_factory=list)
    reports: dict[str, list[RtcpSrPacket]] = field(default_factory=dict)
    frames: dict[str, list[Any]] = field(default_factory=lambda: {"video": [], "audio": []})
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def receiver(self, kind: str) -> RTCRtpReceiver:
        return next(one for one in self.connection.getReceivers() if one.track.kind == kind)

    async def until(self, true: Callable[[], object], *, timeout_s: float = 30.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not true():  # noqa: ASYNC110  # what is waited for has no event
                await asyncio.sleep(0.01)

    def listen(self) -> None:
        network = self.receiver("video").transport.transport._connection
        arrive = network.data_received

        def data_received(data: bytes, component: int) -> None:
            # RTP headers are in the clear; bytes 192 and above are RTCP's payload types (RFC 5761, 4).
            is_media = 128 <= data[0] < 192 and not 192 <= data[1] < 224
            if not (is_media and self.lose(data[1] & 127, int.from_bytes(data[2:4], "big"))):
                arrive(data, component)

        network.data_received = data_received  # type: ignore[method-assign]  # the network of the test
        for receiver in self.connection.getReceivers():
            self._watch(receiver)
            self.tasks.append(asyncio.create_task(self._decode(receiver.track)))

    def _watch(self, receiver: RTCRtpReceiver) -> None:
        kind = receiver.track.kind
        take_rtp, take_rtcp = receiver._handle_rtp_packet, receiver._handle_rtcp_packet

        async def rtp(packet: RtpPacket, arrival_time_ms: int) -> None:
            if kind == "video":
                self.packets.append(packet)
            await take_rtp(packet, arrival_time_ms)

        async def rtcp(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket):
                self.reports.setdefault(kind, []).append(packet)
            await take_rtcp(packet)

        receiver._handle_rtp_packet = rtp  # type: ignore[method-assign]  # notes what arrives
        receiver._handle_rtcp_packet = rtcp  # type: ignore[method-assign]  # as above

    async def _decode(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                self.frames[track.kind].append(await track.recv())


def without_rtx(sdp: str) -> str:
    """Return an offer that takes no retransmissions in a stream of their own."""
    return "\r\n".join(line for line in sdp.split("\r\n") if "rtx/90000" not in line and "apt=" not in line)


@contextlib.asynccontextmanager
async def linked(
    fan_out: FanOut,
    *,
    kinds: Sequence[str] = ("video", "audio"),
    lose: Callable[[int, int], bool] = lambda _payload_type, _number: False,
    want_keyframe: Callable[[int], None] = lambda _layer: None,
    rewrite: Callable[[str], str] = str,
    **options: Any,
) -> AsyncIterator[Link]:
    """Connect a viewer of `fan_out` with a receiving peer, over real ICE and DTLS."""
    connection = peer()
    for kind in kinds:
        connection.addTransceiver(kind, direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    offer = read_offer(rewrite(connection.localDescription.sdp), direction="recvonly")
    viewer = Viewer(offer, (), want_keyframe=want_keyframe, **({"epoch": time.monotonic()} | options))
    link = Link(viewer, connection, lose)
    fan_out.add(viewer)
    try:
        answer = await viewer.answer()
        await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        link.listen()
        async with asyncio.timeout(30):
            await viewer.connected.wait()
        await link.until(lambda: viewer.last_report_at is not None)
        yield link
    finally:
        fan_out.discard(viewer)
        await asyncio.gather(viewer.close(), connection.close())
        for task in link.tasks:
            task.cancel()
        await asyncio.gather(*link.tasks, return_exceptions=True)


async def play(
    fan_out: FanOut, pictures: Sequence[EncodedFrame] = (), sounds: Sequence[EncodedAudio] = (), *, speed: float = 1.0
) -> None:
    """Push pictures and sounds at the times they bear."""
    began = time.monotonic()
    timed = [(one.pts / 90_000, one) for one in pictures] + [(one.pts / 48_000, one) for one in sounds]
    for at, one in sorted(timed, key=lambda pair: pair[0]):
        await asyncio.sleep(max(began + at / speed - time.monotonic(), 0))
        if isinstance(one, EncodedFrame):
            fan_out.push_frame(one)
        else:
            fan_out.push_audio(one)
