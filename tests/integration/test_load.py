"""A server that cannot keep up says so over REST and as an event, and that it can again."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect

from support.faults import FickleCamera, Switch, TrappedFactory, moves, on_air
from support.live import serving

pytestmark = pytest.mark.timeout(120)


async def until_told(live, wanted, *, timeout_s=40.0):
    """Ask until the server says so; return all that it said on the way."""
    said = []
    async with asyncio.timeout(timeout_s):
        while not said or said[-1]["load"] not in wanted:
            said.append(await live.told())
            await asyncio.sleep(0.1)
    return said


async def test_a_server_that_cannot_keep_up_says_so_and_says_when_it_can_again(tmp_path):
    switch = Switch(tmp_path / "switch")
    async with (
        serving(TrappedFactory(switch=switch, slow_s=0.3)) as client,
        on_air(client, FickleCamera(), switch) as live,
    ):
        viewer = await live.watch()
        await live.publish()
        await viewer.until(moves)
        await until_told(live, {"ok"})
        url = str(client.base_url).replace("http", "ws", 1)
        async with connect(f"{url}/api/broadcasts/{live.made['id']}/events") as events:
            switch.set("vision is slow")
            said = await until_told(live, {"overloaded"})
            assert "reduced_quality" in {one["load"] for one in said}  # something was given up before
            async with asyncio.timeout(30):
                while json.loads(await events.recv())["load"] != "overloaded":
                    pass
            switch.set()
            recovered = await until_told(live, {"ok", "reduced_quality"})
        assert recovered[-1]["state"] == "live"


async def test_a_picture_that_stops_for_want_of_time_is_paused_and_overloaded_and_a_fault_is_only_paused(tmp_path):
    switch = Switch(tmp_path / "switch")
    quick = {"slate_after_s": 0.6, "hang_after_s": 60}
    async with (
        serving(TrappedFactory(switch=switch, slow_s=5.0), live=quick) as client,
        on_air(client, FickleCamera(), switch) as live,
    ):
        viewer = await live.watch()
        await live.publish()
        await viewer.until(moves)
        switch.set("vision raises")
        await live.is_told("paused")
        assert (await live.told())["load"] != "overloaded"
        switch.set()
        await live.is_told("live")
        switch.set("vision is slow")
        await live.is_told("paused")
        assert (await live.told())["load"] == "overloaded"
        switch.set()
        await live.is_told("live", timeout_s=30)
