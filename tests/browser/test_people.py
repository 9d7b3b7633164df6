"""Hide everyone but the registered, in real browsers: registered on the page, shown to a viewer, and hidden again."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from support.browser import browser, register_person, screen, screens_that_show, write_camera_clip
from support.photos import as_png, astronaut, hopper
from support.stage import SHOWN, Stage
from support.two_people import Standing

pytestmark = [pytest.mark.models, pytest.mark.timeout(300)]

FACE_PX = 130
LEFT, RIGHT = np.array([0, 0, 480, 540]), np.array([480, 0, 960, 540])


@pytest.fixture(scope="module")
def stage(factory):
    people = {"ann": Standing(240, 260, FACE_PX), "bob": Standing(720, 260, FACE_PX)}
    return Stage(factory, {"ann": astronaut(), "bob": hopper()}, lambda _at: people)


@pytest.fixture(scope="module")
def two_people(stage, tmp_path_factory):
    path = tmp_path_factory.mktemp("camera") / "two.mjpeg"
    return write_camera_clip(path, (stage(i / 20) for i in range(90)))


@pytest.fixture
def live(playwright, two_people, server):
    with browser(playwright, camera=two_people, size_wh=(1440, 1000)) as context:
        page = context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{server.address}/live")
        yield page
        page.goto("about:blank")


def test_a_guest_is_registered_and_shown_a_stranger_is_hidden_and_the_page_says_why(live, viewer, stage, tmp_path):
    photo = tmp_path / "ann.png"
    photo.write_bytes(as_png(astronaut()))
    live.get_by_role("radio", name=re.compile("Mosaic")).check(force=True)
    register_person(live, "Ann", photo)
    live.get_by_role("button", name="Go live").click()
    expect(live.locator("main")).to_have_attribute("data-state", "live")
    viewer.goto(live.locator("input[name=link]").input_value())
    ann = live.locator(".people-list li").filter(has_text="Ann")
    expect(ann).to_contain_text("Shown")

    def sees(image, name, side):
        return stage.likeness(image, name, face_px=FACE_PX, within=side) >= SHOWN

    shown, others = screens_that_show(viewer, lambda image: sees(image, "ann", LEFT), count=5)
    assert len(shown) == 5
    assert not any(sees(image, "bob", RIGHT) for image in shown + others)

    ann.get_by_role("button", name="Hide Ann from now on").click()
    expect(ann).to_have_count(0)
    expect(live.get_by_text("Changed on air.")).to_be_visible()
    viewer.wait_for_timeout(2_000)
    for _ in range(5):
        image = screen(viewer)
        assert image is not None
        assert not sees(image, "ann", LEFT)
        assert not sees(image, "bob", RIGHT)
        viewer.wait_for_timeout(300)


def test_whoever_goes_live_says_which_face_is_theirs(live):
    live.get_by_role("button", name="Go live").click()
    expect(live.locator("main")).to_have_attribute("data-state", "live")
    own = live.locator(".seen-face[data-primary]")
    expect(own).to_have_text("You")
    first_left = own.bounding_box()["x"]
    live.get_by_role("button", name=re.compile("This is me: face")).first.click()
    live.wait_for_function(
        """before => {
            const own = document.querySelector('.seen-face[data-primary]');
            return own !== null && Math.abs(own.getBoundingClientRect().x - before) > 100;
        }""",
        arg=first_left,
        timeout=60_000,
    )
