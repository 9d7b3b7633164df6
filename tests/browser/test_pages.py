"""The pages themselves, in a real browser: their words, their manners, and how they end and come back."""

import gzip
import re
import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from support.browser import browser, lend_photo
from support.photos import as_png, hopper

pytestmark = [pytest.mark.models, pytest.mark.timeout(240)]

MOST_BYTES = 150_000
"""What the first page is made of, gzipped: document, scripts, styles, icon. Pictures come after."""
PATHS = ("/", "/live", "/watch/nobody", "/nonsense")


def go_live(page, name="Go live"):
    page.get_by_role("button", name=name).click()
    expect(page.locator("main")).to_have_attribute("data-state", "live", timeout=30_000)
    return page.locator("input[name=link]").input_value()


def wait_for_picture(page):
    page.wait_for_function("() => { const v = document.querySelector('video'); return v && v.videoWidth > 2; }")


def broadcasts(page, server):
    return page.request.get(f"{server.address}/api/broadcasts").json()


@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_every_page_fits_its_window_in_both_languages(playwright, server, locale, width):
    with browser(playwright, locale=locale, size_wh=(width, 844)) as context:
        page = context.new_page()
        for path in PATHS:
            page.goto(server.address + path)
            page.wait_for_timeout(300)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.evaluate("document.documentElement.lang") == locale[:2]


def test_pages_ask_nobody_but_their_own_server_and_break_nothing(playwright, server, camera):
    with browser(playwright, camera=camera) as context:
        page = context.new_page()
        asked, errors = set(), []
        page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: errors.append(str(error)))
        for path in PATHS:
            page.goto(server.address + path)
            page.wait_for_timeout(500)
    assert asked - {""} == {urlsplit(server.address).netloc}  # "" is a blob: of the page itself
    assert errors == []


def test_the_first_page_loads_little(playwright, server):
    with browser(playwright) as context:
        page = context.new_page()
        bodies = []
        page.on("response", lambda response: bodies.append((urlsplit(response.url).path, response)))
        page.goto(server.address, wait_until="networkidle")
        sizes = {path: len(gzip.compress(response.body())) for path, response in bodies if not path.endswith(".jpg")}
    assert any(path.endswith(".js") for path in sizes)
    assert sum(sizes.values()) < MOST_BYTES, sizes


def test_every_control_has_a_name_that_a_screen_reader_can_say(playwright, server, camera):
    with browser(playwright, camera=camera) as context:
        page = context.new_page()
        for path in PATHS:
            page.goto(server.address + path)
            page.wait_for_timeout(500)
            nameless = page.evaluate(
                """() => [...document.querySelectorAll('a, button, input, select')].filter(control => {
                    const words = [control.ariaLabel, control.textContent, control.title, control.placeholder,
                                   ...[...(control.labels ?? [])].map(label => label.textContent)];
                    return !words.some(word => word && word.trim());
                }).map(control => control.outerHTML)"""
            )
            assert nameless == [], path


def test_a_chosen_language_is_remembered_on_every_page(playwright, server):
    with browser(playwright, locale="en-US") as context:
        page = context.new_page()
        page.goto(server.address)
        page.get_by_role("button", name="한국어").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("다른 얼굴로")
        page.goto(f"{server.address}/live")
        expect(page.get_by_role("button", name="방송 시작")).to_be_visible()


def test_the_untreated_camera_is_shown_only_when_asked_for_and_says_who_sees_it(broadcaster):
    own = broadcaster.locator(".self-view")
    go_live(broadcaster)
    expect(own).to_be_hidden()
    broadcaster.get_by_text("Show my own camera, small").click()
    expect(own).to_be_visible()
    expect(own).to_contain_text("Only you see this")


def test_stats_count_the_faces_and_tell_a_plausible_delay(broadcaster):
    go_live(broadcaster)
    expect(broadcaster.locator("[data-stat=faces] dd")).to_have_text(re.compile(r"^1 swapped"), timeout=30_000)
    expect(broadcaster.locator("[data-stat=delay] dd")).to_have_text(re.compile(r"^\d+ ms$"), timeout=30_000)
    delay_ms = int(broadcaster.locator("[data-stat=delay] dd").inner_text().removesuffix(" ms"))
    assert 10 < delay_ms < 20_000
    expect(broadcaster.locator("[data-stat=viewers] dd")).to_have_text("0")  # one's own preview is nobody


def test_all_stats_come_on_a_tap(broadcaster):
    go_live(broadcaster)
    dropped = broadcaster.locator("[data-stat=dropped] dd")
    expect(dropped).to_be_hidden()
    broadcaster.get_by_role("button", name="Show all stats").click()
    expect(dropped).to_have_text(re.compile(r"^\d+$"), timeout=30_000)
    expect(broadcaster.locator("[data-stat=fps-in] dd")).to_have_text(re.compile(r"^[1-9]\d* fps$"), timeout=30_000)
    expect(broadcaster.locator("[data-stat=size] dd")).to_have_text("1280 × 720", timeout=30_000)  # noqa: RUF001  # as people write it
    assert broadcaster.evaluate("document.documentElement.scrollWidth <= innerWidth")
    broadcaster.get_by_role("button", name="Show fewer stats").click()
    expect(dropped).to_be_hidden()


def test_the_home_page_shows_the_treated_picture_of_who_is_live(broadcaster, viewer, server):
    go_live(broadcaster)
    wait_for_picture(broadcaster)
    viewer.goto(server.address)
    frame = viewer.locator(".card img.card-picture")
    expect(frame).to_be_visible(timeout=30_000)
    first = frame.get_attribute("src")
    expect(frame).not_to_have_attribute("src", first, timeout=30_000)
    expect(frame).to_be_visible()
    width, height = frame.evaluate("picture => [picture.naturalWidth, picture.naturalHeight]")
    assert width / height == pytest.approx(16 / 9, rel=0.02)


def test_a_camera_that_is_unplugged_pauses_the_broadcast_until_another_one_is_chosen(broadcaster, viewer, server):
    link = go_live(broadcaster)
    viewer.goto(link)
    expect(viewer.locator(".badge-live")).to_be_visible(timeout=30_000)
    broadcaster.evaluate(
        """() => {
            const [camera] = document.querySelector('.self-view video').srcObject.getVideoTracks();
            camera.stop();  // no more pictures, and then what a browser says when the plug is pulled
            camera.dispatchEvent(new Event('ended'));
        }"""
    )
    expect(broadcaster.get_by_text("Your camera is gone")).to_be_visible()
    expect(viewer.get_by_text("Paused")).to_be_visible(timeout=30_000)
    broadcaster.get_by_role("button", name="Use another camera").click()
    expect(broadcaster.locator("main")).to_have_attribute("data-state", "live", timeout=30_000)
    expect(viewer.locator(".badge-live")).to_be_visible(timeout=30_000)
    assert broadcaster.locator("input[name=link]").input_value() == link
    assert len(broadcasts(viewer, server)) == 1


def test_a_treatment_changed_on_air_reaches_the_picture(broadcaster):
    go_live(broadcaster)
    faces = broadcaster.locator("[data-stat=faces] dd")  # a first picture is coarse: a cuff in it may be hidden, too
    expect(faces).to_have_text(re.compile(r"^1 swapped"), timeout=30_000)
    broadcaster.get_by_text("Mosaic", exact=True).click()
    expect(faces).to_have_text(re.compile(r"^\d mosaic$"), timeout=30_000)


def test_stopping_ends_the_broadcast_for_viewers_and_turns_the_camera_off(broadcaster, viewer, server):
    viewer.goto(go_live(broadcaster))
    wait_for_picture(viewer)
    broadcaster.evaluate("window.camera = document.querySelector('.self-view video').srcObject")
    broadcaster.get_by_role("button", name="Stop", exact=True).click()
    broadcaster.get_by_role("dialog").get_by_role("button", name="End it").click()
    expect(broadcaster.get_by_text("You are off air")).to_be_visible()
    expect(viewer.get_by_text("This broadcast is over")).to_be_visible(timeout=30_000)
    assert broadcasts(viewer, server) == []
    assert broadcaster.evaluate("window.camera.getTracks().every(track => track.readyState === 'ended')")


def wait_until(condition, *, within_s):
    deadline = time.monotonic() + within_s
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return met


def test_a_broadcaster_who_leaves_the_page_is_off_air_at_once_and_the_broadcast_is_soon_over(
    broadcaster, viewer, server
):
    go_live(broadcaster)
    assert wait_until(lambda: [each["state"] for each in broadcasts(viewer, server)] == ["live"], within_s=30)
    broadcaster.goto("about:blank")
    # Without a word from the page the picture would stay for 15 seconds, and the broadcast for ten minutes.
    assert wait_until(lambda: "live" not in [each["state"] for each in broadcasts(viewer, server)], within_s=10)
    assert wait_until(lambda: broadcasts(viewer, server) == [], within_s=60)


def test_a_page_that_is_loaded_anew_on_air_goes_on_with_its_broadcast(broadcaster, viewer, server):
    broadcaster.locator("input[name=title]").fill("A walk")
    broadcaster.get_by_text("Mosaic", exact=True).first.click()
    link = go_live(broadcaster)
    viewer.goto(link)
    wait_for_picture(viewer)
    broadcaster.reload()
    expect(broadcaster.locator("main")).to_have_attribute("data-state", "live")
    assert broadcaster.locator("input[name=link]").input_value() == link
    assert broadcaster.locator("input[value=mosaic]").is_checked()
    expect(viewer.locator(".badge-live")).to_be_visible()
    (broadcast,) = broadcasts(viewer, server)
    assert broadcast["title"] == "A walk"
    broadcaster.get_by_role("button", name="Stop", exact=True).click()
    broadcaster.get_by_role("button", name="End it").click()
    expect(broadcaster.get_by_text("You are off air")).to_be_visible()
    broadcaster.reload()
    expect(broadcaster.get_by_role("button", name="Go live")).to_be_enabled()
    assert broadcasts(viewer, server) == []


def test_a_lent_photo_and_its_declaration_outlive_a_reload_on_air(broadcaster, viewer, server, tmp_path):
    photo = tmp_path / "hopper.png"
    photo.write_bytes(as_png(hopper()))
    lend_photo(broadcaster, photo)
    go_live(broadcaster)
    broadcaster.reload()
    expect(broadcaster.locator("main")).to_have_attribute("data-state", "live")
    expect(broadcaster.get_by_text("The photo is ready.")).to_be_visible()
    broadcaster.get_by_text("Give this face to everyone").click()  # a change names the photo again
    expect(broadcaster.get_by_text("Changed on air.")).to_be_visible()
    assert [each["policy"]["rules"][0]["treatment"]["kind"] for each in broadcasts(viewer, server)] == ["swap"]


def test_who_comes_back_to_the_page_in_another_way_is_asked_before_they_are_seen_again(broadcaster, server):
    link = go_live(broadcaster)
    broadcaster.goto(server.address)
    broadcaster.goto(f"{server.address}/live")
    expect(broadcaster.get_by_text("Your broadcast is interrupted")).to_be_visible()
    broadcaster.locator("button[name=go]").click()
    expect(broadcaster.locator("main")).to_have_attribute("data-state", "live")
    assert broadcaster.locator("input[name=link]").input_value() == link


def test_a_viewer_whose_connection_is_cut_comes_back_by_itself(broadcaster, viewer):
    sessions = []
    viewer.on(
        "response",
        lambda response: "location" in response.headers and sessions.append(response.headers["location"]),
    )
    viewer.goto(go_live(broadcaster))
    wait_for_picture(viewer)
    assert len(sessions) == 1
    address = "{0.scheme}://{0.netloc}".format(urlsplit(viewer.url))
    assert viewer.request.delete(address + sessions[0]).ok
    cut_at = time.monotonic()
    while len(sessions) == 1 and time.monotonic() < cut_at + 30:
        viewer.wait_for_timeout(100)
    assert len(sessions) == 2
    expect(viewer.locator(".stage-notice")).to_be_hidden(timeout=30_000)
    expect(viewer.locator(".badge-live")).to_be_visible()


def test_a_broadcast_that_does_not_exist_says_so_and_leads_home(viewer, server):
    viewer.goto(f"{server.address}/watch/nobody")
    expect(viewer.get_by_text("There is no broadcast here")).to_be_visible()
    viewer.get_by_role("link", name="See who else is live").click()
    expect(viewer).to_have_url(f"{server.address}/")


@pytest.mark.parametrize("path", ["/watch", "/watch/", "/nonsense", "/live/deeper/down"])
def test_a_path_that_is_none_gives_a_page_that_leads_on(viewer, server, path):
    answer = viewer.goto(server.address + path)
    assert answer is not None
    assert answer.status == 404
    expect(viewer.get_by_role("heading", name="This page does not exist")).to_be_visible()
    viewer.get_by_role("link", name="Go live").click()
    expect(viewer).to_have_url(f"{server.address}/live")


def test_sound_comes_with_one_tap(broadcaster, viewer):
    viewer.goto(go_live(broadcaster))
    wait_for_picture(viewer)
    assert viewer.evaluate("document.querySelector('video').muted")
    viewer.get_by_role("button", name="Tap for sound").click()
    assert not viewer.evaluate("document.querySelector('video').muted")
    heard = """async () => {
        const context = new AudioContext(), analyser = context.createAnalyser();
        context.createMediaStreamSource(document.querySelector('video').srcObject).connect(analyser);
        const wave = new Float32Array(analyser.fftSize);
        for (let look = 0; look < 40; look++) {  // the fake microphone beeps once a second
            await new Promise(resolve => setTimeout(resolve, 100));
            analyser.getFloatTimeDomainData(wave);
            if (wave.some(value => Math.abs(value) > 0.01)) return true;
        }
        return false;
    }"""
    assert viewer.evaluate(heard)


def test_a_camera_that_is_not_allowed_is_explained(playwright, camera, server):
    with browser(playwright, camera=camera, allows=False) as context:
        page = context.new_page()
        page.goto(f"{server.address}/live")
        page.get_by_role("button", name="Go live").click()
        expect(page.locator(".stage-fault")).to_be_visible(timeout=30_000)
        expect(page.locator(".stage-fault")).to_contain_text("camera")
        assert broadcasts(page, server) == []


def test_a_photo_without_a_face_is_refused_in_words(broadcaster, tmp_path):
    from PIL import Image

    empty = tmp_path / "wall.png"
    Image.new("RGB", (640, 480), (90, 120, 150)).save(empty)
    broadcaster.get_by_text("My photo").click()
    broadcaster.locator("input[type=file]").set_input_files(empty)
    assert broadcaster.get_by_role("button", name="Use this photo").is_disabled()
    broadcaster.get_by_text("The person shown agreed").click()
    broadcaster.get_by_label("Your name").fill("A tester")
    broadcaster.get_by_role("button", name="Use this photo").click()
    expect(broadcaster.get_by_text("No face was found in this photo.")).to_be_visible(timeout=30_000)
    assert broadcaster.get_by_role("button", name="Go live").is_disabled()
