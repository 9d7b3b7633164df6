"""Compose pictures of faces with things in front of them, and the exact truth about every pixel.

    python compose.py STILLS_FOLDER WORK_FOLDER [--shards 24] [--people people.toml]

Writes shards of 1000 samples (`train-000.npz`, ...) and one held-out set per kind (`test-<kind>.npz`). A shard that
is there already is left alone, so that an interrupted run goes on. Sample k of a shard depends on its seed alone.
"""

import argparse
import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.config import Settings
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.analysis.landmarks import MeshLandmarker, roi_of_mesh
from mien.vision.mesh.geometry import vertex_normals
from mien.vision.mesh.texture_map import rasterise, unwrap
from mien.vision.mesh.topology import EYE_LEFT, EYE_RIGHT, LIPS, WITH_OUTER_RING, lid_pairs, with_outer_rings
from mien.vision.types import Image, Matte, Mesh, Roi
from occluders import JAW, KINDS, NEVER_TRAINED, Draw, Layer, Rng, smooth_noise
from stills import CROP, VERTICES, Still, load_people, peel, turn

SIDE: Final = 128
PER_SHARD: Final = 1000
PER_TEST: Final = 160
SHINY: Final = (1, 4, 5, 195, 6, 50, 280, 117, 346, 151, 9, 67, 297, 199, 0, 17)
"""Landmarks of nose, cheeks, forehead, chin and lips."""
MIN_MESH_SCORE: Final = 0.5
"""Below this nothing is swapped, so nothing needs to be known."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One face, unwrapped.

    Attributes:
        texture: (SIDE, SIDE, 3) RGB.
        before: The same without what is in front.
        face: (SIDE, SIDE) 0 to 1, how much of each texel is face.
        known: (SIDE, SIDE) 0 or 1, where `face` can be trusted.
    """

    texture: Image
    before: Image
    face: Matte
    known: Matte


def sample(
    rng: Rng, still: Still, others: Sequence[Still], draws: Sequence[Draw], landmarks: MeshLandmarker
) -> Sample | None:
    """Compose one picture and unwrap it as the live path would; None where the mesh finds no face in it."""
    picture, face, known, mesh = _pose(rng, still, others)
    posed = Still(still.name, picture, mesh, face, known, still.patch, still.scenery, still.hands, still.clear)
    picture = before = _relight(rng, picture, mesh)
    for draw in draws:
        layer = draw(rng, posed, others)
        picture = _lay(rng, picture, layer)
        face = face * (1 - layer[..., 3])
        known = np.maximum(known, (layer[..., 3] > 0.95).astype(np.float32))
    before = camera(copy.deepcopy(rng), before)
    picture = camera(rng, picture)
    roi = roi_of_mesh(mesh)
    aside, below = rng.normal(0, 4, 2)
    nudged = Roi(roi.x + aside, roi.y + below, roi.side * rng.uniform(0.93, 1.07), roi.angle + rng.normal(0, 0.05))
    seen, score = landmarks(picture, nudged)
    if score < MIN_MESH_SCORE:
        return None
    texture, face, known = peel(picture, face.astype(np.float32), known, seen, SIDE)
    return Sample(texture, unwrap(before, seen, SIDE), face, known)


def _pose(rng: Rng, still: Still, others: Sequence[Still]) -> tuple[Image, Matte, Matte, Mesh]:
    """Turn the head of most samples, and change its expression."""
    if rng.random() < 0.35:
        return still.crop, still.face, still.known, still.mesh
    yaw, pitch, roll = rng.normal(0, (0.4, 0.2, 0.2))
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    middle = still.mesh.mean(axis=0)
    turned = (_express(rng, still.mesh) - middle) @ (about_z @ about_y @ about_x).T * rng.uniform(0.8, 1.1) + middle
    turned = turned.astype(np.float32)
    behind = others[int(rng.integers(len(others)))].scenery if rng.random() < 0.5 else cv2.blur(still.crop, (41, 41))
    picture, face, known = turn(still, turned, np.asarray(behind, np.uint8))
    return picture, face, known, turned


def _express(rng: Rng, mesh: Mesh) -> Mesh:
    """Move the features: lids fall, singly or both, and the face is pulled here and there."""
    moved = mesh.copy()
    for ring in (EYE_LEFT, EYE_RIGHT):
        upper, lower = lid_pairs(ring)
        if rng.random() < 0.3:
            moved[upper] += (mesh[lower] - mesh[upper]) * np.float32(rng.uniform(0.4, 0.95))
    for _ in range(int(rng.integers(0, 7))):
        centre = mesh[rng.integers(len(mesh)), :2]
        near = np.exp(-np.square(mesh[:, :2] - centre).sum(axis=1) / (2 * rng.uniform(8, 22) ** 2))
        moved[:, :2] += near[:, None] * rng.normal(0, 2.5, 2)
    return moved.astype(np.float32)


def _relight(rng: Rng, picture: Image, mesh: Mesh) -> Image:
    """Throw light, shadow, gloss and stubble on the face: they and their edges are nothing in front."""
    out = picture.astype(np.float32)
    if rng.random() < 0.15:
        out = _stubble(rng, out, mesh)
    if rng.random() < 0.35:
        out *= _side_light(rng, mesh)[..., None]
    if rng.random() < 0.45:
        field = smooth_noise(rng, int(rng.integers(1, 4))) + rng.uniform(-1, 1)
        edge = np.clip(field * rng.uniform(1, 12), -0.5, 0.5) + 0.5
        gain = rng.uniform(-0.65, 0) if rng.random() < 0.6 else rng.uniform(0, 0.9)
        out *= (1 + edge * gain)[..., None] * (1 + edge[..., None] * rng.normal(0, 0.08, 3))
    if rng.random() < 0.4:
        out += _gloss(rng, mesh)[..., None] * rng.uniform(0.85, 1.0, 3)
    return np.asarray(np.clip(out, 0, 255), np.uint8)


def _side_light(rng: Rng, mesh: Mesh) -> Matte:
    """Return how a lamp at the side changes each pixel's light."""
    towards = rng.normal(size=3) * (1, 0.6, 0.4) - (0, 0.2, 0.5)
    towards /= np.linalg.norm(towards)
    lit = rng.uniform(0.25, 0.8) + rng.uniform(0.4, 1.0) * np.clip(vertex_normals(mesh) @ towards, 0, 1)
    values = np.repeat(with_outer_rings(lit[:, None].astype(np.float32))[:VERTICES], 3, axis=1)
    drawn = rasterise(with_outer_rings(mesh)[:VERTICES], values, WITH_OUTER_RING, (CROP, CROP))[..., 0]
    drawn = np.where(drawn > 0, drawn, np.float32(lit.mean()))
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), rng.uniform(1, 4)), np.float32)


def _gloss(rng: Rng, mesh: Mesh) -> Matte:
    """Return highlights on nose, cheeks, forehead, chin and lips."""
    drawn = np.zeros((CROP, CROP), np.float32)
    for landmark in rng.choice(SHINY, int(rng.integers(1, 7))):
        x, y = (mesh[landmark, :2] + rng.normal(0, 3, 2)).astype(int)
        axes = (int(rng.integers(1, 9)), int(rng.integers(1, 9)))
        cv2.ellipse(drawn, (int(x), int(y)), axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(40, 200)), -1)
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), rng.uniform(1, 4)), np.float32)


def _stubble(rng: Rng, picture: NDArray[np.float32], mesh: Mesh) -> NDArray[np.float32]:
    """Let a beard grow on jaw and upper lip, short or full, in any colour of hair."""
    chin = np.zeros((CROP, CROP), np.float32)
    jaw = np.concatenate([mesh[list(JAW), :2], mesh[[50, 2, 280], :2][::-1]])
    cv2.fillPoly(chin, [np.round(jaw).astype(np.int32)], 1.0)
    cv2.fillPoly(chin, [np.round(mesh[LIPS, :2]).astype(np.int32)], 0.0)
    where = cv2.GaussianBlur(chin, (0, 0), rng.uniform(2, 5)) * rng.uniform(0.2, 0.95)
    hairs = np.clip(0.5 + 0.5 * smooth_noise(rng, int(rng.integers(60, 160))), 0, 1)
    tone = np.array([45, 35, 30]) * rng.uniform(0.4, 1.6) if rng.random() < 0.75 else np.full(3, rng.uniform(120, 220))
    alpha = (where * (0.5 + 0.5 * hairs))[..., None]
    return np.asarray(picture * (1 - alpha) + tone * (0.7 + 0.6 * hairs[..., None]) * alpha, np.float32)


def _lay(rng: Rng, picture: Image, layer: Layer) -> Image:
    """Put a layer over a picture, with the shadow that it throws."""
    shift, softness = rng.normal(0, 5, 2), rng.uniform(1, 9)
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    cast = cv2.warpAffine(cv2.GaussianBlur(layer[..., 3], (0, 0), softness), move, (CROP, CROP))
    shaded = picture * (1 - rng.uniform(0, 0.55) * cast[..., None])
    alpha = layer[..., 3:]
    return np.asarray(np.clip(shaded * (1 - alpha) + layer[..., :3] * alpha, 0, 255), np.uint8)


def camera(rng: Rng, picture: Image) -> Image:
    """Take the picture with some camera: light, colour, focus, motion, size, grain, compression."""
    out = picture.astype(np.float32)
    if rng.random() < 0.7:
        out = np.asarray(255 * np.power(out / 255, rng.uniform(0.65, 1.5)) * rng.uniform(0.45, 1.2), np.float32)
        out *= rng.normal(1, 0.07, 3)
    if rng.random() < 0.07:
        out = np.repeat(out.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.6:
        small = int(CROP * rng.uniform(0.35, 1.0))
        shrunk = cv2.resize(out, (small, small), interpolation=cv2.INTER_AREA)
        out = np.asarray(cv2.resize(shrunk, (CROP, CROP)), np.float32)
    if rng.random() < 0.2:
        length, angle = int(rng.integers(3, 12)), rng.uniform(0, np.pi)
        kernel = np.zeros((length, length), np.float32)
        middle = (length - 1) / 2
        start, end = [
            (round(middle + s * middle * np.cos(angle)), round(middle + s * middle * np.sin(angle))) for s in (-1, 1)
        ]
        cv2.line(kernel, start, end, 1.0)
        out = np.asarray(cv2.filter2D(out, -1, kernel / kernel.sum()), np.float32)
    if rng.random() < 0.5:
        out += rng.normal(0, rng.uniform(1, 9), out.shape)
    taken = np.clip(out, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        _ok, data = cv2.imencode(".jpg", taken, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))])
        taken = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return taken


def _draws(rng: Rng) -> list[Draw]:
    """Choose what is in front: mostly one thing, often two, sometimes nothing."""
    how_many = int(rng.choice([0, 1, 2], p=[0.2, 0.5, 0.3]))
    draws, weights = zip(*KINDS.values(), strict=True)
    return [draws[k] for k in rng.choice(len(draws), how_many, replace=False, p=weights)]


def _always(draws: list[Draw]) -> Callable[[Rng], list[Draw]]:
    return lambda _rng: draws


def write(
    path: Path,
    count: int,
    seed: int,
    people: Sequence[Still],
    choose: Callable[[Rng], list[Draw]],
    landmarks: MeshLandmarker,
) -> None:
    """Write a file of samples, unless it is there."""
    if path.exists():
        return
    rng, began = np.random.default_rng(seed), time.monotonic()
    clear = [still for still in people if still.clear]
    textures, before = np.empty((2, count, SIDE, SIDE, 3), np.uint8)
    truths = np.empty((count, 2, SIDE, SIDE), np.uint8)
    done = 0
    while done < count:
        still = clear[rng.integers(len(clear))]
        others = [other for other in people if other is not still]
        made = sample(rng, still, others, choose(rng), landmarks)
        if made is None:
            continue
        textures[done], before[done] = made.texture, made.before
        truths[done] = np.round(np.stack([made.face, made.known]) * 255).astype(np.uint8)
        done += 1
    draft = path.with_suffix(".part")
    with draft.open("wb") as file:
        np.savez(file, textures=textures, before=before, truths=truths)
    draft.rename(path)
    print(f"{path.name}: {count} samples in {time.monotonic() - began:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stills", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--shards", type=int, default=24)
    parser.add_argument("--people", type=Path, default=Path(__file__).parent / "people.toml")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    people = load_people(options.stills, options.people)
    landmarks = MeshLandmarker(Runtime(Store(Settings().models_dir)).open("face-mesh"))
    tests: dict[str, list[Draw]] = {"nothing": []} | {kind: [draw] for kind, (draw, _) in KINDS.items()}
    tests |= {kind: [draw] for kind, draw in NEVER_TRAINED.items()}
    for k, (kind, draws) in enumerate(tests.items()):
        write(options.work / f"test-{kind}.npz", PER_TEST, 9_000 + k, people.held_out, _always(draws), landmarks)
    for k in range(options.shards):
        write(options.work / f"train-{k:03}.npz", PER_SHARD, k, people.training, _draws, landmarks)


if __name__ == "__main__":
    main()
