"""What the go-live page offers around the picture: the link, the microphone, recordings, pushes, photos."""

import io
import re

import cv2
import httpx
import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import expect

from support.browser import audio, browser, lend_photo
from support.photos import as_png, hopper

pytestmark = [pytest.mark.models, pytest.mark.timeout(240)]

LAN = "http://192.168.1.5:8000"


def go_live(page):
    page.get_by_role("button", name="Go live").click()
    expect(page.locator("main")).to_have_attribute("data-state", "live")
    return page.locator("input[name=link]").input_value()


# The link -------------------------------------------------------------------------------------------------------


def test_a_link_that_only_this_machine_can_open_says_so(broadcaster):
    go_live(broadcaster)
    note = broadcaster.locator(".only-here")
    expect(note).to_contain_text("only this computer can open it")
    expect(note).to_contain_text("--host 0.0.0.0")
    expect(broadcaster.locator("button[name=qr]")).to_have_count(0)  # a phone could not open it


def test_the_addresses_that_others_can_open_are_offered_and_their_code_reads_so(broadcaster):
    def with_addresses(route):
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"addresses": [LAN]})

    broadcaster.route("**/api/broadcasts", with_addresses)
    path = go_live(broadcaster).removeprefix(re.match(r"http://[^/]+", broadcaster.url)[0])
    expect(broadcaster.get_by_role("button", name=f"Copy {LAN}{path}")).to_be_visible()
    broadcaster.get_by_role("button", name="QR code").click()
    code = broadcaster.locator("svg.qr")
    expect(code).to_be_visible()
    picture = np.asarray(PIL.Image.open(io.BytesIO(code.screenshot())).convert("RGB"))
    text, _, _ = cv2.QRCodeDetector().detectAndDecode(picture)
    assert text == LAN + path
    broadcaster.keyboard.press("Escape")
    expect(broadcaster.get_by_role("dialog")).to_have_count(0)
    expect(broadcaster.locator("button[name=qr]")).to_be_focused()


# The microphone -------------------------------------------------------------------------------------------------


def becomes(wanted, viewer):
    """Whether three seconds of what a viewer hears are as wanted, within some tries: much may still be on its way."""
    return any(wanted(np.abs(audio(viewer)).max()) for _ in range(10))


def test_a_muted_microphone_is_silent_for_viewers_until_it_is_not(broadcaster, viewer):
    viewer.goto(go_live(broadcaster))
    expect(viewer.locator(".badge-live")).to_be_visible()
    assert becomes(lambda loudest: loudest > 0.01, viewer)  # the fake microphone beeps once a second
    broadcaster.get_by_role("button", name="Mute the microphone").click()
    assert becomes(lambda loudest: loudest < 0.001, viewer)
    broadcaster.get_by_role("button", name="Unmute the microphone").click()
    assert becomes(lambda loudest: loudest > 0.01, viewer)


def test_a_meter_shows_the_microphone_before_going_live(broadcaster):
    broadcaster.get_by_role("button", name="Try camera and sound").click()
    meter = broadcaster.get_by_role("meter", name="Level of the microphone")
    expect(meter).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]\d*$"))
    level = "meter => Number(getComputedStyle(meter).getPropertyValue('--level'))"
    heard = [meter.evaluate(level) for _ in range(40) if broadcaster.wait_for_timeout(50) is None]
    assert max(heard) > min(heard) + 0.1, "it beeps once a second"


# Recordings and pushes ------------------------------------------------------------------------------------------


def test_what_was_recorded_is_offered_and_where_it_lies_is_said(broadcaster):
    go_live(broadcaster)
    broadcaster.get_by_role("button", name="Record", exact=True).click()
    expect(broadcaster.get_by_text("What viewers see is being recorded.")).to_be_visible()
    broadcaster.wait_for_timeout(3000)
    broadcaster.get_by_role("button", name="Stop recording").click()
    offered = broadcaster.get_by_role("link", name="Download")
    expect(offered).to_be_visible()
    expect(broadcaster.locator(".recorded")).to_contain_text(re.compile(r"It lies on the server, as /.+\.(mp4|webm)"))
    with broadcaster.expect_download() as download:
        offered.click()
    assert download.value.path().stat().st_size > 10_000


def test_a_push_to_where_none_may_go_is_refused_in_words_on_enter(broadcaster):
    go_live(broadcaster)
    broadcaster.get_by_text("Send elsewhere too").click()
    address = broadcaster.get_by_label("WHIP address")
    address.fill("http://127.0.0.1:9/whip")
    address.press("Enter")
    refusal = broadcaster.get_by_text("The address must begin with https://").or_(
        broadcaster.locator(".push-list [data-state=refused]")
    )
    expect(refusal.first).to_be_visible()
    assert broadcaster.locator("main").get_attribute("data-state") == "live"


# Photos ---------------------------------------------------------------------------------------------------------


def test_photos_that_the_server_has_forgotten_are_said_so_once_and_can_be_declared_again(broadcaster, server, tmp_path):
    photo = tmp_path / "hopper.png"
    photo.write_bytes(as_png(hopper()))
    lent = []
    broadcaster.on("response", lambda answer: lent.append(answer) if answer.url.endswith("/references") else None)
    lend_photo(broadcaster, photo)
    persona = lent[0].json()["id"]
    assert httpx.delete(f"{server.address}/api/references/{persona}").is_success  # as a restart would
    broadcaster.get_by_role("button", name="Go live").click()
    expect(broadcaster.get_by_role("alert")).to_have_count(1)
    expect(broadcaster.get_by_role("alert")).to_contain_text("does not have these photos any more")
    expect(broadcaster.get_by_role("button", name="Go live")).to_be_disabled()
    broadcaster.get_by_text("The person shown agreed").click()
    broadcaster.get_by_label("Your name").press("Enter")
    expect(broadcaster.get_by_text("The photo is ready.")).to_be_visible()
    expect(broadcaster.get_by_role("alert")).to_have_count(0)
    go_live(broadcaster)


@pytest.mark.parametrize(("locale", "says"), [("en-US", "cut off before its end"), ("ko-KR", "끝이 잘린 파일")])
def test_a_file_that_is_cut_off_is_said_to_be_so(playwright, camera, server, tmp_path, locale, says):
    cut = tmp_path / "cut.jpg"
    PIL.Image.fromarray(hopper()).save(cut)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    with browser(playwright, camera=camera, locale=locale) as context:
        page = context.new_page()
        page.goto(f"{server.address}/live")
        page.locator(".kind:has([value=photo])").click()
        page.locator("input[type=file]").set_input_files(cut)
        page.locator("input[name=agreed]").check()
        page.locator("input[name=declared-by]").fill("A tester")
        page.locator("button[name=upload]").click()
        expect(page.locator(".photo .problem")).to_contain_text(says)
