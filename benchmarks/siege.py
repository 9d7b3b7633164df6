"""What a live broadcast loses while the server is attacked. Prints one row of JSON.

    python benchmarks/siege.py [--seconds 600] [--calm 60] [--capture FILE]

A recording of Chromium's packets (see delay.py) is published to a real `mien serve`, and one viewer counts pictures.
After a calm time, strangers without a token send it every hostile text of tests/support/hostile.py in turn, offers
changed at random, and connections that never finish their headers. The broadcast must go on as before: pictures a
second in the siege are compared with those in the calm before it, and nothing may have been restarted. Attackers and
server share the machine, so the attackers run at the lowest priority, one request at a time each.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "benchmarks"))

import httpx
import numpy as np

from delay import record
from pipeline import machine
from support.browser import mien_serve
from support.hostile import Hostile, form_bombs, fragment_bombs, json_bombs, mutated, offer_bombs
from support.live import peer
from support.rtpdump import read, write

WARM_UP_S: Final = 5.0
HALF_SENT: Final = 100
"""Connections that never finish their headers, at any time."""


async def attack(address: str, broadcast: str, seconds: float, seed: int) -> None:
    """Send hostile requests, one after the other, for `seconds`; print how many got which status."""
    rng = random.Random(seed)  # noqa: S311  # nothing is secret
    viewer = peer()
    viewer.addTransceiver("video", direction="recvonly")
    await viewer.setLocalDescription(await viewer.createOffer())
    good = viewer.localDescription.sdp
    await viewer.close()
    whep, whip = f"/whep/{broadcast}", f"/whip/{broadcast}"
    fixed: list[tuple[str, str, Hostile]] = [
        *(("POST", whep, bomb) for bomb in offer_bombs()),
        *(("POST", whip, bomb) for bomb in offer_bombs("sendonly")),
        *(("PATCH", f"{whep}/nobody", bomb) for bomb in fragment_bombs()),
        *(("PATCH", f"/api/broadcasts/{broadcast}", bomb) for bomb in json_bombs()),
        *(("POST", f"/api/broadcasts/{broadcast}/end", bomb) for bomb in json_bombs()),
        *(("POST", "/api/references", bomb) for bomb in form_bombs()),
    ]
    answers: Counter[int] = Counter()
    until = time.monotonic() + seconds
    half_sent: list[socket.socket] = []
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        for method, path, hostile in itertools.cycle(fixed):
            if time.monotonic() > until:
                break
            for verb, where, sent in ((method, path, hostile), ("POST", whep, mutated(good, rng))):
                headers = {"Content-Type": sent.kind, **sent.headers}
                try:
                    answer = await client.request(verb, where, content=sent.body, headers=headers)
                except httpx.TransportError:
                    answers[0] += 1
                    continue
                answers[answer.status_code] += 1
                if answer.status_code == 201:
                    await client.delete(answer.headers["location"])
            half_sent = _half_sent(address, half_sent)
    for each in half_sent:
        each.close()
    print(json.dumps(answers))


def _half_sent(address: str, known: list[socket.socket]) -> list[socket.socket]:
    """Open one more connection that will not finish its headers; close the oldest where there are many."""
    host, _, port = address.removeprefix("http://").partition(":")
    with contextlib.suppress(OSError):
        new = socket.create_connection((host, int(port)), timeout=1)
        new.send(b"POST /whip HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        known.append(new)
    while len(known) > HALF_SENT:
        known.pop(0).close()
    return known


async def health(address: str, seconds: float) -> list[float]:
    """Ask for the server's health twice a second; return how long each answer took, in seconds."""
    took = []
    until = time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        while time.monotonic() < until:
            began = time.monotonic()
            await client.get("/api/health")
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.5)
    return took


@contextlib.contextmanager
def running(*arguments: str, nice: int = 0) -> Iterator["subprocess.Popen[str]"]:
    """Run a command of this interpreter; end it by its pid."""
    command = ["nice", "-n", str(nice), sys.executable, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def siege(capture: Path, calm_s: float, seconds: float, folder: Path) -> dict[str, Any]:
    """Go through calm and siege; return the figures."""
    peers, here = str(ROOT / "benchmarks/peers.py"), str(Path(__file__))
    whole = WARM_UP_S + calm_s + seconds
    with mien_serve(folder / "data") as server, httpx.Client(base_url=server.address, timeout=20) as client:
        made = client.post("/api/broadcasts", json={}).raise_for_status().json()
        owner = {"Authorization": f"Bearer {made['token']}"}
        publish = (peers, "publish", server.address + made["whip_url"], made["token"], str(capture))
        with running(*publish, "--seconds", str(whole + 30)):
            with running(peers, "watch", server.address + made["whep_url"], "--seconds", str(whole)) as viewer:
                time.sleep(WARM_UP_S)
                began = time.monotonic()
                quiet = asyncio.run(health(server.address, calm_s))
                besieged = time.monotonic()
                attackers = [
                    (here, "--attack", server.address, made["id"], "--seconds", str(seconds), "--seed", str(seed))
                    for seed in (1, 2)
                ]
                with running(*attackers[0], nice=19) as first, running(*attackers[1], nice=19) as second:
                    loud = asyncio.run(health(server.address, seconds))
                    ended = time.monotonic()
                    answers: Counter[str] = Counter()
                    for attacker in (first, second):
                        answers.update(json.loads(attacker.communicate(timeout=60)[0]))
                seen = json.loads(viewer.communicate(timeout=60)[0])["pictures"]
            told = client.get(f"/api/broadcasts/{made['id']}").json()
        client.delete(f"/api/broadcasts/{made['id']}", headers=owner)
    times = np.array([at for at, _height in seen])
    before = times[(times > began) & (times < besieged)]
    during = times[(times > besieged) & (times < ended)]
    fps = len(before) / (besieged - began), len(during) / (ended - besieged)
    return {
        "path": "rtp_in_to_rtp_out, besieged",
        "seconds": seconds,
        "fps_calm": round(fps[0], 2),
        "fps_besieged": round(fps[1], 2),
        "kept": round(fps[1] / fps[0], 3),
        "gap_max_calm_ms": round(float(np.diff(before).max()) * 1e3),
        "gap_max_besieged_ms": round(float(np.diff(during).max()) * 1e3),
        "health_p50_max_calm_ms": [round(float(f(quiet)) * 1e3, 1) for f in (np.median, np.max)],
        "health_p50_max_besieged_ms": [round(float(f(loud)) * 1e3, 1) for f in (np.median, np.max)],
        "restarts": told["restarts"],
        "state": told["state"],
        "requests": sum(answers.values()),
        "answers": dict(sorted(answers.items())),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--calm", type=float, default=60)
    parser.add_argument("--capture", type=Path, help="a recording: taken if it is there, written if not")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/siege.json")
    parser.add_argument("--attack", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack:
        address, broadcast = options.attack
        asyncio.run(attack(address, broadcast, options.seconds, options.seed))
        return
    with tempfile.TemporaryDirectory() as name:
        capture = options.capture or Path(name) / "capture.rtpdump"
        if not capture.exists():
            write(capture, record(Path(name), 24.0))
        read(capture)
        row = siege(capture, options.calm, options.seconds, Path(name))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": machine(), "rows": [row]}, indent=1))
    print(json.dumps(row | {"machine": machine()}, indent=1))


if __name__ == "__main__":
    main()
