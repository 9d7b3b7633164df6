"""What a viewer costs the server: this package's fan-out beside stock aiortc. Prints a table, writes JSON.

    python -m benchmarks.media.egress [--viewers 1 10 50 100] [--repeats 3] [--seconds 8] [--out results/egress.json]
    python -m benchmarks.media.egress --hold 300

Three servers send the same 1280x720 clip at 30 fps, encoded to VP8 of 2 Mbit/s before the clock starts:

    fan_out   mien.media.webrtc.egress.fan_out: cut into packets once, protected in place, one system call for a slice
    tracks    stock aiortc, a track of encoded packets for each viewer
    relay     stock aiortc, MediaRelay of raw frames: an encoder for each viewer (at aiortc's own bit rate)

Each run has a server process and a process of receivers that do ICE and DTLS, wait for the first keyframe, report
once a second as a browser does, and else only count packets. The figure is the server process' user and system time
per second; on loopback that holds the receivers' half of the network stack too. Runs are interleaved, medians shown.
The first keyframe is the moment its last packet is there, counted from when the offer was posted.

`--hold` keeps as many receivers as the largest number for so many seconds, and tells the longest silence any had.
"""

import json
import multiprocessing
import pickle
import statistics
import tempfile
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from benchmarks.command import command, keep, parse
from benchmarks.media.egress.clip import FPS, SIZE_WH, encoded_clip
from benchmarks.media.egress.receivers import count
from benchmarks.media.egress.servers import SERVERS, serve
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.packets import Packetiser

PATHS: Final = tuple(SERVERS)
RELAY_LIMIT: Final = 2
"""More encoders than that do not fit into the machine, and the figure would be of dropped frames."""
Row: TypeAlias = dict[str, Any]


def planned(paths: list[str], viewers: list[int], repeats: int, seconds: float) -> list[tuple[str, int, float]]:
    """Return the runs (path, viewers, seconds), the paths by turns: what the machine does beside meets them all."""
    runs = [
        (path, number, seconds)
        for _ in range(repeats)
        for number in viewers
        for path in paths
        if path != "relay" or number <= RELAY_LIMIT
    ]
    wanted = "relay" in paths and max(viewers) >= RELAY_LIMIT
    return runs + [("relay", RELAY_LIMIT, seconds)] * (repeats if wanted else 0)


def measure(path: str, viewers: int, seconds: float, pictures_file: str, settle_s: float) -> Row:
    """Run one server and its receivers."""
    spawn = multiprocessing.get_context("spawn")
    server_pipe, server_end = spawn.Pipe()
    pipe, end = spawn.Pipe()
    server = spawn.Process(target=serve, args=(path, pictures_file, server_end), daemon=True)
    server.start()
    receivers = spawn.Process(target=count, args=(server_pipe.recv(), viewers, seconds, settle_s, end), daemon=True)
    receivers.start()
    end.close()
    try:
        figures: Row = pipe.recv()
    finally:
        for process in (receivers, server):
            process.terminate()
            process.join()
    return {"path": path, "viewers": viewers} | {key: round(value, 4) for key, value in figures.items()}


def summary(rows: list[Row]) -> list[Row]:
    """Return medians by path and number of viewers."""
    found = []
    for path, viewers in sorted(
        {(row["path"], row["viewers"]) for row in rows}, key=lambda key: (PATHS.index(key[0]), key[1])
    ):
        same = [row for row in rows if (row["path"], row["viewers"]) == (path, viewers)]
        medians = {
            key: statistics.median(row[key] for row in same) for key in same[0] if key not in {"path", "viewers"}
        }
        kept_up = medians["fps_min"] > 0.95 * FPS
        found.append({"path": path, "viewers": viewers, "runs": len(same), **medians, "kept_up": kept_up})
    return found


def slope_percent(medians: list[Row], path: str) -> tuple[float, float] | None:
    """Return the CPU share of an extra viewer, and the largest departure of a point from the line."""
    points = [(row["viewers"], 100 * row["cpu_cores"]) for row in medians if row["path"] == path and row["kept_up"]]
    if len(points) < 2:
        return None
    viewers, cpu = np.array(points, float).T
    slope, start = np.polyfit(viewers, cpu, 1)
    return float(slope), float(np.abs(slope * viewers + start - cpu).max())


def print_medians(medians: list[Row]) -> None:
    """Print a line for each path and number of viewers."""
    print(
        f"{'path':8} {'viewers':>7} {'cpu %':>7} {'packets/s':>9} {'fps':>5} {'missing':>7} {'gap ms':>7} {'key ms':>7}"
    )
    for row in medians:
        print(
            f"{row['path']:8} {row['viewers']:7} {100 * row['cpu_cores']:7.1f} {row['packets_per_s']:9.0f} "
            f"{row['fps_min']:5.1f} {row['missing']:7.0f} {row['longest_gap_ms']:7.0f} {row['first_keyframe_ms']:7.0f}"
            + ("" if row["kept_up"] else "  (fell behind)")
        )


def compared(medians: list[Row]) -> Row:
    """Print what an extra viewer costs on each path, and that beside the fan-out; return both as rows have them."""
    slopes = {path: slope_percent(medians, path) for path in PATHS}
    for path, slope in slopes.items():
        if slope is not None:
            print(f"{path}: {slope[0]:.2f} % of a core per extra viewer (line fits within {slope[1]:.1f} %)")
    own = slopes["fan_out"]
    ratios = {path: slope[0] / own[0] for path, slope in slopes.items() if slope and own and path != "fan_out"}
    for path, ratio in ratios.items():
        print(f"{path} / fan_out: {ratio:.1f}")
    return {
        "percent_of_a_core_per_viewer": {path: slope and round(slope[0], 3) for path, slope in slopes.items()},
        "ratios": {path: round(ratio, 1) for path, ratio in ratios.items()},
    }


def main() -> None:
    parser = command(__doc__, results="egress")
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 10, 50, 100])
    parser.add_argument("--paths", nargs="+", choices=PATHS, default=list(PATHS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--hold", type=float, default=0.0, help="only hold the largest number for so many seconds")
    parser.add_argument("--clip", type=int, default=10, help="seconds of the clip")
    parser.add_argument("--settle", type=float, default=2.0, help="seconds between the last keyframe and the clock")
    options = parse(parser, viewers=[1], repeats=1, seconds=1.0, clip=1, settle=0.2)
    plan = planned(options.paths, options.viewers, options.repeats, options.seconds)
    if options.hold:
        plan = [("fan_out", max(options.viewers), options.hold)]
    frames = encoded_clip(options.clip)
    packetiser = Packetiser(VideoCodec.VP8)
    pps = sum(len(packetiser.packetise(one).payloads) for one in frames) * FPS / len(frames)
    kbps = sum(len(one.data) for one in frames) * 8 * FPS / len(frames) / 1e3
    print(f"{kbps:.0f} kbit/s, {pps:.0f} packets/s")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.pickle"
        file.write_bytes(pickle.dumps(frames))
        for path, viewers, seconds in plan:
            rows.append(measure(path, viewers, seconds, str(file), options.settle))
            print(json.dumps(rows[-1]), flush=True)
    medians = summary(rows)
    print_medians(medians)
    result = {
        "size_wh": SIZE_WH,
        "fps": FPS,
        "kbps": round(kbps),
        "rows": rows,
        "medians": medians,
    } | compared(medians)
    keep(options, result)


if __name__ == "__main__":
    main()
