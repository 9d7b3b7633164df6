"""The servers that `egress.py` compares: the fan-out, stock tracks of packets, and stock encoders for each viewer."""

import asyncio
import contextlib
import json
import pickle
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, TypeAlias

import av
import cv2
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

from benchmarks.media.egress.clip import BIT_RATE, FPS, GOP, SIZE_WH, Clip, texture
from mien.media.codecs.encoded import EncodedFrame, VideoCodec
from mien.media.webrtc.aiortc_internals import gather_within
from mien.media.webrtc.egress.fan_out import FanOut, Viewer
from mien.media.webrtc.ice.network import IceNetworkSettings
from mien.media.webrtc.peer import codecs
from mien.media.webrtc.sdp.parse import read_offer
from support.live import peer

TIME_BASE: Final = Fraction(1, 90_000)
Answer: TypeAlias = Callable[[str], Awaitable[str]]
"""Takes a viewer's offer, returns the answer."""


class PacketTrack(MediaStreamTrack):
    """A track of encoded packets, beginning at a keyframe: the best that stock aiortc offers."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._packets: asyncio.Queue[Any] = asyncio.Queue()
        self._begun = self._in_step = False

    def put(self, picture: EncodedFrame) -> None:
        self._in_step = self._in_step or (self._begun and picture.is_keyframe)
        if self._in_step and self._packets.qsize() < FPS:
            packet: Any = av.Packet(picture.data)
            packet.pts, packet.time_base, packet.is_keyframe = picture.pts, TIME_BASE, picture.is_keyframe
            self._packets.put_nowait(packet)

    async def recv(self) -> Any:
        self._begun = True
        return await self._packets.get()


class FrameTrack(MediaStreamTrack):
    """A track of raw frames in real time."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._planes = [
            np.asarray(cv2.cvtColor(texture(SIZE_WH, number), cv2.COLOR_RGB2YUV_I420), np.uint8)
            for number in range(GOP)
        ]
        self._number = 0
        self._began = 0.0

    async def recv(self) -> av.VideoFrame:
        self._began = self._began or time.monotonic()
        await asyncio.sleep(max(self._began + self._number / FPS - time.monotonic(), 0))
        frame = av.VideoFrame.from_ndarray(self._planes[self._number % GOP], format="yuv420p")
        frame.pts, frame.time_base = self._number * 90_000 // FPS, TIME_BASE
        self._number += 1
        return frame


@contextlib.asynccontextmanager
async def fan_out_server(clip: Clip) -> AsyncIterator[Answer]:
    fan_out, epoch = FanOut(VideoCodec.VP8), time.monotonic()

    async def answer(offer: str) -> str:
        viewer = Viewer(
            read_offer(offer, direction="recvonly"),
            (),
            want_keyframe=clip.want_keyframe,
            epoch=epoch,
            bit_rates=(BIT_RATE,),
        )
        fan_out.add(viewer)
        return await viewer.answer()

    playing = asyncio.create_task(clip.play(fan_out.push_frame))
    yield answer
    playing.cancel()


async def stock_answer(offer: str, track: MediaStreamTrack, connections: list[RTCPeerConnection]) -> str:
    connection = peer()
    connections.append(connection)
    transceiver = connection.addTransceiver(track, direction="sendonly")
    transceiver.setCodecPreferences(codecs("video", "VP8"))
    await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    return connection.localDescription.sdp


@contextlib.asynccontextmanager
async def tracks_server(clip: Clip) -> AsyncIterator[Answer]:
    tracks: list[PacketTrack] = []
    connections: list[RTCPeerConnection] = []

    async def answer(offer: str) -> str:
        track = PacketTrack()
        tracks.append(track)
        answer = await stock_answer(offer, track, connections)

        def follow() -> None:
            if connections[-1].connectionState == "connected":
                clip.want_keyframe()

        connections[-1].on("connectionstatechange", follow)
        return answer

    def put(picture: EncodedFrame) -> None:
        for track in tracks:
            track.put(picture)

    playing = asyncio.create_task(clip.play(put))
    yield answer
    playing.cancel()


@contextlib.asynccontextmanager
async def relay_server(_clip: Clip) -> AsyncIterator[Answer]:
    relay, frames, connections = MediaRelay(), FrameTrack(), list[RTCPeerConnection]()
    yield lambda offer: stock_answer(offer, relay.subscribe(frames, buffered=False), connections)


SERVERS = {"fan_out": fan_out_server, "tracks": tracks_server, "relay": relay_server}


def serve(path: str, pictures_file: str, pipe: Any) -> None:
    """Run a server: offers and questions for the CPU time come over a loopback connection."""
    asyncio.run(_serve(path, Clip(pickle.loads(Path(pictures_file).read_bytes())), pipe))  # noqa: S301  # our own file


async def _serve(path: str, clip: Clip, pipe: Any) -> None:
    gather_within(IceNetworkSettings())
    async with SERVERS[path](clip) as answer:

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                question = json.loads(line)
                reply = (
                    {"answer": await answer(question["offer"])}
                    if "offer" in question
                    else {"cpu_s": time.process_time()}
                )
                writer.write(json.dumps(reply | {"at": time.monotonic()}).encode() + b"\n")

        listener = await asyncio.start_server(talk, "127.0.0.1", 0, limit=1 << 20)
        pipe.send(listener.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
