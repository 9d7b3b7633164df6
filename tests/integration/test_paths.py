"""Everything works below a path prefix, and a slash at the end of a path never redirects."""

import json
import re
from contextlib import asynccontextmanager
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
import websockets
from pydantic import ValidationError

from mien.config import Settings
from mien.server.app import WEB_DIR
from support.live import Camera, publish, serving, watching
from support.nginx import nginx
from support.pipelines import SmallFactory
from support.prefix_proxy import proxied

OPERATOR = "operator-token-0123456789"
PREFLIGHT = {"Origin": "https://player.example", "Access-Control-Request-Method": "POST"}


@asynccontextmanager
async def below(prefix, *, strips=True, header=None, **settings):
    """Serve below `prefix`; yield a client of the proxy whose own paths lie outside the prefix."""
    headers = {"X-Forwarded-Prefix": header} if header else None
    async with (
        serving(SmallFactory(), web_dir=WEB_DIR, **settings) as client,
        proxied(str(client.base_url).rstrip("/"), prefix, strips=strips, headers=headers) as address,
        httpx.AsyncClient(base_url=address, timeout=20) as outside,
    ):
        yield outside


@pytest.mark.parametrize("path", ["/watch", "/watch/", "/nowhere", "/watch/a/b", "/live/x"])
async def test_a_browser_gets_a_page_at_a_path_that_is_none(path):
    async with serving(SmallFactory(), web_dir=WEB_DIR) as client:
        answer = await client.get(path, headers={"Accept": "text/html"})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "Content-Security-Policy" in answer.headers
        script = re.search(r'<script[^>]* src="([^"]+)"', answer.text)
        assert script is not None
        assert (await client.get(urljoin(str(answer.url), script[1]))).status_code == 200
        assert (await client.head(path, headers={"Accept": "text/html"})).status_code == 404


WAYS = [
    pytest.param({"root_path": "/mien"}, id="strips"),
    pytest.param({"root_path": "/mien/", "strips": False}, id="passes-on"),
    pytest.param({"header": "/mien"}, id="says-so-in-a-header"),
    pytest.param({"header": "/mien/"}, id="header-with-a-slash"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_broadcast_lives_below_a_prefix(way, slash):
    async with below("/mien", **way) as client:
        made = (await client.post(f"/mien/api/broadcasts{slash}", json={})).json()
        broadcast_id = made["id"]
        for name, path in (("whip_url", "whip"), ("whep_url", "whep"), ("watch_url", "watch")):
            assert made[name] == f"/mien/{path}/{broadcast_id}"
        session = await publish(client, made["whip_url"] + slash, Camera(), token=made["token"])
        assert session.url.startswith(f"/mien/whip/{broadcast_id}/")
        async with watching(client, made["whep_url"] + slash, audio=False) as watcher:
            assert watcher.session.url.startswith(f"/mien/whep/{broadcast_id}/")
            await watcher.until(lambda seen: len(seen.frames) > 1)
            events = f"{client.base_url}/mien/api/broadcasts/{broadcast_id}/events{slash}".replace("http", "ws", 1)
            async with websockets.connect(events) as socket:
                assert json.loads(await socket.recv())["whep_url"] == f"/mien/whep/{broadcast_id}"
            (shown,) = (await client.get("/mien/api/broadcasts")).json()
            assert (await client.get(shown["thumbnail_url"])).status_code == 200
            assert (await client.delete(watcher.session.url + slash)).status_code == 200
        assert (await session.close_peer()).status_code == 200


@pytest.mark.parametrize("way", WAYS)
async def test_the_link_to_the_players_lies_below_the_prefix(way):
    async with below("/mien", **way) as client:
        camera = Camera()
        session = await publish(client, "/mien/whip", camera)
        assert re.search(r'</mien/whep/[^>]+>; rel="alternate"', session.response.headers["link"])
        await session.close_peer()


@pytest.mark.parametrize("way", [*WAYS, pytest.param({}, id="says-nothing")])
@pytest.mark.parametrize("page", ["/", "/live", "/live/", "/watch/abc", "/watch/abc/"])
async def test_pages_find_their_files_below_a_prefix(way, page):
    async with below("/mien", **way) as client:
        response = await client.get(f"/mien{page}")
        assert response.status_code == 200
        named = re.findall(r'(?:href|src)="([^"]+)"', response.text)
        assert len(named) >= 3
        for url in named:
            found = urljoin(str(response.url), url)
            assert urlsplit(found).path.startswith("/mien/assets/")
            assert (await client.get(found)).status_code == 200
        (home,) = re.findall(r'<meta name="mien-home" content="([^"]+)">', response.text)
        assert urlsplit(urljoin(str(response.url), home)).path == "/mien/"


@pytest.mark.parametrize(
    "header",
    ["//evil.example", "/a//b", "/..", "/a/../b", "https://evil.example", '/a"><script>', "/a\\b", "mien", "/" * 9],
)
async def test_a_header_that_is_no_path_prefix_is_ignored(header):
    async with serving(SmallFactory(), web_dir=WEB_DIR) as client:
        headers = {"X-Forwarded-Prefix": header}
        made = (await client.post("/api/broadcasts", json={}, headers=headers)).json()
        assert made["whep_url"] == f"/whep/{made['id']}"
        assert (await client.get("/live", headers=headers)).text == (await client.get("/live")).text


async def test_a_header_of_strangers_counts_only_where_a_setting_says_so():
    headers = {"X-Forwarded-Prefix": "/mien", "Authorization": f"Bearer {OPERATOR}"}
    for trusts, prefix in ((None, ""), (False, ""), (True, "/mien")):
        settings = {"host": "0.0.0.0", "whip_token": OPERATOR}  # noqa: S104  # only said, not opened
        async with serving(SmallFactory(), trust_forwarded_prefix=trusts, **settings) as client:
            made = (await client.post("/api/broadcasts", json={}, headers=headers)).json()
            assert made["whep_url"] == f"{prefix}/whep/{made['id']}"


async def test_a_header_never_changes_what_a_request_reaches():
    async with serving(SmallFactory()) as client:
        answer = await client.get("/outside/api/broadcasts", headers={"X-Forwarded-Prefix": "/outside"})
        assert answer.status_code == 404


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", ["/whip", "/whip/{id}", "/whip/{id}/{session}", "/whep/{id}", "/whep/{id}/{session}"])
@pytest.mark.parametrize("headers", [pytest.param(PREFLIGHT, id="preflight"), pytest.param({}, id="plain")])
async def test_options_is_answered_and_never_redirected(path, slash, headers):
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        url = path.format(id=made["id"], session="some-session") + slash
        answer = await client.options(url, headers=headers)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == "*"
        verbs = {"PATCH", "DELETE"} if "session" in path else {"POST"}
        assert verbs <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize("slash", ["", "/"])
async def test_only_the_verbs_of_whip_and_whep_are_taken_and_none_is_redirected(slash):
    async with serving(SmallFactory()) as client:
        for path in ("/whip", "/whip/x", "/whep/x"):
            for verb in ("GET", "HEAD", "PUT"):  # RFC 9725, 4.2
                answer = await client.request(verb, path + slash)
                assert (answer.status_code, "location" in answer.headers) == (405, False)
                assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "path", ["/", "/live", "/live/", "/watch/x", "/api/health", "/api/broadcasts/", "/openapi.json"]
)
async def test_head_is_answered_as_get_without_a_body(path):
    async with serving(SmallFactory(), web_dir=WEB_DIR) as client:
        got, headed = await client.get(path), await client.head(path)
        assert (headed.status_code, headed.content) == (200, b"")
        assert headed.headers["content-type"] == got.headers["content-type"]


async def test_the_api_document_names_the_prefix():
    async with below("/mien", root_path="/mien") as client:
        document = (await client.get("/mien/openapi.json")).json()
        assert document["servers"] == [{"url": "/mien"}]


@pytest.mark.parametrize("path", ["mien", "//mien", "/../mien", "/a b", "https://a.example", "/api", "/whip/x", '/"'])
def test_a_root_path_is_a_path_and_none_of_ours(path):
    with pytest.raises(ValidationError):
        Settings(root_path=path)


async def test_nginx_as_the_guide_shows_it_carries_everything_by_the_addresses_in_the_answers(tmp_path):
    async with serving(SmallFactory(), root_path="/mien", whip_token=OPERATOR) as direct:
        with nginx(tmp_path, str(direct.base_url).rstrip("/")) as address:
            async with httpx.AsyncClient(base_url=address, timeout=20) as client:
                # All that a browser says of a page without TLS; the port is part of its origin.
                own_page = {"Origin": address}
                nobody = await client.post("/mien/api/broadcasts", json={}, headers=own_page)
                assert (nobody.status_code, nobody.json()["code"]) == (401, "live.token")
                operator = {**own_page, "Authorization": f"Bearer {OPERATOR}"}
                made = (await client.post("/mien/api/broadcasts", json={}, headers=operator)).json()
                session = await publish(client, made["whip_url"], Camera(), token=made["token"])
                async with watching(client, made["whep_url"], audio=False) as watcher:
                    await watcher.until(lambda seen: len(seen.frames) > 1)
                    events = f"ws{address.removeprefix('http')}/mien/api/broadcasts/{made['id']}/events"
                    async with websockets.connect(events, additional_headers=own_page) as socket:
                        assert json.loads(await socket.recv())["id"] == made["id"]
                    answer = watcher.session.response
                    end = await client.patch(
                        answer.headers["location"],
                        content="a=end-of-candidates\r\n",
                        headers={"If-Match": answer.headers["etag"], "Content-Type": "application/trickle-ice-sdpfrag"},
                    )
                    assert end.status_code == 204
                    assert (await client.delete(answer.headers["location"])).status_code == 200
                assert (await session.close_peer()).status_code == 200
                evil = await client.post("/mien/api/broadcasts", json={}, headers={"Origin": "http://evil.example"})
                assert evil.status_code == 403
