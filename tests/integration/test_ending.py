"""The end of a broadcast as a page that is being closed asks for it."""

import asyncio

import pytest

from mien.app.broadcasts import broadcasts
from support.live import Camera, publish, serving
from support.pipelines import SmallFactory

TEXT = {"Content-Type": "text/plain;charset=UTF-8"}
"""As `navigator.sendBeacon` sends a string."""


async def test_the_token_as_text_ends_a_broadcast():
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        other = (await client.post("/api/broadcasts", json={})).json()
        url = f"/api/broadcasts/{made['id']}"
        assert (await client.post(f"{url}/end", content=made["token"], headers=TEXT)).status_code == 204
        assert [each["id"] for each in (await client.get("/api/broadcasts")).json()] == [other["id"]]
        again = await client.post(f"{url}/end", content=made["token"], headers=TEXT)
        assert (again.status_code, again.json()["code"]) == (404, "live.no_such_broadcast")


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        pytest.param(b"", TEXT, 401, "live.token", id="nothing"),
        pytest.param(b"another", TEXT, 401, "live.token", id="another token"),
        pytest.param(b"{}", {"Content-Type": "application/json"}, 415, "http.unsupported_media_type", id="JSON"),
        pytest.param(b"", {}, 415, "http.unsupported_media_type", id="no type"),
        pytest.param(b"\xff\xfe", TEXT, 400, "http.bad_request", id="no text"),
        pytest.param(b"x" * 2000, TEXT, 413, "http.too_large", id="longer than any token"),
    ],
)
async def test_anything_else_ends_nothing(body, headers, status, code):
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        url = f"/api/broadcasts/{made['id']}"
        own = headers | {"Authorization": f"Bearer {made['token']}"}  # this verb looks at the body alone
        refused = await client.post(f"{url}/end", content=body, headers=own)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
        assert (await client.get(url)).status_code == 200


async def test_a_page_that_goes_may_come_back_before_its_broadcast_is_over(monkeypatch):
    monkeypatch.setattr(broadcasts, "_SWEEP_S", 0.05)
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        url = f"/api/broadcasts/{made['id']}"

        async def leave(after_s):
            answer = await client.post(f"{url}/end", params={"after_s": after_s}, content=made["token"], headers=TEXT)
            assert answer.status_code == 204

        await leave(30)
        assert (await client.get(url)).status_code == 200
        session = await publish(client, made["whip_url"], Camera(), token=made["token"])
        await leave(0.2)
        await asyncio.sleep(0.5)
        assert (await client.get(url)).status_code == 200, "while somebody publishes"
        await session.close_peer()
        async with asyncio.timeout(30):
            while (await client.get(url)).status_code == 200:
                pass


async def test_a_page_that_came_back_has_as_long_as_ever_when_its_line_is_lost_later(monkeypatch):
    monkeypatch.setattr(broadcasts, "_SWEEP_S", 0.05)
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        url = f"/api/broadcasts/{made['id']}"
        await client.post(f"{url}/end", params={"after_s": 1}, content=made["token"], headers=TEXT)
        session = await publish(client, made["whip_url"], Camera(), token=made["token"])
        await session.close_peer()
        await asyncio.sleep(1.5)
        assert (await client.get(url)).status_code == 200


@pytest.mark.parametrize("after_s", ["-1", "61", "nan", "soon"])
async def test_how_long_a_page_may_stay_away_is_bounded(after_s):
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        url = f"/api/broadcasts/{made['id']}/end"
        refused = await client.post(url, params={"after_s": after_s}, content=made["token"], headers=TEXT)
        assert refused.status_code == 422
