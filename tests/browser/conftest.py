"""What every browser test needs: a fake camera's clip, a real server, two browsers."""

import pytest
from playwright.sync_api import expect, sync_playwright

from support.browser import STEADY, browser, end_broadcasts, mien_serve, write_camera_clip
from support.scenes import astronaut_frames

expect.set_options(timeout=30_000)  # milliseconds; what takes one on a free machine takes ten on a busy one


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    path = tmp_path_factory.mktemp("camera") / "astronaut.mjpeg"
    return write_camera_clip(path, astronaut_frames(4.84, face_px=250))  # one sway, so that the loop has no cut


@pytest.fixture(scope="module")
def server(tmp_path_factory, runtime):  # noqa: ARG001  # the server needs the models that `runtime` fetched
    with mien_serve(tmp_path_factory.mktemp("data"), settings=STEADY) as running:
        yield running


@pytest.fixture(scope="module")
def playwright():  # for a module and no longer: its event loop would be in the way of asynchronous tests
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(autouse=True)
def _no_broadcast_outlives_its_test(request):
    server = request.getfixturevalue("server") if "server" in request.fixturenames else None
    yield
    if server is not None:
        end_broadcasts(server)


@pytest.fixture
def broadcaster(playwright, camera, server):
    with browser(playwright, camera=camera) as context:
        page = context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?", asked while on air
        page.goto(f"{server.address}/live")
        yield page
        page.goto("about:blank")  # a page that is left ends its broadcast; one that is killed cannot


@pytest.fixture
def viewer(playwright):
    with browser(playwright) as context:
        yield context.new_page()
