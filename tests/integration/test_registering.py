"""People are registered over HTTP, named by policies, and hidden at once when they are taken back. No models."""

import json

import httpx
import pytest
from websockets.asyncio.client import connect

from support.live import ListLedger, serving
from support.pipelines import SmallFactory
from support.policies import plain, showing

JPEG = b"\xff\xd8 a photo"


async def register(client: httpx.AsyncClient, name: str, *, use: str = "show", photos: int = 1) -> httpx.Response:
    return await client.post(
        "/api/references",
        files=[("photo", (f"{n}.jpg", JPEG + bytes([n]), "image/jpeg")) for n in range(photos)],
        data={"owner_agrees": "true", "declared_by": "Kim", "use": use, "name": name},
    )


async def registered(client: httpx.AsyncClient, name: str) -> str:
    answer = await register(client, name)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def made(client: httpx.AsyncClient, policy):
    answer = await client.post("/api/broadcasts", json={"policy": plain(policy)})
    assert answer.status_code == 201, answer.text
    return f"/api/broadcasts/{answer.json()['id']}", {"Authorization": f"Bearer {answer.json()['token']}"}


async def test_a_person_is_registered_by_several_photos_under_the_same_declaration():
    ledger = ListLedger()
    async with serving(SmallFactory(), ledger=ledger) as client:
        answer = await register(client, " Ann ", photos=5)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["id"].startswith("person:")
    assert (told["use"], told["name"], len(told["photos"])) == ("show", "Ann", 5)
    assert {(one.use, one.declared_by) for one in ledger.declarations} == {("show", "Kim")}
    assert len(ledger.declarations) == 5


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"use": "show"}, 422, "input"),
        ({"use": "show", "name": " "}, 422, "input"),
        ({"use": "watch", "name": "Ann"}, 422, "input.invalid"),
        ({"use": "show", "name": "Ann", "owner_agrees": "false"}, 403, "consent.missing"),
    ],
)
async def test_who_cannot_be_registered_is_refused_and_nothing_is_declared(form, status, code):
    ledger = ListLedger()
    async with serving(SmallFactory(), ledger=ledger) as client:
        answer = await client.post(
            "/api/references",
            files={"photo": ("a.jpg", JPEG)},
            data={"owner_agrees": "true", "declared_by": "Kim"} | form,
        )
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == code
    assert ledger.declarations == []


async def test_a_policy_names_the_registered_and_the_session_gets_them_by_numbers():
    factory = SmallFactory()
    async with serving(factory) as client:
        ann, bob = [await registered(client, name) for name in ("Ann", "Bob")]
        policy = showing(ann, bob)
        url, mine = await made(client, policy)
        assert list(factory.built[-1].policy.people) == list(factory.built[-1].people) == ["1", "2"]
        own = (await client.get(url, headers=mine)).json()["policy"]
        others = (await client.get(url)).json()["policy"]
        listed = (await client.get("/api/broadcasts")).json()[0]["policy"]
    assert [rule["subject"].get("id") for rule in own["rules"][:2]] == [ann, bob]
    assert [rule["subject"].get("id") for rule in others["rules"][:2]] == ["person:1", "person:2"]
    assert listed == others


async def test_numbers_stay_when_somebody_leaves_the_policy():
    factory = SmallFactory()
    async with serving(factory) as client:
        ann, bob = [await registered(client, name) for name in ("Ann", "Bob")]
        url, mine = await made(client, showing(ann, bob))
        before = factory.built[-1].people["2"]
        changed = await client.patch(url, json={"policy": plain(showing(bob))}, headers=mine)
        assert changed.status_code == 200, changed.text
        assert factory.built[-1].people == {"2": before}


@pytest.mark.parametrize("unknown", ["ann", "person:1", "person:nobody", "reference:x"])
async def test_nobody_else_can_be_named(unknown):
    async with serving(SmallFactory()) as client:
        await registered(client, "Ann")
        answer = await client.post("/api/broadcasts", json={"policy": plain(showing(unknown))})
        assert (answer.status_code, answer.json()["code"]) == (422, "policy.unknown_person")
        assert (await client.get("/api/broadcasts")).json() == []


async def test_a_persona_cannot_be_shown_and_a_person_cannot_be_worn():
    async with serving(SmallFactory()) as client:
        face = (await register(client, "", use="swap")).json()["id"]
        answer = await client.post("/api/broadcasts", json={"policy": plain(showing(face))})
        assert (answer.status_code, answer.json()["code"]) == (422, "policy.unknown_person")
        ann = await registered(client, "Ann")
        rules = [{"subject": {"kind": "primary"}, "treatment": {"kind": "swap", "persona": ann}}]
        answer = await client.post("/api/broadcasts", json={"policy": {"version": 1, "rules": rules}})
        assert (answer.status_code, answer.json()["code"]) == (422, "policy.format")


async def test_who_is_taken_back_leaves_every_policy_at_once():
    factory = SmallFactory()
    async with serving(factory) as client:
        ann, bob = [await registered(client, name) for name in ("Ann", "Bob")]
        both, mine = await made(client, showing(ann, bob))
        other, theirs = await made(client, showing(bob))
        built = len(factory.built)
        assert (await client.delete(f"/api/references/{ann}")).status_code == 204
        assert len(factory.built) == built + 1  # the other one never knew her
        assert list(factory.built[-1].people) == ["2"]
        now = (await client.get(both, headers=mine)).json()["policy"]["rules"]
        assert [rule["subject"].get("id") for rule in now] == [bob, None]
        assert (await client.get(other, headers=theirs)).json()["policy"] == plain(
            showing(bob).completed("cells", "box")
        )
        again = await client.patch(both, json={"policy": plain(showing(ann))}, headers=mine)
        assert (again.status_code, again.json()["code"]) == (422, "policy.unknown_person")
        assert (await client.delete(f"/api/references/{ann}")).status_code == 404


async def test_frames_over_a_websocket_know_the_registered_and_end_when_they_are_taken_back():
    async with serving(SmallFactory()) as client:
        ann = await registered(client, "Ann")
        async with connect(f"{client.base_url}".replace("http", "ws") + "/ws/frames") as socket:
            await socket.send(json.dumps({"policy": plain(showing(ann))}))
            assert json.loads(await socket.recv()) == {"kind": "ready"}
            assert (await client.delete(f"/api/references/{ann}")).status_code == 204
            while (told := json.loads(await socket.recv()))["kind"] == "stats":
                pass
            assert (told["kind"], told["code"]) == ("error", "persona.unknown")
