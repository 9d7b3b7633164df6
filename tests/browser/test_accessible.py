"""Every page in both languages, by day and by night, through axe: nothing may keep people out."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from support.browser import browser

pytestmark = [pytest.mark.models, pytest.mark.timeout(240)]

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
FIND = """async () => {
    const {violations} = await axe.run(document, {resultTypes: ['violations']});
    return violations
        .filter(({impact}) => impact === 'serious' || impact === 'critical')
        .flatMap(({id, nodes}) => nodes.map(({target, failureSummary}) => `${id} ${target} ${failureSummary}`));
}"""
SCHEMES = ("light", "dark")


def faults(page):
    """Return what axe finds serious in every look of a page, once the page has come to rest."""
    found = []
    page.evaluate(AXE.read_text())
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.wait_for_timeout(300)  # until colours have changed: axe takes one that is half way for its word
        found += [f"{scheme}: {fault}" for fault in page.evaluate(FIND)]
    return found


@pytest.fixture(params=["en-US", "ko-KR"])
def locale(request):
    return request.param


def test_axe_sees_what_is_wrong(viewer, server):
    viewer.goto(server.address)
    viewer.locator("h1").wait_for()
    viewer.evaluate("document.querySelector('main').innerHTML += '<input><p style=\"color: #eee\">pale</p>'")
    found = " ".join(faults(viewer))
    assert "light: label" in found
    assert "light: color-contrast" in found


@pytest.mark.parametrize("path", ["/", "/live", "/watch/nobody", "/nowhere"])
@pytest.mark.parametrize("width", [360, 1280])
def test_a_page_at_rest(playwright, server, locale, path, width):
    with browser(playwright, locale=locale, size_wh=(width, 800)) as context:
        page = context.new_page()
        page.goto(server.address + path)
        page.locator("h1, .stage-notice strong").first.wait_for()
        page.wait_for_timeout(500)
        assert faults(page) == []


def test_the_choice_of_photos_and_a_camera_that_cannot_be_had(playwright, camera, server, locale, tmp_path):
    photo = tmp_path / "me.jpg"
    photo.write_bytes(b"no picture")
    with browser(playwright, camera=camera, locale=locale) as context:
        page = context.new_page()
        page.goto(f"{server.address}/live")
        page.locator(".kind:has([value=photo])").click()
        page.locator("input[type=file]").set_input_files(photo)
        page.locator("input[name=agreed]").check()
        page.locator("input[name=declared-by]").fill("A tester")
        page.locator("button[name=upload]").click()
        expect(page.locator(".photo .problem")).to_be_visible()
        assert faults(page) == []
        page.evaluate("""() => {
            navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotReadableError'); };
        }""")
        page.locator(".kind:has([value=mosaic])").click()
        page.locator("button[name=go]").click()
        expect(page.locator(".stage-fault")).to_be_visible()
        assert faults(page) == []


def test_a_broadcast_on_air_and_who_watches_it(playwright, camera, server, locale):
    with browser(playwright, camera=camera, locale=locale) as context, browser(playwright, locale=locale) as elsewhere:
        page, viewer = context.new_page(), elsewhere.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{server.address}/live")
        page.locator("button[name=go]").click()
        expect(page.locator("main")).to_have_attribute("data-state", "live")
        page.locator("button[name=details]").click()
        page.locator(".pushes summary").click()
        page.locator("input[name=push-url]").wait_for()
        assert faults(page) == []
        viewer.goto(page.locator("input[name=link]").input_value())
        expect(viewer.locator(".badge-live")).to_be_visible()
        viewer.locator(".stage-bottom .control").nth(1).click()
        assert faults(viewer) == []
        viewer.goto(server.address)
        expect(viewer.locator("a.card")).to_be_visible()
        assert faults(viewer) == []
        page.locator("button[name=go]").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert faults(page) == []
        page.locator("button[name=end]").click()
        expect(viewer.locator("a.card")).to_have_count(0)
        page.goto("about:blank")
