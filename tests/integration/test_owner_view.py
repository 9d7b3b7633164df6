"""What a broadcast's owner is told of the faces in it, and that nobody else is told. No models."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import websockets
from websockets.asyncio.client import connect

from mien.server.routes import events as events_module
from mien.vision.types import Doubt, FaceTold
from support.live import Camera, publish, serving
from support.pipelines import Pixelate, SmallFactory
from support.policies import plain, showing

OPERATOR = "operators-own-token-of-some-length"
FACES = (
    FaceTold(3, (0.1, 0.2, 0.4, 0.6), "show", person="1"),
    FaceTold(5, (0.5, 0.2, 0.6, 0.3), "mosaic", person="2", doubt=Doubt.TURNED),
    FaceTold(6, (0.7, 0.2, 0.8, 0.3), "mosaic", doubt=Doubt.STRANGER),
)


class Telling(Pixelate):
    """Tells of faces that a test made up."""

    def __init__(self, faces=FACES):
        self.faces = faces

    def __call__(self, image, *, at):
        return replace(super().__call__(image, at=at), faces=self.faces)

    def flush(self) -> Iterator:
        yield from ()


def events_url(client, made) -> str:
    return f"{str(client.base_url).replace('http', 'ws', 1)}/api/broadcasts/{made['id']}/events"


def own(made):
    return {"Authorization": f"Bearer {made['token']}"}


@contextlib.asynccontextmanager
async def on_air(client, factory, *names, headers=None):
    ids = []
    for name in names:
        answer = await client.post(
            "/api/references",
            files={"photo": ("a.jpg", b"\xff\xd8")},
            data={"owner_agrees": "true", "declared_by": "Kim", "use": "show", "name": name},
            headers=headers,
        )
        ids.append(answer.json()["id"])
    factory.pipelines = [Telling()]
    made = (await client.post("/api/broadcasts", json={"policy": plain(showing(*ids))}, headers=headers)).json()
    session = await publish(client, made["whip_url"], Camera(), token=made["token"])
    try:
        yield made, ids, session
    finally:
        await session.connection.close()


async def until(get, true):
    async with asyncio.timeout(30):
        while not true(told := await get()):  # noqa: ASYNC110  # asked over HTTP
            await asyncio.sleep(0.05)
        return told


async def hear(socket, true):
    async with asyncio.timeout(30):
        while not true(told := json.loads(await socket.recv())):
            pass
        return told


async def test_the_owner_is_told_of_each_person_and_each_face_and_others_are_not():
    factory = SmallFactory()
    async with (
        serving(factory) as client,
        on_air(client, factory, "Ann", "Bob", "Cho") as (made, (ann, bob, cho), _),
    ):
        url = f"/api/broadcasts/{made['id']}"

        async def get():
            return (await client.get(url, headers=own(made))).json()["owner_view"]

        view = await until(get, lambda view: view["faces"])
        assert view["people"] == [
            {"id": ann, "name": "Ann", "state": "shown", "reason": None, "face": 3},
            {"id": bob, "name": "Bob", "state": "hidden", "reason": "turned", "face": 5},
            {"id": cho, "name": "Cho", "state": "not_seen", "reason": None, "face": None},
        ]
        assert view["faces"] == [
            {"id": 3, "box": [0.1, 0.2, 0.4, 0.6], "treatment": "show", "is_primary": False, "person": ann,
             "reason": None},
            {"id": 5, "box": [0.5, 0.2, 0.6, 0.3], "treatment": "mosaic", "is_primary": False, "person": bob,
             "reason": "turned"},
            {"id": 6, "box": [0.7, 0.2, 0.8, 0.3], "treatment": "mosaic", "is_primary": False, "person": None,
             "reason": "stranger"},
        ]  # fmt: skip
        assert view["primary"] is None
        for headers in ({}, {"Authorization": "Bearer nobodys"}):
            told = (await client.get(url, headers=headers)).text
            assert '"owner_view":null' in told
            assert not any(secret in told for secret in (ann, bob, cho, "Ann", "Bob", "Cho"))
        assert (await client.get("/api/broadcasts")).json()[0]["owner_view"] is None


async def test_a_listener_who_says_that_it_is_theirs_is_told_from_then_on_and_others_are_not():
    factory = SmallFactory()
    async with (
        serving(factory, whip_token=OPERATOR) as client,
        on_air(client, factory, "Ann", headers={"Authorization": f"Bearer {OPERATOR}"}) as (made, (ann,), _),
    ):
        async with connect(events_url(client, made)) as viewer, connect(events_url(client, made)) as owner:
            assert (await hear(owner, lambda _: True))["owner_view"] is None
            await owner.send("whatever")
            await owner.send(json.dumps({"kind": "owner", "token": made["token"]}))
            told = await hear(owner, lambda now: now["owner_view"] and now["owner_view"]["faces"])
            assert told["owner_view"]["people"][0] == {
                "id": ann, "name": "Ann", "state": "shown", "reason": None, "face": 3,
            }  # fmt: skip
            assert told["policy"]["rules"][0]["subject"]["id"] == ann
            heard = [json.loads(await viewer.recv()) for _ in range(3)]
            assert [now["owner_view"] for now in heard] == [None] * 3
            assert heard[-1]["policy"]["rules"][0]["subject"]["id"] == "person:1"
        async with connect(events_url(client, made)) as operator:
            await operator.send(json.dumps({"kind": "owner", "token": OPERATOR}))
            told = await hear(operator, lambda now: now["owner_view"])
            assert told["owner_view"]["people"][0]["id"] == "person:1"  # whose photos they are is not theirs to use


@pytest.mark.parametrize("token", ["nobodys", "", None])
async def test_a_listener_with_a_wrong_token_is_sent_away(token):
    factory = SmallFactory()
    async with (
        serving(factory, whip_token=OPERATOR) as client,
        on_air(client, factory, headers={"Authorization": f"Bearer {OPERATOR}"}) as (made, _, _),
        connect(events_url(client, made)) as socket,
    ):
        await socket.send(json.dumps({"kind": "owner", "token": token}))
        with pytest.raises(websockets.ConnectionClosedError):
            await hear(socket, lambda now: now["owner_view"])
        assert (socket.close_code, socket.close_reason) == (1008, "live.token")


async def test_on_a_server_without_a_token_the_operator_asks_to_be_told():
    factory = SmallFactory()
    async with (
        serving(factory) as client,
        on_air(client, factory) as (made, _, _),
        connect(events_url(client, made)) as socket,
    ):
        assert (await hear(socket, lambda now: now["faces"]))["owner_view"] is None
        await socket.send(json.dumps({"kind": "owner"}))
        told = await hear(socket, lambda now: now["owner_view"] and now["owner_view"]["faces"])
        assert [face["reason"] for face in told["owner_view"]["faces"]] == [None] * 3  # nobody is registered


@pytest.mark.parametrize("token", ["nobodys", ""])
async def test_on_a_server_without_a_token_a_wrong_one_is_wrong_all_the_same(token):
    factory = SmallFactory()
    async with (
        serving(factory) as client,
        on_air(client, factory, "Ann") as (made, _, _),
        connect(events_url(client, made)) as socket,
    ):
        await socket.send(json.dumps({"kind": "owner", "token": token}))
        with pytest.raises(websockets.ConnectionClosedError):
            await hear(socket, lambda now: now["owner_view"])
        assert (socket.close_code, socket.close_reason) == (1008, "live.token")


async def test_who_says_over_and_over_who_they_are_is_heard_once(monkeypatch):
    asked = []
    monkeypatch.setattr(events_module, "authorize", lambda *of: asked.append(of))
    factory = SmallFactory()
    async with (
        serving(factory) as client,
        on_air(client, factory) as (made, _, _),
        connect(events_url(client, made)) as socket,
    ):
        before = len(asked)
        for _ in range(200):
            await socket.send(json.dumps({"kind": "owner", "token": made["token"]}))
        await hear(socket, lambda now: now["owner_view"] and now["owner_view"]["faces"])
        assert len(asked) - before == 1


async def test_while_nobody_publishes_nobody_is_seen():
    factory = SmallFactory()
    async with (
        serving(factory, live={"slate_after_s": 0.3, "publisher_timeout_s": 1.0}) as client,
        on_air(client, factory, "Ann") as (made, _, session),
        connect(events_url(client, made)) as socket,
    ):
        await socket.send(json.dumps({"kind": "owner", "token": made["token"]}))
        await hear(socket, lambda now: now["owner_view"] and now["owner_view"]["people"][0]["state"] == "shown")
        await session.close_peer()
        told = await hear(socket, lambda now: now["state"] == "waiting")
        assert told["owner_view"]["faces"] == []
        assert told["owner_view"]["people"][0]["state"] == "not_seen"
