"""The end of a broadcast as a page that is being closed asks for it."""

import pytest

from support.live import serving
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
