"""A broadcast seen from outside: events over WebSocket, numbers for Prometheus."""

import asyncio
import itertools
import json
import os
import re
import signal
import statistics
import time

import pytest
import websockets
from fastapi import WebSocket
from websockets.asyncio.client import connect

from mien.app.access import ANONYMOUS
from mien.errors import NoSuchBroadcastError
from mien.runners import ProcessRunner
from mien.server import listeners
from mien.server.routes import events
from mien.server.schemas import BroadcastOut
from support.live import Camera, publish, serving, watching
from support.pipelines import SmallFactory
from support.worker import COMMAND, worker_pids

QUICK = {"slate_after_s": 0.6, "publisher_timeout_s": 1.5, "viewer_grace_s": 1.0}


def events_url(client, broadcast_id: str) -> str:
    return f"{str(client.base_url).replace('http', 'ws', 1)}/api/broadcasts/{broadcast_id}/events"


def own(made) -> dict[str, str]:
    return {"Authorization": f"Bearer {made['token']}"}


async def hear(socket, true=lambda _broadcast: True) -> BroadcastOut:
    """Return the next event for which `true` holds."""
    async with asyncio.timeout(30):
        while True:
            broadcast = BroadcastOut.model_validate_json(await socket.recv(), strict=True, extra="forbid")
            if true(broadcast):
                return broadcast


async def test_a_listener_is_told_what_the_broadcast_becomes_until_the_end():
    async with serving(SmallFactory(), live=QUICK) as client:
        made = (await client.post("/api/broadcasts", json={"title": "Walk"})).json()
        url = f"/api/broadcasts/{made['id']}"
        async with connect(events_url(client, made["id"])) as socket:
            first = await hear(socket)
            assert (first.state, first.title, first.policy.treatments) == ("waiting", "Walk", ("mosaic",))
            session = await publish(client, made["whip_url"], Camera(), token=made["token"])
            await hear(socket, lambda now: now.state == "live")
            now = await hear(socket, lambda now: now.faces == {"mosaic": 1} and now.fps_out > 5)
            assert (now.size, now.viewers) == ((320, 240), 0)
            assert now.server_delay_ms > 0
            await client.patch(url, json={"title": "Run"}, headers=own(made))
            await hear(socket, lambda now: now.title == "Run")
            await session.close_peer()
            await hear(socket, lambda now: now.state == "waiting")
            await client.delete(url, headers=own(made))
            await hear(socket, lambda now: now.state == "ended")
            with pytest.raises(websockets.ConnectionClosedOK):
                await socket.recv()


async def test_an_event_tells_all_that_a_request_would():
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        async with connect(events_url(client, made["id"])) as socket:
            told = json.loads(await socket.recv())
        assert told == (await client.get(f"/api/broadcasts/{made['id']}")).json()


async def test_numbers_come_once_a_second():
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        async with connect(events_url(client, made["id"])) as socket:
            await hear(socket)
            heard_at = [time.monotonic()]
            for _ in range(4):
                await hear(socket)
                heard_at.append(time.monotonic())
            assert 0.7 < statistics.median(after - before for before, after in itertools.pairwise(heard_at)) < 10


async def test_a_change_does_not_wait_for_the_numbers(monkeypatch):
    monkeypatch.setattr(listeners, "_NUMBERS_EVERY_S", 3600.0)
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        async with connect(events_url(client, made["id"])) as socket:
            await hear(socket)
            await client.patch(f"/api/broadcasts/{made['id']}", json={"title": "Run"}, headers=own(made))
            assert (await hear(socket)).title == "Run"


async def test_a_listener_hears_that_what_carries_the_broadcast_broke_however_short_the_break():
    def open_runner(limits, ice_servers):
        return ProcessRunner(COMMAND, limits=limits, ice_servers=ice_servers, spares=1)

    async with serving(SmallFactory(), open_runner=open_runner) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        async with connect(events_url(client, made["id"])) as socket:
            before = await hear(socket)
            assert (before.state, before.restarts) == ("waiting", 0)
            for pid in worker_pids():  # the one that carries it is among them
                os.kill(pid, signal.SIGKILL)
            after = await hear(socket, lambda now: now.state != "restarting" and now.restarts > 0)
            assert after.state == "waiting"


async def test_events_of_an_unknown_broadcast_are_refused_with_a_code():
    async with serving(SmallFactory()) as client, connect(events_url(client, "nobody")) as socket:
        with pytest.raises(websockets.ConnectionClosedError):
            await socket.recv()
        assert (socket.close_code, socket.close_reason) == (4404, "live.no_such_broadcast")


@pytest.mark.parametrize("listeners", [0, events.MAX_LISTENERS])
async def test_a_listener_that_is_gone_before_it_can_be_refused_is_no_error_of_the_server(listeners):
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message["type"])
        if message["type"] != "websocket.accept":
            raise OSError  # so an ASGI server says that nobody is there any more

    class Known:
        def get(self, broadcast_id):
            if not listeners:
                raise NoSuchBroadcastError(broadcast_id)

    socket = WebSocket({"type": "websocket", "headers": [], "path": "/"}, receive, send)
    await events.events(socket, "AAAAAAAAAAAAAAAA", ANONYMOUS, Known(), set(range(listeners)))
    assert sent == ["websocket.accept", "websocket.close"]


async def test_a_listener_that_leaves_makes_room_and_one_that_talks_is_ignored(monkeypatch):
    monkeypatch.setattr(events, "MAX_LISTENERS", 1)
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        url = events_url(client, made["id"])
        async with connect(url) as socket:
            await socket.send(b"\x00" * 1000)
            await socket.send("hello")
            for _ in range(3):
                await hear(socket)
            async with connect(url) as other:
                with pytest.raises(websockets.ConnectionClosedError):
                    await other.recv()
                assert (other.close_code, other.close_reason) == (1013, "live.too_many")
        async with connect(url) as socket:
            await hear(socket)


async def test_the_numbers_are_there_for_prometheus_and_name_nobody():
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        async with watching(client, made["whep_url"]) as watcher:
            session = await publish(client, made["whip_url"], Camera(), token=made["token"])
            await watcher.until(lambda seen: len(seen.frames) > 20)
            text = (await client.get("/metrics")).text
            assert 'mien_broadcasts{state="live"} 1.0' in text
            assert "mien_viewers 1.0" in text
            assert 'mien_faces{treatment="mosaic"} 1.0' in text
            assert made["id"] not in text
            first = out_total(text)
            assert first > 5
            count = re.search(r"(?m)^mien_server_delay_seconds_count (\S+)", text)
            assert count is not None
            assert float(count[1]) == first
            await session.close_peer()
        await client.delete(f"/api/broadcasts/{made['id']}", headers=own(made))
        after = (await client.get("/metrics")).text
        assert out_total(after) >= first  # counters never go back, though the session is gone
        assert 'mien_broadcasts{state="live"} 0.0' in after


def out_total(text: str) -> float:
    found = re.search(r"(?m)^mien_frames_out_total (\S+)", text)
    assert found is not None
    return float(found[1])


async def test_the_numbers_are_the_operators_where_there_is_a_token():
    async with serving(SmallFactory(), whip_token="x" * 16) as client:
        assert (await client.get("/metrics")).status_code == 401
        mine = {"Authorization": "Bearer " + "x" * 16}
        assert (await client.get("/metrics", headers=mine)).status_code == 200
