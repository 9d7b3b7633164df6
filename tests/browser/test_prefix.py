"""The pages in a browser, below a path prefix that a proxy strips: one that says nothing of it, and a real nginx."""

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from mien.server.app import WEB_DIR
from support.browser import browser
from support.live import serving
from support.nginx import nginx
from support.pipelines import SmallFactory
from support.prefix_proxy import proxied

pytestmark = pytest.mark.timeout(240)

PREFIX = "/mien"
OPERATOR = "operator-token-0123456789"


@contextmanager
def running(make):
    """Keep an asynchronous context open on a thread of its own while the block runs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    context = make()
    try:
        yield asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@asynccontextmanager
async def served():
    async with (
        serving(SmallFactory(), web_dir=WEB_DIR) as client,
        proxied(str(client.base_url).rstrip("/"), PREFIX) as address,
    ):
        yield address


@asynccontextmanager
async def served_by_nginx(folder):
    async with serving(SmallFactory(), web_dir=WEB_DIR, root_path=PREFIX, whip_token=OPERATOR) as client:
        with nginx(folder, str(client.base_url).rstrip("/")) as address:
            yield address


@pytest.fixture(params=["ours", "nginx"])
def proxy(request, tmp_path):
    with running(served if request.param == "ours" else lambda: served_by_nginx(tmp_path)) as address:
        yield address


def watch_requests(page):
    seen = []
    page.on("response", lambda response: seen.append((response.status, response.url)))
    page.on("websocket", lambda socket: seen.append((101, socket.url)))
    return seen


def test_a_broadcast_is_made_and_watched_below_a_stripped_prefix(request, playwright, camera, proxy):
    is_asked = request.node.callspec.params["proxy"] == "nginx"
    with browser(playwright, camera=camera) as at_the_camera, browser(playwright) as elsewhere:
        live, watch = at_the_camera.new_page(), elsewhere.new_page()
        requests = [watch_requests(live), watch_requests(watch)]
        live.on("dialog", lambda dialog: dialog.accept())
        live.goto(f"{proxy}{PREFIX}/live")
        live.get_by_role("button", name="Go live").click()
        if is_asked:
            live.get_by_label("Operator's code").fill(OPERATOR)  # asked for, as nginx says that it hands requests on
            live.get_by_role("button", name="Go live").click()
        expect(live.locator("main")).to_have_attribute("data-state", "live", timeout=30_000)
        watch.goto(f"{proxy}{PREFIX}/", wait_until="domcontentloaded")
        watch.locator("a.card").first.click()
        watch.wait_for_function("() => document.querySelector('video')?.videoWidth > 2")
        assert urlsplit(watch.url).path.startswith(f"{PREFIX}/watch/")
        watch.get_by_role("link", name="mien").first.click()
        expect(watch).to_have_url(f"{proxy}{PREFIX}/")
        live.goto("about:blank")
    for seen, refused in zip(requests, ([401] if is_asked else [], []), strict=True):
        paths = {urlsplit(url).path for _, url in seen}
        assert any("/whip/" in path or "/whep/" in path for path in paths)
        assert all(path.startswith(f"{PREFIX}/") for path in paths), paths
        failed = [(status, url) for status, url in seen if status >= 400 and "thumbnail" not in url]
        assert [status for status, url in failed if url.endswith("/api/broadcasts")] == refused
        assert all(url.endswith("/api/broadcasts") for _, url in failed), failed
    assert any(status == 101 for status, _ in requests[0] + requests[1]), "events came over a WebSocket"
