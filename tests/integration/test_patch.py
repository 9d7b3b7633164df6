"""`PATCH /api/broadcasts/{id}`: what is left out stays, and null brings back the default, for every field."""

import pytest

from support.live import serving
from support.pipelines import SmallFactory

CHOSEN = {
    "title": "A title",
    "treatment": "swap",
    "persona": "mask:volto",
    "others": "swap",
    "delay_frames": 5,
    "mosaic_style": "solid",
    "mosaic_shape": "box",
}
DEFAULTS = {
    "title": "",
    "treatment": "mosaic",
    "persona": None,
    "others": "mosaic",
    "delay_frames": None,
    "mosaic_style": "blur",
    "mosaic_shape": "head",
}
SERVER = {"style": "blur", "shape": "head"}


async def made(client, **spec):
    answer = await client.post("/api/broadcasts", json=CHOSEN | spec)
    assert answer.status_code == 201, answer.text
    url = f"/api/broadcasts/{answer.json()['id']}"

    async def patch(**changes):
        mine = {"Authorization": f"Bearer {answer.json()['token']}"}
        return await client.patch(url, json=changes, headers=mine)

    return url, patch


def spec_of(shown):
    return {name: shown[name] for name in CHOSEN}


async def test_what_is_left_out_stays():
    factory = SmallFactory()
    async with serving(factory, mosaic=SERVER) as client:
        url, patch = await made(client)
        assert spec_of((await patch()).json()) == CHOSEN
        assert spec_of((await client.get(url)).json()) == CHOSEN
        assert len(factory.built) == 1  # nothing to change, nothing to build


@pytest.mark.parametrize("name", [name for name in CHOSEN if name != "persona"])
async def test_null_brings_back_the_default_of_one_field_and_touches_no_other(name):
    factory = SmallFactory()
    async with serving(factory, mosaic=SERVER) as client:
        url, patch = await made(client)
        answer = await patch(**{name: None})
        assert answer.status_code == 200, answer.text
        wanted = CHOSEN | {name: DEFAULTS[name]} | ({"persona": None} if name == "treatment" else {})
        assert spec_of(answer.json()) == spec_of((await client.get(url)).json()) == wanted
        if name != "title":
            assert getattr(factory.built[-1], name) == DEFAULTS[name]  # the session treats by it, too


async def test_a_swap_cannot_lose_its_persona_but_a_mosaic_may_be_asked_for_with_it():
    async with serving(SmallFactory(), mosaic=SERVER) as client:
        url, patch = await made(client)
        refused = await patch(persona=None)
        assert (refused.status_code, refused.json()["code"]) == (422, "policy")
        assert spec_of((await client.get(url)).json()) == CHOSEN
        assert (await patch(persona=None, treatment=None)).json()["treatment"] == "mosaic"


async def test_null_ends_a_recording(tmp_path):
    async with serving(SmallFactory(), data_dir=tmp_path) as client:
        _, patch = await made(client, record=True)
        assert (await patch(title="Another")).json()["record"] is True
        assert (await patch(record=None)).json()["record"] is False


async def test_all_at_once_is_what_a_new_broadcast_would_be():
    async with serving(SmallFactory(), mosaic=SERVER) as client:
        _, patch = await made(client)
        assert spec_of((await patch(**dict.fromkeys(CHOSEN))).json()) == DEFAULTS
