"""Firefox publishes and watches: with itself, with Chromium, and with a face that must stay treated."""

import re
import time

import httpx
import numpy as np
import pytest
from playwright.sync_api import expect

from support.browser import audio, lend_photo, loudest_hz, screen, screens_that_show
from support.firefox import firefox
from support.judge import SAME_PERSON, Judge
from support.photos import as_png, hopper
from support.scenes import astronaut_frame

pytestmark = [pytest.mark.models, pytest.mark.timeout(240)]

TONE_HZ = 700
"""Of Firefox's fake microphone. Chromium's viewer has no microphone that could sound like it."""

SHOWS_PICTURE = (
    "() => { const v = document.querySelector('video'); return v && v.videoWidth > 2 && v.readyState >= 2; }"
)


@pytest.fixture(scope="module")
def fox():
    with firefox(preferences={"media.navigator.audio.fake_frequency": TONE_HZ}) as running:
        yield running


@pytest.fixture
def fox_page(fox):
    with fox.new_page() as page:
        yield page
        page.goto("about:blank")  # a page that is left ends its broadcast


@pytest.fixture
def fox_on_air(fox_page, server):
    """Go live in Firefox and return its page."""
    fox_page.goto(f"{server.address}/live")
    fox_page.click("Go live")
    fox_page.wait_for_function("() => document.querySelector('main').dataset.state === 'live'")
    fox_page.wait_for_function(SHOWS_PICTURE)
    return fox_page


def states(server):
    return [broadcast["state"] for broadcast in httpx.get(f"{server.address}/api/broadcasts").json()]


def goes_live(server, live, *, within_s):
    """Whether a broadcast is seen to be live, or none, before the time is over."""
    deadline = time.monotonic() + within_s
    while ("live" in states(server)) is not live and time.monotonic() < deadline:
        time.sleep(0.1)
    return ("live" in states(server)) is live


def link_of(page):
    return page.evaluate("() => document.querySelector('input[name=link]').value")


def moves(page, *, times=3, within_s=60):
    """Whether the colour of the picture wanders on and on, as that of Firefox's fake camera does."""
    deadline, last = time.monotonic() + within_s, None
    while times >= 0 and time.monotonic() < deadline:
        image = screen(page)
        colour = last if image is None else image.mean(axis=(0, 1))
        if colour is not None and (last is None or np.abs(colour - last).max() > 3):
            last, times = colour, times - 1
        time.sleep(0.3)
    return times < 0


def test_what_firefox_publishes_is_seen_and_heard_in_chromium(fox_on_air, viewer):
    viewer.goto(link_of(fox_on_air))
    viewer.wait_for_function(SHOWS_PICTURE, timeout=30_000)
    assert moves(viewer)
    assert screen(viewer).shape == (720, 1280, 3)
    viewer.get_by_role("button", name="Tap for sound").click()
    assert loudest_hz(audio(viewer)) == pytest.approx(TONE_HZ, abs=10)


def test_a_broadcaster_in_firefox_sees_the_treated_picture_and_the_stats(fox_on_air):
    assert moves(fox_on_air)
    delay = r"() => document.querySelector('[data-stat=delay] dd').textContent.match(/^\d+ ms$/)?.[0]"
    assert 10 < int(fox_on_air.wait_for_function(delay).removesuffix(" ms")) < 20_000


def test_a_broadcaster_who_leaves_the_page_in_firefox_is_off_air_at_once(fox_on_air, server):
    assert goes_live(server, True, within_s=20)  # the page's first picture may be the slate
    fox_on_air.goto("about:blank")
    assert goes_live(server, False, within_s=10)


def test_firefox_watches_what_firefox_publishes(fox, fox_on_air):
    with fox.new_page() as watcher:
        watcher.goto(link_of(fox_on_air))
        watcher.wait_for_function(SHOWS_PICTURE)
        assert moves(watcher)
        watcher.click("Tap for sound")
        assert loudest_hz(audio(watcher)) == pytest.approx(TONE_HZ, abs=10)


def test_in_firefox_a_viewer_sees_the_face_of_the_reference_and_hears_the_broadcaster(
    broadcaster, fox_page, runtime, tmp_path
):
    photo = tmp_path / "hopper.png"
    photo.write_bytes(as_png(hopper()))
    lend_photo(broadcaster, photo)
    broadcaster.get_by_role("button", name="Go live").click()
    link = broadcaster.locator("input[name=link]")
    expect(link).to_have_value(re.compile("/watch/"), timeout=30_000)

    fox_page.goto(link.input_value())
    fox_page.wait_for_function(SHOWS_PICTURE)
    judge = Judge(runtime)
    screens, others = screens_that_show(fox_page, judge, count=6)
    assert len(screens) == 6
    live, reference = judge.embedding(astronaut_frame(1.0, face_px=250)), judge.embedding(hopper())
    likeness = [(judge.likeness(image, reference), judge.likeness(image, live)) for image in screens]
    assert sum(to_reference for to_reference, _ in likeness) / 6 > float(live @ reference) + 0.05
    assert all(to_reference > to_live for to_reference, to_live in likeness)
    assert all(judge.likeness(image, live) < SAME_PERSON for image in others)
    fox_page.click("Tap for sound")
    assert np.abs(audio(fox_page)).max() > 0.01  # Chromium's fake microphone beeps once a second
