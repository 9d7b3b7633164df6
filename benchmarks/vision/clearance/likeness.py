"""Likeness alone, no state machine: how near strangers come, and how alike a face is to itself a frame later."""

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.vision.clearance.people import ENROLLED, Bench
from benchmarks.vision.clearance.tally import Row, rounded
from benchmarks.vision.films import SHARED, read_video
from benchmarks.vision.portraits import Portrait, View, seen_as
from mien.vision.analysis import tiles as detector_tiles
from mien.vision.analysis.appearance import Appearance, appearance_of
from mien.vision.analysis.clearance import ClearanceRules
from mien.vision.analysis.landmarks import box_of_mesh
from mien.vision.analysis.tracker import FaceTracker
from mien.vision.types import Embedding, Mesh, Roi

Cosines: TypeAlias = NDArray[np.float32]
"""How alike each of N people's V views is to every template, (N, V, N), or to their own, (N, V)."""

VIEWS: Final = (
    View(face_px=64, roll=5, noise=2, jpeg=75),
    View(face_px=48, roll=-7, noise=2, jpeg=70),
    View(face_px=96, yaw=-15, roll=3, noise=2, jpeg=75),
    View(face_px=80, yaw=15, pitch=8, roll=-4, noise=3, jpeg=75),
    View(face_px=80, light=2.2, noise=5, jpeg=75),
    View(face_px=72, pitch=-8, roll=8, blur_px=5, noise=2, jpeg=75),
)


def samples(bench: Bench) -> Iterator[Row]:
    """Compare six views of everybody with galleries of 100, five draws; the state machine's arithmetic, no video."""
    names = sorted(bench.people)
    templates = np.stack([bench.people[name].vector for name in names])
    views = np.stack([[_embedded(bench, bench.people[name].portrait, view) for view in VIEWS] for name in names])
    cosine = np.einsum("nvd,md->nvm", views, templates)
    themselves = np.arange(len(names))
    own = cosine[themselves, :, themselves]
    cosine[themselves, :, themselves] = -1
    yield _of_pairs(cosine, own)
    yield _against_galleries(cosine, own)


def _of_pairs(cosine: Cosines, own: Cosines) -> Row:
    """Say how alike different people are, and how alike people are to themselves."""
    pairs = cosine[cosine > -1]
    count = len(cosine)
    return {
        "part": "samples",
        "what": "pairs of different people",
        "pairs": count * (count - 1),
        "cosines": int(pairs.size),
        "max": rounded(pairs.max()),
        "q0.9999": rounded(np.quantile(pairs, 0.9999)),
        "q0.999": rounded(np.quantile(pairs, 0.999)),
        "own q0.05": rounded(np.quantile(own, 0.05)),
        "own q0.5": rounded(np.median(own)),
    }


def _against_galleries(cosine: Cosines, own: Cosines) -> Row:
    """Enrol some and count whose looks, and whose means over the views, would clear a stranger."""
    rules, rng, count = ClearanceRules(), np.random.default_rng(1), len(cosine)
    enrolled = min(ENROLLED, 2 * count // 3)
    wanted = rules.wanted(enrolled)
    single, means, all_samples, all_strangers, kept, people = 0, 0, 0, 0, 0, 0
    for _draw in range(5):
        order = rng.permutation(count)
        inside, outside = order[:enrolled], order[enrolled:]
        near = np.sort(cosine[outside][:, :, inside], axis=-1)
        margin = near[..., -1] - near[..., -2] if len(inside) > 1 else np.full(near.shape[:2], 2.0)
        single += int(((near[..., -1] >= wanted) & (margin >= rules.margin)).sum())
        best = cosine[outside][:, :, inside].mean(axis=1).max(axis=-1)
        means += int((best >= wanted).sum())
        all_samples, all_strangers = all_samples + near[..., -1].size, all_strangers + len(outside)
        kept += int((own[inside].mean(axis=1) >= wanted).sum())
        people += len(inside)
    return {
        "part": "samples",
        "what": "strangers against 100",
        "samples": all_samples,
        "false single samples": single,
        "per 10,000": rounded(1e4 * single / all_samples),
        "strangers' means above": means,
        "of": all_strangers,
        "enrolled' means above": rounded(kept / people),
    }


def _embedded(bench: Bench, portrait: Portrait, view: View) -> Embedding:
    image, mesh = seen_as(portrait, view)
    laid, _score = bench.mesh.settle(image, _roi(mesh, view.roll))
    return bench.embed(image, laid)


def _roi(mesh: Mesh, roll: float) -> Roi:
    x0, y0, x1, y1 = (float(value) for value in box_of_mesh(mesh))
    return Roi((x0 + x1) / 2, (y0 + y1) / 2, 1.5 * max(x1 - x0, y1 - y0), float(np.radians(roll)))


def appearances(bench: Bench) -> Iterator[Row]:
    """Compare appearances of different people, and of one person in frames that follow each other."""
    everybody = np.stack([appearance_of(p.portrait.image, p.portrait.mesh).ravel() for p in bench.people.values()])
    pairs = (everybody @ everybody.T)[np.triu_indices(len(everybody), 1)]
    yield {"part": "appearances", "what": "different people", "pairs": len(pairs), "max": rounded(pairs.max())}
    for path in () if bench.composed else sorted((SHARED / "media" / "video_talking").glob("*.mp4")):
        likeness: list[float] = []
        tracker = FaceTracker(bench.mesh)
        last: dict[int, Appearance] = {}
        for i, image in zip(range(150), read_video(path), strict=False):
            look = detector_tiles.Tile((0, 0, image.shape[1], image.shape[0]), 320)
            seen = {
                t.id: appearance_of(image, t.mesh)
                for t in tracker(image, bench.find(image, [look]), i / 25)
                if t.mesh is not None
            }
            likeness += [float(np.vdot(last[k], seen[k])) for k in seen.keys() & last.keys()]
            last = seen
        below = float(np.mean(np.array(likeness) < ClearanceRules().same_appearance)) if likeness else 0.0
        yield {"part": "appearances", "what": path.stem, "pairs": len(likeness), "below the limit": rounded(below)}
