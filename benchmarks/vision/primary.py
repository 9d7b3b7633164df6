"""Who wears the persona where a swap is bound to one person: in which frames it is the chosen one, another, or nobody.

    python -m benchmarks.vision.primary [--only 'walk5,leaves'] [--seconds 12]

Clips of ../shared (MIEN_SHARED names another folder) with exact truth, and others whose people are told apart by the
recogniser afterwards; scenes composed by code from stills. Each goes through the live pipeline without its delay line
where nothing is taken back, and as a file. The persona counts as worn where the pipeline assigns it; the swap may still
refuse a face that is turned or too small.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Final, TypeAlias

import cv2
import numpy as np

from benchmarks.command import command, keep, parse
from benchmarks.vision.clearance.heads import Mover, background
from benchmarks.vision.clearance.people import Bench, Someone
from benchmarks.vision.films import MEDIA, read_video
from benchmarks.vision.portraits import View
from mien.media.files.images import decode_image
from mien.vision.analysis.analyzer import AnalyzerParts, FaceAnalyzer
from mien.vision.analysis.tile_schedule import Pace
from mien.vision.analysis.tracker import FaceTracker
from mien.vision.pipeline import FacePipeline
from mien.vision.policy import Policy, Swap, Treatment
from mien.vision.render.label import Label
from mien.vision.render.renderer import FrameRenderer
from mien.vision.swap.masks.builtin import builtin_mask
from mien.vision.swap.swapper import MeshSwapper
from mien.vision.types import Box, Embedding, Face, Image, Roi

FPS: Final = 25
Truth: TypeAlias = dict[str, Box]
"""Where everybody is who can be seen in a frame, by name."""
Place: TypeAlias = tuple[float, float, float] | None
"""Middle (x, y) of a head in a frame of 1280 x 720, and the width of its face."""


@dataclass(frozen=True)
class NotingPolicy(Policy):
    """Swaps one person, and notes where."""

    worn: list[Box] = field(default_factory=list)

    def treatment(self, face: Face, *, primary_id: int | None) -> Treatment:
        """Note which face gets the persona."""
        treatment = super().treatment(face, primary_id=primary_id)
        if isinstance(treatment, Swap) and face.seen and face.mesh is not None:
            self.worn.append(face.box_xyxy)
        return treatment


def tally(bench: Bench, frames: Iterator[tuple[Image, Truth | None]], *, fps: float, file: bool) -> dict[str, object]:
    """Treat frames; count by name who wore the persona, who was there, and the processor's time for a frame."""
    policy = NotingPolicy(primary=Swap(builtin_mask("volto")))
    parts = AnalyzerParts(bench.find, FaceTracker(bench.mesh, bench.redetect), bench.redetect, bench.embed)
    analyzer = FaceAnalyzer(parts, pace=Pace.PATIENT if file else Pace.THRIFTY)
    renderer = FrameRenderer(Label("en"), make_swapper=partial(MeshSwapper, fps=fps))
    pipeline = FacePipeline(analyzer, renderer, policy, delay_frames=6 if file else 0)
    truths: dict[float, tuple[Image, Truth | None]] = {}
    wore, there, order, spent = Counter[str](), Counter[str](), [], 0.0

    def note(at: float) -> None:
        image, truth = truths.pop(at)
        names = _names(bench, image, policy.worn) if truth is None else _named(truth, policy.worn)
        wore.update(names or ["nobody"])
        there.update((truth or {}).keys())
        order.append("+".join(sorted(names)) or "-")
        policy.worn.clear()

    for i, (image, truth) in enumerate(frames):
        truths[i / fps] = (image.copy(), truth)
        began = time.process_time()
        treated = pipeline(np.ascontiguousarray(image), at=i / fps)
        spent += time.process_time() - began
        if treated is not None:
            note(treated.at)
    for treated in pipeline.flush():
        note(treated.at)
    return {"frames": len(order), "wore": dict(wore), "there": dict(there), "runs": _runs(order),
            "CPU, ms a frame": round(1e3 * spent / max(len(order), 1), 1)}  # fmt: skip


def _named(truth: Truth, worn: list[Box]) -> list[str]:
    """Return whose faces the persona lies on."""
    names = []
    for box in worn:
        middle = (box[:2] + box[2:]) / 2
        apart = {name: float(np.linalg.norm((at[:2] + at[2:]) / 2 - middle)) for name, at in truth.items()}
        nearest = min(apart, key=apart.__getitem__, default="a false face")
        names.append(nearest)
    return names


_SEEN: list[tuple[str, Embedding]] = []


def _names(bench: Bench, image: Image, worn: list[Box]) -> list[str]:
    """Return whose faces the persona lies on, by the recogniser: as good as it is, for clips without truth."""
    names = []
    for box in worn:
        mesh, _score = bench.mesh.settle(image, _roi(box))
        vector = bench.embed(image, mesh)
        alike = [(float(vector @ known), name) for name, known in _SEEN]
        best = max(alike, default=(0.0, ""))
        if best[0] < 0.94:
            best = (1.0, f"person {1 + len({name for name, _ in _SEEN})}")
        if best[0] < 0.98 or not alike:
            _SEEN.append((best[1], vector))
        names.append(best[1])
    return names


def _roi(box: Box) -> Roi:
    return Roi(float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2, 1.5 * float(max(box[2:] - box[:2])), 0.0)


def _runs(order: list[str]) -> str:
    """Return who wore it in the order of time: `a 0-41, - 42-50`."""
    runs: list[list[object]] = []
    for i, name in enumerate(order):
        if runs and runs[-1][0] == name:
            runs[-1][2] = i
        else:
            runs.append([name, i, i])
    return ", ".join(f"{name} {first}-{last}" for name, first, last in runs)


# --- scenes composed by code ------------------------------------------------------------------------------------


def _nearer(i: int) -> tuple[list[Place], bool]:
    """Another comes nearer than the chosen one, by half, and goes back."""
    size = 90 + 90 * float(np.clip(np.sin((i - 40) / 40), 0, 1))
    return [(380, 380, 120), (900, 360, size)], False


def _leaves(i: int) -> tuple[list[Place], bool]:
    """The chosen one walks out at the left, and is back after two seconds; the other stays."""
    x = 380.0 if i < 50 else 380 - 20 * (i - 50) if i < 90 else -420.0 if i < 140 else min(-420 + 20 * (i - 140), 420)
    return [(x, 380, 140) if x > -140 else None, (900, 360, 100)], False


def _cut(i: int) -> tuple[list[Place], bool]:
    """Cut to another shot with only the other person, near; then back."""
    if 50 <= i < 110:
        return [None, (640, 360, 200)], True
    return [(420, 380, 140), (900, 360, 100)], False


def _crossing(i: int) -> tuple[list[Place], bool]:
    """The chosen one and the other change places; whoever is second in the list walks behind."""
    way = float(np.clip((i - 40) / 60, 0, 1))
    return [(380 + 520 * way, 380, 130), (900 - 520 * way, 365, 120)], False


def _passer(i: int) -> tuple[list[Place], bool]:
    """Somebody nearer is there in the first two frames only."""
    return [(420, 380, 120), (900, 360, 200) if i < 2 else None], False


def _exchange(i: int) -> tuple[list[Place], bool]:
    """The other is put into the chosen one's place from one frame to the next."""
    return [(640, 360, 130) if i < 60 else None, None if i < 60 else (640, 360, 130)], False


SCENES: Final[dict[str, Callable[[int], tuple[list[Place], bool]]]] = {
    "nearer": _nearer, "leaves": _leaves, "cut": _cut, "crossing": _crossing, "passer-by": _passer,
    "exchange": _exchange,
}  # fmt: skip
PAIRS: Final = (("sfhq_000", "sfhq_006"), ("flux_man_0055", "sfhq_014"), ("sfhq_022", "sfhq_017"),
                ("flux_man_0101", "flux_man_0003"))  # fmt: skip


COMPOSED: Final = ("astronaut", "hopper")


@cache
def _someone(bench: Bench, name: str) -> Someone:
    if name in COMPOSED:
        return bench.people[name]
    return bench.someone(name, decode_image((MEDIA / "stills_synth" / f"{name}.jpg").read_bytes(), name=name))


@cache
def _head(bench: Bench, name: str, face_px: int) -> Mover:
    return Mover(_someone(bench, name).portrait, View(face_px=face_px, noise=2, jpeg=80), seed=len(name))


def _played(
    bench: Bench, pair: tuple[str, str], scene: Callable[[int], tuple[list[Place], bool]], frames: int
) -> Iterator[tuple[Image, Truth | None]]:
    room, elsewhere = background(), np.ascontiguousarray(background()[::-1, ::-1])
    for i in range(frames):
        places, is_elsewhere = scene(i)
        frame, truth = (elsewhere if is_elsewhere else room).copy(), {}
        for k in (1, 0):
            place = places[k]
            if place is None:
                continue
            x, y, face_px = place
            head = _head(bench, pair[k], 10 * round(face_px / 10))
            truth[("chosen", "other")[k]] = head.draw(frame, (x, y), (0, 0, 1280, 720), i)
        yield frame, truth


def _clip(path: Path, seconds: float) -> Iterator[tuple[Image, Truth | None]]:
    fps = cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) or 25.0
    truth = path.with_suffix(".gt.json")
    rows = json.loads(truth.read_text())["frames"] if truth.exists() else None
    for i, image in enumerate(read_video(path)):
        if i >= seconds * fps:
            return
        yield (
            image,
            None
            if rows is None
            else {str(face["id"]): np.array(face["box"], np.float32) for face in rows[i]["faces"] if face["vis"] > 0},
        )


def main() -> None:
    parser = command(__doc__, results="primary")
    parser.add_argument("--only", default="", help="parts of the names of clips and scenes, by commas")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--as", dest="ways", default="live,file")
    parser.add_argument("--frames", type=int, default=200, help="of each composed scene")
    parser.add_argument("--composed", action="store_true", help="two public-domain photos alone, as without ../shared")
    wanted = parse(parser, only="nearer", ways="live", frames=12, composed=True)
    cv2.setNumThreads(1)
    bench, rows = Bench(development=True, composed=wanted.composed), []
    clips = (
        []
        if bench.composed
        else [
            *sorted((MEDIA / "video_multi").glob("*.mp4")),
            *sorted((MEDIA / "video_hard").glob("*gt.mp4")),
        ]
    )
    for way in wanted.ways.split(","):
        for path in clips:
            if any(part in path.stem for part in wanted.only.split(",")):
                fps = cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) or 25.0
                row = tally(bench, _clip(path, wanted.seconds), fps=fps, file=way == "file")
                rows.append({"clip": path.stem, "as": way, **row})
                print(path.stem, way, json.dumps(row), flush=True)
        for title, scene in SCENES.items():
            if any(part in title for part in wanted.only.split(",")):
                for pair in (COMPOSED,) if bench.composed else PAIRS:
                    row = tally(bench, _played(bench, pair, scene, wanted.frames), fps=FPS, file=way == "file")
                    rows.append({"clip": title, "pair": pair, "as": way, **row})
                    print(title, *pair, way, json.dumps(row), flush=True)
    keep(wanted, {"rows": rows})


if __name__ == "__main__":
    main()
