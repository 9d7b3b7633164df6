"""Live sessions in processes of their own: what dies takes nothing else down, and comes back."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from mien.app.ports import StreamSpec
from mien.app.states import LiveLimits
from mien.errors import LiveLostError
from mien.runners import ProcessRunner
from support.busy import must_hide
from support.live import Camera, Watcher, publish, sharpness, watching
from support.policies import plain, swapping
from support.serving_workers import make, serving_with_workers
from support.worker import COMMAND, worker_pids


async def settles(true, *, timeout_s: float = 30.0) -> bool:
    until = time.monotonic() + timeout_s
    while not true() and time.monotonic() < until:  # noqa: ASYNC110  # processes end without an event
        await asyncio.sleep(0.05)
    return true()


async def show(client, made):
    return (await client.get(f"/api/broadcasts/{made['id']}")).json()


async def state_becomes(client, made, *wanted: str) -> dict:
    async with asyncio.timeout(30):
        while (now := await show(client, made))["state"] not in wanted:  # noqa: ASYNC110  # asked over HTTP
            await asyncio.sleep(0.05)
    return now


def worst_sharpness(watcher: Watcher) -> float:
    return max(sharpness(frame.to_ndarray(format="rgb24")) for _, frame in watcher.frames)


async def test_a_broadcast_runs_in_its_own_process_and_the_process_ends_with_it():
    before = worker_pids()
    async with serving_with_workers() as client:
        made = await make(client)
        carrying = worker_pids() - before
        async with watching(client, made["whep_url"]) as watcher:
            session = await publish(client, made["whip_url"], Camera(), token=made["token"])
            await watcher.until(lambda seen: seen.last.shape == (240, 320, 3) and len(seen.frames) > 25)
            now = await state_becomes(client, made, "live")
            assert (now["size"], now["viewers"], now["faces"]) == ([320, 240], 1, {"mosaic": 1})
            must_hide(hidden=worst_sharpness(watcher) < 8)

            refused = await client.patch(
                f"/api/broadcasts/{made['id']}",
                json={"policy": plain(swapping("mask:nobody"))},
                headers={"Authorization": f"Bearer {made['token']}"},
            )
            assert (refused.status_code, refused.json()["code"]) == (422, "persona.unknown")
            assert (await session.close_peer()).status_code == 200
            gone = await client.delete(session.url, headers=session.headers)
            assert (gone.status_code, gone.json()["code"]) == (404, "live.no_such_session")
        ended = await client.delete(
            f"/api/broadcasts/{made['id']}", headers={"Authorization": f"Bearer {made['token']}"}
        )
        assert ended.status_code == 204
        assert await settles(lambda: not carrying & worker_pids())
    assert await settles(lambda: worker_pids() == before)


async def test_a_worker_that_is_killed_takes_nothing_else_down_and_its_broadcast_goes_on():
    async with serving_with_workers() as client:
        first = await make(client)
        (first_pid,) = worker_pids()
        other = await make(client, policy=plain(swapping()))
        async with watching(client, first["whep_url"]) as watcher, watching(client, other["whep_url"]) as untouched:
            session = await publish(client, first["whip_url"], Camera(), token=first["token"])
            elsewhere = await publish(client, other["whip_url"], Camera(), token=other["token"])
            await watcher.until(lambda seen: len(seen.frames) > 10)
            await untouched.until(lambda seen: len(seen.frames) > 10)

            os.kill(first_pid, signal.SIGKILL)
            await state_becomes(client, first, "restarting")
            lost = await client.post(
                first["whip_url"],
                content=session.connection.localDescription.sdp,
                headers={"Content-Type": "application/sdp", "Authorization": f"Bearer {first['token']}"},
            )
            assert (lost.status_code, lost.json()["code"]) == (503, "live.lost")
            assert "retry-after" in lost.headers
            await state_becomes(client, first, "waiting")

            async with watching(client, first["whep_url"]) as again:
                back = await publish(client, first["whip_url"], Camera(), token=first["token"])
                await again.until(lambda seen: seen.last.shape == (240, 320, 3) and len(seen.frames) > 20)
                must_hide(hidden=worst_sharpness(again) < 8)
                await back.close_peer()
            count = len(untouched.frames)
            await untouched.until(lambda seen: len(seen.frames) > count + 10)
            assert (await show(client, other))["state"] == "live"
            await elsewhere.close_peer()
        await session.connection.close()


async def test_a_broadcast_whose_worker_keeps_dying_ends():
    async with serving_with_workers() as client:
        made = await make(client)
        async with asyncio.timeout(60):
            while (await client.get(f"/api/broadcasts/{made['id']}")).status_code == 200:
                for pid in worker_pids():
                    os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(0.2)
        assert (await client.get("/api/health")).status_code == 200


async def test_missing_models_are_told_with_their_code():
    # Workers inherit hardly anything of the environment, so the fault comes with the command.
    async with serving_with_workers(spares=1, command=["env", "MIEN_TEST_NO_MODELS=1", *COMMAND]) as client:
        for _ in range(2):
            refused = await client.post("/api/broadcasts", json={})
            assert (refused.status_code, refused.json()["code"]) == (503, "model.fetch")
        health = (await client.get("/api/health")).json()
        assert (health["status"], health["detail"]) == ("broken", "run mien models pull")


async def test_a_worker_whose_web_process_is_gone_ends_by_itself():
    runner = ProcessRunner(COMMAND, limits=LiveLimits(), spares=0)
    async with runner:
        live = await runner.start(StreamSpec(), name="orphan")
        (pid,) = worker_pids()
        live._worker._channel._writer.transport.abort()  # what the kernel does to the sockets of a process that dies
        assert await settles(lambda: pid not in worker_pids())


async def test_a_warm_worker_waits_for_the_next_broadcast():
    async with serving_with_workers(spares=1) as client:
        async with asyncio.timeout(30):
            while (await client.get("/api/health")).json()["status"] != "ok":  # noqa: ASYNC110  # asked over HTTP
                await asyncio.sleep(0.05)
        (waiting,) = worker_pids()
        await make(client)
        assert worker_pids() == {waiting}, "nobody waits for a process that starts"
        assert await settles(lambda: len(worker_pids()) == 2, timeout_s=60)
    assert await settles(lambda: not worker_pids())


async def test_a_worker_gets_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    secrets = {
        "MIEN_WHIP_TOKEN": "operator" * 4,
        "MIEN_TURN__SECRET": "relay" * 4,
        "AWS_SECRET_ACCESS_KEY": "cloud" * 4,
    }
    async with serving_with_workers() as client:
        for name, value in secrets.items():
            monkeypatch.setenv(name, value)
        await make(client)
        (pid,) = worker_pids()
        environment = Path(f"/proc/{pid}/environ").read_bytes()  # noqa: ASYNC240  # not a disk
        assert b"PATH=" in environment
        for name, value in secrets.items():
            assert name.encode() not in environment
            assert value.encode() not in environment


_SPEAKS_HTTP = """
import socket, sys, time
line = socket.socket(fileno=int(sys.argv[-1]))
line.recv(1)
line.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n" * 9)
time.sleep(600)
"""


async def test_a_worker_that_speaks_something_else_is_killed_at_once():
    command = [sys.executable, "-c", _SPEAKS_HTTP]
    async with ProcessRunner(command, limits=LiveLimits(), spares=0) as runner, asyncio.timeout(60):
        with pytest.raises(LiveLostError):
            await runner.start(StreamSpec(), name="liar")
        assert await settles(lambda: not worker_pids("HTTP/1.1"))
