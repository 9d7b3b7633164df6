"""What goes out beside viewers: recordings, thumbnails and pushes, over the API, from a worker process too."""

import asyncio
import contextlib
import io
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator

import av
import httpx
import numpy as np
import pytest
from PIL import Image as Pillow

from mien.runners import ProcessRunner
from support.busy import must_hide
from support.live import Camera, Microphone, publish, serving, sharpness, watching
from support.pipelines import SmallFactory
from support.worker import COMMAND, worker_pids


@contextlib.asynccontextmanager
async def anywhere(where: str, tmp_path, **settings: object) -> AsyncIterator[httpx.AsyncClient]:
    def open_runner(limits, ice_servers):
        return ProcessRunner(COMMAND, limits=limits, ice_servers=ice_servers, spares=0)

    more = {"open_runner": open_runner} if where == "worker" else {}
    async with serving(SmallFactory(), data_dir=tmp_path, **more, **settings) as client:
        yield client


async def until(ask, true, *, timeout_s: float = 40.0):
    async with asyncio.timeout(timeout_s):
        while not true(answer := await ask()):  # noqa: ASYNC110  # asked over HTTP
            await asyncio.sleep(0.1)
    return answer


async def has_sent(client: httpx.AsyncClient, made: dict[str, str], *, frames: int) -> None:
    """Wait until so many frames of a broadcast have reached a viewer."""
    async with watching(client, made["whep_url"], audio=False) as watcher:
        await watcher.until(lambda seen: len(seen.frames) > frames)


def silence(_at: float) -> np.ndarray:
    return np.zeros(960, np.int16)


everywhere = pytest.mark.parametrize("where", ["here", "worker"])


@everywhere
@pytest.mark.parametrize(("codec", "suffix"), [("VP8", ".webm"), ("H264", ".mp4")])
async def test_a_broadcast_is_recorded_treated_as_it_is(where, codec, suffix, tmp_path):
    async with anywhere(where, tmp_path, live={"codecs": [codec]}) as client:
        made = (await client.post("/api/broadcasts", json={"record": True})).json()
        mine = {"Authorization": f"Bearer {made['token']}"}
        began = asyncio.get_running_loop().time()
        session = await publish(
            client, made["whip_url"], Camera(), Microphone(silence, began=began), token=made["token"]
        )
        url = f"/api/broadcasts/{made['id']}"

        async def show():
            return (await client.get(url)).json()

        now = await until(show, lambda now: now["state"] == "live")
        recording = now["recording"]
        assert (recording["dropped"], recording["ended"]) == (0, None)
        await has_sent(client, made, frames=70)
        assert (await client.patch(url, json={"record": False}, headers=mine)).json()["recording"] is None
        (listed,) = (await client.get("/api/recordings")).json()
        folder = tmp_path / "recordings"
        assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / listed["name"])] == [0o700, 0o600]
        assert listed["name"].startswith(recording["name"])
        assert listed["name"].endswith(suffix)
        assert made["id"] not in listed["name"]
        data = (await client.get(listed["url"])).content
        with av.open(io.BytesIO(data)) as recording:
            assert {stream.type for stream in recording.streams} == {"video", "audio"}
            frames = [frame.to_ndarray(format="rgb24") for frame in recording.decode(video=0)]
        assert len(frames) > 30
        must_hide(hidden=max(map(sharpness, frames)) < 8)
        assert (await client.get("/api/recordings/..%2Fconsents.jsonl")).status_code == 404
        assert (await client.delete(listed["url"])).status_code == 204
        assert (await client.get("/api/recordings")).json() == []
        await session.close_peer()


async def test_a_worker_that_is_killed_leaves_a_recording_and_the_next_one_records_on(tmp_path):
    async with anywhere("worker", tmp_path) as client:
        made = (await client.post("/api/broadcasts", json={"record": True})).json()
        session = await publish(client, made["whip_url"], Camera(), token=made["token"])
        await has_sent(client, made, frames=110)
        for pid in worker_pids():
            os.kill(pid, signal.SIGKILL)

        async def listed():
            return (await client.get("/api/recordings")).json()

        (recovered,) = await until(listed, lambda found: len(found) == 1)
        with av.open(io.BytesIO((await client.get(recovered["url"])).content)) as recording:
            assert sum(1 for _ in recording.decode(video=0)) > 20
        again = await publish(client, made["whip_url"], Camera(), token=made["token"])
        await has_sent(client, made, frames=50)
        await again.close_peer()
        await session.connection.close()
        await client.delete(f"/api/broadcasts/{made['id']}", headers={"Authorization": f"Bearer {made['token']}"})
        assert len(await until(listed, lambda found: len(found) == 2)) == 2


@everywhere
async def test_a_thumbnail_shows_what_viewers_see(where, tmp_path):
    async with anywhere(where, tmp_path) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        (listed,) = (await client.get("/api/broadcasts")).json()
        missing = await client.get(listed["thumbnail_url"])
        assert (missing.status_code, missing.json()["code"]) == (404, "live.no_frame")
        session = await publish(client, made["whip_url"], Camera(size_wh=(640, 480)), token=made["token"])

        async def ask():
            return await client.get(listed["thumbnail_url"])

        answer = await until(ask, lambda answer: answer.status_code == 200)
        assert answer.headers["content-type"] == "image/jpeg"
        image = np.asarray(Pillow.open(io.BytesIO(answer.content)).convert("RGB"))
        assert image.shape == (240, 320, 3)
        must_hide(hidden=sharpness(image) < 8)
        await session.close_peer()


@everywhere
async def test_a_broadcast_is_pushed_to_another_server_and_the_push_can_be_stopped(where, tmp_path):
    async with (
        serving(SmallFactory()) as far,
        anywhere(where, tmp_path, live={"push_networks": ["127.0.0.0/8"]}) as near,
    ):
        there = (await far.post("/api/broadcasts", json={})).json()
        here = (await near.post("/api/broadcasts", json={})).json()
        mine = {"Authorization": f"Bearer {here['token']}"}
        pushes = f"/api/broadcasts/{here['id']}/pushes"
        target = {"url": f"{far.base_url}{there['whip_url']}", "token": there["token"]}
        assert (await near.post(pushes, json=target)).status_code == 401
        made = await near.post(pushes, json=target, headers=mine)
        assert (made.status_code, made.json()["state"]) == (201, "connecting")
        session = await publish(near, here["whip_url"], Camera(), token=here["token"])
        async with watching(far, there["whep_url"], audio=False) as watcher:
            await watcher.until(lambda seen: seen.last.shape == (240, 320, 3) and len(seen.frames) > 15)
            must_hide(hidden=max(sharpness(frame.to_ndarray(format="rgb24")) for _, frame in watcher.frames) < 8)

        async def fares():
            return (await near.get(pushes, headers=mine)).json()

        (fare,) = await until(fares, lambda found: found[0]["packets"] > 10)
        assert (fare["state"], fare["trouble"]) == ("live", None)
        assert (await near.delete(f"{pushes}/{fare['id']}", headers=mine)).status_code == 204
        assert await fares() == []
        refused = (await near.delete(f"{pushes}/{fare['id']}", headers=mine)).json()
        assert refused["code"] == "live.no_such_session"
        await session.close_peer()


async def test_a_push_to_a_private_address_is_refused_unless_the_operator_allows_it(tmp_path):
    async with anywhere("here", tmp_path) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        mine = {"Authorization": f"Bearer {made['token']}"}
        pushes = f"/api/broadcasts/{made['id']}/pushes"
        await client.post(pushes, json={"url": f"{client.base_url}/whip"}, headers=mine)

        async def fares():
            return (await client.get(pushes, headers=mine)).json()

        (fare,) = await until(fares, lambda found: found[0]["state"] == "refused")
        assert "public" in fare["trouble"]


async def test_a_push_to_what_is_no_url_of_a_server_is_refused_before_anything_begins(tmp_path):
    no_urls = [
        "",
        "far.example/whip",
        "ftp://far.example/",
        "https://",
        "https://far.example:port/",
        "https://[::1/whip",
    ]
    no_urls += ["https://me:key@far.example/", "https://far.example/ü", "https://far.example/a b"]
    async with anywhere("here", tmp_path) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        mine = {"Authorization": f"Bearer {made['token']}"}
        pushes = f"/api/broadcasts/{made['id']}/pushes"
        for url in no_urls:
            refused = await client.post(pushes, json={"url": url}, headers=mine)
            assert (refused.status_code, refused.json()["code"]) == (422, "input.target"), url
        assert (await client.get(pushes, headers=mine)).json() == []


async def test_a_push_that_was_refused_makes_room_for_another_and_one_that_still_tries_does_not(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # takes connections and never answers
        waits = f"http://127.0.0.1:{silent.getsockname()[1]}/whip"
        async with anywhere("here", tmp_path, live={"push_networks": ["127.0.0.0/8"]}) as client:
            made = (await client.post("/api/broadcasts", json={})).json()
            mine = {"Authorization": f"Bearer {made['token']}"}
            pushes = f"/api/broadcasts/{made['id']}/pushes"

            async def begin(url):
                return await client.post(pushes, json={"url": url}, headers=mine)

            async def fares():
                return (await client.get(pushes, headers=mine)).json()

            first = (await begin("http://10.0.0.1/whip")).json()["id"]
            kept = {(await begin(waits)).json()["id"] for _ in range(3)}
            await until(fares, lambda found: [one["state"] for one in found if one["id"] == first] == ["refused"])
            late = await begin(waits)
            assert late.status_code == 201
            await until(fares, lambda found: {one["id"] for one in found} == kept | {late.json()["id"]})
            full = await begin(waits)
            assert (full.status_code, full.json()["code"]) == (503, "live.too_many")


@everywhere
async def test_a_recording_that_cannot_be_kept_is_refused_and_the_broadcast_goes_on(where, tmp_path):
    async with anywhere(where, tmp_path) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        mine = {"Authorization": f"Bearer {made['token']}"}
        (tmp_path / "recordings").write_text("no folder")
        url = f"/api/broadcasts/{made['id']}"
        refused = await client.patch(url, json={"record": True}, headers=mine)
        assert (refused.status_code, refused.json()["code"]) == (500, "output")
        assert "recordings cannot be kept" in refused.json()["detail"]
        now = (await client.get(url)).json()
        assert (now["state"], now["record"], now["recording"]) == ("waiting", False, None)
        assert (await client.post("/api/broadcasts", json={"record": True})).json()["code"] == "output"
        assert [one["id"] for one in (await client.get("/api/broadcasts")).json()] == [made["id"]]


async def test_a_server_without_recordings_says_so(tmp_path):
    async with anywhere("here", tmp_path, recordings={"enabled": False}) as client:
        refused = await client.post("/api/broadcasts", json={"record": True})
        assert (refused.status_code, refused.json()["code"]) == (422, "policy")
        assert (await client.get("/api/recordings")).json() == []
