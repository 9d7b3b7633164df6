"""Whether a broadcast costs the same after an hour as in its first minutes. Prints a row a minute; exit code 1 if not.

    python -m benchmarks.system.soak [--minutes 60] [--capture FILE] [--out benchmarks/results/soak.json]

One `mien serve` with a mosaic: a recording of a browser is published over and over, three light viewers (`peers.py`)
watch, one more comes every ten seconds and stays for five, a listener takes the broadcast's events, and what viewers
get is recorded. Each row has, for the web process and for its workers together (the one that carries the broadcast,
the one in wait): memory (RSS, MB), threads, open files and sockets of them, medians of samples five seconds apart;
and of the broadcast: frames a second sent, and the server's delay, median and 95 % of what the events told.

The first two minutes, in which everything happens for the first time, are told but not judged. After them memory must
rise by less than 1 MB a minute (least squares) in the web process and in the workers, threads, files and sockets by
no more than two between the first third and the last, and the delay by no more than a fifth and 5 ms.
"""

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks.command import command, keep, parse
from benchmarks.system.delay import recorded
from benchmarks.system.live import CLIP_S, family
from benchmarks.system.peers import light
from support.browser import mien_serve

WARM_UP: Final = 2
SAMPLE_S: Final = 5.0
VIEWERS: Final = 3
STAY_S: Final = 5.0
MAX_MB_A_MINUTE: Final = 1.0
MAX_MORE: Final = 2
KEPT: Final = ("threads", "files", "sockets")


def usage(pids: Sequence[int]) -> dict[str, float]:
    """Return what processes hold just now."""
    held = {"rss_mb": 0.0, "threads": 0.0, "files": 0.0, "sockets": 0.0}
    for pid in pids:
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
        held["rss_mb"] += int(status["VmRSS"].split()[0]) / 1024
        held["threads"] += int(status["Threads"])
        for file in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(file.readlink())
            except FileNotFoundError:
                continue  # it was closed meanwhile
            held["files"] += 1
            held["sockets"] += target.startswith("socket:")
    return held


def listen(url: str, heard: list[tuple[float, float]]) -> None:
    """Keep the delay and the frame rate of every message with numbers, until the broadcast is over."""
    with suppress(ConnectionClosed), connect(url) as socket:
        for message in socket:
            told = json.loads(message)
            if told["server_delay_ms"]:
                heard.append((told["server_delay_ms"], told["fps_out"]))


def minutes(pid: int, number: int, minute_s: float, heard: list[tuple[float, float]]) -> Iterator[dict[str, Any]]:
    """Yield a row for each `minute_s`."""
    for minute in range(1, number + 1):
        heard.clear()
        ends = time.monotonic() + minute_s
        samples: dict[str, list[dict[str, float]]] = {"web": [], "workers": []}
        while time.monotonic() < ends:
            time.sleep(min(SAMPLE_S, max(ends - time.monotonic(), 0.01)))
            web, *workers = family(pid)
            samples["web"].append(usage([web]))
            samples["workers"].append(usage(workers))
        delays, rates = zip(*heard, strict=True) if heard else ((float("nan"),), (0.0,))
        yield {
            "minute": minute,
            "delay_ms_p50": round(statistics.median(delays), 1),
            "delay_ms_p95": round(float(np.percentile(delays, 95)), 1),
            "fps": round(statistics.median(rates), 1),
            **{
                who: {key: round(statistics.median(one[key] for one in each), 1) for key in each[0]}
                for who, each in samples.items()
            },
        }


def verdict(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the slopes and differences, and what is above its limit."""
    judged = rows[WARM_UP:]
    third = max(len(judged) // 3, 1)
    found: dict[str, Any] = {}
    faults = []

    def grown(values: Sequence[float]) -> float:
        return round(statistics.median(values[-third:]) - statistics.median(values[:third]), 1)

    for who in ("web", "workers"):
        slope = float(np.polyfit(range(len(judged)), [row[who]["rss_mb"] for row in judged], 1)[0])
        found[f"{who}_mb_a_minute"] = round(slope, 3)
        if slope >= MAX_MB_A_MINUTE:
            faults.append(f"{who}: memory")
        for key in KEPT:
            found[f"{who}_{key}_more"] = more = grown([row[who][key] for row in judged])
            if more > MAX_MORE:
                faults.append(f"{who}: {key}")
    delays = [row["delay_ms_p50"] for row in judged]
    found["delay_ms_more"] = grown(delays)
    if not found["delay_ms_more"] <= statistics.median(delays[:third]) / 5 + 5:
        faults.append("delay")
    return {**found, "faults": faults}


def main() -> None:
    parser = command(__doc__, results="soak")
    parser.add_argument("--minutes", type=int, default=60, help="at least 5")
    parser.add_argument("--capture", type=Path, help="a recording: taken if it is there, written if not")
    parser.add_argument("--minute", type=float, default=60.0, help="seconds of a row")
    parser.add_argument(
        "--recording", type=float, default=CLIP_S - 5, help="seconds of the recording, where it is made"
    )
    parser.add_argument("--settle", type=float, default=5.0, help="seconds before the first row")
    options = parse(parser, minutes=WARM_UP + 3, minute=0.6, recording=3.0, settle=1.0)
    if options.minutes < WARM_UP + 3:
        parser.error(f"a slope needs {WARM_UP + 3} minutes")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        capture = recorded(options.capture, folder, options.recording)
        server = stack.enter_context(mien_serve(folder / "data", wait_s=60))
        with httpx.Client(base_url=server.address, timeout=20) as client:
            spec = {"record": True}
            made = client.post("/api/broadcasts", json=spec).raise_for_status().json()
        seconds = str(options.minute * options.minutes + 60)
        whep, whip = server.address + made["whep_url"], server.address + made["whip_url"]
        stack.enter_context(light("publish", whip, made["token"], str(capture), "--seconds", seconds))
        for _ in range(VIEWERS):
            stack.enter_context(light("watch", whep, "--seconds", seconds))
        coming = ["--joins", "1000000", "--seconds", str(STAY_S), "--pause", str(STAY_S)]
        stack.enter_context(light("watch", whep, *coming, quiet=True))
        heard: list[tuple[float, float]] = []
        events = f"{server.address.replace('http', 'ws', 1)}/api/broadcasts/{made['id']}/events"
        threading.Thread(target=listen, args=(events, heard), daemon=True).start()
        time.sleep(options.settle)
        rows = []
        for row in minutes(server.pid, options.minutes, options.minute, heard):
            rows.append(row)
            print(json.dumps(row), flush=True)
    found = verdict(rows)
    print(json.dumps(found))
    keep(options, {"rows": rows, "verdict": found})
    if found["faults"] and not options.smoke:  # what a few seconds grow by is the begin of everything
        sys.exit(1)


if __name__ == "__main__":
    main()
