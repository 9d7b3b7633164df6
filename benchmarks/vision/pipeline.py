"""How long vision takes per frame at 720p: each stage, 1, 2 and 4 faces, each treatment. Prints a table, writes JSON.

    python -m benchmarks.vision.pipeline [--seconds 4] [--out benchmarks/results/pipeline.json]

"cpu" is the process's CPU time for the whole vision step (detection to label; no decoding or encoding), one OpenCV
and one ONNX Runtime thread. Stage columns are wall medians. The scene is made by code from a public-domain photo.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

from benchmarks.command import command, keep, parse
from mien.app.factory import VisionFactory
from mien.app.ports import StreamSpec
from mien.config import Settings
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.pipeline import FacePipeline
from support.policies import live_swap, swapping
from support.scenes import astronaut_frames

FACE_PX = {1: 230, 2: 230, 4: 150}
SPECS = {
    "mosaic": StreamSpec(),
    "swap mask:volto": live_swap(everyone=True),
    "swap photo": None,
}


class Stopwatch:
    """Collects the wall time of named stages, per frame."""

    def __init__(self) -> None:
        self.frame: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.frame[name] += (time.perf_counter() - start) * 1e3


def measure(pipeline: FacePipeline, watch: Stopwatch, faces: int, seconds: float, warm_up: int) -> dict[str, Any]:
    """Run the scene through a pipeline and return medians and 95th percentiles in milliseconds."""
    cpu, wall, stages, counts = [], [], [], []
    frames = astronaut_frames(seconds + warm_up / 30, faces=faces, face_px=FACE_PX[faces])
    for i, image in enumerate(frames):
        watch.frame.clear()
        cpu_start, wall_start = time.process_time(), time.perf_counter()
        treated = pipeline(image, at=i / 30)
        if i < warm_up:
            continue
        cpu.append((time.process_time() - cpu_start) * 1e3)
        wall.append((time.perf_counter() - wall_start) * 1e3)
        stages.append(dict(watch.frame))
        counts.append({} if treated is None else treated.counts)
    names = sorted({name for stage in stages for name in stage})
    return {
        "path": "pipeline",
        "size_wh": [1280, 720],
        "faces": faces,
        "face_px": FACE_PX[faces],
        "frames": len(cpu),
        "cpu_ms_median": round(float(np.median(cpu)), 2),
        "cpu_ms_mean": round(float(np.mean(cpu)), 2),
        "cpu_ms_p95": round(float(np.percentile(cpu, 95)), 2),
        "wall_ms_median": round(float(np.median(wall)), 2),
        "wall_ms_p95": round(float(np.percentile(wall, 95)), 2),
        "stage_ms_median": {n: round(float(np.median([s[n] for s in stages if n in s])), 2) for n in names},
        "all_faces_treated": all(sum(c.values()) >= faces for c in counts),
    }


def main() -> None:
    parser = command(__doc__, results="pipeline")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--warm-up", type=int, default=30, help="frames before the clock starts")
    options = parse(parser, seconds=0.1, warm_up=2)
    cv2.setNumThreads(1)

    watch = Stopwatch()
    maker = VisionFactory(Runtime(Store(Settings().models_dir)), span=watch)
    photo = maker.read_reference([_astronaut_png()])
    rows = []
    for effect, spec in SPECS.items():
        for faces in (1, 2, 4):
            pipeline = maker.build(spec or StreamSpec(swapping("reference:1", everyone=True), {"reference:1": photo}))
            rows.append({"effect": effect, **measure(pipeline, watch, faces, options.seconds, options.warm_up)})
            _print_row(rows[-1], header=len(rows) == 1)

    keep(options, {"rows": rows})


def _print_row(row: dict[str, Any], *, header: bool) -> None:
    if header:
        print(
            f"{'effect':<16} {'faces':>5} {'px':>4} {'cpu ms':>7} {'mean':>6} {'p95':>6} {'wall':>6}  stages (wall ms)"
        )
    stages = "  ".join(f"{name} {ms:.1f}" for name, ms in row["stage_ms_median"].items())
    print(
        f"{row['effect']:<16} {row['faces']:>5} {row['face_px']:>4} {row['cpu_ms_median']:>7.1f} "
        f"{row['cpu_ms_mean']:>6.1f} {row['cpu_ms_p95']:>6.1f} {row['wall_ms_median']:>6.1f}  {stages}"
        + ("" if row["all_faces_treated"] else "  (!) a face was missed")
    )


def _astronaut_png() -> bytes:
    from skimage import data

    _ok, png = cv2.imencode(".png", cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR))
    return bytes(png.tobytes())


if __name__ == "__main__":
    main()
