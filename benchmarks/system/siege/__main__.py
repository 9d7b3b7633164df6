"""What a live broadcast loses while the server is attacked. Prints one row of JSON; exit code 1 where it lost.

    python -m benchmarks.system.siege [--seconds 600] [--calm 60] [--capture FILE]

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
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import command, keep, parse
from benchmarks.system.delay import recorded
from support.browser import Server, mien_serve
from support.live import an_offer
from support.siege import World

UP_S: Final = 60.0
PEERS: Final = ("-m", "benchmarks.system.peers")
OPERATOR: Final = "the-operator-of-the-siege"
MOST_LOST: Final = 0.1
MOST_HELD_MS: Final = 50.0
SETTINGS: Final = {
    "MIEN_WHIP_TOKEN": OPERATOR,
    "MIEN_LIVE__IDLE_TIMEOUT_S": "7200",  # the attackers' own broadcast has no publisher
    "MIEN_LOG__LEVEL": "ERROR",  # whatever is logged then is a finding
}


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


def spent_s(*pids: int, ended: bool = False) -> float:
    """Return how much time of the processor processes took so far, or those that they started and that have ended."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):  # a worker may end meanwhile
            own_and_ended = list(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
            ticks += sum(own_and_ended[2:] if ended else own_and_ended[:2])
    return ticks / os.sysconf("SC_CLK_TCK")


def how_many(pid: int, kind: str) -> int:
    """Count what a process has open (`fd`) or running (`task`)."""
    return sum(1 for _ in Path(f"/proc/{pid}/{kind}").iterdir())


def spent_by(server: int, publisher: int, viewer: int, *attackers: int) -> dict[str, float]:
    """Return the time of the processor that each party took so far, in seconds."""
    return {
        "web": spent_s(server),
        "its workers": spent_s(*children(server)) + spent_s(server, ended=True),
        "publisher and viewer": spent_s(publisher, viewer),
        "attackers": spent_s(*attackers),
    }


def cores(before: dict[str, float], after: dict[str, float], seconds: float) -> dict[str, float]:
    """Return how many processors each party filled meanwhile."""
    return {who: round((after[who] - took) / seconds, 3) for who, took in before.items()}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the broadcast: when it was, what was told before and after it, and how long answers took.

    `began` and `ended` are of `time.monotonic`; `health_s` are seconds; `cores` is how many processors who filled.
    """

    began: float
    ended: float
    told: tuple[dict[str, Any], dict[str, Any]]
    health_s: list[float]
    cores: dict[str, float]

    def figures(self, name: str, times: NDArray[np.float64]) -> dict[str, Any]:
        """Return the figures of this stretch, each with its name; `times` are of all pictures that the viewer got."""
        mine = times[(times > self.began) & (times < self.ended)]
        return {
            f"fps_{name}": round(len(mine) / (self.ended - self.began), 2),
            f"gap_max_{name}_ms": round(float(np.diff(mine).max()) * 1e3) if len(mine) > 1 else None,
            f"health_p50_max_{name}_ms": [round(float(f(self.health_s)) * 1e3, 1) for f in (np.median, np.max)],
            f"cores_{name}": self.cores,
        }

    def dropped_a_minute(self) -> float:
        """Return how many frames the server dropped a minute."""
        before, after = (int(one["dropped"]) for one in self.told)
        return round((after - before) / (self.ended - self.began) * 60, 1)


@dataclass(frozen=True, slots=True)
class Watched:
    """The broadcast that must not notice, and the server that carries it."""

    server: Server
    client: httpx.Client
    made: dict[str, Any]

    def told(self) -> dict[str, Any]:
        """Return what the server says of it."""
        told: dict[str, Any] = self.client.get(f"/api/broadcasts/{self.made['id']}").json()
        return told

    def stretch(self, seconds: float, publisher: int, viewer: int, *attackers: int) -> Stretch:
        """Let it go on for so long; the others are processes whose share of the machine is told."""
        everybody = (self.server.pid, publisher, viewer, *attackers)
        before, spent, began = self.told(), spent_by(*everybody), time.monotonic()
        health_s = asyncio.run(health(self.server.address, seconds))
        ended = time.monotonic()
        told, filled = (before, self.told()), cores(spent, spent_by(*everybody), ended - began)
        return Stretch(began, ended, told, health_s, filled)

    def usage(self) -> dict[str, Any]:
        """Return what the server's processes hold: memory in MB, files, threads."""
        pid = self.server.pid
        workers = {worker: resident_mb(worker) for worker in children(pid)}
        return {"web": resident_mb(pid), "its workers": workers, "open": (how_many(pid, "fd"), how_many(pid, "task"))}


def besiege(
    broadcast: Watched, world: World, attackers: int, seconds: float, *peers: int
) -> tuple[Stretch, Counter[str], list[str]]:
    """Attack for `seconds`; return the stretch, how often which answer came, and what the server was at fault for."""
    attack = ("-m", "benchmarks.system.siege.attacker", json.dumps(asdict(world)), str(seconds))
    answers: Counter[str] = Counter()
    faults: list[str] = []
    with contextlib.ExitStack() as stack:
        hands = [stack.enter_context(running(*attack, str(seed))) for seed in range(1, attackers + 1)]
        for hand in hands:
            assert hand.stdout is not None
            hand.stdout.readline()  # it is ready
        stretch = broadcast.stretch(seconds, *peers, *(hand.pid for hand in hands))
        for hand in hands:
            came = json.loads(hand.communicate(timeout=120)[0])
            answers.update(came["answers"])
            faults += came["faults"]
    return stretch, answers, faults


def siege(capture: Path, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Go through calm and siege; return the figures."""
    held = folder / "held.json"
    whole = options.warm_up + options.calm + options.ready + options.seconds
    (folder / "data" / "recordings").mkdir(parents=True)
    (folder / "data" / "recordings" / "20260101T000000Z.mp4").write_bytes(bytes(5_000_000))
    mien = ("-m", "benchmarks.system.siege.held_serve", str(held))
    operator = {"Authorization": f"Bearer {OPERATOR}"}
    with (
        mien_serve(folder / "data", settings=SETTINGS, mien=mien) as server,
        httpx.Client(base_url=server.address, timeout=20) as client,
    ):
        made, own = [
            client.post("/api/broadcasts", json={}, headers=operator).raise_for_status().json() for _ in range(2)
        ]
        broadcast = Watched(server, client, made)
        offer = asyncio.run(an_offer("video", "audio", direction="recvonly"))
        port = int(server.address.rpartition(":")[2])
        world = World(port, made["id"], own["id"], own["token"], OPERATOR, offer)
        publish = (*PEERS, "publish", server.address + made["whip_url"], made["token"], str(capture))
        watch = (*PEERS, "watch", server.address + made["whep_url"])
        with running(*publish, "--seconds", str(whole + UP_S)) as publisher:
            until(lambda: broadcast.told()["fps_out"] > 5)
            with running(*watch, "--seconds", str(whole)) as viewer:
                until(lambda: broadcast.told()["viewers"] == 1)
                time.sleep(options.warm_up)
                peers = publisher.pid, viewer.pid
                calm, before = broadcast.stretch(options.calm, *peers), broadcast.usage()
                loud, answers, faults = besiege(broadcast, world, options.attackers, options.seconds, *peers)
                seen = json.loads(viewer.communicate(timeout=60)[0])["pictures"]
            time.sleep(options.settle)
            after = broadcast.usage()
        client.delete(f"/api/broadcasts/{made['id']}", headers=operator)
    return {
        "path": "rtp_in_to_rtp_out, besieged",
        "seconds": options.seconds,
        **row_of(calm, loud, np.array([at for at, _height in seen])),
        "rss_mb": {who: [before[who], after[who]] for who in ("web", "its workers")},
        "files_threads": [before["open"], after["open"]],
        **json.loads(held.read_text()),
        "requests": sum(answers.values()),
        "answers": dict(sorted(answers.items())),
        "faults": faults,
    }


def row_of(calm: Stretch, loud: Stretch, times: NDArray[np.float64]) -> dict[str, Any]:
    """Return what became of the broadcast in calm and siege; `times` are of the pictures that the viewer got."""
    row = {**calm.figures("calm", times), **loud.figures("besieged", times)}
    last = loud.told[-1]
    return {
        **row,
        "kept": round(row["fps_besieged"] / max(row["fps_calm"], 1e-9), 3),
        "dropped_a_minute": [calm.dropped_a_minute(), loud.dropped_a_minute()],
        **{name: last[name] for name in ("restarts", "vision_errors", "state")},
        "load": [one["load"] for one in (*calm.told, *loud.told)],
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
    parser = command(__doc__, results="siege")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--calm", type=float, default=60)
    parser.add_argument("--capture", type=Path, help="a recording: taken if it is there, written if not")
    parser.add_argument("--recording", type=float, default=24.0, help="seconds of the recording, where it is made")
    parser.add_argument("--warm-up", type=float, default=5.0, help="seconds before the calm")
    parser.add_argument(
        "--ready", type=float, default=15.0, help="so long attackers may prepare; the viewer stays longer"
    )
    parser.add_argument(
        "--settle", type=float, default=10.0, help="seconds after the siege, before memory is read again"
    )
    parser.add_argument("--attackers", type=int, default=2)
    options = parse(parser, seconds=1.5, calm=0.7, recording=3.0, warm_up=0.3, ready=3.0, settle=0.5, attackers=1)
    with tempfile.TemporaryDirectory() as name:
        capture = recorded(options.capture, Path(name), options.recording)
        row = siege(capture, options, Path(name))
    print(json.dumps(row, indent=1))
    keep(options, {"rows": [row]})
    if (what := lost(row)) and not options.smoke:  # a moment's siege tells nothing of rates
        sys.exit(f"lost: {', '.join(what)}")


if __name__ == "__main__":
    main()
