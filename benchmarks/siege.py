"""What a live broadcast loses while the server is attacked. Prints one row of JSON; exit code 1 where it lost.

    python benchmarks/siege.py [--seconds 600] [--calm 60] [--capture FILE]

A recording of Chromium's packets (see delay.py) is published to a real `mien serve`, and one viewer counts pictures.
After a calm time two attackers go for every route that the application has (tests/support/siege.py): each verb, odd
paths, hostile heads, bodies and WebSocket messages, offers changed at random, and connections that never finish what
they began or never read. They know the broadcast as strangers do, and have a broadcast of their own and the operator's
token, with which they spare what is measured: they might end it by right. The broadcast must go on as before: pictures
a second in the siege are compared with those in the calm before it, nothing may have been restarted, no request may be
answered by a fault of ours, and no callback may hold the event loop for more than 50 ms of CPU. Attackers and server
share the machine, so the attackers run at the lowest priority, four connections at a time each.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "benchmarks"))

import httpx
import numpy as np

from delay import record
from mien.config import Settings
from mien.server.app import create_app
from pipeline import machine
from support.browser import mien_serve
from support.every_route import Place, every_place
from support.live import ListLedger, an_offer
from support.pipelines import SmallFactory
from support.rtpdump import read, write
from support.siege import BROKEN, NEVER, Attack, Lingering, Outcome, World, at_random, bombs, send, sweep

WARM_UP_S: Final = 5.0
UP_S: Final = 60.0
SETTLE_S: Final = 10.0
READY_S: Final = 15.0
"""So long attackers may take to prepare; the viewer stays so much longer."""
LEAST: Final = 19
HANDS: Final = 4
"""Connections of an attacker at a time, beside those that linger."""
LINGERING: Final = 60
OPERATOR: Final = "the-operator-of-the-siege"
MOST_LOST: Final = 0.1
MOST_HELD_MS: Final = 50.0
SETTINGS: Final = {
    "MIEN_WHIP_TOKEN": OPERATOR,
    "MIEN_LIVE__IDLE_TIMEOUT_S": "7200",  # the attackers' own broadcast has no publisher
    "MIEN_LOG__LEVEL": "ERROR",  # whatever is logged then is a finding
}


def places() -> list[Place]:
    """Return every path of the application."""
    app = create_app(
        Settings(),
        load_models=SmallFactory,
        open_runner=lambda *_: contextlib.nullcontext(),  # type: ignore[arg-type]  # never opened
        consents=ListLedger(),
    )
    return every_place(app)


def attack(world: World, seconds: float, seed: int) -> None:
    """Say when ready, and attack for `seconds`; print who got which answer, and what the server was at fault for."""
    targets = places()
    known = [*sweep(targets, world), *bombs(targets, world)]
    attacks = at_random(known, world, random.Random(seed))  # noqa: S311  # nothing is secret
    os.setpriority(os.PRIO_PROCESS, 0, LEAST)  # from here on; what is sent was made before
    print("ready", flush=True)
    until = time.monotonic() + seconds
    taking, lingering = threading.Lock(), Lingering(world, most=LINGERING)
    answers: Counter[str] = Counter()
    faults: list[str] = []

    def work() -> None:
        while time.monotonic() < until:
            with taking:
                one = next(attacks)
                lingering.add()
            outcome = send(one, world.port, patience_s=0.3)
            if outcome.status == 201 and outcome.location is not None:
                take_back(world, outcome.location)
            with taking:
                note(one, outcome)

    def note(one: Attack, outcome: Outcome) -> None:
        answers[str(outcome.closed or outcome.status)] += 1
        if outcome.status in NEVER or outcome.closed == BROKEN:
            faults.append(f"{one.name}: {outcome.closed or outcome.status}")

    hands = [threading.Thread(target=work) for _ in range(HANDS)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    lingering.close()
    print(json.dumps({"answers": answers, "faults": faults[:20]}))


def take_back(world: World, location: str) -> None:
    """End what came of an attack, so that there is room for the next."""
    token = world.own_token if world.own in location else OPERATOR
    with contextlib.suppress(httpx.TransportError):
        headers = {"Authorization": f"Bearer {token}"}
        httpx.delete(f"http://127.0.0.1:{world.port}{location}", headers=headers, timeout=10)


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
def running(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a command of this interpreter; end it by its pid."""
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def until(true: Callable[[], bool]) -> None:
    """Wait until something holds."""
    given_up = time.monotonic() + UP_S
    while not true():
        if time.monotonic() > given_up:
            raise RuntimeError("the broadcast does not come up: this machine is too busy to measure anything")
        time.sleep(0.2)


def resident_mb(pid: int) -> float:
    """Return how much memory a process has resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.partition("VmRSS:")[2].split()[0]) / 1024, 1)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    started = (task / "children" for task in Path(f"/proc/{pid}/task").iterdir())  # each thread has its own
    return [int(each) for listed in started for each in listed.read_text().split()]


def spent_s(*pids: int) -> float:
    """Return how much time of the processor processes took so far, with their children that have ended."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):  # a worker may end meanwhile
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def how_many(pid: int, kind: str) -> int:
    """Count what a process has open (`fd`) or running (`task`)."""
    return sum(1 for _ in Path(f"/proc/{pid}/{kind}").iterdir())


def spent_by(server: int, publisher: int, viewer: int, *attackers: int) -> dict[str, float]:
    """Return the time of the processor that each party took so far, in seconds."""
    return {
        "web": spent_s(server),
        "its workers": spent_s(*children(server)),
        "publisher and viewer": spent_s(publisher, viewer),
        "attackers": spent_s(*attackers),
    }


def cores(before: dict[str, float], after: dict[str, float], seconds: float) -> dict[str, float]:
    """Return how many processors each party filled meanwhile."""
    return {who: round((after[who] - took) / seconds, 3) for who, took in before.items()}


def siege(capture: Path, calm_s: float, seconds: float, folder: Path) -> dict[str, Any]:
    """Go through calm and siege; return the figures."""
    peers, here, held = str(ROOT / "benchmarks/peers.py"), str(Path(__file__)), folder / "held.json"
    whole = WARM_UP_S + calm_s + READY_S + seconds
    (folder / "data" / "recordings").mkdir(parents=True)
    (folder / "data" / "recordings" / "20260101T000000Z.mp4").write_bytes(bytes(5_000_000))
    mien = (str(ROOT / "benchmarks/held_serve.py"), str(held))
    operator = {"Authorization": f"Bearer {OPERATOR}"}
    with (
        mien_serve(folder / "data", settings=SETTINGS, mien=mien) as server,
        httpx.Client(base_url=server.address, timeout=20) as client,
    ):
        made, own = [
            client.post("/api/broadcasts", json={}, headers=operator).raise_for_status().json() for _ in range(2)
        ]
        offer = asyncio.run(an_offer("video", "audio", direction="recvonly"))
        port = int(server.address.rpartition(":")[2])
        world = World(port, made["id"], own["id"], own["token"], OPERATOR, offer)
        publish = (peers, "publish", server.address + made["whip_url"], made["token"], str(capture))

        def counted() -> dict[str, Any]:
            told: dict[str, Any] = client.get(f"/api/broadcasts/{made['id']}").json()
            return told

        with running(*publish, "--seconds", str(whole + UP_S)) as publisher:
            until(lambda: counted()["fps_out"] > 5)
            with running(peers, "watch", server.address + made["whep_url"], "--seconds", str(whole)) as viewer:
                until(lambda: counted()["viewers"] == 1)
                time.sleep(WARM_UP_S)
                told = [counted()]
                spent = [spent_by(server.pid, publisher.pid, viewer.pid)]
                began = time.monotonic()
                quiet = asyncio.run(health(server.address, calm_s))
                calmed = time.monotonic()
                told.append(counted())
                spent.append(spent_by(server.pid, publisher.pid, viewer.pid))
                memory: dict[str, list[Any]] = {
                    "web": [resident_mb(server.pid)],
                    "its workers": [{pid: resident_mb(pid) for pid in children(server.pid)}],
                }
                open_before = how_many(server.pid, "fd"), how_many(server.pid, "task")
                attackers = [
                    (here, "--attack", json.dumps(asdict(world)), "--seconds", str(seconds), "--seed", str(seed))
                    for seed in (1, 2)
                ]
                with running(*attackers[0]) as first, running(*attackers[1]) as second:
                    for attacker in (first, second):
                        assert attacker.stdout is not None
                        attacker.stdout.readline()
                    besieged = time.monotonic()
                    told.append(counted())
                    everybody = (server.pid, publisher.pid, viewer.pid, first.pid, second.pid)
                    spent.append(spent_by(*everybody))
                    loud = asyncio.run(health(server.address, seconds))
                    ended = time.monotonic()
                    told.append(counted())
                    spent.append(spent_by(*everybody))
                    answers: Counter[str] = Counter()
                    faults: list[str] = []
                    for attacker in (first, second):
                        came = json.loads(attacker.communicate(timeout=120)[0])
                        answers.update(came["answers"])
                        faults += came["faults"]
                seen = json.loads(viewer.communicate(timeout=60)[0])["pictures"]
            time.sleep(SETTLE_S)
            memory["web"].append(resident_mb(server.pid))
            memory["its workers"].append({pid: resident_mb(pid) for pid in children(server.pid)})
            open_after = how_many(server.pid, "fd"), how_many(server.pid, "task")
        client.delete(f"/api/broadcasts/{made['id']}", headers=operator)
    times = np.array([at for at, _height in seen])
    before = times[(times > began) & (times < calmed)]
    during = times[(times > besieged) & (times < ended)]
    fps = len(before) / (calmed - began), len(during) / (ended - besieged)
    dropped = [one["dropped"] for one in told]
    return {
        "path": "rtp_in_to_rtp_out, besieged",
        "seconds": seconds,
        "fps_calm": round(fps[0], 2),
        "fps_besieged": round(fps[1], 2),
        "kept": round(fps[1] / fps[0], 3),
        "dropped_a_minute": [
            round((dropped[1] - dropped[0]) / (calmed - began) * 60, 1),
            round((dropped[3] - dropped[2]) / (ended - besieged) * 60, 1),
        ],
        "gap_max_calm_ms": round(float(np.diff(before).max()) * 1e3),
        "gap_max_besieged_ms": round(float(np.diff(during).max()) * 1e3),
        "health_p50_max_calm_ms": [round(float(f(quiet)) * 1e3, 1) for f in (np.median, np.max)],
        "health_p50_max_besieged_ms": [round(float(f(loud)) * 1e3, 1) for f in (np.median, np.max)],
        "cores_calm": cores(spent[0], spent[1], calmed - began),
        "cores_besieged": cores(spent[2], spent[3], ended - besieged),
        "rss_mb": memory,
        "files_threads": [open_before, open_after],
        "restarts": told[-1]["restarts"],
        "vision_errors": told[-1]["vision_errors"],
        "state": told[-1]["state"],
        "load": [one["load"] for one in told],
        **json.loads(held.read_text()),
        "requests": sum(answers.values()),
        "answers": dict(sorted(answers.items())),
        "faults": faults,
    }


def lost(row: dict[str, Any]) -> list[str]:
    """Return what a broadcast must not lose, and lost."""
    failed = {
        "its rate": row["kept"] < 1 - MOST_LOST,
        "its process": row["restarts"] > 0 or row["state"] != "live",
        "pictures to faults": row["vision_errors"] > 0,
        "the event loop": max(row["held_ms"].values()) > MOST_HELD_MS,
        "to faults of the server": bool(row["faults"]),
    }
    return [what for what, is_lost in failed.items() if is_lost]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--calm", type=float, default=60)
    parser.add_argument("--capture", type=Path, help="a recording: taken if it is there, written if not")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/siege.json")
    parser.add_argument("--attack", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack:
        attack(World(**json.loads(options.attack)), options.seconds, options.seed)
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
    if what := lost(row):
        sys.exit(f"lost: {', '.join(what)}")


if __name__ == "__main__":
    main()
