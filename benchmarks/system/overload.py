"""What viewers get while the treatment is far slower than the camera. Prints one row of JSON.

    python -m benchmarks.system.overload [--seconds 30] [--slow-ms 250]

A publisher sends 20 sharp pictures a second; each takes `slow-ms` to treat, and the treatment paints it over. Viewers
must get fewer pictures, not later ones, and none that is sharp. One viewer is there before it begins, one joins in its
middle. `load` is what the server said of itself, one after the other; `overload_many.py` has several real broadcasts
share a machine.
"""

import asyncio
import json
import tempfile
import time
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command import command, keep, parse
from support.faults import FickleCamera, Switch, TrappedFactory, moves, on_air
from support.live import serving, sharpness


async def overload(seconds: float, slow_s: float) -> dict[str, Any]:
    """Go through `seconds` of overload; return the figures."""
    with tempfile.TemporaryDirectory() as folder:
        switch = Switch(Path(folder) / "switch")
        async with (
            serving(TrappedFactory(switch=switch, slow_s=slow_s)) as client,
            on_air(client, FickleCamera(), switch) as live,
        ):
            viewer = await live.watch()
            await live.publish()
            await viewer.until(moves)
            switch.set("vision is slow")
            began, told = time.monotonic(), []
            while (elapsed := time.monotonic() - began) < seconds:
                await asyncio.sleep(0.5)
                told.append(await live.told())
                if elapsed > seconds / 2 and len(live.watchers) == 1:
                    await live.watch()
            in_overload = [at for at, _ in viewer.frames if at > began]
            switch.set()
            await (await live.watch()).until(moves)
            gaps = np.diff(in_overload) * 1000
            delays = [told_now["server_delay_ms"] for told_now in told if told_now["server_delay_ms"] is not None]
            return {
                "seconds": seconds,
                "slow_ms": slow_s * 1000,
                "states": sorted({told_now["state"] for told_now in told}),
                "load": [load for load, _ in groupby(told_now["load"] for told_now in told)],
                "fps_in": told[-1]["fps_in"],
                "fps_out": told[-1]["fps_out"],
                "delay_first_ms": round(delays[len(delays) // 4]),
                "delay_last_ms": round(delays[-1]),
                "viewer_gap_p50_ms": round(float(np.median(gaps))),
                "viewer_gap_max_ms": round(float(gaps.max())),
                "pictures_received": sum(len(watcher.frames) for watcher in live.watchers),
                "sharpest": round(max(sharpness(image) for image in live.received()), 2),
            }


def main() -> None:
    """Measure and print."""
    parser = command(__doc__, results="overload")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--slow-ms", type=float, default=250)
    options = parse(parser, seconds=3.0)
    row = asyncio.run(overload(options.seconds, options.slow_ms / 1000))
    print(json.dumps(row, indent=1))
    keep(options, {"rows": [row]})


if __name__ == "__main__":
    main()
