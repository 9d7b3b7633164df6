"""From a camera to a viewer's screen, through two real browsers and a real server."""

import re

import pytest
from playwright.sync_api import expect

from support.browser import lend_photo, screens_that_show
from support.judge import SAME_PERSON, Judge
from support.photos import as_png, hopper
from support.scenes import astronaut_frame

pytestmark = [pytest.mark.models, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def judge(runtime):
    return Judge(runtime)


def go_live(page):
    """Press the button and return the link for viewers."""
    page.get_by_role("button", name="Go live").click()
    link = page.locator("input[readonly]")
    expect(link).to_have_value(re.compile("/watch/"), timeout=30_000)
    return link.input_value()


def watch(page, link, wanted, *, screens):
    """Open the link and return pictures of its video that are as wanted, and the others."""
    page.goto(link)
    page.wait_for_function(
        "() => { const v = document.querySelector('video'); return v && v.videoWidth > 0 && v.readyState >= 2; }",
        timeout=30_000,
    )
    return screens_that_show(page, wanted, count=screens)


def test_a_swapped_face_reaches_the_viewer_as_the_face_of_the_reference(broadcaster, viewer, judge, tmp_path):
    photo = tmp_path / "hopper.png"
    photo.write_bytes(as_png(hopper()))
    lend_photo(broadcaster, photo)
    link = go_live(broadcaster)
    screens, others = watch(viewer, link, judge, screens=6)
    assert len(screens) == 6

    live, reference = judge.embedding(astronaut_frame(1.0, face_px=250)), judge.embedding(hopper())
    before = float(live @ reference)
    likeness = [(judge.likeness(image, reference), judge.likeness(image, live)) for image in screens]
    assert sum(to_reference for to_reference, _ in likeness) / 6 > before + 0.05
    assert all(to_reference > to_live for to_reference, to_live in likeness)
    assert all(judge.likeness(image, live) < SAME_PERSON for image in others)


def test_in_mosaic_the_viewer_sees_nobody(broadcaster, viewer, judge):
    broadcaster.get_by_text("Mosaic", exact=True).first.click()
    link = go_live(broadcaster)
    # A slate is safe, but it is not the broadcast.
    screens, others = watch(viewer, link, lambda image: image.std() > 20, screens=6)
    assert len(screens) == 6
    # A browser that is starved of CPU may be given the smaller picture, and so may all from a server that is.
    assert all(image.shape in {(720, 1280, 3), (540, 960, 3), (360, 640, 3)} for image in screens)
    live = judge.embedding(astronaut_frame(1.0, face_px=250))
    assert all(judge.likeness(image, live) < 0.9 for image in (*others, *screens))


def test_the_broadcaster_sees_the_treated_picture_and_the_list_names_the_broadcast(broadcaster, viewer, judge, server):
    go_live(broadcaster)
    broadcaster.wait_for_function(
        "() => [...document.querySelectorAll('video')].some(v => v.videoWidth === 1280 && v.readyState >= 2)",
        timeout=30_000,
    )
    live = judge.embedding(astronaut_frame(1.0, face_px=250))
    (own,), _ = screens_that_show(broadcaster, judge, count=1)
    assert judge.likeness(own, live) < SAME_PERSON
    viewer.goto(server.address)
    expect(viewer.locator("a[href*='/watch/']").first).to_be_visible(timeout=30_000)
