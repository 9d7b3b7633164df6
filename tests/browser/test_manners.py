"""What the go-live page does with keys, with cameras that cannot be had, and with a server that is too slow."""

import json
import re

import pytest
from playwright.sync_api import expect

from support.browser import browser

pytestmark = [pytest.mark.models, pytest.mark.timeout(240)]

CONTROLS = ".live-setup :is(input, select):not([type=file]):visible"
FAILS = """([name, message]) => {
    navigator.mediaDevices.getUserMedia = async () => { throw new DOMException(message, name); };
}"""
WITHOUT_DEVICES = """
    Object.defineProperty(window, 'isSecureContext', {get: () => SECURE});
    Object.defineProperty(navigator, 'mediaDevices', {get: () => undefined});
"""


def go_live(page):
    page.get_by_role("button", name="Go live").click()
    expect(page.locator("main")).to_have_attribute("data-state", "live", timeout=30_000)


def broadcasts(page, server):
    return page.request.get(f"{server.address}/api/broadcasts").json()


def press_enter_everywhere(page):
    """Press Enter in every field, radio and checkbox that is there; return how many."""
    count = page.locator(CONTROLS).count()
    for index in range(count):
        page.locator(CONTROLS).nth(index).press("Enter")
    return count


# Keys -----------------------------------------------------------------------------------------------------------


def test_enter_in_a_field_neither_begins_nor_ends_a_broadcast(broadcaster, server):
    assert press_enter_everywhere(broadcaster) >= 6
    broadcaster.locator("input[name=title]").fill("A title")
    broadcaster.locator("input[name=title]").press("Enter")
    broadcaster.wait_for_timeout(300)
    assert broadcaster.locator("main").get_attribute("data-state") == "idle"
    assert broadcasts(broadcaster, server) == []

    go_live(broadcaster)
    assert press_enter_everywhere(broadcaster) >= 5
    broadcaster.wait_for_timeout(300)
    assert broadcaster.locator("main").get_attribute("data-state") == "live"
    expect(broadcaster.get_by_role("dialog")).to_be_hidden()
    assert len(broadcasts(broadcaster, server)) == 1


def test_stop_asks_once_in_words_that_a_keyboard_and_a_screen_reader_reach(broadcaster, server):
    go_live(broadcaster)
    stop = broadcaster.locator("button[name=go]")
    question = broadcaster.get_by_role("dialog", name="End the broadcast?")
    stop.press("Enter")
    expect(question).to_be_visible()
    assert "Viewers are told" in question.locator("#stop-more").inner_text()
    assert question.get_attribute("aria-describedby") == "stop-more"
    expect(broadcaster.get_by_role("button", name="Stay on air")).to_be_focused()
    broadcaster.keyboard.press("Enter")  # as from a key that is held down: it stays on air
    expect(question).to_be_hidden()
    expect(stop).to_be_focused()
    stop.press("Space")
    broadcaster.keyboard.press("Escape")
    expect(question).to_be_hidden()
    assert len(broadcasts(broadcaster, server)) == 1
    assert broadcaster.locator("main").get_attribute("data-state") == "live"
    stop.press("Enter")
    broadcaster.keyboard.press("Tab")
    expect(broadcaster.get_by_role("button", name="End it")).to_be_focused()
    broadcaster.keyboard.press("Enter")
    expect(broadcaster.get_by_text("You are off air")).to_be_visible()
    assert broadcasts(broadcaster, server) == []


WHERE = """() => {
    const {name, ariaLabel, textContent} = document.activeElement;
    return name || ariaLabel || textContent.trim();
}"""


def test_tab_walks_through_the_go_live_page_in_the_order_that_is_seen(broadcaster):
    broadcaster.locator("input[name=mask]").first.wait_for()
    stops = []
    for _ in range(15):
        broadcaster.keyboard.press("Tab")
        stops.append(broadcaster.evaluate(WHERE))
    assert stops == [
        *("mien, Home", "English", "한국어"),
        *("kind", "mask", "everybody", "mosaic-style", "mosaic-shape"),  # one stop for each group of radios
        *("register", "camera", "microphone", "try", "self-view", "title", "go"),
    ]


def test_arrows_choose_and_space_ticks_as_in_any_form(broadcaster):
    kind = broadcaster.locator("input[name=kind]")
    broadcaster.locator("input[name=mask]").first.wait_for()
    kind.first.press("ArrowRight")
    expect(broadcaster.locator("input[value=photo]")).to_be_checked()
    broadcaster.locator("input[name=everybody]").press("Space")
    expect(broadcaster.locator("input[name=everybody]")).to_be_checked()


def test_escape_closes_the_figures_of_the_watch_page_and_gives_the_focus_back(broadcaster, viewer):
    go_live(broadcaster)
    viewer.goto(broadcaster.locator("input[name=link]").input_value())
    expect(viewer.locator(".badge-live")).to_be_visible()
    button = viewer.get_by_role("button", name="Show stats")
    button.press("Enter")
    expect(viewer.locator(".stage-stats")).to_be_visible()
    viewer.keyboard.press("Escape")
    expect(viewer.locator(".stage-stats")).to_have_count(0)
    expect(button).to_be_focused()


def test_tab_stays_inside_a_question_until_it_is_answered(broadcaster):
    go_live(broadcaster)
    broadcaster.locator("button[name=go]").press("Enter")
    seen = []
    for _ in range(4):
        seen.append(broadcaster.evaluate(WHERE))
        broadcaster.keyboard.press("Tab")
    assert seen == ["stay", "end", "stay", "end"]
    broadcaster.keyboard.press("Escape")
    expect(broadcaster.locator("button[name=go]")).to_be_focused()


def test_a_double_click_on_go_live_does_not_take_it_back(broadcaster):
    broadcaster.get_by_role("button", name="Go live").dblclick()
    expect(broadcaster.locator("main")).to_have_attribute("data-state", "live", timeout=30_000)


# Cameras --------------------------------------------------------------------------------------------------------


def says_on_the_stage(page, fault):
    """The fault is the only thing on the stage, all of it in view, and the focus is on it."""
    told = page.locator(".stage-fault")
    expect(told).to_have_attribute("data-fault", fault, timeout=30_000)
    expect(told).to_be_focused()
    expect(page.locator(".stage-notice")).to_be_hidden()
    for part in told.locator("strong, p, button:visible").all():
        expect(part).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    what, more = told.locator("strong").inner_text(), told.locator("p").inner_text()
    assert what
    assert more
    return what, more


@pytest.mark.parametrize(("width", "locale"), [(360, "ko-KR"), (360, "en-US"), (768, "en-US"), (1440, "ko-KR")])
def test_every_fault_of_a_camera_is_said_on_the_stage_with_what_to_do(playwright, camera, server, width, locale):
    kinds = {
        ("NotAllowedError", "Permission denied by system"): "system",
        ("SecurityError", ""): "forbidden",
        ("NotFoundError", ""): "missing",
        ("NotReadableError", ""): "busy",
        ("AbortError", ""): "busy",
        ("OverconstrainedError", ""): "unfit",
        ("UnknownError", ""): "failed",
    }
    with browser(playwright, camera=camera, locale=locale, size_wh=(width, 740)) as context:
        page = context.new_page()
        page.goto(f"{server.address}/live")
        said = set()
        for failure, fault in kinds.items():
            page.evaluate(FAILS, list(failure))
            page.locator("button[name=go]").click()
            said.add(says_on_the_stage(page, fault))
            retry = page.locator("button[name=fault-retry]")
            expect(retry).to_be_visible() if fault != "forbidden" else expect(retry).to_be_hidden()
        assert len(said) == len(set(kinds.values()))
        assert broadcasts(page, server) == []


def test_a_refused_camera_says_how_to_allow_it_and_trying_again_goes_live(playwright, camera, server):
    with browser(playwright, camera=camera) as context:
        page = context.new_page()
        page.goto(f"{server.address}/live")
        page.evaluate(
            """() => {
                const {mediaDevices} = navigator, ask = mediaDevices.getUserMedia.bind(mediaDevices);
                let refused = false;
                mediaDevices.getUserMedia = async wish => {
                    if (refused) return ask(wish);
                    refused = true;
                    throw new DOMException('Permission dismissed', 'NotAllowedError');
                };
            }"""
        )
        page.get_by_role("button", name="Go live").click()
        what, more = says_on_the_stage(page, "dismissed")
        assert "Allow" in more
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("main")).to_have_attribute("data-state", "live", timeout=30_000)
        expect(page.get_by_text(what)).to_be_hidden()
        page.goto("about:blank")


def test_a_blocked_camera_names_the_place_in_this_browser(playwright, camera, server):
    with browser(playwright, camera=camera, allows=False) as context:
        context.grant_permissions([], origin=server.address)  # what is not granted is denied, for good
        page = context.new_page()
        page.goto(f"{server.address}/live")
        page.get_by_role("button", name="Allow camera and microphone").click()
        _, more = says_on_the_stage(page, "denied")
        assert "left of the address" in more


def test_a_microphone_that_is_refused_leaves_the_camera_and_the_choice(playwright, camera, server):
    with browser(playwright, camera=camera, allows=False) as context:
        context.grant_permissions(["camera"], origin=server.address)
        page = context.new_page()
        page.goto(f"{server.address}/live")
        page.get_by_role("button", name="Go live").click()
        what, _ = says_on_the_stage(page, "microphoneDenied")
        assert "microphone" in what
        assert broadcasts(page, server) == []
        page.get_by_role("button", name="Go on without sound").click()
        expect(page.locator("main")).to_have_attribute("data-state", "live", timeout=30_000)
        page.goto("about:blank")


@pytest.mark.parametrize(("secure", "fault"), [("false", "insecure"), ("true", "unsupported")])
def test_a_page_without_devices_says_whether_https_would_help(playwright, camera, server, secure, fault):
    with browser(playwright, camera=camera, size_wh=(360, 740)) as context:
        page = context.new_page()
        page.add_init_script(WITHOUT_DEVICES.replace("SECURE", secure))
        page.goto(f"{server.address}/live")
        page.get_by_role("button", name="Go live").click()
        _, more = says_on_the_stage(page, fault)
        assert ("https://" in more) == (fault == "insecure")
        expect(page.locator("button[name=fault-retry]")).to_be_hidden()


# What the server says of itself -----------------------------------------------------------------------------------


def tell(page, **lies):
    """Let the page hear `lies` from the server, and the rest as it is."""

    def through(socket):
        server = socket.connect_to_server()
        server.on_message(lambda message: socket.send(json.dumps(json.loads(message) | lies)))

    page.route_web_socket(re.compile(r"/events$"), through)


@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
def test_a_server_that_is_too_slow_is_said_and_nothing_contradicts_it(playwright, camera, server, locale):
    with browser(playwright, camera=camera, locale=locale) as context:
        page = context.new_page()
        tell(page, state="paused", load="overloaded", fps_out=0.0)
        page.goto(f"{server.address}/live")
        page.locator("button[name=go]").click()
        expect(page.locator(".load-note")).to_have_attribute("data-load", "overloaded", timeout=30_000)
        expect(page.locator(".load-note")).to_be_visible()
        expect(page.locator(".badge-live:visible")).to_have_count(0)
        expect(page.locator(".badge-paused")).to_be_visible()
        page.goto("about:blank")


def test_what_the_server_gave_up_is_said_while_the_picture_goes_on(playwright, camera, server):
    with browser(playwright, camera=camera) as context:
        page = context.new_page()
        tell(page, state="live", load="no_swap")
        page.goto(f"{server.address}/live")
        go_live(page)
        expect(page.locator(".load-note")).to_contain_text("mosaic")
        expect(page.locator(".badge-live")).to_be_visible()
        page.goto("about:blank")


@pytest.mark.parametrize(("locale", "helps"), [("en-US", "send 640x360"), ("ko-KR", "640x360으로 보내기")])
def test_which_profile_is_on_and_what_would_help_is_said(playwright, camera, server, locale, helps):
    with browser(playwright, camera=camera, locale=locale) as context:
        page = context.new_page()
        tell(page, profile={"name": "small", "reason": "measured", "helps": ["send_smaller", "more_cores"]})
        page.goto(f"{server.address}/live")
        expect(page.locator(".profile-line")).to_be_hidden()
        page.locator("button[name=go]").click()
        line = page.locator(".profile-line")
        expect(line).to_have_attribute("data-profile", "small", timeout=30_000)
        expect(line).to_contain_text(helps)
        page.goto("about:blank")


def overlap(one, other):
    return (
        one["x"] < other["x"] + other["width"]
        and other["x"] < one["x"] + one["width"]
        and one["y"] < other["y"] + other["height"]
        and other["y"] < one["y"] + one["height"]
    )


@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
def test_the_offer_of_sound_covers_no_control_and_a_phone_on_its_side_shows_the_picture_alone(
    playwright, broadcaster, locale
):
    go_live(broadcaster)
    with browser(playwright, locale=locale) as context:
        page = context.new_page()
        page.goto(broadcaster.locator("input[name=link]").input_value())
        expect(page.locator(".badge-live")).to_be_visible()
        for width, height in ((320, 640), (360, 740), (640, 360), (844, 390)):
            page.set_viewport_size({"width": width, "height": height})
            prompt = page.locator(".sound-prompt").bounding_box()
            stage = page.locator(".stage").bounding_box()
            for control in page.locator(".stage-bottom .control:visible").all():
                box = control.bounding_box()
                assert not overlap(prompt, box), (width, height)
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= width
            if width > height:
                assert (stage["x"], stage["y"], stage["width"], stage["height"]) == (0, 0, width, height)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.goto("about:blank")


def test_one_badge_says_that_the_picture_is_altered_and_none_lies_over_it(broadcaster, viewer):
    go_live(broadcaster)
    viewer.goto(broadcaster.locator("input[name=link]").input_value())
    for page in (broadcaster, viewer):
        badge = page.locator(".badge-altered:visible")
        expect(badge).to_have_count(1, timeout=30_000)
        stage = page.locator(".stage").bounding_box()
        for shown in page.locator(".badge:visible").all():
            box = shown.bounding_box()
            assert box["y"] >= stage["y"] + stage["height"], shown.inner_text()
