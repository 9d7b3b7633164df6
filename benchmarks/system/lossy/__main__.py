"""What viewers see on bad lines, and how soon they see anything. Prints a table, writes JSON.

    python -m benchmarks.system.lossy [--only viewer publisher narrow dead join] [--seconds 30] [--capture FILE]
        [--out benchmarks/results/lossy.json]

A real `mien serve` with a mosaic; lines are network namespaces (root, `ip`, `tc`, `nft` and `ethtool` are needed).

    viewer     Chromium watches while 0, 2 and 10 % of all UDP packets get lost at random, on either way; beside it
               a light viewer (`peers.py`) on a good line notes what the server sent at all
    publisher  Chromium publishes on such lines; a light viewer on a good one notes what comes
    narrow     Chromium watches behind 600 kbit/s with at most 200 ms of packets in wait, a light viewer does freely;
               then the line widens: how long until the picture has its full size again
    dead       a light viewer is killed without a word: how long packets still go its way, and what goes after that
    join       light viewers join one after the other, then Chromium does: to the first key frame, the first picture

Where nothing else is said the publisher is a recording of a browser that is sent over and over (`peers.py`). A gap is
the time between two pictures as the video element presents them, or, of a light viewer, as they are whole.
Freezes are counted by Chromium. Loss begins when the picture is up, so joining is not part of it; what the first two
seconds of it show is.
"""

import contextlib
import itertools
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Error, expect, sync_playwright

from benchmarks.command import command, keep, parse
from benchmarks.system.delay import recorded
from benchmarks.system.live import CLIP_S
from benchmarks.system.lossy.stage import Stage, reachable_server
from benchmarks.system.peers import light
from support.browser import write_camera_clip
from support.rooms import room
from support.scenes import astronaut_frames

LOSSES: Final = (0.0, 2.0, 10.0)
NARROW_KBPS: Final = 600
WIDENED_S: Final = 100.0
SILENCE_S: Final = 15.0
"""After so long without a word a viewer counts as gone."""
STATS: Final = """async () => {
    const stats = await window.connections.at(-1).getStats();
    return [...stats.values()].find(one => one.type === 'inbound-rtp' && one.kind === 'video');
}"""
COUNTED: Final = {
    "freezeCount": "freezes",
    "totalFreezesDuration": "frozen_s",
    "packetsLost": "lost",
    "retransmittedPacketsReceived": "restored",
    "nackCount": "nacks",
    "pliCount": "plis",
    "framesDropped": "dropped",
    "keyFramesDecoded": "keyframes",
}


def gaps(marks: list[list[float]], *, unit_s: float) -> dict[str, Any]:
    """Return rate and longest gaps of presented pictures, and the heights in the order in which they came."""
    between = sorted((b[0] - a[0]) * unit_s for a, b in itertools.pairwise(marks))
    if not between:
        return {"fps": 0.0, "longest_gap_ms": None, "gaps_over_400_ms": None, "heights": []}
    return {
        "fps": round(len(between) / sum(between), 1),
        "longest_gap_ms": round(between[-1] * 1e3),
        "gaps_over_400_ms": sum(gap > 0.4 for gap in between),
        "heights": [int(height) for height, _ in itertools.groupby(mark[1] for mark in marks)],
    }


def count(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what Chromium counted meanwhile."""
    return {name: round(after.get(key, 0) - before.get(key, 0), 2) for key, name in COUNTED.items()}


def viewer(stage: Stage) -> Iterator[dict[str, Any]]:
    """Chromium watches on lines that lose packets."""
    with room("mien-viewer", 1) as line, stage.published() as made, stage.page(line) as page:
        stage.watch(page, line, made)
        page.wait_for_timeout(5000)
        for percent in LOSSES:
            url = stage.server.address + made["whep_url"]
            with light("watch", url, "--seconds", str(stage.seconds + 2)) as control:
                page.wait_for_timeout(3000)
                before = page.evaluate(STATS)
                page.evaluate("window.marks.length = 0")
                began = time.monotonic()
                line.lose(percent)
                page.wait_for_timeout(stage.seconds * 1e3 - 2000)
                line.lose(0)
                marks, after = page.evaluate("window.marks"), page.evaluate(STATS)
                layers = stage.stats(made)["layers"]
                sent = [mark for mark in json.loads(control.communicate()[0])["pictures"] if mark[0] > began]
            row = {"loss_percent": percent, **gaps(marks, unit_s=1e-3), **count(before, after), "layers": layers}
            yield row | {"without_loss": gaps(sent, unit_s=1.0)}


def publisher(stage: Stage) -> Iterator[dict[str, Any]]:
    """Chromium publishes on lines that lose packets."""
    clip = write_camera_clip(stage.folder / "clip.mjpeg", astronaut_frames(4.84))
    for number, percent in enumerate(LOSSES):
        with room("mien-publisher", 2 + number) as line, stage.page(line, camera=clip) as page:
            page.goto(f"{stage.address_for(line)}/live")
            page.get_by_text("Mosaic", exact=True).first.click()
            page.get_by_role("button", name="Go live").click()
            page.locator("input[type=password]").fill(stage.token)  # asked for after the first try
            page.get_by_role("button", name="Go live").click()
            link = page.locator("input[readonly]")
            expect(link).to_have_value(re.compile("/watch/"), timeout=30_000)
            url = link.input_value().replace("/watch/", "/whep/").replace(stage.address_for(line), stage.server.address)
            page.wait_for_timeout(4000)
            with light("watch", url, "--seconds", str(stage.seconds + 4)) as watcher:
                time.sleep(4)
                began = time.monotonic()
                line.lose(percent)
                seen = json.loads(watcher.communicate()[0])
                line.lose(0)
            yield {"loss_percent": percent, **gaps([m for m in seen["pictures"] if m[0] > began], unit_s=1.0)}


def narrow(stage: Stage) -> Iterator[dict[str, Any]]:
    """One watches behind a narrow line while another has a wide one."""
    with contextlib.ExitStack() as stack:
        tight, wide = stack.enter_context(room("mien-tight", 5)), stack.enter_context(room("mien-wide", 6))
        made = stack.enter_context(stage.published())
        tight.narrow(NARROW_KBPS)
        page = stack.enter_context(stage.page(tight))
        watch_wide = stage.address_for(wide) + made["whep_url"]
        other = stack.enter_context(light("watch", watch_wide, "--seconds", str(stage.seconds + 6), enter=wide.enter))
        time.sleep(4)
        first = stage.watch(page, tight, made)
        page.wait_for_timeout(stage.seconds * 1e3)
        marks, stats = page.evaluate("window.marks"), page.evaluate(STATS)
        layers = stage.stats(made)["layers"]
        tight.narrow(None)
        widened = time.time() * 1e3
        with contextlib.suppress(Error):  # it stays small
            page.wait_for_function("() => window.marks.at(-1)[1] >= 700", timeout=WIDENED_S * 1e3)
        again = next((at for at, height in page.evaluate("window.marks") if at > widened and height >= 700), None)
        seen = json.loads(other.communicate()[0])["pictures"]
        began = marks[0][0]
        small = next((at - began for at, height in marks if height < 700), None)
        yield {
            "line": f"{NARROW_KBPS} kbit/s",
            "first_picture_ms": round(first * 1e3),
            "small_after_s": None if small is None else round(small / 1e3, 1),
            **gaps(marks, unit_s=1e-3),
            "after_10_s": gaps([m for m in marks if m[0] > began + 10_000], unit_s=1e-3),
            **count({}, stats),
            "layers": layers,
            "large_again_after_s": None if again is None else round((again - widened) / 1e3, 1),
        }
        yield {"line": "wide", **gaps(seen, unit_s=1.0)}


def dead(stage: Stage) -> Iterator[dict[str, Any]]:
    """A viewer dies."""
    with contextlib.ExitStack() as stack:
        line, made = stack.enter_context(room("mien-dead", 7)), stack.enter_context(stage.published())
        url = stage.address_for(line) + made["whep_url"]
        watcher = stack.enter_context(light("watch", url, "--seconds", "600", enter=line.enter))
        time.sleep(6)
        before = stage.stats(made)["viewers"]
        line.lose(100)  # no port is closed on it, no error comes back
        watcher.kill()
        died, last, sent_for_s = time.monotonic(), line.bytes_in(), 0.0
        while time.monotonic() - died < SILENCE_S + 10:
            time.sleep(0.25)
            now = line.bytes_in()
            if now - last > 10_000:
                sent_for_s = time.monotonic() - died
            last = now
        time.sleep(5)
        yield {
            "viewers_before": before,
            "viewers_after": stage.stats(made)["viewers"],
            "sent_for_s": round(sent_for_s, 1),
            "bytes_a_second_after": round((line.bytes_in() - last) / 5),
        }


def join(stage: Stage) -> Iterator[dict[str, Any]]:
    """Viewers join."""
    with stage.line("mien-join", 8) as line, stage.published() as made:
        url = stage.address_for(line) + made["whep_url"]
        coming = ["--joins", str(2 * stage.joins - 1), "--seconds", "0.6", "--pause", "0.4"]
        with light("watch", url, *coming, enter=line.enter) as watcher:
            rows = [json.loads(row) for row in watcher.communicate()[0].splitlines()]
        first = sorted(row["first_keyframe_ms"] for row in rows)
        yield {"viewer": "light", "joins": len(first), **spread(first)}
        with stage.page(line) as page:
            firsts = []
            for _ in range(stage.joins):
                firsts.append(stage.watch(page, line, made) * 1e3)
                page.goto("about:blank")
                page.wait_for_timeout(500)
        yield {"viewer": "chromium", "joins": len(firsts), **spread(sorted(firsts))}


def spread(values: list[float]) -> dict[str, int]:
    """Return median and extremes."""
    return {"median_ms": round(statistics.median(values)), "least_ms": round(values[0]), "most_ms": round(values[-1])}


SCENES: Final[dict[str, Callable[[Stage], Iterator[dict[str, Any]]]]] = {
    "viewer": viewer,
    "publisher": publisher,
    "narrow": narrow,
    "dead": dead,
    "join": join,
}


def main() -> None:
    parser = command(__doc__, results="lossy")
    parser.add_argument("--only", nargs="+", default=list(SCENES), choices=list(SCENES))
    parser.add_argument("--seconds", type=float, default=30.0, help="of each line")
    parser.add_argument("--capture", type=Path, help="a recording: taken if it is there, written if not")
    parser.add_argument(
        "--recording", type=float, default=CLIP_S - 5, help="seconds of the recording, where it is made"
    )
    parser.add_argument("--joins", type=int, default=8, help="of Chromium; a light viewer joins about twice as often")
    parser.add_argument("--loopback", action="store_true", help="make no rooms: good for `join` alone")
    options = parse(parser, only=["join"], seconds=2.0, recording=3.0, joins=1, loopback=True)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        capture = recorded(options.capture, folder, options.recording)  # runs an event loop, and so does the driver
        door = "mien-door" if not options.loopback else None
        with sync_playwright() as driver, reachable_server(folder, door) as (server, token):
            stage = Stage(server, driver, folder, capture, options.seconds, token, options.joins, options.loopback)
            for scene in options.only:
                for row in SCENES[scene](stage):
                    rows.append({"scene": scene, **row, "load": round(os.getloadavg()[0], 1)})
                    print(json.dumps(rows[-1]), flush=True)
    keep(options, {"rows": rows})


if __name__ == "__main__":
    main()
