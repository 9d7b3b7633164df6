"""How soon a stranger who comes in is hidden, and a registered person shown, as a viewer in a real browser sees it.

    python -m benchmarks.system.entries [--seconds 60]

One Chromium publishes a clip through its fake camera: a registered person walks in from the left, a stranger from the
right, both leave again, over and over (960x540, 30 fps, faces of 96 px made by code from public-domain photos). She is
registered on the page by the photo that the clip is made of. A second Chromium watches. Each frame carries its number,
so times are the clip's own: 0 is the first frame in which half of a face is in the picture. Whom a frame shows is told
by correlation with the photos (`tests/support/stage.py`), not by the product's networks.
"""

import base64
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from playwright.sync_api import Page, Playwright, expect, sync_playwright

from benchmarks.command import command, keep, parse
from benchmarks.system.live import CODE_READER, coded, open_watch_page
from mien.app.factory import VisionFactory
from mien.config import Settings
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.types import Box, Image
from support.browser import Server, browser, mien_serve, register_person, write_camera_clip
from support.photos import as_png, astronaut, hopper
from support.stage import SHOWN, SIZE_WH, Stage
from support.two_people import Standing

FPS, CLIP_S, FACE_PX = 30, 9.0, 96
SEEN_WH: Final = (480, 270)
LEFT, RIGHT = np.array([0, 0, 480, 540], np.float32), np.array([480, 0, 960, 540], np.float32)
NOTE_SEEN = """([width, height]) => {
    const video = document.querySelector('video');
    const canvas = new OffscreenCanvas(width, height);
    const pen = canvas.getContext('2d', {willReadFrequently: true});
    window.seen = [];
    const note = async () => {
        video.requestVideoFrameCallback(note);
        const frame = new VideoFrame(video);
        pen.drawImage(frame, 0, 0, width, height);
        const code = await readCode(frame);
        frame.close();
        const {data} = pen.getImageData(0, 0, width, height);
        const grey = new Uint8Array(width * height);
        for (let i = 0; i < grey.length; i++) grey[i] = data[4 * i + 1];
        window.seen.push([code, grey]);
    };
    video.requestVideoFrameCallback(note);
}"""
TAKE_SEEN = """() => {
    const taken = window.seen.splice(0);
    const text = bytes => { let t = ''; for (let i = 0; i < bytes.length; i += 32768)
        t += String.fromCharCode.apply(null, bytes.subarray(i, i + 32768)); return btoa(t); };
    return taken.map(([code, grey]) => [code, text(grey)]);
}"""


def walk(at: float, *, enters: float, leaves: float, outside: float, inside: float) -> Standing | None:
    """Return where somebody is who walks in for a second, stays, and walks out again."""
    if not enters <= at <= leaves:
        return None
    way = min(at - enters, leaves - at, 1.0)
    return Standing(outside + (inside - outside) * way, 260.0, FACE_PX)


def ann_at(at: float) -> Standing | None:
    """Return where the registered person is."""
    return walk(at, enters=0.5, leaves=8.5, outside=-120.0, inside=260.0)


def bob_at(at: float) -> Standing | None:
    """Return where the stranger is."""
    return walk(at, enters=3.0, leaves=8.0, outside=1080.0, inside=700.0)


def first_frame(place: Any) -> int:
    """Return the first frame in which half of a face is in the picture."""
    places = (place(i / FPS) for i in range(round(CLIP_S * FPS)))
    return next(i for i, standing in enumerate(places) if standing and 0 <= standing.x <= SIZE_WH[0])


def clip_of(stage: Stage) -> Iterator[Image]:
    """Return the clip in the size that the bar code is made for."""
    for i in range(round(CLIP_S * FPS)):
        yield np.asarray(cv2.resize(stage(i / FPS), (1280, 720), interpolation=cv2.INTER_LINEAR), np.uint8)


def watched(page: Page, seconds: float) -> list[tuple[int, Image]]:
    """Return the number and the picture (H, W, 3) of each frame that a page presents meanwhile."""
    page.evaluate(NOTE_SEEN, list(SEEN_WH))
    seen: list[tuple[int, Image]] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(1.0)
        for code, text in page.evaluate(TAKE_SEEN):
            grey = np.frombuffer(base64.b64decode(text), np.uint8).reshape(SEEN_WH[1], SEEN_WH[0])
            seen.append((int(code), np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)))
    return seen


def passes(seen: Sequence[tuple[int, Image]]) -> Iterator[list[tuple[int, Image]]]:
    """Return the frames of each whole pass of the clip."""
    begun: list[list[tuple[int, Image]]] = [[]]
    for frame in seen:
        if begun[-1] and frame[0] < begun[-1][-1][0] - FPS:
            begun.append([])
        begun[-1].append(frame)
    yield from begun[1:-1]


def shown_in(stage: Stage, frames: Sequence[tuple[int, Image]], name: str, since: int, where: Box) -> list[float]:
    """Return at which seconds after frame `since` a person is shown."""
    return [
        (code - since) / FPS
        for code, image in frames
        if code >= since and stage.likeness(image, name, face_px=FACE_PX, within=where) >= SHOWN
    ]


def measured(stage: Stage, seen: Sequence[tuple[int, Image]]) -> dict[str, Any]:
    """Return what the frames tell."""
    soon, bare, watched_of_bob, whole = [], 0, 0, list(passes(seen))
    ann, bob = first_frame(ann_at), first_frame(bob_at)
    for frames in whole:
        shown = shown_in(stage, frames, "ann", ann, LEFT)
        soon.append(min(shown) if shown else None)
        bare += len(shown_in(stage, frames, "bob", bob, RIGHT))
        watched_of_bob += sum(code >= bob for code, _ in frames)
    known = [second for second in soon if second is not None]
    return {
        "passes": len(whole),
        "frames": len(seen),
        "stranger_frames": watched_of_bob,
        "stranger_shown": bare,
        "registered_shown_after_s": {
            "median": round(float(np.median(known)), 2) if known else None,
            "longest": round(max(known), 2) if known else None,
            "never": len(soon) - len(known),
        },
    }


def play(driver: Playwright, server: Server, stage: Stage, folder: Path, seconds: float) -> dict[str, Any]:
    """Publish, watch, and tell."""
    clip = write_camera_clip(folder / "camera.mjpeg", coded(clip_of(stage)))
    photo = folder / "ann.png"
    photo.write_bytes(as_png(astronaut()))
    with browser(driver, camera=clip) as camera, browser(driver) as audience:
        page = camera.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{server.address}/live")
        page.get_by_text("Mosaic", exact=True).first.click()
        register_person(page, "Ann", photo)
        page.get_by_role("button", name="Go live").click()
        expect(page.locator("main")).to_have_attribute("data-state", "live", timeout=30_000)
        watcher = audience.new_page()
        watcher.add_init_script(CODE_READER)
        open_watch_page(watcher, page.locator("input[name=link]").input_value())
        seen = watched(watcher, seconds)
        page.goto("about:blank")
    return {"viewer_fps": round(len(seen) / seconds, 1), **measured(stage, seen)}


def main() -> None:
    parser = command(__doc__, results="entries")
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parse(parser, seconds=3.0)
    cv2.setNumThreads(1)
    settings = Settings()
    factory = VisionFactory(Runtime(Store(settings.models_dir)))
    stage = Stage(factory, {"ann": astronaut(), "bob": hopper()}, lambda at: {"ann": ann_at(at), "bob": bob_at(at)})
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as driver,
        mien_serve(Path(folder)) as server,
    ):
        row = play(driver, server, stage, Path(folder), options.seconds)
    print(json.dumps(row, indent=2))
    keep(options, {"rows": [row]})


if __name__ == "__main__":
    main()
