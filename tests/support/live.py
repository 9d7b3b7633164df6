"""A real server on a free port of this machine, and real peers that publish and watch."""

import asyncio
import contextlib
import fractions
import math
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import httpx
import numpy as np
import uvicorn
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from fastapi import FastAPI

from mien.app.ports import PipelineFactory
from mien.app.repositories import Declaration
from mien.config import Settings
from mien.runners.local import LocalRunner
from mien.server.app import connections, create_app
from mien.server.services import RunnerOpener
from mien.vision.types import Image
from support.pipelines import SmallFactory

VIDEO_TIME_BASE = fractions.Fraction(1, 90_000)
AUDIO_TIME_BASE = fractions.Fraction(1, 48_000)


@dataclass
class ListLedger:
    """Keeps declarations in a list."""

    declarations: list[Declaration] = field(default_factory=list)

    def record(self, declarations: Sequence[Declaration]) -> None:
        self.declarations.extend(declarations)


class PromptServer(uvicorn.Server):
    """Uvicorn, but it ends when it is told to. Its own loop looks ten times a second, and then waits a tenth more."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told_to_end = asyncio.Event()

    def end(self) -> None:
        """Let the server shut down."""
        self.should_exit = True
        self._told_to_end.set()

    async def main_loop(self) -> None:
        """Serve until it is told to end."""
        await self.on_tick(0)
        await self._told_to_end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Do what uvicorn does, with hardly a pause for connections that are about to close."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0.01)
        await self._wait_tasks_to_complete()
        await self.lifespan.shutdown()


def unopened_app(web_dir: Path | None = None) -> FastAPI:
    """Return the application of a server that is never opened: its routes and its document can be read."""
    return create_app(
        Settings(),
        load_models=SmallFactory,
        open_runner=lambda *_: contextlib.nullcontext(),  # type: ignore[arg-type]  # never opened
        consents=ListLedger(),
        web_dir=web_dir or Path("no-such-folder"),
    )


@contextlib.asynccontextmanager
async def serving(
    factory: PipelineFactory,
    *,
    ledger: ListLedger | None = None,
    web_dir: Path | None = None,
    open_runner: RunnerOpener | None = None,
    **settings: object,
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an app on a free loopback port; yield a client of it. By default its live sessions run in this process."""
    listener = socket.create_server(("127.0.0.1", 0))
    read = Settings.model_validate(settings)
    app = create_app(
        read,
        load_models=lambda: factory,
        open_runner=open_runner
        or (lambda limits, ice_servers: LocalRunner(lambda: factory, limits=limits, ice_servers=ice_servers)),
        consents=ledger or ListLedger(),
        web_dir=web_dir or Path("no-such-folder"),
    )
    server = PromptServer(uvicorn.Config(app, log_config=None, lifespan="on", proxy_headers=False, **connections(read)))
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(listener)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        serve = group.create_task(server.serve(sockets=[listener]))
        while not server.started and not serve.done():  # noqa: ASYNC110  # uvicorn has a flag, no event
            await asyncio.sleep(0.01)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=address, timeout=20) as client:
                yield client
        finally:
            server.end()


def stripes(size_wh: tuple[int, int], number: int) -> Image:
    """Draw the camera's picture of the tests: sharp black and white stripes that move."""
    width, height = size_wh
    columns = ((np.arange(width) + 4 * number) // 8 % 2 * 255).astype(np.uint8)
    return np.repeat(np.tile(columns, (height, 1))[:, :, None], 3, axis=2)


def sharpness(image: Image) -> float:
    """Mean step between neighbouring pixels in a row: about 32 in the stripes, below 4 in what hides them."""
    return float(np.abs(np.diff(image[:, :, 1].astype(np.int16), axis=1)).mean())


class Camera(MediaStreamTrack):
    """A video track of drawn pictures in real time."""

    kind = "video"

    def __init__(
        self,
        draw: Callable[[tuple[int, int], int], Image] = stripes,
        *,
        size_wh: tuple[int, int] = (320, 240),
        fps: float = 20.0,
        began: float | None = None,
    ) -> None:
        super().__init__()
        self.size_wh = size_wh
        self._draw = draw
        self._fps = fps
        self._began = began
        self._number = 0

    async def recv(self) -> av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        if self._began is None:
            self._began = time.monotonic()
        if not self._number:
            self._number = math.ceil((time.monotonic() - self._began) * self._fps)
        at = self._number / self._fps
        await asyncio.sleep(max(self._began + at - time.monotonic(), 0))
        planes = cv2.cvtColor(self._draw(self.size_wh, self._number), cv2.COLOR_RGB2YUV_I420)
        frame = av.VideoFrame.from_ndarray(np.asarray(planes, np.uint8), format="yuv420p")
        frame.pts, frame.time_base = round(at / VIDEO_TIME_BASE), VIDEO_TIME_BASE
        self._number += 1
        return frame


class Microphone(MediaStreamTrack):
    """An audio track of 20 ms pieces in real time.

    A piece leaves at the time of its first sample, earlier than a real microphone could give it, because
    aiortc's sender reports say that a timestamp is the time of sending.
    """

    kind = "audio"

    def __init__(self, audio: Callable[[float], np.ndarray], *, began: float) -> None:
        super().__init__()
        self._audio = audio
        self._began = began
        self._number = 0

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        if not self._number:
            self._number = math.ceil((time.monotonic() - self._began) / 0.02)
        at = self._number * 0.02
        await asyncio.sleep(max(self._began + at - time.monotonic(), 0))
        frame = av.AudioFrame.from_ndarray(self._audio(at).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._number * 960, AUDIO_TIME_BASE
        self._number += 1
        return frame


def peer() -> RTCPeerConnection:
    """Return a peer connection that asks no STUN server."""
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


async def an_offer(*kinds: str, direction: str = "sendonly") -> str:
    """Return the offer of a peer that then goes away."""
    connection = peer()
    for kind in kinds:
        connection.addTransceiver(kind, direction=direction)
    await connection.setLocalDescription(await connection.createOffer())
    sdp: str = connection.localDescription.sdp
    await connection.close()
    return sdp


@dataclass
class Session:
    """A WHIP or WHEP session from the client's side."""

    connection: RTCPeerConnection
    response: httpx.Response
    client: httpx.AsyncClient
    headers: dict[str, str]

    @property
    def url(self) -> str:
        return self.response.headers["location"]

    async def close_peer(self) -> httpx.Response:
        response = await self.client.delete(self.url, headers=self.headers)
        await self.connection.close()
        return response


async def offer_to(
    client: httpx.AsyncClient,
    url: str,
    connection: RTCPeerConnection,
    *,
    token: str | None = None,
    rewrite: Callable[[str], str] = str,
) -> Session:
    """Do the offer and answer of WHIP and WHEP; `rewrite` changes the offer on its way."""
    await connection.setLocalDescription(await connection.createOffer())
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    response = await client.post(
        url,
        content=rewrite(connection.localDescription.sdp),
        headers={"Content-Type": "application/sdp"} | headers,
    )
    if response.status_code != 201:
        await connection.close()
    assert response.status_code == 201, response.text
    await connection.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
    return Session(connection, response, client, headers)


async def publish(client: httpx.AsyncClient, url: str, *tracks: MediaStreamTrack, token: str | None = None) -> Session:
    """Publish `tracks` by WHIP."""
    connection = peer()
    for track in tracks:
        connection.addTransceiver(track, direction="sendonly")
    return await offer_to(client, url, connection, token=token)


class Watcher:
    """A viewer that keeps what it sees and hears."""

    def __init__(self) -> None:
        self.session: Session
        self.frames: list[tuple[float, av.VideoFrame]] = []
        self.sounds: list[tuple[float, av.AudioFrame]] = []
        self.changed = asyncio.Condition()
        self.ended = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def last(self) -> Image:
        """The newest picture as RGB."""
        return np.asarray(self.frames[-1][1].to_ndarray(format="rgb24"), np.uint8)

    async def until(self, true: Callable[["Watcher"], bool], *, timeout_s: float = 30.0) -> None:
        """Wait until `true` holds; it is asked after every picture."""
        async with asyncio.timeout(timeout_s), self.changed:
            await self.changed.wait_for(lambda: bool(self.frames) and true(self))

    async def watch(
        self, client: httpx.AsyncClient, url: str, *, audio: bool = True, rewrite: Callable[[str], str] = str
    ) -> None:
        connection = peer()
        connection.addTransceiver("video", direction="recvonly")
        if audio:
            connection.addTransceiver("audio", direction="recvonly")

        @connection.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            self._tasks.append(asyncio.create_task(self._keep(track)))

        self.session = await offer_to(client, url, connection, rewrite=rewrite)

    async def _keep(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                self.ended.set()
                return
            now = time.monotonic()
            if isinstance(frame, av.VideoFrame):
                async with self.changed:
                    self.frames.append((now, frame))
                    self.changed.notify_all()
            elif isinstance(frame, av.AudioFrame):
                self.sounds.append((now, frame))

    async def close(self) -> None:
        await self.session.connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def watching(
    client: httpx.AsyncClient, url: str, *, audio: bool = True, rewrite: Callable[[str], str] = str
) -> AsyncIterator[Watcher]:
    """Watch by WHEP while the block runs."""
    watcher = Watcher()
    await watcher.watch(client, url, audio=audio, rewrite=rewrite)
    try:
        yield watcher
    finally:
        await watcher.close()


def first_rtp_timestamp(receiver: RTCRtpReceiver) -> int:
    """Return the RTP timestamp of the frame to which aiortc's `receiver` gave presentation time zero."""
    origin: int | None = receiver._RTCRtpReceiver__timestamp_mapper._origin  # type: ignore[attr-defined]  # aiortc keeps it private
    return (origin or 0) % (1 << 32)
