"""A running server, and the pages, peers and lines around it."""

import contextlib
import json
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from playwright.sync_api import Page, Playwright

from benchmarks.system.peers import light
from support.browser import FLAGS, Server, chromium_path, mien_serve
from support.rooms import NETWORK, Room, room

UP_S: Final = 60.0
WATCH_PICTURES: Final = """
    window.connections = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...all) { super(...all); window.connections.push(this); }
    };
    window.marks = [];
    const poll = setInterval(() => {
        const video = document.querySelector('video');
        if (!video) return;
        clearInterval(poll);
        const note = (now, {height}) => {
            video.requestVideoFrameCallback(note);
            window.marks.push([performance.timeOrigin + now, height]);
        };
        video.requestVideoFrameCallback(note);
    }, 1);
"""


class Loopback:
    """Stands in for a room where none can be made: nothing gets lost on it and it is never narrow."""

    here = "127.0.0.1"
    enter: tuple[str, ...] = ()

    def program(self, path: str, _folder: Path) -> Path:
        """Return the program as it is."""
        return Path(path)


@dataclass
class Stage:
    """A running server, and what is needed to put peers around it."""

    server: Server
    driver: Playwright
    folder: Path
    capture: Path
    seconds: float
    token: str
    joins: int
    loopback: bool

    @contextlib.contextmanager
    def line(self, name: str, number: int) -> Iterator["Room | Loopback"]:
        """Have a room, or the loopback where no rooms are wanted."""
        if self.loopback:
            yield Loopback()
            return
        with room(name, number) as line:
            yield line

    @contextlib.contextmanager
    def broadcast(self) -> Iterator[dict[str, Any]]:
        """Have a broadcast that nobody publishes yet."""
        with httpx.Client(
            base_url=self.server.address, timeout=20, headers={"Authorization": f"Bearer {self.token}"}
        ) as client:
            made = client.post("/api/broadcasts", json={}).raise_for_status().json()
            try:
                yield made
            finally:
                client.delete(f"/api/broadcasts/{made['id']}", headers={"Authorization": f"Bearer {made['token']}"})

    @contextlib.contextmanager
    def published(self) -> Iterator[dict[str, Any]]:
        """Have a broadcast of the recording."""
        with self.broadcast() as made:
            url = self.server.address + made["whip_url"]
            with light("publish", url, made["token"], str(self.capture), "--seconds", "3600"):
                given_up = time.monotonic() + UP_S
                while self.stats(made)["fps_out"] < (1 if self.loopback else 20):
                    if time.monotonic() > given_up:
                        raise RuntimeError("the broadcast does not come up: this machine is too busy to measure")
                    time.sleep(0.2)
                yield made

    def stats(self, made: dict[str, Any]) -> dict[str, Any]:
        """Return what the server says of a broadcast."""
        answer: dict[str, Any] = httpx.get(f"{self.server.address}/api/broadcasts/{made['id']}").json()
        return answer

    def address_for(self, line: "Room | Loopback | None") -> str:
        """Return the server's address as seen from a room."""
        host, _, port = self.server.address.rpartition(":")
        return f"http://{line.here}:{port}" if line else f"{host}:{port}"

    @contextlib.contextmanager
    def page(self, line: "Room | Loopback", *, camera: Path | None = None) -> Iterator[Page]:
        """Have a page of a Chromium in a room."""
        flags = list(FLAGS)
        if camera is not None:
            flags += [
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={camera}",
                "--use-fake-ui-for-media-stream",
                f"--unsafely-treat-insecure-origin-as-secure={self.address_for(line)}",
            ]
        with tempfile.TemporaryDirectory() as profile:
            context = self.driver.chromium.launch_persistent_context(
                profile, executable_path=line.program(chromium_path(), self.folder), headless=True, args=flags
            )
            try:
                page = context.new_page()
                page.add_init_script(WATCH_PICTURES)
                yield page
            finally:
                context.close()

    def watch(self, page: Page, line: "Room | Loopback", made: dict[str, Any]) -> float:
        """Open the viewer's page; return after how many seconds the first picture was presented."""
        began = time.time()
        page.goto(f"{self.address_for(line)}{made['watch_url']}", wait_until="commit")
        page.wait_for_function("() => window.marks.length > 0", timeout=30_000)
        return float(page.evaluate("window.marks[0][0]")) / 1e3 - began


@contextlib.contextmanager
def reachable_server(folder: Path, door: str | None) -> Iterator[tuple[Server, str]]:
    """Run `mien serve` so that rooms reach it, through a room of the name `door`; yield it and the operator's token."""
    settings = {"MIEN_WHIP_TOKEN": secrets.token_urlsafe(24)}
    with contextlib.ExitStack() as stack:
        if door is not None:
            stack.enter_context(room(door, 0))  # it insists on an address
            settings |= {"MIEN_HOST": "0.0.0.0", "MIEN_LIVE__BIND_TO": json.dumps([NETWORK])}  # noqa: S104  # for the rooms; all is behind the token
        server = stack.enter_context(mien_serve(folder, wait_s=60, settings=settings))
        yield server, settings["MIEN_WHIP_TOKEN"]
