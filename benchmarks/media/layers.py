"""What a browser sees while its line is narrow, and how soon a line that widens is used. Prints rows, writes JSON.

    python -m benchmarks.media.layers [--lines 600 1200 1800 widening starved] [--seconds 60] [--runs 3]
        [--out benchmarks/results/layers.json]

Chromium watches in a network namespace (root, `ip`, `tc`, `nft` and `ethtool` are needed) what a `FanOut` sends of
pictures that were encoded beforehand, with a keyframe every eight seconds: neither vision nor an encoder takes
computing time, so it can be run on a machine that is not idle. Each line but the last is run with trials, as whoever
takes no retransmissions gets them, and with probes, in turn.

    600 ...   so many kbit/s with at most 200 ms of packets in wait; Chromium is on it from the begin
    widening  600 kbit/s for half a minute, then no limit
    starved   no limit, but Chromium stands still for 200 ms of every 5
    free      no limit, on the loopback: nothing but Chromium is needed00

The first eight seconds count for nothing but `small_after_s`: the layer is found then.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from playwright.async_api import Page, Playwright, async_playwright

from benchmarks.command import command, keep, parse
from mien.media.codecs.encoded import EncodedFrame, VideoCodec
from mien.media.webrtc.egress.fan_out import FanOut, Viewer
from mien.media.webrtc.sdp.parse import read_offer
from support.browser import FLAGS, chromium_path
from support.egress import FPS, encoded_frames
from support.rooms import Room, room

RATES: Final = (2_000_000, 400_000)
SIZES_WH: Final = ((1280, 720), (640, 360))
NARROW_S: Final = 30.0
FREE: Final = "free"
STOP_S, EVERY_S = 0.2, 0.5
OFFER: Final = """async () => {
    const connection = window.connection = new RTCPeerConnection();
    connection.addTransceiver('video', {direction: 'recvonly'});
    const video = document.createElement('video');
    video.muted = video.autoplay = true;
    document.body.append(video);
    connection.ontrack = ({track}) => { video.srcObject = new MediaStream([track]); };
    window.marks = [];
    const note = (now, {height}) => {
        video.requestVideoFrameCallback(note);
        window.marks.push([(performance.timeOrigin + now) / 1e3, height]);
    };
    video.requestVideoFrameCallback(note);
    await connection.setLocalDescription(await connection.createOffer());
    while (connection.iceGatheringState !== 'complete') await new Promise(done => setTimeout(done, 10));
    return connection.localDescription.sdp;
}"""
ANSWER: Final = "sdp => window.connection.setRemoteDescription({type: 'answer', sdp})"


def draw(size_wh: tuple[int, int], number: int) -> NDArray[np.uint8]:
    """Draw a ball that swings over a noisy slope: it takes a layer's whole bit rate."""
    width, height = size_wh
    slope = np.linspace(0, 200, width).astype(np.uint8)[None, :, None]
    image = np.repeat(np.repeat(slope, height, 0), 3, 2)
    cv2.circle(image, (int(width * (0.5 + np.sin(number / 10) / 4)), height // 2), height // 4, (200, 120, 90), -1)
    noise = np.random.default_rng(number % 30).integers(0, 24, (height // 2, width // 2, 3), np.uint8)
    return np.asarray(image + cv2.resize(noise, size_wh), np.uint8)


class Player:
    """Plays the pictures of both layers; a wish for a keyframe begins a layer's anew."""

    def __init__(self, layers: list[list[EncodedFrame]]) -> None:
        self.fan_out = FanOut()
        self._layers = layers
        self._next = [0] * len(layers)

    def want_keyframe(self, layer: int) -> None:
        """Begin a layer anew."""
        self._next[layer] = 0

    async def play(self, viewer: Viewer, seconds: float) -> list[tuple[float, int, bool]]:
        """Play to a viewer; return when it changed its layer or whether its line is probed, in seconds."""
        began, moves = time.monotonic(), [(0.0, 0, False)]
        while (now := time.monotonic() - began) < seconds:
            for layer in viewer.layers:
                number = self._next[layer]
                frame = self._layers[layer][number]
                self.fan_out.push_frame(
                    EncodedFrame(frame.data, int(now * 90_000), is_keyframe=not number, layer=layer)
                )
                self._next[layer] = (number + 1) % len(self._layers[layer])
            state = viewer.layer_selector.layer, viewer.layer_selector.probe is not None
            if state != moves[-1][1:]:
                moves.append((round(now, 1), *state))
            await asyncio.sleep(1 / FPS - (time.monotonic() - began) % (1 / FPS))
        return moves


@contextlib.asynccontextmanager
async def watching(
    driver: Playwright, line: Room | None, player: Player, *, probes: bool
) -> AsyncIterator[tuple[Page, Viewer]]:
    """Have a Chromium watch, in a room if there is one."""
    with tempfile.TemporaryDirectory() as folder:
        program = line.program(chromium_path(), Path(folder)) if line else chromium_path()
        browser = await driver.chromium.launch(executable_path=program, headless=True, args=list(FLAGS))
        page = await browser.new_page()
        offer = read_offer(await page.evaluate(OFFER), direction="recvonly")
        viewer = Viewer(offer, (), want_keyframe=player.want_keyframe, epoch=time.monotonic(), bit_rates=RATES)
        player.fan_out.add(viewer)
        try:
            await page.evaluate(ANSWER, await viewer.answer())
            await viewer.connected.wait()
            while viewer.last_report_at is None:  # noqa: ASYNC110  # it has no event
                await asyncio.sleep(0.01)
            viewer.layer_selector.can_probe = probes
            yield page, viewer
        finally:
            player.fan_out.discard(viewer)
            await viewer.close()
            await browser.close()


async def starve(line: Room) -> None:
    """Let all that runs in a room stand still again and again."""
    found = subprocess.run(["ip", "netns", "pids", line.name], check=True, capture_output=True, text=True)  # noqa: ASYNC221  # it takes a moment, before anything is timed
    processes = [int(pid) for pid in found.stdout.split()]

    def tell(what: signal.Signals) -> None:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, what)

    try:
        while True:
            await asyncio.sleep(EVERY_S - STOP_S)
            tell(signal.SIGSTOP)
            await asyncio.sleep(STOP_S)
            tell(signal.SIGCONT)
    finally:
        tell(signal.SIGCONT)


async def widen(line: Room) -> None:
    """Lift a room's limit after a while."""
    await asyncio.sleep(NARROW_S)
    line.narrow(None)


async def run(
    driver: Playwright, layers: list[list[EncodedFrame]], name: str, options: argparse.Namespace, *, probes: bool
) -> Any:
    """Return what a viewer saw of one line."""
    player = Player(layers)
    with contextlib.ExitStack() as stack:
        line = None if name == FREE else stack.enter_context(room("mien-layers", 9))
        if line and (name.isdigit() or name == "widening"):
            line.narrow(int(name) if name.isdigit() else 600)
        async with watching(driver, line, player, probes=probes) as (page, viewer):
            meanwhile = {"starved": starve, "widening": widen}.get(name)
            task = asyncio.create_task(meanwhile(line)) if meanwhile and line else None
            began = time.time()
            moves = await player.play(viewer, options.seconds + (NARROW_S if name == "widening" else 0.0))
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            marks = [(at - began, height) for at, height in await page.evaluate("window.marks")]
            stats = viewer.stats()
    settled = [at for at, _ in marks if at > options.settled]
    gaps = [after - before for before, after in itertools.pairwise(settled)]
    return {
        "line": name,
        "up_by": "probe" if probes else "trial",
        "small_after_s": next((round(at, 1) for at, height in marks if height < 700), None),
        "fps": round(len(gaps) / sum(gaps), 1),
        "longest_gap_ms": round(max(gaps) * 1e3),
        "gaps_over_400_ms": sum(gap > 0.4 for gap in gaps),
        "full_size_share": round(sum(height >= 700 for at, height in marks if at > options.settled) / len(settled), 2),
        "full_size_after_widening_s": next(
            (round(at - NARROW_S, 1) for at, height in marks if at > NARROW_S and height >= 700), None
        )
        if name == "widening"
        else None,
        "moves": moves,
        "resent": stats.resent,
        "padded": stats.padded,
        "load": round(os.getloadavg()[0], 1),
    }


async def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each run."""
    layers = [
        encoded_frames(
            VideoCodec.VP8,
            size_wh=size,
            count=options.frames,
            keyframe_every=9999,
            layer=layer,
            bit_rate=rate,
            draw=draw,
        )
        for layer, (size, rate) in enumerate(zip(SIZES_WH, RATES, strict=True))
    ]
    rows = []
    async with async_playwright() as driver:
        for name in options.lines:
            for _ in range(options.runs):
                for probes in (True,) if name in {"starved", FREE} else (False, True):
                    rows.append(await run(driver, layers, name, options, probes=probes))
                    print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    parser = command(__doc__, results="layers")
    parser.add_argument("--lines", nargs="+", default=["600", "1200", "1800", "widening", "starved"])
    parser.add_argument("--seconds", type=float, default=60.0, help="of each run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--frames", type=int, default=240, help="from one keyframe to the next")
    parser.add_argument("--settled", type=float, default=8.0, help="seconds of each run that are not counted")
    options = parse(parser, lines=[FREE], seconds=3.0, runs=1, frames=30, settled=1.0)
    rows = asyncio.run(measure(options))
    for (name, up_by), some in itertools.groupby(
        sorted(rows, key=lambda row: (row["line"], row["up_by"])), key=lambda row: (row["line"], row["up_by"])
    ):
        group = list(some)
        medians = {
            key: statistics.median(row[key] for row in group) for key in ("longest_gap_ms", "fps", "full_size_share")
        }
        print(f"{name:10} {up_by:6} {medians}")
    keep(options, {"rows": rows})


if __name__ == "__main__":
    main()
