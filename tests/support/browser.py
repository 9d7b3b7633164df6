"""A real Chromium with a fake camera, a real server, and what a viewer's screen shows."""

import base64
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

import cv2
import httpx
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from mien.vision.types import Image

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--autoplay-policy=no-user-gesture-required",
)


def chromium_path() -> str:
    """Return where Chromium is.

    Raises:
        RuntimeError: It is not installed.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise RuntimeError("the browser tests need Chromium: apt-get install chromium")
    return path


_RUNNING: Final = WeakKeyDictionary[Playwright, dict[tuple[str, ...], Browser]]()


def _chromium(playwright: Playwright, flags: tuple[str, ...]) -> Browser:
    """Return the Chromium that runs with such flags; start it unless it runs. Its driver ends it."""
    running = _RUNNING.setdefault(playwright, {})
    if flags not in running or not running[flags].is_connected():
        running[flags] = playwright.chromium.launch(executable_path=chromium_path(), headless=True, args=list(flags))
    return running[flags]


@contextmanager
def browser(
    playwright: Playwright,
    *,
    camera: Path | None = None,
    allows: bool = True,
    locale: str = "en-US",
    size_wh: tuple[int, int] = (1280, 800),
) -> Iterator[BrowserContext]:
    """Give Chromium a new empty profile; its process is shared by all who want the same camera of the same driver.

    Args:
        playwright: Drives it, and ends it.
        camera: An `.mjpeg` or `.y4m` clip that plays as the camera, over and over.
        allows: Whether the person lets pages use the camera.
        locale: The language that it asks for.
        size_wh: Width and height of the page, in CSS pixels.
    """
    flags: tuple[str, ...] = FLAGS
    if camera is not None:
        flags += ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}")
    if camera is not None and allows:
        flags += ("--use-fake-ui-for-media-stream",)
    chromium = _chromium(playwright, flags)
    context = chromium.new_context(locale=locale, viewport={"width": size_wh[0], "height": size_wh[1]})
    try:
        yield context
    finally:
        context.close()


def write_camera_clip(path: Path, frames: Iterable[Image], *, quality: int = 92) -> Path:
    """Write a fake camera's clip: JPEG pictures one after the other."""
    with path.open("wb") as clip:
        for frame in frames:
            bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
            _ok, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
            clip.write(jpeg.tobytes())
    return path


@dataclass(frozen=True, slots=True)
class Server:
    """A running `mien serve`.

    Attributes:
        address: As in `http://127.0.0.1:8000`.
        pid: Its process id.
        first_page_s: Seconds from its start to the first page.
        ready_s: Seconds from its start until pipelines can be made.
    """

    address: str
    pid: int
    first_page_s: float
    ready_s: float


STEADY: Final = {"MIEN_LIVE__SHED_LOAD": "false"}
"""On a busy machine a smaller picture, or a mosaic for a swap, would be right; most tests look at something else."""


@contextmanager
def mien_serve(
    data_dir: Path,
    *,
    port: int | None = None,
    wait_s: float = 60.0,
    settings: Mapping[str, str] | None = None,
    mien: Sequence[str] = ("-m", "mien"),
) -> Iterator[Server]:
    """Run `mien serve` on a loopback port, a free one unless told, with `MIEN_…` settings; stop it by its pid.

    `mien` is what Python is told to run.
    """
    if port is None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *mien, "serve", "--port", str(port)],
        env={**os.environ, "MIEN_DATA_DIR": str(data_dir), "MIEN_LOG__FORM": "json", **(settings or {})},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/live", b"<html", process, start + wait_s)
        first_page_s = time.monotonic() - start
        _wait_for(f"{address}/api/health", b'"ok"', process, start + wait_s)
        yield Server(address, process.pid, first_page_s, time.monotonic() - start)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def lend_photo(page: Page, photo: Path) -> None:
    """Lend a photo as a persona on the go-live page, and wait until it is taken."""
    page.get_by_text("My photo").click()
    page.locator("input[type=file]").set_input_files(photo)
    page.get_by_text("The person shown agreed").click()
    page.get_by_label("Your name").fill("A tester")
    page.get_by_role("button", name="Use this photo").click()
    expect(page.get_by_text("The photo is ready.")).to_be_visible(timeout=30_000)


def register_person(page: Page, name: str, photo: Path) -> None:
    """Register somebody who stays as they are on the go-live page, and wait until the server knows them."""
    people = page.locator("fieldset.people")
    people.get_by_role("button", name="Register").click()
    people.get_by_label("Their name").fill(name)
    people.locator("input[type=file]").set_input_files(photo)
    people.get_by_text("The person shown agreed").click()
    people.get_by_label("Your name").fill("A tester")
    page.keyboard.press("Enter")
    expect(people.get_by_role("listitem").filter(has_text=name)).to_be_visible(timeout=60_000)


def end_broadcasts(server: Server) -> None:
    """End all that are on air, as the operator: a page whose browser is closed cannot end its own."""
    with httpx.Client(base_url=server.address, timeout=30) as operator:
        for broadcast in operator.get("/api/broadcasts").raise_for_status().json():
            operator.delete(f"/api/broadcasts/{broadcast['id']}")  # one that has ended meanwhile is none either


def _wait_for(url: str, wanted: bytes, process: "subprocess.Popen[bytes]", deadline: float) -> None:
    """Ask until the answer holds `wanted`."""
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"mien serve ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310  # our own server
                if wanted in answer.read():
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.02)
    raise RuntimeError(f"{url} did not answer with {wanted!r} in time")


class Scripted(Protocol):
    """A page that runs scripts: Playwright's, or a Firefox's."""

    def evaluate(self, expression: str, arg: Any = None, /) -> Any:
        """Call a JavaScript function with one argument and return what it gives."""


def screen(page: Scripted, selector: str = "video") -> Image | None:
    """Return what the video element shows now, or None while it shows nothing."""
    data = page.evaluate(
        """selector => {
            const video = document.querySelector(selector);
            if (!video || !video.videoWidth || video.readyState < 2) return null;
            const canvas = document.createElement('canvas');
            canvas.width = video.videoWidth; canvas.height = video.videoHeight;
            canvas.getContext('2d').drawImage(video, 0, 0);
            return canvas.toDataURL('image/png').split(',')[1];
        }""",
        selector,
    )
    if data is None:
        return None
    with PIL.Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        return np.asarray(picture.convert("RGB"), np.uint8)


_COARSE: Final = 5


def screens_that_show(
    page: Scripted, wanted: Callable[[Image], object], *, count: int, every_s: float = 0.4, within_s: float = 90.0
) -> tuple[list[Image], list[Image]]:
    """Look at a video until `count` of its pictures are as wanted, or the time is over; return these and the others.

    The first pictures are coarse, so they are among the others. On a busy machine a broadcast may show the slate.
    """
    until = time.monotonic() + within_s
    shown: list[Image] = []
    others: list[Image] = []
    while len(shown) < count and time.monotonic() < until:
        image = screen(page)
        if image is not None:
            (shown if len(others) >= _COARSE and wanted(image) else others).append(image)
        time.sleep(every_s)
    return shown, others


def audio(page: Scripted, *, seconds: float = 3.0) -> NDArray[np.float32]:
    """Record what the video element's stream sounds like: one channel, 48 kHz, from -1 to 1.

    A recorder, because a Firefox without a sound card never starts an AudioContext.
    """
    data = page.evaluate(
        """async seconds => {
            const [track] = document.querySelector('video').srcObject.getAudioTracks();
            const recorder = new MediaRecorder(new MediaStream([track]));
            const recorded = new Promise(resolve => { recorder.ondataavailable = ({data}) => resolve(data); });
            recorder.start();
            setTimeout(() => recorder.stop(), 1000 * seconds);
            const opus = await (await recorded).arrayBuffer();
            const samples = (await new OfflineAudioContext(1, 1, 48000).decodeAudioData(opus)).getChannelData(0);
            const reader = new FileReader();
            reader.readAsDataURL(new Blob([samples]));
            await new Promise(resolve => { reader.onload = resolve; });
            return reader.result.split(',')[1];
        }""",
        seconds,
    )
    return np.frombuffer(base64.b64decode(data), np.float32)


def loudest_hz(samples: NDArray[np.float32]) -> float:
    """Return the loudest pitch of a sound of 48 kHz."""
    levels = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.fft.rfftfreq(samples.size, 1 / 48_000)[np.argmax(levels)])
