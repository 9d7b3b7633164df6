"""`PATCH /api/broadcasts/{id}`: what is left out stays, and null brings back the default, for every field."""

import pytest

from support.live import serving
from support.pipelines import SmallFactory
from support.policies import hiding, plain, swapping

CHOSEN = {
    "title": "A title",
    "policy": plain(swapping(everyone=True, style="solid", shape="box")),
    "delay_frames": 5,
}
DEFAULTS = {
    "title": "",
    "policy": plain(hiding("blur", "head")),
    "delay_frames": None,
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


@pytest.mark.parametrize("name", CHOSEN)
async def test_null_brings_back_the_default_of_one_field_and_touches_no_other(name):
    factory = SmallFactory()
    async with serving(factory, mosaic=SERVER) as client:
        url, patch = await made(client)
        answer = await patch(**{name: None})
        assert answer.status_code == 200, answer.text
        wanted = CHOSEN | {name: DEFAULTS[name]}
        assert spec_of(answer.json()) == spec_of((await client.get(url)).json()) == wanted
        treated_by = factory.built[-1]  # the session's, too
        assert (plain(treated_by.policy), treated_by.delay_frames) == (wanted["policy"], wanted["delay_frames"])


async def test_a_policy_is_replaced_whole_and_the_same_one_again_changes_nothing():
    factory = SmallFactory()
    async with serving(factory, mosaic=SERVER) as client:
        _, patch = await made(client)
        answer = await patch(policy={"version": 1, "rules": []})
        assert answer.json()["policy"] == DEFAULTS["policy"]  # nothing of the old one is left
        assert len(factory.built) == 2
        assert (await patch(policy=plain(hiding()))).json()["policy"] == DEFAULTS["policy"]
        assert len(factory.built) == 2


async def test_a_policy_that_cannot_be_followed_changes_nothing():
    async with serving(SmallFactory(), mosaic=SERVER) as client:
        url, patch = await made(client)
        refused = await patch(title="Another", policy=plain(swapping("mask:nobody")))
        assert (refused.status_code, refused.json()["code"]) == (422, "persona.unknown")
        assert spec_of((await client.get(url)).json()) == CHOSEN


async def test_null_ends_a_recording(tmp_path):
    async with serving(SmallFactory(), data_dir=tmp_path) as client:
        _, patch = await made(client, record=True)
        assert (await patch(title="Another")).json()["record"] is True
        assert (await patch(record=None)).json()["record"] is False


async def test_all_at_once_is_what_a_new_broadcast_would_be():
    async with serving(SmallFactory(), mosaic=SERVER) as client:
        _, patch = await made(client)
        assert spec_of((await patch(**dict.fromkeys(CHOSEN))).json()) == DEFAULTS
