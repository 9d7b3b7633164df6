"""Hide everyone but the registered, live: real models, real peers; a viewer's pictures are judged by their pixels."""

import asyncio
import contextlib
import json
import sys
import time

import numpy as np
import pytest
from websockets.asyncio.client import connect

from mien.cli.serve import photo_worker_pool
from mien.config import Settings
from mien.media.files.images import decode_image
from mien.runners import ProcessRunner
from support.busy import must_hide
from support.live import Camera, publish, serving, watching
from support.other_recogniser import OtherRecogniser
from support.photos import as_png, astronaut, hopper
from support.policies import plain, showing
from support.stage import SHOWN, SIZE_WH, Stage
from support.two_people import Standing

pytestmark = pytest.mark.models

FPS = 8
"""Real pipelines share two cores with the peers and the judge."""
FACE_PX = 110
LEFT, RIGHT = np.array([0, 0, 480, 540]), np.array([480, 0, 960, 540])
AS_SENT = {"live": {"shed_load": False, "hang_after_s": 20.0, "slate_after_s": 5.0}}
VOLTO = {"kind": "swap", "persona": "mask:volto"}


@contextlib.asynccontextmanager
async def served(kind, factory):
    """Serve with real models, in this process or in workers."""
    settings = Settings()

    def open_runner(limits, ice_servers):
        command = [sys.executable, "-m", "mien", "worker", "--models-dir", str(settings.models_dir)]
        return ProcessRunner(
            command, limits=limits, ice_servers=ice_servers, spares=0, photos=photo_worker_pool(settings)
        )

    async with serving(factory, open_runner=None if kind == "local" else open_runner, **AS_SENT) as client:
        yield client


async def register(client, name, *photos):
    answer = await client.post(
        "/api/references",
        files=[("photo", ("a.png", as_png(photo), "image/png")) for photo in photos],
        data={"owner_agrees": "true", "declared_by": "Kim", "use": "show", "name": name},
        timeout=60,
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


class OnAir:
    """One broadcast: its viewer, and what its owner is told."""

    def __init__(self, client, made, watcher, socket):
        self.client, self.made, self.watcher, self._socket = client, made, watcher, socket
        self.headers = {"Authorization": f"Bearer {made['token']}"}

    async def told(self, true):
        """Return the first owner's view from now on for which `true` holds."""
        async with asyncio.timeout(60):
            while True:
                now = json.loads(await self._socket.recv())
                if now["owner_view"] is not None and true(now["owner_view"]):
                    return now["owner_view"]

    async def change(self, policy):
        changed = await self.client.patch(
            f"/api/broadcasts/{self.made['id']}", json={"policy": plain(policy)}, headers=self.headers, timeout=60
        )
        assert changed.status_code == 200, changed.text

    def pictures(self, since=0):
        return [np.asarray(frame.to_ndarray(format="rgb24")) for _at, frame in self.watcher.frames[since:]]

    async def more(self, count):
        """Wait for so many more pictures; return the number of those before."""
        before = len(self.watcher.frames)
        await self.watcher.until(lambda seen: len(seen.frames) >= before + count, timeout_s=60)
        return before


@contextlib.asynccontextmanager
async def on_air(client, stage, policy):
    made = (await client.post("/api/broadcasts", json={"policy": plain(policy)}, timeout=60)).json()
    url = f"{str(client.base_url).replace('http', 'ws', 1)}/api/broadcasts/{made['id']}/events"
    camera = Camera(lambda _size, number: stage(number / FPS), size_wh=SIZE_WH, fps=FPS)
    async with watching(client, made["whep_url"], audio=False) as watcher, connect(url) as socket:
        await socket.send(json.dumps({"kind": "owner", "token": made["token"]}))
        session = await publish(client, made["whip_url"], camera, token=made["token"])
        try:
            yield OnAir(client, made, watcher, socket)
        finally:
            await session.connection.close()


def states(view):
    return {person["name"]: person["state"] for person in view["people"]}


@pytest.mark.parametrize("kind", ["local", "worker"])
async def test_the_registered_is_shown_a_stranger_never_and_who_is_taken_out_is_hidden(kind, factory):
    stage = Stage(
        factory,
        {"ann": astronaut(), "bob": hopper()},
        lambda t: {
            "ann": Standing(240 + 20 * np.sin(t), 270, FACE_PX),
            "bob": Standing(720 + 20 * np.cos(t), 270, FACE_PX),
        },
    )

    def shown(picture, name, within):
        return stage.likeness(picture, name, face_px=FACE_PX, within=within) >= SHOWN

    bare = stage(0.0)
    assert shown(bare, "ann", LEFT)
    assert shown(bare, "bob", RIGHT)
    async with served(kind, factory) as client:
        ann = await register(client, "Ann", astronaut())
        async with on_air(client, stage, showing(ann)) as air:
            view = await air.told(lambda view: states(view) == {"Ann": "shown"})
            face = next(face for face in view["faces"] if face["id"] == view["people"][0]["face"])
            x0, _, x1, _ = face["box"]
            assert 0.1 < (x0 + x1) / 2 < 0.4
            assert (face["treatment"], face["person"], face["reason"]) == ("show", ann, None)
            before = await air.more(12)
            share = np.mean([shown(picture, "ann", LEFT) for picture in air.pictures(before)])
            assert share > 0.9

            await air.change(showing())
            changed = len(air.watcher.frames)
            await air.watcher.until(lambda seen: not shown(seen.last, "ann", LEFT))
            hidden_since = len(air.watcher.frames)
            assert hidden_since - changed <= 2 * FPS  # what was on its way
            await air.more(8)
            must_hide(hidden=not any(shown(picture, "ann", LEFT) for picture in air.pictures(hidden_since)))

            await air.change(showing(ann))
            await air.told(lambda view: states(view) == {"Ann": "shown"})
            assert (await client.delete(f"/api/references/{ann}", headers=air.headers)).status_code == 204
            await air.watcher.until(lambda seen: not shown(seen.last, "ann", LEFT))
            hidden_since = len(air.watcher.frames)
            assert (await air.told(lambda view: not view["people"]))["people"] == []
            await air.more(8)
            must_hide(hidden=not any(shown(picture, "ann", LEFT) for picture in air.pictures(hidden_since)))
            strangers = [shown(picture, "bob", None) for picture in air.pictures()]
            must_hide(hidden=not any(strangers), what=f"the stranger is bare in {sum(strangers)} pictures")


async def test_one_is_shown_one_wears_a_persona_and_who_leaves_and_comes_back_is_shown_again(factory):
    def places(t):
        away = 3.0 <= t % 9 < 5.0
        return {
            "ann": None if away else Standing(240, 270, FACE_PX),
            "bob": Standing(720, 270, FACE_PX),
        }

    stage = Stage(factory, {"ann": astronaut(), "bob": hopper()}, places)
    async with served("local", factory) as client:
        ann, bob = await register(client, "Ann", astronaut()), await register(client, "Bob", hopper())
        policy = showing(ann).model_dump(mode="json")
        policy["rules"].insert(1, {"subject": {"kind": "person", "id": bob}, "treatment": VOLTO})
        async with on_air(client, stage, type(showing()).read(policy)) as air:
            await air.told(lambda view: states(view) == {"Ann": "shown", "Bob": "swapped"})
            await air.told(lambda view: states(view)["Ann"] in {"not_seen", "hidden"})
            await air.told(lambda view: states(view) == {"Ann": "shown", "Bob": "swapped"})
            bare = [stage.likeness(picture, "bob", face_px=FACE_PX, within=None) >= SHOWN for picture in air.pictures()]
            must_hide(hidden=not any(bare), what=f"who wears a persona is bare in {sum(bare)} pictures")


STILLS = {"ann": "sfhq_002", "cho": "sfhq_010", "dan": "flux_man_0101", "eve": "sfhq_025"}


async def test_three_registered_and_strangers_judged_by_another_recogniser(factory, shared_media):
    """Swap me, show my guests, hide strangers, in one picture. Eve and Dan are strangers; Dan comes in late."""
    recogniser = OtherRecogniser.beside(shared_media)
    photos = {
        name: decode_image((shared_media / "stills_synth" / f"{still}.jpg").read_bytes(), name=still)
        for name, still in STILLS.items()
    }

    def places(t):
        return {
            "ann": Standing(170 + 15 * np.sin(t), 150, 90),
            "cho": Standing(480, 150 + 10 * np.cos(t), 90),
            "eve": Standing(790 + 15 * np.cos(0.7 * t), 150, 90),
            "dan": Standing(480 + 20 * np.sin(0.8 * t), 400, 90) if t > 2.5 else None,
        }

    stage = Stage(factory, photos, places)
    known = {name: recogniser.largest(photo) for name, photo in photos.items()}

    def seen_in(picture):
        found = recogniser(picture)
        return {name for name, vector in known.items() if any(float(face @ vector) > recogniser.SAME for face in found)}

    assert seen_in(stage(5.0)) == set(STILLS), "the judge knows everybody where nobody is hidden"
    async with served("local", factory) as client:
        ann, cho = await register(client, "Ann", photos["ann"]), await register(client, "Cho", photos["cho"])
        async with on_air(client, stage, showing(ann, cho)) as air:
            await air.told(lambda view: states(view) == {"Ann": "shown", "Cho": "shown"})
            began = time.monotonic()
            await air.watcher.until(lambda _seen: time.monotonic() - began > 4.0, timeout_s=60)
            before = await air.more(10)
            pictures = [(number, seen_in(picture)) for number, picture in enumerate(air.pictures())]
    strangers = [number for number, seen in pictures if seen & {"eve", "dan"}]
    must_hide(hidden=not strangers, what=f"a stranger can be recognised in pictures {strangers}")
    for name in ("ann", "cho"):
        assert np.mean([name in seen for number, seen in pictures if number >= before]) > 0.9, name
