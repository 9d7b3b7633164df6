"""Capture-to-viewer delay and frame rate in a real browser, and what the server needs. Prints a table, writes JSON.

    python -m benchmarks.system.live [--seconds 60] [--treatment mask mosaic] [--out benchmarks/results/live.json]

One Chromium publishes a clip through its fake camera (1280x720 at 30 fps, one face of 230 px made by code from a
public-domain photo), another watches; both run on the measured machine, beside the server, and take much of it. Each
frame carries its number as a bar code. The publishing page notes when a frame left the camera, the watching page when
it was presented, on one clock; the difference is the delay, camera to screen. The median
of each ten seconds tells whether it grows.
"""

import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import Page, Playwright, expect, sync_playwright

from benchmarks.command import command, keep, parse
from mien.vision.types import Image
from support.browser import Server, browser, mien_serve, write_camera_clip
from support.scenes import astronaut_frames
from support.worker import children_of

BITS, CELL = 10, 20
CLIP_S = 29.0  # about six sways of the head; shorter than the bar code's 1024 frames
# Frames are read as they are, luma alone and only the strip with the code: drawing them would cost what is measured.
CODE_READER = (
    f"const bits = {BITS}, cell = {CELL};"
    """
    window.marks = [];
    window.readCode = async frame => {
        const k = frame.visibleRect.width / 1280;
        const even = x => Math.floor(x / 2) * 2;
        const rect = {x: 0, y: even((720 - cell / 2) * k), width: even(bits * cell * k), height: 2};
        const luma = new Uint8Array(frame.allocationSize({rect}));
        await frame.copyTo(luma, {rect});
        let code = 0;
        for (let i = 0; i < bits; i++) code = code * 2 + (luma[Math.round((i + 0.5) * cell * k)] > 127 ? 1 : 0);
        return code;
    };
"""
)
NOTE_CAPTURE = (
    CODE_READER
    + """
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async wish => {
        const stream = await ask(wish);
        const [camera] = stream.getVideoTracks();
        if (camera) {
            const frames = new MediaStreamTrackProcessor({track: camera.clone()}).readable.getReader();
            (async () => {
                for (;;) {
                    const {value: frame, done} = await frames.read();
                    if (done) return;
                    const at = performance.timeOrigin + performance.now();
                    window.marks.push([await readCode(frame), at]);
                    frame.close();
                }
            })();
        }
        return stream;
    };
"""
)
NOTE_PRESENTED = """() => {
    const video = document.querySelector('video');
    const note = async now => {
        video.requestVideoFrameCallback(note);
        const frame = new VideoFrame(video);
        window.marks.push([await readCode(frame), performance.timeOrigin + now]);
        frame.close();
    };
    video.requestVideoFrameCallback(note);
}"""


def coded(frames: Iterator[Image]) -> Iterator[Image]:
    """Draw each frame's number into its lower left corner."""
    for number, frame in enumerate(frames):
        for i in range(BITS):
            value = 255 if number >> (BITS - 1 - i) & 1 else 0
            frame[-CELL:, i * CELL : (i + 1) * CELL] = value
        yield frame


def broadcast(
    driver: Playwright, server: Server, clip: Path, treatment: str, seconds: float, settle: float
) -> dict[str, Any]:
    """Publish and watch for `seconds`; return the figures."""
    with browser(driver, camera=clip) as camera, browser(driver) as audience:
        page = camera.new_page()
        page.add_init_script(NOTE_CAPTURE)
        page.goto(f"{server.address}/live")
        page.get_by_text({"mosaic": "Mosaic", "mask": "Mask"}[treatment], exact=True).first.click()
        page.get_by_role("button", name="Go live").click()
        link = page.locator("input[readonly]")
        expect(link).to_have_value(re.compile("/watch/"), timeout=20_000)
        time.sleep(settle)
        watcher = audience.new_page()
        watcher.add_init_script(CODE_READER)
        first_frame_s = open_watch_page(watcher, link.input_value())
        watcher.evaluate(NOTE_PRESENTED)
        time.sleep(settle)
        cpu, start = cpu_seconds(server.pid), time.monotonic()
        watcher.evaluate("window.marks.length = 0")
        time.sleep(seconds)
        elapsed = time.monotonic() - start
        cpu_share = (cpu_seconds(server.pid) - cpu) / elapsed
        presented, captured = watcher.evaluate("window.marks"), page.evaluate("window.marks")
        broadcast_id = link.input_value().rstrip("/").rsplit("/", 1)[-1]
        stats = page.evaluate("id => fetch(`/api/broadcasts/${id}`).then(r => r.json())", broadcast_id)
        return {
            "path": "glass_to_glass",
            "treatment": treatment,
            "seconds": round(elapsed, 1),
            "viewer_fps": round(len(presented) / elapsed, 1),
            **delays(presented, captured),
            "first_picture_ms": round(first_frame_s * 1e3),
            "server_cpu_cores": round(cpu_share, 2),
            "server_rss_mb": rss_mb(
                server.pid
            ),  # web, and the workers: the one that carries the broadcast, the one in wait
            "server": {key: stats.get(key) for key in ("fps_in", "fps_out", "dropped", "vision_ms", "server_delay_ms")},
        }


def open_watch_page(page: Page, link: str) -> float:
    """Open the page and return how long the first picture took, from the click on."""
    start = time.monotonic()
    page.goto(link, wait_until="commit")
    page.wait_for_function(
        "() => { const v = document.querySelector('video'); return v && v.videoWidth > 2 && v.readyState >= 2; }"
    )
    return time.monotonic() - start


def delays(presented: list[list[float]], captured: list[list[float]]) -> dict[str, Any]:
    """Match frames by their number; the clip repeats, so the latest capture before the presentation counts."""
    times: dict[int, list[float]] = {}
    for code, at in captured:
        times.setdefault(int(code), []).append(at)
    matched = []
    for code, at in presented:
        before = [seen for seen in times.get(int(code), []) if 0 <= at - seen < 5000]
        if before:
            matched.append((at, at - max(before)))
    if not matched:
        return {"delay_ms_p50": None, "delay_ms_p95": None}
    at, delay = np.array(matched).T
    return {
        "delay_ms_p50": round(float(np.percentile(delay, 50))),
        "delay_ms_p95": round(float(np.percentile(delay, 95))),
        "delay_ms_by_10_s": [
            round(float(np.median(delay[(at >= start) & (at < start + 10_000)])))
            for start in np.arange(at[0], at[-1] - 5_000, 10_000)
        ],
        "frames_matched": len(matched),
    }


def family(pid: int) -> list[int]:
    """Return a process and those it started."""
    return [pid, *children_of(pid)]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and those it started, so far."""
    stats = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in family(pid)]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> list[int]:
    """Return the memory of a process and of each that it started."""
    statuses = [Path(f"/proc/{each}/status").read_text() for each in family(pid)]
    return [round(int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024) for status in statuses]  # type: ignore[index]  # the line is always there


def main() -> None:
    parser = command(__doc__, results="live")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--treatment", nargs="+", choices=("mask", "mosaic"), default=["mask", "mosaic"])
    parser.add_argument("--clip", type=float, default=CLIP_S, help="seconds of the camera's clip")
    parser.add_argument(
        "--settle", type=float, default=3.0, help="seconds before the watcher comes, and before the clock"
    )
    options = parse(parser, seconds=1.5, treatment=["mosaic"], clip=2.0, settle=0.5)
    cv2.setNumThreads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        clip = write_camera_clip(Path(folder) / "camera.mjpeg", coded(astronaut_frames(options.clip)))
        for treatment in options.treatment:
            with mien_serve(Path(folder)) as server:
                row = broadcast(driver, server, clip, treatment, options.seconds, options.settle)
                row |= {"first_page_s": round(server.first_page_s, 2), "ready_s": round(server.ready_s, 2)}
            rows.append(row)
            print(json.dumps(row, indent=2))
    keep(options, {"rows": rows})


if __name__ == "__main__":
    main()
