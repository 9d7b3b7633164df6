"""What goes wrong on air: each fault with a way to begin and a way to end, and everything that viewers got meanwhile.

Faults of the publisher are made in the publisher: its camera, its packets just before they are protected, its
sockets. Faults of the server are made by a `Switch`, which traps in its pipelines and encoders obey; it is a file,
so that it reaches a worker process as well: `python -m support.faults FD` is a worker with such traps.
"""

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest import mock

import av
import httpx
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtcpPacket, RtcpSrPacket, RtpPacket, is_rtcp
from pylibsrtp import Error as SrtpError

from mien.app.ports import Pipeline, PipelineFactory, StreamSpec, WorksAhead
from mien.media.codecs.encoded import EncodedFrame
from mien.media.codecs.encoder import Encoder
from mien.media.codecs.planes import TreatedPlanes
from mien.runners.worker import run_worker
from mien.vision.render.slate import slate
from mien.vision.types import Image, TreatedFrame
from support.live import VIDEO_TIME_BASE, Session, Watcher, publish, stripes
from support.pipelines import Paint, SmallFactory

BLUES: Final = ((30, 60, 200), (30, 90, 150))
"""What the small pipelines show instead of the camera's stripes."""
Scene: TypeAlias = Callable[[tuple[int, int], int], Image]
"""Draws the camera's picture of a size and number."""
QUICK: Final = {"slate_after_s": 0.6, "hang_after_s": 0.8, "publisher_timeout_s": 2.5, "viewer_grace_s": 6.0}
_RUN: Final = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('support.faults', run_name='__main__')"
)


# Traps in the server --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Switch:
    """Says what is broken just now, to this process and to workers."""

    path: Path

    @property
    def command(self) -> list[str]:
        """Start of the command of a worker with traps; its file descriptor comes last. Workers inherit no settings."""
        return [sys.executable, "-c", _RUN, str(Path(__file__).parents[1]), str(self.path)]

    def set(self, broken: str = "") -> None:
        """Break something; nothing, by default."""
        self.path.write_text(broken)

    def __contains__(self, broken: str) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return self.path.read_text() == broken
        return False


@dataclass(frozen=True)
class TrappedPipeline:
    """Works like `inner` until the switch says otherwise."""

    inner: Pipeline
    switch: Switch
    slow_s: float = 0.25

    def __call__(self, image: Image, *, at: float) -> TreatedFrame | None:
        if "vision raises" in self.switch:
            raise RuntimeError("a network failed")
        if "vision returns the camera's picture" in self.switch:
            return image  # type: ignore[return-value]  # that is the fault
        if "vision hangs once" in self.switch:
            self.switch.set()
            time.sleep(3)
        while "vision hangs" in self.switch:
            time.sleep(0.05)
        if "vision is slow" in self.switch:
            time.sleep(self.slow_s)
        return self.inner(image, at=at)

    def work_ahead(self) -> None:
        if isinstance(self.inner, WorksAhead):
            self.inner.work_ahead()

    def flush(self) -> Iterator[TreatedFrame]:
        yield from self.inner.flush()


class Pulse:
    """Shows one of two blues in turn, whatever the camera saw: what still comes can be told from what was repeated."""

    def __call__(self, image: Image, *, at: float) -> TreatedFrame:
        return Paint(BLUES[int(at * 5) % 2])(image, at=at)

    def flush(self) -> Iterator[TreatedFrame]:
        yield from ()


@dataclass
class TrappedFactory(SmallFactory):
    """Makes trapped pipelines of what `factory` makes; `Pulse` by default."""

    switch: Switch = field(default_factory=lambda: Switch(Path(os.devnull)))
    factory: PipelineFactory | None = None
    slow_s: float = 0.25

    def build(self, spec: StreamSpec) -> Pipeline:
        inner = Pulse() if self.factory is None else self.factory.build(spec)
        return TrappedPipeline(inner, self.switch, self.slow_s)


@dataclass(frozen=True)
class TrappedModel:
    """An ONNX session that dies when the switch says so."""

    session: Any
    switch: Switch

    def run(self, *spec: Any) -> Any:
        if "the model's session dies" in self.switch:
            raise RuntimeError("Non-zero status code returned while running Conv node")
        return self.session.run(*spec)


@contextlib.contextmanager
def trapped_encoders(switch: Switch) -> Iterator[None]:
    """Let the codecs of this process fail when the switch says so."""
    encode = Encoder.encode

    def trapped(self: Encoder, planes: TreatedPlanes, *, at: float, keyframe: bool = False) -> EncodedFrame | None:
        if "the encoder raises" in switch:
            raise av.error.ExternalError(-1, "the codec broke")
        while "the encoder hangs" in switch:
            time.sleep(0.05)
        return encode(self, planes, at=at, keyframe=keyframe)

    with mock.patch.object(Encoder, "encode", trapped):
        yield


# The publisher --------------------------------------------------------------------------------------------------


class FickleCamera(MediaStreamTrack):
    """A camera that changes its scene, its size, its rate and its clock whenever a test wants it to.

    It encodes by itself, since no honest encoder would do what some tests want.
    """

    kind = "video"

    def __init__(self, scene: Scene = stripes, *, size_wh: tuple[int, int] = (320, 240), fps: float = 20.0) -> None:
        super().__init__()
        self.scene = scene
        self.size_wh = size_wh
        self.fps = fps
        self.clock_ahead_s = 0.0
        self._number = 0
        self._next_at = time.monotonic()
        self._began = self._next_at
        self._context: Any = None

    def want_keyframe(self) -> None:
        """Let the next picture be one that can be decoded by itself."""
        self._context = None

    async def recv(self) -> "av.Packet[Any]":
        while True:
            if self.readyState != "live":
                raise MediaStreamError
            await asyncio.sleep(max(self._next_at - time.monotonic(), 0))
            self._next_at = max(self._next_at + 1 / self.fps, time.monotonic() - 0.1)
            for packet in await asyncio.to_thread(self._encode):
                seconds = time.monotonic() - self._began + self.clock_ahead_s
                packet.pts, packet.time_base = round(seconds * 90_000), VIDEO_TIME_BASE
                return packet

    def _encode(self) -> "list[av.Packet[Any]]":
        frame = av.VideoFrame.from_ndarray(self.scene(self.size_wh, self._number), format="rgb24")
        frame = frame.reformat(format="yuv420p")
        context = self._context
        if context is None or (context.width, context.height) != self.size_wh:
            context = av.CodecContext.create("libvpx", "w")
            context.width, context.height = self.size_wh
            context.pix_fmt, context.time_base, context.bit_rate = "yuv420p", VIDEO_TIME_BASE, 1_500_000
            context.gop_size, context.thread_count = 3000, 1
            context.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0"}
            self._context = context
        frame.pts, frame.time_base = self._number * 3000, VIDEO_TIME_BASE
        self._number += 1
        packets: list[av.Packet[Any]] = context.encode(frame)
        return packets


class Wire:
    """A publisher's packets just before they are protected; `change` makes others of each, or none.

    Args:
        session: The publisher's.
    """

    def __init__(self, session: Session) -> None:
        self.change: Callable[[bytes], list[bytes]] | None = None
        transport = session.connection.getSenders()[0].transport
        send = transport._send_rtp

        async def changed(data: bytes) -> None:
            for packet in [data] if self.change is None else self.change(data):
                with contextlib.suppress(SrtpError):  # nothing that can be protected
                    await send(packet)

        transport._send_rtp = changed  # type: ignore[method-assign]  # aiortc has no public way to the packets


@dataclass
class OnAir:
    """A broadcast that is live, and all that a fault can lay hands on.

    Attributes:
        client: A client of the server.
        made: What the server said of the broadcast.
        camera: The publisher's.
        switch: Breaks the server.
        worker_pid: The process that carries the broadcast, where there is one.
        publishers: Its sessions, the present one last.
        wire: Its packets.
        watchers: Everybody who ever watched, with every picture they got.
    """

    client: httpx.AsyncClient
    made: dict[str, Any]
    camera: FickleCamera
    switch: Switch
    worker_pid: int = 0
    publishers: list[Session] = field(default_factory=list)
    wire: Wire = field(init=False)
    watchers: list[Watcher] = field(default_factory=list)

    async def publish(self, *, timeout_s: float = 30.0) -> None:
        """Go live, or go live again: asks until it is let, as the broadcaster's page does."""
        self.camera = FickleCamera(self.camera.scene, size_wh=self.camera.size_wh, fps=self.camera.fps)
        self.publishers.append(
            await _insist(
                lambda: publish(self.client, self.made["whip_url"], self.camera, token=self.made["token"]), timeout_s
            )
        )
        self.wire = Wire(self.publisher)
        self.publisher.connection.getSenders()[0]._send_keyframe = self.camera.want_keyframe  # type: ignore[method-assign]  # aiortc asks its own encoder only

    @property
    def publisher(self) -> Session:
        """The publisher's present session."""
        return self.publishers[-1]

    async def watch(self, *, timeout_s: float = 30.0) -> Watcher:
        """Let one more viewer in: asks until it is let, as the viewers' page does."""
        watcher = Watcher()
        await _insist(lambda: watcher.watch(self.client, self.made["whep_url"], audio=False), timeout_s)
        self.watchers.append(watcher)
        return watcher

    async def told(self) -> dict[str, Any]:
        """Return what the server says of the broadcast."""
        answer: dict[str, Any] = (await self.client.get(f"/api/broadcasts/{self.made['id']}")).json()
        return answer

    async def is_told(self, state: str, *, timeout_s: float = 40.0) -> None:
        """Wait until the server says that the broadcast is in `state`."""
        said: list[str] = []
        try:
            async with asyncio.timeout(timeout_s):
                while not said or said[-1] != state:
                    said.append((await self.told())["state"])
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(
                f"the state never became {state}: it was {sorted(set(said))}, then {said[-1]}"
            ) from None

    def received(self) -> Iterator[Image]:
        """Yield every picture that any viewer ever got."""
        for watcher in self.watchers:
            for _, frame in watcher.frames:
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


async def _insist(ask: Callable[[], Awaitable[Any]], timeout_s: float) -> Any:
    async with asyncio.timeout(timeout_s):
        while True:
            try:
                return await ask()
            except AssertionError:  # "somebody is live", "it is being started again": both pass
                await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def on_air(
    client: httpx.AsyncClient, camera: FickleCamera, switch: Switch, **spec: object
) -> AsyncIterator[OnAir]:
    """Make a broadcast and publish into it; in the end let everybody go."""
    switch.set()
    response = await client.post("/api/broadcasts", json=spec)
    assert response.status_code == 201, response.text
    live = OnAir(client, response.json(), camera, switch)
    try:
        yield live
    finally:
        switch.set()
        for watcher in live.watchers:
            await watcher.close()
        for session in live.publishers:
            await session.connection.close()


def is_slate(image: Image) -> bool:
    """Tell whether a picture is the slate."""
    height, width = image.shape[:2]
    return bool(np.abs(image.astype(np.int16) - slate((width, height), at=0.0).image).mean() < 6)


def moves(watcher: Watcher) -> bool:
    """Tell whether new pictures come to a viewer: neither the slate nor one picture again and again."""
    last = watcher.last.astype(np.int16)
    lately = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for _, frame in watcher.frames[-20:]]
    return not is_slate(watcher.last) and any(
        seen.shape == last.shape and not is_slate(seen) and np.abs(seen - last).mean() > 2 for seen in lately
    )


# Faults ---------------------------------------------------------------------------------------------------------


async def _nothing(_live: OnAir) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class PhotoIssue:
    """Something that goes wrong.

    Attributes:
        name: What.
        begin: Makes it go wrong.
        end: Puts it right.
        lasts_s: For how long it is left so.
        meanwhile: The state that the server must own up to while it lasts; None where it has no need to.
        slate: Whether viewers must see the slate while it lasts.
        afterwards: The state that must come by itself.
    """

    name: str
    begin: Callable[[OnAir], Awaitable[None]]
    end: Callable[[OnAir], Awaitable[None]] = _nothing
    lasts_s: float = 0.8
    meanwhile: str | None = None
    slate: bool = False
    afterwards: str = "live"

    def __str__(self) -> str:
        return self.name


async def suffer(fault: PhotoIssue, live: OnAir) -> None:
    """Go through `fault` with a viewer from before, one who joins in its middle and one who joins after it."""
    before = await live.watch()
    await live.publish()
    await before.until(moves)
    await fault.begin(live)
    in_the_middle = asyncio.create_task(live.watch(timeout_s=30))
    try:
        if fault.meanwhile is not None:
            await live.is_told(fault.meanwhile)
        if fault.slate:
            await before.until(lambda seen: is_slate(seen.last))
        await asyncio.sleep(fault.lasts_s)
        await fault.end(live)
        await live.is_told(fault.afterwards)
    finally:
        joined = await in_the_middle
    after = await live.watch()
    if fault.afterwards == "live":
        await after.until(moves)
        assert joined.frames


def broken(
    name: str,
    trap: str | None = None,
    *,
    meanwhile: str = "paused",
    slate: bool = False,
    afterwards: str = "live",
    lasts_s: float = 0.8,
) -> PhotoIssue:
    """Return the fault that a trap in the server makes, of the same name unless `trap` says otherwise."""

    async def begin(live: OnAir) -> None:
        live.switch.set(trap or name)

    async def end(live: OnAir) -> None:
        if afterwards == "live":
            live.switch.set()

    return PhotoIssue(name, begin, end, lasts_s, meanwhile, slate, afterwards)


# Of the publisher


def _camera(name: str, *steps: Callable[[FickleCamera], object], meanwhile: str | None = None) -> PhotoIssue:
    """Return a fault in which the camera does one thing after the other, and then what it did before."""
    usual: list[tuple[Scene, tuple[int, int]]] = []

    async def begin(live: OnAir) -> None:
        usual.append((live.camera.scene, live.camera.size_wh))
        for step in steps:
            step(live.camera)
            await asyncio.sleep(0.5)

    async def end(live: OnAir) -> None:
        live.camera.scene, live.camera.size_wh = usual.pop()

    return PhotoIssue(name, begin, end, meanwhile=meanwhile, slate=meanwhile is not None)


def shows(name: str, *scenes: Scene) -> PhotoIssue:
    """Return the fault of a camera that sees one scene after the other, half a second each."""
    return _camera(name, *map(_sees, scenes))


def _turns_to(*size_wh: int) -> Callable[[FickleCamera], object]:
    return lambda camera: setattr(camera, "size_wh", size_wh)


def _sees(scene: Scene) -> Callable[[FickleCamera], object]:
    return lambda camera: setattr(camera, "scene", scene)


def _jumps(seconds: float) -> Callable[[FickleCamera], object]:
    return lambda camera: setattr(camera, "clock_ahead_s", camera.clock_ahead_s + seconds)


def _on_the_wire(
    name: str, make: Callable[[], Callable[[bytes], list[bytes]]], *, reconnects: bool = False
) -> PhotoIssue:
    """Return a fault of a publisher that changes its own packets, and may have to connect anew after that."""

    async def begin(live: OnAir) -> None:
        live.wire.change = make()

    async def end(live: OnAir) -> None:
        live.wire.change = None
        if reconnects:
            await live.publisher.connection.close()
            await live.publish()

    return PhotoIssue(name, begin, end, lasts_s=1.5)


def _mutated_payloads() -> Callable[[bytes], list[bytes]]:
    """Flip bytes in every third packet's payload."""
    dice = random.Random(5)  # noqa: S311  # dice, no secret

    def change(data: bytes) -> list[bytes]:
        if is_rtcp(data) or dice.random() < 0.66:
            return [data]
        packet = RtpPacket.parse(data)
        payload = bytearray(packet.payload)
        for _ in range(min(len(payload), dice.choice([1, 3, 40]))):
            payload[dice.randrange(min(len(payload), dice.choice([2, 12, 2000])))] = dice.randrange(256)
        packet.payload = bytes(payload)[: dice.choice([0, 1, 2, 5, 5000])]
        return [packet.serialize()]

    return change


def _mutated_packets() -> Callable[[bytes], list[bytes]]:
    """Flip bytes anywhere, headers too, in copies that go out beside the packets; so do reports of noise.

    A sequence number far ahead moves the window in which SRTP takes packets, so the true ones may come too late
    for the rest of the session.
    """
    dice = random.Random(6)  # noqa: S311  # dice, no secret

    def change(data: bytes) -> list[bytes]:
        mutated = bytearray(data[: dice.randrange(12, len(data) + 1)])
        for _ in range(dice.randrange(1, 6)):
            mutated[dice.randrange(len(mutated))] = dice.randrange(256)
        noise = bytes([0x80 | dice.randrange(32), dice.randrange(200, 207), 0, 6]) + dice.randbytes(24)
        return [data, bytes(mutated), noise]

    return change


def _lost_keyframes() -> Callable[[bytes], list[bytes]]:
    """Lose every packet of every key frame, however often it is sent again."""
    lost: set[int] = set()

    def change(data: bytes) -> list[bytes]:
        if is_rtcp(data):
            return [data]
        packet = RtpPacket.parse(data)
        descriptor = 4 if packet.payload[:1] == b"\x90" else 1
        begins = packet.payload[:1] in {b"\x90", b"\x10"}
        if begins and packet.payload[descriptor:] and not packet.payload[descriptor] & 1:
            lost.add(packet.timestamp)
        return [] if packet.timestamp in lost else [data]

    return change


def _lying_reports() -> Callable[[bytes], list[bytes]]:
    """Say in sender reports, ten with each packet, that it is any time at all."""
    dice = random.Random(7)  # noqa: S311  # dice, no secret

    def change(data: bytes) -> list[bytes]:
        if is_rtcp(data):
            return []
        packet = RtpPacket.parse(data)
        lies = []
        for _ in range(10):
            head = bytes([0x80, 200, 0, 6]) + packet.ssrc.to_bytes(4)
            (lie,) = RtcpPacket.parse(head + dice.randbytes(8) + dice.randbytes(4) + bytes(8))
            assert isinstance(lie, RtcpSrPacket)
            lies.append(bytes(lie))
        return [data, *lies]

    return change


async def _lose_keyframes(live: OnAir) -> None:
    live.wire.change = _lost_keyframes()
    live.camera.want_keyframe()


async def _lose_nothing(live: OnAir) -> None:
    live.wire.change = None


async def _throw_garbage(live: OnAir) -> None:
    """Send datagrams of every kind to the ports of the publisher's session, from elsewhere, without any key."""
    dice = random.Random(8)  # noqa: S311  # dice, no secret
    candidates = [line.split() for line in live.publisher.response.text.splitlines() if line[:12] == "a=candidate:"]
    heads = [
        b"",
        b"\0",
        bytes(19),
        b"\x16\xfe\xfd",
        b"\x80\x60",
        b"\x80\xc8\0\6",
        b"\0\1\0\x08\x21\x12\xa4\x42",
        b"\xff",
    ]
    for candidate in candidates:
        address = (candidate[4], int(candidate[5]))
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as thrower, contextlib.suppress(OSError):
            for _ in range(400):
                thrower.sendto(dice.choice(heads) + dice.randbytes(dice.choice([0, 1, 11, 40, 1200])), address)
                if dice.random() < 0.02:
                    await asyncio.sleep(0.01)


async def _vanish(live: OnAir) -> None:
    """Let the publisher's machine lose power: no goodbye of any kind."""
    for sender in live.publisher.connection.getSenders():
        for protocol in sender.transport.transport._connection._protocols:
            protocol.transport.abort()


async def _flood(live: OnAir) -> None:
    live.camera.size_wh = (160, 120)
    live.camera.fps = 400


async def _ebb(live: OnAir) -> None:
    live.camera.fps = 20
    live.camera.size_wh = (320, 240)


async def _reconnect(live: OnAir) -> None:
    await live.publisher.close_peer()
    await live.publish()


async def _kill(live: OnAir) -> None:
    os.kill(live.worker_pid, signal.SIGKILL)


async def _freeze(live: OnAir) -> None:
    os.kill(live.worker_pid, signal.SIGSTOP)


async def _thaw(live: OnAir) -> None:
    os.kill(live.worker_pid, signal.SIGCONT)


NOTHING: Final = PhotoIssue("nothing goes wrong", _nothing)
VISION_RAISES: Final = broken("vision raises", slate=True)
VISION_RETURNS_A_CAMERA_PICTURE: Final = broken("vision returns the camera's picture", slate=True)
VISION_HANGS_ONCE: Final = broken("vision hangs once", slate=True)
VISION_HANGS: Final = broken("vision hangs for ever", "vision hangs", slate=True, afterwards="paused", lasts_s=4.0)
ENCODER_RAISES: Final = broken("the encoder raises")
ENCODER_HANGS: Final = broken("the encoder hangs")
ENCODER_NEVER_WORKS_AGAIN: Final = broken("the encoder raises for ever", "the encoder raises", afterwards="paused")
OVERLOAD: Final = broken("vision is slow", meanwhile="live", lasts_s=3.0)
MODEL_DIES: Final = broken("the model's session dies", slate=True)
CLOCK_JUMPS: Final = _camera(
    "the publisher's clock jumps", *(_jumps(seconds) for seconds in (2.5, -2.5, 40, -40, 7200, -7200))
)
REPORTS_LIE: Final = _on_the_wire("sender reports lie", _lying_reports)
SIZES: Final = _camera(
    "the camera's size changes",
    *(_turns_to(*size) for size in ((426, 240), (240, 426), (321, 181), (99, 33), (16, 16))),
)
SHAPES: Final = _camera(
    "the camera's shape changes", *(_turns_to(*size) for size in ((360, 640), (641, 361), (1280, 720), (320, 180)))
)
TINY: Final = _camera(
    "the camera's pictures are tiny", *(_turns_to(*size) for size in ((2, 2), (1, 1), (1, 64), (8, 4)))
)
HUGE: Final = _camera("the camera's pictures are too large", _turns_to(800, 600), meanwhile="paused")
FLOOD: Final = PhotoIssue("the camera floods", _flood, _ebb, lasts_s=1.5)
PAYLOADS_MUTATED: Final = _on_the_wire("payloads are mutated", _mutated_payloads)
PACKETS_MUTATED: Final = _on_the_wire("whole packets are mutated", _mutated_packets, reconnects=True)
KEYFRAMES_LOST: Final = PhotoIssue(
    "key frames are lost", _lose_keyframes, _lose_nothing, meanwhile="paused", slate=True
)
GARBAGE: Final = PhotoIssue("garbage comes to the ports", _throw_garbage)
VANISHED: Final = PhotoIssue("the broadcaster vanishes", _vanish, OnAir.publish, meanwhile="paused", slate=True)
RECONNECTED: Final = PhotoIssue("the broadcaster reconnects", _reconnect)
WORKER_KILLED: Final = PhotoIssue("the worker is killed", _kill, OnAir.publish, meanwhile="restarting")
WORKER_FROZEN: Final = PhotoIssue("the worker is frozen", _freeze, _thaw, meanwhile="paused")
WORKER_NEVER_THAWS: Final = PhotoIssue("the worker is frozen for good", _freeze, OnAir.publish, meanwhile="restarting")


if __name__ == "__main__":
    _switch = Switch(Path(sys.argv[1]))
    with trapped_encoders(_switch):
        run_worker(socket.socket(fileno=int(sys.argv[-1])), lambda: TrappedFactory(switch=_switch))
