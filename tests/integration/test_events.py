"""A broadcast seen from outside: events over WebSocket, numbers for Prometheus."""

import asyncio
import json
import re

import pytest
import websockets
from websockets.asyncio.client import connect

from support.live import Camera, publish, serving, watching
from support.pipelines import SmallFactory

QUICK = {"slate_after_s": 0.6, "publisher_timeout_s": 1.5, "viewer_grace_s": 1.0}


def events_url(client, broadcast_id: str) -> str:
    return f"{str(client.base_url).replace('http', 'ws', 1)}/api/broadcasts/{broadcast_id}/events"


async def next_of(socket, kind: str, true=lambda _message: True) -> dict:
    async with asyncio.timeout(10):
        while True:
            message = json.loads(await socket.recv())
            if message["kind"] == kind and true(message):
                return message


async def test_a_listener_is_told_the_state_the_faces_and_the_numbers_until_the_end():
    async with serving(SmallFactory(), live=QUICK) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        async with connect(events_url(client, made["id"])) as socket:
            assert await next_of(socket, "state") == {"kind": "state", "state": "waiting"}
            session = await publish(client, made["whip_url"], Camera(), token=made["token"])
            await next_of(socket, "state", lambda message: message["state"] == "live")
            await next_of(socket, "faces", lambda message: message["faces"] == {"mosaic": 1})
            numbers = await next_of(socket, "stats", lambda message: message["fps_out"] > 5)
            assert (numbers["size"], numbers["viewers"]) == ([320, 240], 0)
            assert numbers["server_delay_ms"] > 0
            await session.hang_up()
            await next_of(socket, "state", lambda message: message["state"] == "waiting")
            mine = {"Authorization": f"Bearer {made['token']}"}
            await client.delete(f"/api/broadcasts/{made['id']}", headers=mine)
            await next_of(socket, "state", lambda message: message["state"] == "ended")
            with pytest.raises(websockets.ConnectionClosedOK):
                await socket.recv()


async def test_events_of_an_unknown_broadcast_are_refused_with_a_code():
    async with serving(SmallFactory()) as client, connect(events_url(client, "nobody")) as socket:
        with pytest.raises(websockets.ConnectionClosedError):
            await socket.recv()
        assert (socket.close_code, socket.close_reason) == (4404, "live.no_such_broadcast")


async def test_a_listener_that_leaves_is_forgotten_and_one_that_talks_is_ignored():
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        async with connect(events_url(client, made["id"])) as socket:
            await next_of(socket, "state")
            await socket.send(b"\x00" * 1000)
            await socket.send("hello")
            for _ in range(3):
                await next_of(socket, "stats")
        async with connect(events_url(client, made["id"])) as socket:
            await next_of(socket, "stats")


async def test_the_numbers_are_there_for_prometheus_and_name_nobody():
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        async with watching(client, made["whep_url"]) as watcher:
            session = await publish(client, made["whip_url"], Camera(), token=made["token"])
            await watcher.until(lambda seen: len(seen.pictures) > 20)
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
            await session.hang_up()
        mine = {"Authorization": f"Bearer {made['token']}"}
        await client.delete(f"/api/broadcasts/{made['id']}", headers=mine)
        after = (await client.get("/metrics")).text
        assert out_total(after) >= first  # counters never go back, though the session is gone
        assert 'mien_broadcasts{state="live"} 0.0' in after


def out_total(text: str) -> float:
    found = re.search(r"(?m)^mien_pictures_out_total (\S+)", text)
    assert found is not None
    return float(found[1])


async def test_the_numbers_are_the_operators_where_there_is_a_token():
    async with serving(SmallFactory(), whip_token="x" * 16) as client:
        assert (await client.get("/metrics")).status_code == 401
        mine = {"Authorization": "Bearer " + "x" * 16}
        assert (await client.get("/metrics", headers=mine)).status_code == 200
