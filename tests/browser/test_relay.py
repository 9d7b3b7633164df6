"""Chromium behind a firewall that lets nothing but the relay through: it publishes and watches all the same."""

import asyncio
import contextlib
import io
import re
import tempfile

import numpy as np
import PIL.Image
import pytest
from playwright.async_api import async_playwright, expect

from mien.server.app import WEB_DIR
from support.browser import FLAGS, chromium_path, write_camera_clip
from support.coturn import SECRET, coturn
from support.live import serving, stripes
from support.pipelines import SmallFactory

pytestmark = pytest.mark.timeout(120)

RELAY_ONLY = """
    const Direct = RTCPeerConnection;
    window.peers = [];
    window.RTCPeerConnection = class extends Direct {
        constructor(configuration) {
            super({ ...configuration, iceTransportPolicy: "relay" });
            window.peers.push(this);
        }
    };
"""
PATH = """async () => {
    for (const peer of window.peers) {
        const stats = await peer.getStats();
        for (const report of stats.values()) {
            if (report.type !== "transport" || !report.selectedCandidatePairId) continue;
            const pair = stats.get(report.selectedCandidatePairId);
            const local = stats.get(pair.localCandidateId);
            return [local.candidateType, local.relayProtocol];
        }
    }
    return null;
}"""


@pytest.fixture
def relay(tmp_path):
    with coturn(tmp_path) as running:
        yield running


@pytest.fixture
def camera(tmp_path):
    return write_camera_clip(tmp_path / "stripes.mjpeg", [stripes((640, 480), number) for number in range(8)])


@contextlib.asynccontextmanager
async def chromium(camera):
    flags = [*FLAGS, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with tempfile.TemporaryDirectory() as profile:
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                profile,
                executable_path=chromium_path(),
                args=[*flags, f"--use-file-for-fake-video-capture={camera}"],
                locale="en-US",
            )
            await context.add_init_script(RELAY_ONLY)
            try:
                yield context
            finally:
                await context.close()


@contextlib.asynccontextmanager
async def relayed(relay, camera, transport, *, secret=SECRET):
    """Serve behind the relay; yield a client of the server and a browser that may use the relay alone."""
    turn = {"urls": [relay.url(transport)], "secret": secret}
    async with (
        serving(SmallFactory(), web_dir=WEB_DIR, turn=turn, live={"bind_to": ["127.0.0.1"]}) as client,
        chromium(camera) as context,
    ):
        yield client, context


async def go_live(client, context):
    page = await context.new_page()
    await page.goto(f"{client.base_url}/live")
    await page.get_by_text("Mosaic", exact=True).first.click()
    await page.get_by_role("button", name="Go live").click()
    return page


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_browser_that_only_reaches_the_relay_publishes_and_watches(relay, camera, transport):
    async with relayed(relay, camera, transport) as (client, context):
        broadcaster = await go_live(client, context)
        link = broadcaster.locator("input[readonly]")
        await expect(link).to_have_value(re.compile("/watch/"), timeout=30_000)
        viewer = await context.new_page()
        await viewer.goto(await link.input_value())
        await viewer.wait_for_function(
            "() => { const video = document.querySelector('video'); return video && video.videoWidth > 2; }",
            timeout=30_000,
        )
        await asyncio.sleep(1)
        png = await viewer.locator("video").first.screenshot()
        seen = np.asarray(PIL.Image.open(io.BytesIO(png)).convert("L"))
        assert seen.std() > 20, "stripes made coarse, and no slate"
        for page in (broadcaster, viewer):
            assert await page.evaluate(PATH) == ["relay", transport]
        (broadcast,) = (await client.get("/api/broadcasts")).json()
        assert broadcast["state"] == "live"
        await broadcaster.goto("about:blank")


async def test_with_credentials_that_the_relay_does_not_know_nobody_gets_through(relay, camera):
    async with relayed(relay, camera, "udp", secret=SECRET[::-1]) as (client, context):
        page = await go_live(client, context)
        await expect(page.locator("main")).to_have_attribute("data-state", "failed", timeout=25_000)
        assert await page.evaluate(PATH) is None
    assert "Cannot find credentials" in relay.log.read_text()
