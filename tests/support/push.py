"""A source of encoded pictures and sound, and a plain HTTP server, for tests of pushing a broadcast elsewhere."""

import asyncio
import contextlib
import fractions
import socket
import time
from collections.abc import AsyncIterator
from typing import Any, Final, Literal

import av
import cv2
import numpy as np
import uvicorn
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from mien.media.codecs.encoded import EncodedAudio, EncodedFrame, VideoCodec
from mien.media.webrtc.egress.fan_out import FanOut
from support.live import PromptServer, stripes
from support.opus import OpusEncoder

_FPS = 20
_ENCODERS: Final[dict[VideoCodec, Literal["libvpx", "libx264"]]] = {
    VideoCodec.VP8: "libvpx",
    VideoCodec.H264: "libx264",
}
_OPTIONS = {
    VideoCodec.VP8: {"deadline": "realtime", "cpu-used": "-16", "lag-in-frames": "0"},
    VideoCodec.H264: {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "forced-idr": "1"},
}


class Source:
    """Encodes stripes and silence in real time.

    Attributes:
        epoch: The monotonic time that its presentation times count from.
        layer: The layer of its frames.
        asked: The layers of which a keyframe was asked for.
    """

    def __init__(self, codec: VideoCodec) -> None:
        self.epoch = time.monotonic()
        self.layer = 0
        self.asked: list[int] = []
        self._keyframe = True
        self._context: VideoCodecContext = av.CodecContext.create(_ENCODERS[codec], "w")
        self._context.width, self._context.height = 320, 240
        self._context.pix_fmt = "yuv420p"
        self._context.bit_rate = 500_000
        self._context.gop_size = 3000
        self._context.time_base = fractions.Fraction(1, 90_000)
        self._context.framerate = fractions.Fraction(_FPS)
        self._context.options = _OPTIONS[codec]
        self._audio = OpusEncoder(epoch=self.epoch)

    def want_keyframe(self, layer: int) -> None:
        """Make the next picture complete in itself."""
        self.asked.append(layer)
        self._keyframe = True

    async def feed(self, fan_out: FanOut) -> None:
        """Give everything to `fan_out` until cancelled."""
        number = 0
        while True:
            number += 1
            at = self.epoch + number / _FPS
            await asyncio.sleep(max(at - time.monotonic(), 0))
            for picture in self._frames(number):
                fan_out.push_frame(picture)
            for audio in self._audio_packets(at):
                fan_out.push_audio(audio)

    def _frames(self, number: int) -> list[EncodedFrame]:
        planes = np.asarray(cv2.cvtColor(stripes((320, 240), number), cv2.COLOR_RGB2YUV_I420), np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = round(number / _FPS * 90_000), fractions.Fraction(1, 90_000)
        frame.pict_type = PictureType.I if self._keyframe else PictureType.NONE
        self._keyframe = False
        return [
            EncodedFrame(bytes(packet), packet.pts or 0, packet.is_keyframe, self.layer)
            for packet in self._context.encode(frame)
        ]

    def _audio_packets(self, at: float) -> list[EncodedAudio]:
        samples = np.zeros((1, 48_000 // _FPS), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 48_000
        return [EncodedAudio(bytes(packet), packet.pts or 0) for packet in self._audio.encode(frame, at=at)]


@contextlib.asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI app on a free loopback port; yield its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = PromptServer(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    with listener:
        async with asyncio.TaskGroup() as group:
            serve = group.create_task(server.serve(sockets=[listener]))
            while not server.started and not serve.done():  # noqa: ASYNC110  # uvicorn has a flag, no event
                await asyncio.sleep(0.01)
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.end()
