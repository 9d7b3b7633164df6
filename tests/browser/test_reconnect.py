"""What both pages do when the line or the server goes away, in both browsers."""

import os
import signal
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from support.browser import STEADY, browser, mien_serve, screen
from support.firefox import firefox
from support.worker import children_of

pytestmark = [pytest.mark.models, pytest.mark.timeout(240)]

FROZEN_S = 14.0
"""Longer than any page waits for a silent server, shorter than the server waits for a silent publisher."""

SHOWS_PICTURE = (
    "() => { const v = document.querySelector('video'); return v && v.videoWidth > 2 && v.readyState >= 2; }"
)
ON_AIR = "() => document.querySelector('main').dataset.state === 'live'"
WATCHES = "() => document.querySelector('.badge-live').checkVisibility()"
LINK = "() => document.querySelector('input[name=link]').value"


@contextmanager
def frozen(server):
    """Let a server and all its workers fall silent, as if the line to them were dead."""
    pids = [server.pid, *children_of(server.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


NOTE_STATES = """() => {
    const main = document.querySelector('main');
    window.noted = [];
    const note = () => {
        const state = main.dataset.state
            ?? (document.querySelector('.badge-live').checkVisibility()
                ? 'live' : document.querySelector('.stage-notice strong').textContent.toLowerCase());
        if (window.noted.at(-1)?.state !== state) window.noted.push({state});
    };
    note();
    new MutationObserver(note).observe(main, {subtree: true, attributes: true, childList: true, characterData: true});
}"""
"""From now on a page notes when it is reconnecting and when it is live."""


DEAF = """() => {
    const {getStats} = RTCPeerConnection.prototype;
    RTCPeerConnection.prototype.getStats = async function () {
        const heard = {type: 'candidate-pair', bytesReceived: performance.now()};
        return new Map([...await getStats.call(this), ['heard', heard]]);
    };
    const {get} = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, 'connectionState');
    Object.defineProperty(RTCPeerConnection.prototype, 'connectionState', {get() {
        const state = get.call(this);
        return state === 'disconnected' || state === 'failed' ? 'connected' : state;
    }});
}"""
"""From now on a page does not find out by itself that a line is dead: it has to be told."""


def noted(page):
    """Return the states that a page went through."""
    return [note["state"] for note in page.evaluate("() => window.noted")]


def moves(page, *, within_s=40):
    """Whether the picture changes, at the latest when `within_s` are over: it has just come back."""
    before = screen(page).astype(int)
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        time.sleep(0.5)
        if abs(screen(page) - before).mean() > 0.5:
            return True
    return False


@pytest.fixture
def fox():
    with firefox() as running:
        yield running


def on_air_and_watched(broadcaster, viewer, server):
    """Go live on one page and watch on the other; return the link."""
    broadcaster.goto(f"{server.address}/live")
    broadcaster.click("Go live")
    broadcaster.wait_for_function(ON_AIR)
    link = broadcaster.evaluate(LINK)
    viewer.goto(link)
    viewer.wait_for_function(WATCHES, timeout=30_000)
    return link


def test_both_pages_come_back_to_the_same_broadcast_after_a_silence(fox, viewer, server):
    with fox.new_page() as broadcaster:
        link = on_air_and_watched(broadcaster, viewer, server)
        with frozen(server):
            broadcaster.wait_for_text("Reconnecting", timeout_s=FROZEN_S)
            expect(viewer.get_by_text("Reconnecting")).to_be_visible(timeout=FROZEN_S * 1000)
        broadcaster.wait_for_function(ON_AIR)
        viewer.wait_for_function(WATCHES, timeout=30_000)
        assert moves(viewer)
        assert moves(broadcaster)
        assert broadcaster.evaluate(LINK) == link
        assert len(httpx.get(f"{server.address}/api/broadcasts").json()) == 1


def test_both_pages_are_told_that_the_worker_died_and_come_back_to_the_same_broadcast(fox, viewer, server):
    with fox.new_page() as broadcaster:
        link = on_air_and_watched(broadcaster, viewer, server)
        for page in (broadcaster, viewer):
            page.evaluate(NOTE_STATES)
            page.evaluate(DEAF)
        for pid in children_of(server.pid):  # the one that carries it, and the one that waits for the next
            os.kill(pid, signal.SIGKILL)
        broadcaster.wait_for_function("() => window.noted.length > 2 && window.noted.at(-1).state === 'live'")
        viewer.wait_for_function(
            "() => window.noted.length > 2 && window.noted.at(-1).state === 'live'", timeout=30_000
        )
        for page in (broadcaster, viewer):
            assert "reconnecting" in noted(page)
        assert moves(viewer)
        assert broadcaster.evaluate(LINK) == link


def test_pages_behind_a_proxy_without_websockets_know_the_broadcast_all_the_same(broadcaster, viewer):
    asked = []
    viewer.on("request", lambda request: asked.append(urlsplit(request.url).path))
    for page in (broadcaster, viewer):
        page.route_web_socket("**/events", lambda socket: socket.close(code=1011))
        page.reload()
    broadcaster.get_by_role("button", name="Go live").click()
    broadcaster.wait_for_function(ON_AIR, timeout=30_000)
    viewer.goto(broadcaster.evaluate(LINK))
    viewer.wait_for_function(WATCHES, timeout=30_000)
    expect(viewer.get_by_text("1 viewer")).to_be_visible(timeout=30_000)
    expect(broadcaster.locator("[data-stat=viewers] dd")).to_have_text("1", timeout=30_000)
    broadcaster.get_by_role("button", name="Stop").click()
    broadcaster.get_by_role("button", name="End it").click()
    expect(viewer.get_by_text("This broadcast is over")).to_be_visible(timeout=30_000)
    assert sum(path.startswith("/api/broadcasts/") for path in asked) > 1


def test_a_server_that_starts_anew_knows_no_old_broadcast_and_both_pages_say_so(fox, playwright, camera, tmp_path):
    with (
        mien_serve(tmp_path, settings=STEADY) as server,
        browser(playwright, camera=camera) as context,
        fox.new_page() as watcher,
    ):
        page = context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{server.address}/live")
        page.get_by_role("button", name="Go live").click()
        page.wait_for_function(ON_AIR, timeout=30_000)
        link = page.evaluate(LINK)
        watcher.goto(link)
        watcher.wait_for_function(WATCHES)

        os.kill(server.pid, signal.SIGKILL)
        expect(page.get_by_text("Reconnecting")).to_be_visible(timeout=30_000)
        expect(page.get_by_text("The server cannot be reached.")).to_be_visible(timeout=30_000)
        watcher.wait_for_text("Reconnecting")
        page.evaluate("window.camera = document.querySelector('.self-view video').srcObject")

        with mien_serve(tmp_path, port=urlsplit(server.address).port, settings=STEADY):
            watcher.wait_for_text("This broadcast is over", timeout_s=30)
            expect(page.get_by_text("The server ended your broadcast")).to_be_visible(timeout=30_000)
            assert page.evaluate("window.camera.getTracks().every(track => track.readyState === 'ended')")
            assert httpx.get(f"{server.address}/api/broadcasts").json() == []

            page.get_by_role("button", name="Go live").click()
            page.wait_for_function(ON_AIR, timeout=30_000)
            assert page.evaluate(LINK) != link
            page.goto("about:blank")


def test_a_broadcaster_whose_connection_is_cut_comes_back_within_seconds(broadcaster, server):
    made, sessions = [], []

    def note(response):
        if response.request.method == "POST" and response.url.endswith("/api/broadcasts"):
            made.append(response.json())
        elif "/whip/" in response.url and "location" in response.headers:
            sessions.append(response.headers["location"])

    broadcaster.on("response", note)
    broadcaster.get_by_role("button", name="Go live").click()
    broadcaster.wait_for_function(ON_AIR, timeout=30_000)
    authorization = {"Authorization": f"Bearer {made[0]['token']}"}
    assert httpx.delete(server.address + sessions[0], headers=authorization).is_success
    expect(broadcaster.get_by_text("Reconnecting")).to_be_visible(timeout=30_000)
    broadcaster.wait_for_function(ON_AIR, timeout=30_000)
    assert len(sessions) == 2
    assert len(made) == 1
