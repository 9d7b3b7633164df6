"""A broadcast begins with the profile that is set, or that fits what a waiting worker measured, and says so."""

import asyncio
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from mien.app.ports import StreamSpec
from mien.app.profiles import Costs, Means
from mien.app.states import LiveLimits
from mien.media.webrtc.ice.network import IceNetworkSettings
from mien.runners import ProcessRunner
from mien.runners.channel import Channel
from mien.runners.messages import Calibrate, Configure
from mien.runners.verbs import FROM_WORKER
from mien.runners.wire_forms import IceNetworkForm
from mien.runners.worker import _Worker
from support.faults import FickleCamera, Switch, TrappedFactory, moves, on_air
from support.live import serving
from support.pipelines import SmallFactory
from support.worker import COMMAND

pytestmark = pytest.mark.timeout(120)

CALIBRATED = """
import runpy, socket, sys, time
sys.path.insert(0, sys.argv[1])
from mien.app.profiles import Costs
from mien.runners.worker import run_worker
from support.pipelines import SmallFactory

def calibrate(factory, is_wanted):
    with open(sys.argv[3], "a") as tries:
        tries.write("begun\\n")
    until = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < until:
        if is_wanted():
            return None
        time.sleep(0.01)
    return Costs(40.0, 54.0, 5.0) if sys.argv[4] == "measures" else None

run_worker(socket.socket(fileno=int(sys.argv[-1])), SmallFactory, calibrate)
"""
CONFIGURE = Configure(LiveLimits(), (), IceNetworkForm.of(IceNetworkSettings()))
COSTS = Costs(40.0, 54.0, 5.0)


def calibrating(takes_s: float, *, tries: Path = Path(os.devnull), measures: bool = True) -> list[str]:
    """Return what starts a worker that takes so long to measure the machine, unless it is wanted."""
    outcome = "measures" if measures else "measures nothing"
    return [sys.executable, "-c", CALIBRATED, COMMAND[-1], str(takes_s), str(tries), outcome]


async def until(true, timeout_s: float = 60.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.02)


async def test_a_broadcast_begins_with_the_profile_that_is_set_and_says_so(tmp_path):
    switch = Switch(tmp_path / "switch")
    async with (
        serving(TrappedFactory(switch=switch, slow_s=0.0), live={"profile": "slow"}) as client,
        on_air(client, FickleCamera(size_wh=(1280, 720)), switch) as live,
    ):
        assert (await client.get("/api/health")).json()["profile"] == "slow"
        viewer = await live.watch()
        await live.publish()
        await viewer.until(moves)
        told = await live.told()
        assert told["profile"] == {"name": "slow", "reason": "set", "helps": ["unset"]}
        assert max(told["size"]) == 640
        url = str(client.base_url).replace("http", "ws", 1)
        async with connect(f"{url}/api/broadcasts/{live.made['id']}/events") as events:
            assert json.loads(await events.recv())["profile"]["name"] == "slow"
        assert 'mien_profiles{profile="slow",reason="set"} 1.0' in (await client.get("/metrics")).text


@pytest.mark.parametrize("spares", [1, 2])
async def test_a_worker_that_waits_measures_once_and_the_next_broadcast_begins_by_it(spares):
    means = Means(None, 2)
    async with ProcessRunner(calibrating(0.0), limits=LiveLimits(), spares=spares, means=means) as runner:
        assert runner.means == means
        await until(lambda: runner.means.costs is not None)
        assert runner.means == Means(COSTS, 2)
        live = await runner.start(StreamSpec(), name="first")
        await until(lambda: live.report.stats.profile.reason == "measured")
        assert live.report.stats.profile.name == "full"


async def test_whoever_goes_live_does_not_wait_for_it_and_it_is_made_up_for_when_nobody_is_live():
    async with ProcessRunner(calibrating(3.0), limits=LiveLimits(), spares=1, means=Means(None, 2)) as runner:
        await until(lambda: any(spare.done() for spare in runner._spares))
        live = await runner.start(StreamSpec(), name="hasty")
        assert runner.means.costs is None
        await until(lambda: live.report.stats.profile.name == "medium")  # careful, for want of a measurement
        live.end()
        await live.wait()
        await until(lambda: runner.means.costs is not None)


async def test_a_worker_that_measures_nothing_leaves_things_as_they_are():
    async with ProcessRunner(COMMAND, limits=LiveLimits(), spares=1, means=Means(None, 2)) as runner:
        await until(lambda: any(spare.done() for spare in runner._spares))
        live = await runner.start(StreamSpec(), name="plain")
        assert runner.means.costs is None
        live.end()


async def test_where_nothing_can_be_measured_it_is_not_tried_for_ever(tmp_path):
    command = calibrating(0.0, tries=tmp_path / "tries", measures=False)
    async with ProcessRunner(command, limits=LiveLimits(), spares=1, means=Means(None, 2)) as runner:
        await until(lambda: any(spare.done() for spare in runner._spares))
        for _ in range(5):
            await runner._calibrate()
        assert runner.means.costs is None
    assert (tmp_path / "tries").read_text().count("begun") == 3


async def test_measuring_ends_with_the_line_to_the_web_process():
    begun, ended = threading.Event(), threading.Event()

    def calibrate(_factory, is_wanted):
        begun.set()
        while not is_wanted():
            time.sleep(0.01)
        ended.set()

    ours, theirs = socket.socketpair()
    channel = await Channel.over(ours, hears=FROM_WORKER)
    worker = asyncio.create_task(_Worker(SmallFactory, calibrator=calibrate).serve(theirs))
    await channel.send((1, CONFIGURE))
    await channel.send((2, Calibrate()))
    await until(begun.is_set)
    await channel.close()
    await worker
    await until(ended.is_set)


async def test_without_means_nothing_is_taken_from_a_broadcast():
    async with serving(SmallFactory()) as client:
        health = (await client.get("/api/health")).json()
        assert (health["profile"], health["profile_reason"]) == ("full", "unmeasured")
