"""An owner says which face is the primary person's, over HTTP. No models; in this process and in a worker."""

import asyncio
from dataclasses import replace

import pytest

from mien.vision.types import FaceTold
from support.live import Camera, publish, serving
from support.pipelines import Pixelate, SmallFactory
from support.policies import hiding, plain, swapping
from support.serving_workers import make, serving_with_workers

FACES = (FaceTold(3, (0.1, 0.2, 0.4, 0.6), "mosaic"), FaceTold(5, (0.5, 0.2, 0.6, 0.3), "show", person="1"))


class Choosing(Pixelate):
    """Tells of faces, and takes whoever is chosen when it is told to."""

    def __init__(self):
        self.asked_primary = None

    def choose_primary(self, face_track_id):
        self.asked_primary = face_track_id
        return True

    def __call__(self, image, *, at):
        return replace(super().__call__(image, at=at), faces=FACES)


async def told(client, made, true):
    async with asyncio.timeout(30):
        while True:
            shown = await client.get(f"/api/broadcasts/{made['id']}", headers=own(made))
            if true(view := shown.json()["owner_view"]):
                return view
            await asyncio.sleep(0.05)


def own(made):
    return {"Authorization": f"Bearer {made['token']}"}


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        pytest.param({"x": 0.2, "y": 0.3}, 200, 3, id="a point"),
        pytest.param({"face": 3}, 200, 3, id="an id"),
        pytest.param({"x": 0.9, "y": 0.9}, 404, "primary.no_face", id="no face there"),
        pytest.param({"face": 4}, 404, "primary.no_face", id="no such face"),
        pytest.param({"face": 5}, 409, "primary.registered", id="somebody who is known"),
        pytest.param({}, 422, "input.invalid", id="nothing"),
        pytest.param({"x": 0.2}, 422, "input.invalid", id="half a point"),
        pytest.param({"x": 0.2, "y": 0.3, "face": 3}, 422, "input.invalid", id="both"),
        pytest.param({"x": 1.2, "y": 0.3}, 422, "input.invalid", id="out of the frame"),
    ],
)
async def test_a_face_is_chosen_or_refused_with_a_code(body, status, answer):
    factory, pipeline = SmallFactory(), Choosing()
    async with serving(factory) as client:
        factory.pipelines = [pipeline]
        made = await make(client, policy=plain(swapping()))
        session = await publish(client, made["whip_url"], Camera(), token=made["token"])
        await told(client, made, lambda view: view["faces"])
        got = await client.post(f"/api/broadcasts/{made['id']}/primary", json=body, headers=own(made))
        assert got.status_code == status, got.text
        if status == 200:
            assert got.json() == {"face": answer}
            assert pipeline.asked_primary == 3
            assert (await told(client, made, lambda view: view["primary"]["asked"]))["primary"]["asked"] == 3
        else:
            assert got.json()["code"] == answer
            assert pipeline.asked_primary is None
        await session.connection.close()


async def test_others_choose_nobody():
    async with serving(SmallFactory()) as client:
        made = await make(client, policy=plain(swapping()))
        got = await client.post(f"/api/broadcasts/{made['id']}/primary", json={"face": 3})
        assert (got.status_code, got.json()["code"]) == (401, "live.token")


@pytest.mark.parametrize("kind", ["local", "worker"])
async def test_where_the_policy_has_no_primary_person_nobody_is_chosen(kind):
    async with serving(SmallFactory()) if kind == "local" else serving_with_workers() as client:
        made = await make(client, policy=plain(hiding()))
        got = await client.post(f"/api/broadcasts/{made['id']}/primary", json={"face": 3}, headers=own(made))
        assert (got.status_code, got.json()["code"]) == (409, "primary.not_in_policy")
