"""One attacker of the siege, a process of its own: says when it is ready, attacks, and prints who got which answer.

    python -m benchmarks.system.siege.attacker WORLD SECONDS SEED

WORLD is the JSON of a `World`.
"""

import contextlib
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from typing import Final

import httpx

from mien.config import Settings
from mien.server.app import create_app
from support.every_route import Place, every_place
from support.live import ListLedger
from support.pipelines import SmallFactory
from support.siege import BROKEN, NEVER, Attack, Lingering, Outcome, World, at_random, bombs, send, sweep

LEAST: Final = 19
HANDS: Final = 4
"""Connections of an attacker at a time, beside those that linger."""
LINGERING: Final = 60


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
    token = world.own_token if world.own in location else world.operator
    with contextlib.suppress(httpx.TransportError):
        headers = {"Authorization": f"Bearer {token}"}
        httpx.delete(f"http://127.0.0.1:{world.port}{location}", headers=headers, timeout=10)


if __name__ == "__main__":
    attack(World(**json.loads(sys.argv[1])), float(sys.argv[2]), int(sys.argv[3]))
