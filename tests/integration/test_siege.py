"""Every route there is, attacked with everything the tests know, while a broadcast goes on."""

import asyncio
import logging
import random
from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from support.every_route import Place, every_place
from support.held import least_held
from support.live import Camera, an_offer, publish, serving, unopened_app, watching
from support.pipelines import SmallFactory
from support.siege import BROKEN, NEVER, Attack, Lingering, Outcome, World, bombs, send, sweep

OPERATOR = "operator-token-0123456789"
MOST_CPU_S = 0.3
"""CPU time of one callback, as in `test_hostile_inputs`."""
AT_ONCE = 12
SWEPT = 450
THROWN = 350


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> FastAPI:
    web_dir = tmp_path_factory.mktemp("web")
    (web_dir / "assets").mkdir()
    return unopened_app(web_dir)


def test_every_route_is_found(app):
    places = every_place(app)
    found = {place.path for place in places}
    assert found >= set(app.openapi()["paths"])
    assert found >= {"/", "/live", "/watch/{broadcast_id}", "/assets", "/openapi.json"}
    assert {place.path for place in places if place.is_socket} == {
        "/ws/frames",
        "/api/broadcasts/{broadcast_id}/events",
    }
    verbs = {place.path: place.verbs for place in places}
    assert verbs["/api/broadcasts/{broadcast_id}"] == {"GET", "PATCH", "DELETE"}


def chosen(places: list[Place], world: World) -> Iterator[Attack]:
    """Yield a part of all attacks, the same each time, with every path in it."""
    rng = random.Random(11)  # noqa: S311  # nothing is secret
    for kind, count in ((sweep, SWEPT), (bombs, THROWN)):
        known = list(kind(places, world))
        yield from rng.sample(known, count)
    for place in places:
        if place.is_socket:
            yield from bombs([place], world)


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:Exception ignored in.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning")
async def test_a_broadcast_goes_on_while_every_route_is_attacked(app, tmp_path, caplog, capsys):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "large.js").write_bytes(bytes(1_000_000))
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "20260101T000000Z.mp4").write_bytes(bytes(1_000_000))
    settings = {"web_dir": tmp_path, "data_dir": tmp_path, "whip_token": OPERATOR, "live": {"max_broadcasts": 40}}
    operator = {"Authorization": f"Bearer {OPERATOR}"}
    async with serving(SmallFactory(), **settings) as client:
        watched, own = [
            (await client.post("/api/broadcasts", json={}, headers=operator)).raise_for_status().json()
            for _ in range(2)
        ]
        offer = await an_offer("video", direction="recvonly")
        world = World(client.base_url.port, watched["id"], own["id"], own["token"], OPERATOR, offer)
        publisher = await publish(client, watched["whip_url"], Camera(), token=watched["token"])
        async with watching(client, watched["whep_url"]) as viewer:
            await viewer.until(lambda seen: len(seen.frames) > 20)
            before = len(viewer.frames)
            attacks, outcomes = list(chosen(every_place(app), world)), []

            async def attack():
                outcomes.extend(await besiege(client, attacks, world))

            held = await least_held(attack, enough_s=MOST_CPU_S)
            assert held.longest_s < MOST_CPU_S, held
            during = len(viewer.frames) - before
            await viewer.until(lambda seen: len(seen.frames) > before + during + 20)
            told = (await client.get(f"/api/broadcasts/{world.watched}")).json()
        await publisher.close_peer()
    assert [(name, outcome) for name, outcome in outcomes if outcome.status in NEVER or outcome.closed == BROKEN] == []
    assert {outcome.status for _, outcome in outcomes} >= {101, 400, 401, 404, 405, 413, 415, 422}
    assert during > 20
    assert (told["state"], told["restarts"], told["vision_errors"]) == ("live", 0, 0)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert "crashed" not in capsys.readouterr().out


async def besiege(client, attacks: list[Attack], world: World) -> list[tuple[str, Outcome]]:
    """Carry all out, a dozen at a time, on threads whose time is not the event loop's."""
    places = asyncio.Semaphore(AT_ONCE)
    lingering = Lingering(world, most=50)
    operator = {"Authorization": f"Bearer {world.operator}"}

    async def carry_out(attack: Attack) -> tuple[str, Outcome]:
        async with places:
            outcome = await asyncio.to_thread(send, attack, world.port, patience_s=0.2)
            await asyncio.to_thread(lingering.add)
        if outcome.status == 201 and outcome.location:
            await client.delete(outcome.location, headers=operator)
        return attack.name, outcome

    try:
        return await asyncio.gather(*map(carry_out, attacks))
    finally:
        lingering.close()
