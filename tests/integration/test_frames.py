"""Pictures over a WebSocket: treated, the newest first, bounded, and never the client's own picture back."""

import asyncio
import contextlib
import json
import struct
import threading
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import websockets
from fastapi import WebSocket
from websockets.asyncio.client import ClientConnection, connect

from mien.config import Settings
from mien.runners import ProcessRunner
from mien.server.routes.frames import frames
from mien.vision.types import Image
from support.busy import must_hide
from support.live import serving, sharpness, stripes
from support.pipelines import Faulty, Pixelate, SmallFactory
from support.policies import hiding, plain, swapping
from support.worker import COMMAND

SIZE_WH = (320, 240)


def packed(image: Image, *, form: str = "jpeg") -> bytes:
    _ok, data = cv2.imencode(f".{form}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return data.tobytes()


def unpacked(message: bytes) -> tuple[int, Image]:
    (number,) = struct.unpack_from("!Q", message)
    bgr = cv2.imdecode(np.frombuffer(message, np.uint8, offset=8), cv2.IMREAD_COLOR)
    return number, np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


async def send(socket: ClientConnection, number: int, picture: bytes) -> None:
    await socket.send(struct.pack("!Q", number) + picture)


async def next_of(socket: ClientConnection, kind: str) -> dict:
    async with asyncio.timeout(30):
        while True:
            message = await socket.recv()
            if isinstance(message, str) and json.loads(message)["kind"] == kind:
                return json.loads(message)


async def next_frame(socket: ClientConnection) -> tuple[int, Image]:
    async with asyncio.timeout(30):
        while True:
            message = await socket.recv()
            if isinstance(message, bytes):
                return unpacked(message)


@contextlib.asynccontextmanager
async def exchanging(client, **spec: object) -> AsyncIterator[ClientConnection]:
    async with connect(url_of(client)) as socket:
        await socket.send(json.dumps(spec))
        await next_of(socket, "ready")
        yield socket


def url_of(client) -> str:
    return f"{str(client.base_url).replace('http', 'ws', 1)}/ws/frames"


@pytest.mark.parametrize("form", ["jpeg", "webp"])
async def test_a_picture_comes_back_treated_with_its_number(form):
    async with serving(SmallFactory()) as client, exchanging(client, policy=plain(hiding()), format=form) as socket:
        await send(socket, 7, packed(stripes(SIZE_WH, 0), form=form))
        number, image = await next_frame(socket)
        assert (number, image.shape) == (7, (240, 320, 3))
        must_hide(hidden=sharpness(image) < 8)
        numbers = await next_of(socket, "stats")
        assert numbers["delay_ms"] > 0


async def test_the_policy_changes_between_two_pictures_and_a_bad_one_changes_nothing():
    async with serving(SmallFactory()) as client, exchanging(client) as socket:
        await socket.send(json.dumps({"policy": plain(swapping())}))
        await next_of(socket, "ready")
        await send(socket, 1, packed(stripes(SIZE_WH, 0)))
        _, image = await next_frame(socket)
        assert np.abs(image.reshape(-1, 3).mean(axis=0) - (30, 60, 200)).max() < 12


async def test_pictures_take_style_and_shape_of_a_mosaic_from_the_client_and_else_from_the_settings():
    factory = SmallFactory()
    chosen = {"style": "solid", "shape": "head"}
    async with serving(factory, mosaic=chosen) as client, exchanging(client, policy=plain(hiding("blur"))) as socket:
        assert factory.built[-1].policy == hiding("blur", "head")
        await socket.send(json.dumps({"policy": plain(hiding()) | {"version": 2}}))
        assert (await next_of(socket, "error"))["code"] == "policy.version"


async def test_what_comes_faster_than_it_can_be_treated_is_dropped_and_the_newest_is_treated():
    held = Held(Pixelate())
    settings = {"frames": {"max_fps": 200}, "live": {"hang_after_s": 60}}
    async with serving(SmallFactory(pipelines=[held]), **settings) as client, exchanging(client) as socket:
        picture = packed(stripes(SIZE_WH, 0))
        for number in range(40):
            await send(socket, number, picture)
        while (await next_of(socket, "stats"))["dropped"] < 38:
            pass
        held.go_on.set()
        seen = [(await next_frame(socket))[0] for _ in range(2)]
        assert seen == [0, 39]


class Held:
    """A pipeline that treats nothing before it may go on."""

    def __init__(self, inner) -> None:
        self._inner, self.go_on = inner, threading.Event()

    def __call__(self, image: Image, *, at: float):
        assert self.go_on.wait(60)
        return self._inner(image, at=at)

    def flush(self):
        yield from ()


async def test_a_client_that_sends_too_fast_gets_its_rate_and_no_more():
    async with serving(SmallFactory(), frames={"max_fps": 10}) as client, exchanging(client) as socket:
        picture = packed(stripes((64, 48), 0))
        began = time.monotonic()
        for number in range(100):
            await send(socket, number, picture)
            await asyncio.sleep(0.01)
        took = time.monotonic() - began
        count = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                while True:
                    count += isinstance(await socket.recv(), bytes)
        assert 5 < count <= 10 * took + 4


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        pytest.param(b"no picture at all", "media.unreadable", id="not a picture"),
        pytest.param(packed(stripes(SIZE_WH, 0))[:2000], "media.truncated", id="truncated"),
        pytest.param(packed(stripes((3000, 2000), 0)), "media.too_large", id="too many pixels"),
        pytest.param(packed(stripes(SIZE_WH, 0), form="png"), "media.unreadable", id="a format that is not taken"),
    ],
)
async def test_a_picture_that_cannot_be_read_is_told_and_the_next_one_is_treated(picture, code):
    async with serving(SmallFactory()) as client, exchanging(client) as socket:
        await send(socket, 1, picture)
        told = await next_of(socket, "error")
        assert (told["number"], told["code"]) == (1, code)
        await send(socket, 2, packed(stripes(SIZE_WH, 0)))
        assert (await next_frame(socket))[0] == 2


def raises() -> object:
    raise RuntimeError("a network failed")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(raises, id="raises"),
        pytest.param(lambda: stripes(SIZE_WH, 0), id="returns a plain picture"),
    ],
)
async def test_when_vision_breaks_no_picture_comes_back(fault):
    broken = Faulty(Pixelate(), fault)
    broken.broken.set()
    async with serving(SmallFactory(pipelines=[broken])) as client, exchanging(client) as socket:
        await send(socket, 1, packed(stripes(SIZE_WH, 0)))
        async with asyncio.timeout(30):
            message = await socket.recv()
        assert isinstance(message, str)
        assert json.loads(message)["code"] == "live"


def hello(treatment: dict[str, str]) -> str:
    rules = [{"subject": {"kind": "everyone"}, "treatment": treatment}]
    return json.dumps({"policy": {"version": 1, "rules": rules}})


async def test_a_pipeline_that_hangs_ends_the_exchange():
    broken = Faulty(Pixelate(), lambda: threading.Event().wait(2))
    broken.broken.set()
    async with (
        serving(SmallFactory(pipelines=[broken]), live={"hang_after_s": 0.5}) as client,
        exchanging(client) as socket,
    ):
        await send(socket, 1, packed(stripes(SIZE_WH, 0)))
        assert (await next_of(socket, "error"))["code"] == "live.lost"
        with pytest.raises(websockets.ConnectionClosedError):
            await socket.recv()
        assert socket.close_code == 1011


@pytest.mark.parametrize(
    ("first", "code"),
    [
        pytest.param('{"treatment": "mosaic"}', "input.invalid", id="a field that there is not"),
        pytest.param(hello({"kind": "hide"}), "policy.format", id="an unknown treatment"),
        pytest.param(hello({"kind": "show"}), "policy.show", id="everyone shown"),
        pytest.param(hello({"kind": "swap"}), "policy.format", id="a swap without a persona"),
        pytest.param(hello({"kind": "swap", "persona": "mask:nobody"}), "persona.unknown", id="an unknown persona"),
        pytest.param(
            hello({"kind": "swap", "persona": "reference:nobody"}), "persona.unknown", id="an unknown reference"
        ),
        pytest.param("[", "input.invalid", id="no JSON"),
        pytest.param(b"\x00" * 20, "input", id="a picture before anything was said"),
    ],
)
async def test_what_cannot_be_done_is_told_with_its_code(first, code):
    async with serving(SmallFactory()) as client, connect(url_of(client)) as socket:
        await socket.send(first)
        assert (await next_of(socket, "error"))["code"] == code
        with pytest.raises(websockets.ConnectionClosedError):
            await socket.recv()
        assert socket.close_reason == code


async def test_a_client_that_is_gone_before_it_can_be_refused_is_no_error_of_the_server():
    messages = iter(({"type": "websocket.connect"}, {"type": "websocket.receive", "text": "{{"}))
    sent = []

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message["type"])
        if message["type"] != "websocket.accept":
            raise OSError  # so an ASGI server says that nobody is there any more

    services = SimpleNamespace(settings=Settings(), personas=None)
    await frames(WebSocket({"type": "websocket", "headers": [], "path": "/ws/frames"}, receive, send), services)
    assert sent == ["websocket.accept", "websocket.send"]


async def test_sessions_are_counted_and_a_place_is_free_again_when_a_client_leaves():
    async with serving(SmallFactory(), frames={"max_sessions": 1}) as client:
        async with exchanging(client), connect(url_of(client)) as second:
            await second.send("{}")
            assert (await next_of(second, "error"))["code"] == "live.too_many"
        async with exchanging(client):
            pass


async def test_the_operators_token_and_the_own_site_are_asked_for():
    async with serving(SmallFactory(), whip_token="t" * 16) as client:
        async with connect(url_of(client)) as socket:
            await socket.send("{}")
            assert (await next_of(socket, "error"))["code"] == "live.token"
        async with exchanging(client, token="t" * 16) as socket:
            await send(socket, 1, packed(stripes(SIZE_WH, 0)))
            assert (await next_frame(socket))[0] == 1
        with pytest.raises(websockets.InvalidStatus):
            await connect(url_of(client), origin="https://elsewhere.example")


async def test_the_treatment_can_run_in_a_process_of_its_own():
    def open_runner(limits, ice_servers):
        return ProcessRunner(COMMAND, limits=limits, ice_servers=ice_servers, spares=0)

    async with serving(SmallFactory(), open_runner=open_runner) as client, exchanging(client) as socket:
        for number in range(5):
            await send(socket, number, packed(stripes(SIZE_WH, number)))
            got, image = await next_frame(socket)
            assert got == number
            must_hide(hidden=sharpness(image) < 8)
        await send(socket, 9, b"nonsense")
        assert (await next_of(socket, "error"))["code"] == "media.unreadable"
