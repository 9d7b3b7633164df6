"""Write screenshots of every page in its states: three widths, both languages, by day and by night.

A real server, and a Chromium with a fake camera. To be looked at, not compared: `python scripts/screenshots.py out/`.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from playwright.sync_api import Page, Route, expect, sync_playwright

from support.browser import STEADY, browser, mien_serve, write_camera_clip
from support.photos import as_png, hopper
from support.scenes import astronaut_frames

WIDTHS = (360, 768, 1440)
HEIGHT = 800
PHONE_ON_ITS_SIDE = (740, 360)
LANGUAGES = {"en": "English", "ko": "한국어"}
SCHEMES = ("light", "dark")
ON_AIR_MS = 60_000
BUSY = "async () => { throw new DOMException('', 'NotReadableError'); }"


@dataclass(frozen=True, slots=True)
class Album:
    """Where pictures go, and which ones are wanted."""

    folder: Path
    only: str

    def shoot(self, page: Page, name: str, *, full: bool = True, sideways: bool = False) -> None:
        """Write one state in every look. `full` has what lies below the window too; `sideways` adds a turned phone."""
        if not name.startswith(self.only):
            return
        sizes = [(width, HEIGHT) for width in WIDTHS] + ([PHONE_ON_ITS_SIDE] if sideways else [])
        for language, button in LANGUAGES.items():
            _speak(page, button)
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                for width, height in sizes:
                    page.set_viewport_size({"width": width, "height": height})
                    page.wait_for_timeout(800 if name.startswith("home") else 250)  # masks appear slowly
                    if full and name.startswith("live") and height == HEIGHT:  # or what sticks would lie across it
                        all_of_it = page.evaluate("document.documentElement.scrollHeight")
                        page.set_viewport_size({"width": width, "height": max(all_of_it, HEIGHT)})
                        page.wait_for_timeout(250)
                    look = f"{width}x{height}" if height != HEIGHT else str(width)
                    page.screenshot(path=self.folder / f"{name}-{look}-{language}-{scheme}.png", full_page=full)
        _speak(page, LANGUAGES["en"])
        page.set_viewport_size({"width": 1280, "height": HEIGHT})


def _speak(page: Page, button: str) -> None:
    """Press the language's button, also where a dialog keeps a mouse from it."""
    page.evaluate(
        "name => [...document.querySelectorAll('.languages button')].find(b => b.textContent === name).click()", button
    )


def _with_addresses(route: Route) -> None:
    """Let a page hear of addresses, as from a server that listens to a network."""
    if route.request.method != "POST":
        route.continue_()
        return
    answer = route.fetch()
    route.fulfill(
        response=answer, json=answer.json() | {"addresses": ["http://192.168.1.5:8000", "http://10.0.0.7:8000"]}
    )


def _go_live(page: Page) -> None:
    page.locator("button[name=go]").click()
    expect(page.locator("main")).to_have_attribute("data-state", "live", timeout=ON_AIR_MS)
    page.wait_for_function("() => document.querySelector('video').videoWidth > 2", timeout=ON_AIR_MS)
    page.wait_for_timeout(4000)  # until the picture is sharp and the figures are there


def _quiet_pages(album: Album, page: Page, address: str) -> None:
    for name, path in {"home-empty": "/", "watch-unknown": "/watch/nobody", "not-found": "/watch"}.items():
        page.goto(address + path)
        page.wait_for_timeout(1000)
        album.shoot(page, name, sideways=name == "watch-unknown")


def _before_going_live(album: Album, page: Page, address: str, photo: Path, empty: Path) -> None:
    page.goto(f"{address}/live")
    page.wait_for_timeout(1000)
    album.shoot(page, "live-mask")
    page.locator(".kind:has([value=photo])").click()
    page.locator("input[type=file]").set_input_files([photo, empty])
    album.shoot(page, "live-photo-chosen")
    page.locator("input[name=agreed]").check()
    page.locator("input[name=declared-by]").fill("A tester")
    page.locator("button[name=upload]").click()
    expect(page.locator(".photo .problem")).to_be_visible(timeout=ON_AIR_MS)
    album.shoot(page, "live-photo-refused")
    page.locator(".kind:has([value=mosaic])").click()
    page.locator("button[name=try]").click()
    page.locator("button[name=mute]").wait_for()
    album.shoot(page, "live-mosaic")
    page.reload()
    page.evaluate(f"() => {{ navigator.mediaDevices.getUserMedia = {BUSY}; }}")
    page.locator("button[name=go]").click()
    page.locator(".stage-fault").wait_for()
    album.shoot(page, "live-fault", sideways=True)


def _on_air(album: Album, page: Page, viewer: Page, address: str) -> None:
    page.goto(f"{address}/live")
    page.locator("input[name=title]").fill("A walk along the river")
    _go_live(page)
    album.shoot(page, "live-on-air", sideways=True)
    viewer.goto(page.locator("input[name=link]").input_value())
    viewer.locator(".badge-live").wait_for(timeout=ON_AIR_MS)
    viewer.wait_for_timeout(3000)
    album.shoot(viewer, "watch-live", sideways=True)
    viewer.get_by_role("button", name="Show stats").click()
    album.shoot(viewer, "watch-figures", sideways=True)
    viewer.goto(address)
    viewer.locator(".card img").first.wait_for(timeout=ON_AIR_MS)
    album.shoot(viewer, "home-on-air")
    page.locator("button[name=details]").click()
    page.locator(".pushes summary").click()
    page.locator("button[name=record]").click()
    page.wait_for_timeout(3000)
    page.locator("button[name=record]").click()
    page.locator(".recorded a").wait_for(timeout=ON_AIR_MS)
    album.shoot(page, "live-everything")
    page.locator("button[name=qr]").click()
    page.locator("svg.qr").wait_for()
    album.shoot(page, "live-qr", full=False)
    page.keyboard.press("Escape")
    page.locator("button[name=go]").click()
    album.shoot(page, "live-stop", full=False)
    viewer.goto(page.locator("input[name=link]").input_value())
    viewer.locator(".badge-live").wait_for(timeout=ON_AIR_MS)
    page.locator("button[name=end]").click()
    page.locator("main[data-state=ended]").wait_for()
    album.shoot(page, "live-ended")
    viewer.locator(".watch-stage[data-open=false]").wait_for(timeout=ON_AIR_MS)
    album.shoot(viewer, "watch-ended", sideways=True)
    viewer.close()


@contextmanager
def _studio(work: Path) -> Iterator[tuple[str, Page, Page]]:
    """Yield the address of a server, a page with a camera and one without."""
    clip = write_camera_clip(work / "astronaut.mjpeg", astronaut_frames(4.84, face_px=250))
    with (
        mien_serve(work / "data", settings=STEADY) as server,
        sync_playwright() as playwright,
        browser(playwright, camera=clip) as at_the_camera,
        browser(playwright) as elsewhere,
    ):
        page = at_the_camera.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        page.route("**/api/broadcasts", _with_addresses)
        yield server.address, page, elsewhere.new_page()
        page.goto("about:blank")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--only", default="", help="states whose names begin so")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    album = Album(arguments.folder, arguments.only)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        photo, empty = work / "me.png", work / "wall.png"
        photo.write_bytes(as_png(hopper()))
        empty.write_bytes(as_png(hopper()[:40, :40]))
        with _studio(work) as (address, page, viewer):
            _quiet_pages(album, viewer, address)
            _before_going_live(album, page, address, photo, empty)
            _on_air(album, page, viewer, address)
    print(f"{len(list(arguments.folder.glob('*.png')))} pictures in {arguments.folder}")


if __name__ == "__main__":
    main()
