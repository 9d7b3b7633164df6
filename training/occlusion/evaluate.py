"""Judge a network on the held-out sets of `compose.py`, beside the rule that works without one.

    python evaluate.py WORK_FOLDER NETWORK.onnx [--portraits FOLDER] [--out results.json] [--sheet sheet.png]

For each kind: overlap (intersection over union) of what is said to be in front with what is, F score of its outline
within two texels of 128, and the share of bare inner face wrongly said to be hidden. The rule sees each face for one
second without the thing and then for a third of a second with it, since it goes by what changes.
`--portraits` adds pictures of people with nothing in front: only the wrongly hidden share is counted there.
"""

import argparse
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.app.factory import VisionFactory
from mien.config import Settings
from mien.errors import FacePhotoError
from mien.inference.card import load_cards
from mien.inference.network import load_network
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.mesh.regions import inner, openings, polygon
from mien.vision.mesh.texture_map import unwrap
from mien.vision.mesh.topology import OVAL, UV
from mien.vision.swap.occlusion import SIDE as RULE_SIDE
from mien.vision.swap.occlusion import LearntOcclusion, OcclusionRule
from mien.vision.types import Image, Matte
from stills import read_picture

SIDE = 128
Judge: TypeAlias = Callable[[Image, Image], Matte]
"""Takes a texture and the same without what is in front; says how much of each texel is face."""


def learnt(network: Path) -> Judge:
    """Return the judgement that a network leads to, for a single frame."""
    net = load_network(network.read_bytes(), load_cards()["face-occlusion"])
    return lambda texture, _before: LearntOcclusion(net)(texture, dt=1 / 30)


def ruled(texture: Image, before: Image) -> Matte:
    """Return the judgement of the rule."""
    rule = OcclusionRule()
    size = (RULE_SIDE, RULE_SIDE)
    small = [np.asarray(cv2.resize(t, size, interpolation=cv2.INTER_AREA), np.uint8) for t in (before, texture)]
    for frame, times in zip(small, (30, 10), strict=True):
        for _ in range(times):
            free = rule(frame, dt=1 / 30)
    return np.asarray(cv2.resize(free, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.float32)


def score(judge: Judge, data: Any, where: NDArray[np.bool_]) -> dict[str, float]:
    """Compare a judgement with the truth."""
    hits = union = 0
    right_edge = said_edge = found_edge = true_edge = 0
    wrong, bare = 0, 0
    solid = (inner(SIDE) > 0.5) & (openings(SIDE) < 0.5)
    square = np.ones((5, 5), np.uint8)
    for texture, before, truth in zip(data["textures"], data["before"], data["truths"], strict=True):
        known = (truth[1] > 127) & where
        front, said = (truth[0] < 128) & known, (judge(texture, before) < 0.5) & known
        hits += int((front & said).sum())
        union += int((front | said).sum())
        wrong += int((said & ~front & solid).sum())
        bare += int((~front & known & solid).sum())
        edges = [cv2.morphologyEx(m.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0 for m in (front, said)]
        near = [cv2.dilate(e.astype(np.uint8), square) > 0 for e in edges]
        right_edge += int((edges[1] & near[0]).sum())
        said_edge += int(edges[1].sum())
        found_edge += int((edges[0] & near[1]).sum())
        true_edge += int(edges[0].sum())
    precision, recall = right_edge / max(said_edge, 1), found_edge / max(true_edge, 1)
    return {
        "iou": round(hits / max(union, 1), 3),
        "outline_f": round(2 * precision * recall / max(precision + recall, 1e-6), 3),
        "wrongly_hidden": round(wrong / max(bare, 1), 4),
    }


def portraits(judges: dict[str, Judge], folder: Path) -> dict[str, dict[str, float]]:
    """Count how much of the inner face is said to be hidden in portraits."""
    maker = VisionFactory(Runtime(Store(Settings().models_dir)))
    solid = (inner(SIDE) > 0.5) & (openings(SIDE) < 0.5)
    hidden: dict[str, list[float]] = {name: [] for name in judges}
    for path in sorted([*folder.rglob("*.jpg"), *folder.rglob("*.png")]):
        image = read_picture(path)
        try:
            mesh = maker.assessor.one_face(image, name=path.name).mesh
        except FacePhotoError:
            continue
        scale = min(1.0, 150 / float(np.ptp(mesh[:, 1])))
        small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        texture = unwrap(small, (mesh[:, :2] + 0.5) * scale - 0.5, SIDE)
        for name, judge in judges.items():
            hidden[name].append(float((judge(texture, texture) < 0.5)[solid].mean()))
    return {
        name: {
            "pictures": len(shares),
            "mean": round(float(np.mean(shares)), 4),
            "median": round(float(np.median(shares)), 4),
            "above_a_fifth": round(float(np.mean(np.array(shares) > 0.2)), 4),
        }
        for name, shares in hidden.items()
    }


def sheet(judge: Judge, work: Path) -> Image:
    """Draw some of every kind: the texture, the truth and the judgement."""
    rows = []
    for path in sorted(work.glob("test-*.npz")):
        data = np.load(path)
        row = []
        for k in range(0, 120, 10):
            texture, truth = data["textures"][k], data["truths"][k]
            said = (judge(texture, data["before"][k]) * 255).astype(np.uint8)
            true = np.where(truth[1] > 127, truth[0], 100)
            row.append(np.vstack([texture, np.dstack([true] * 3), np.dstack([said] * 3)]))
        rows.append(np.hstack(row))
    return np.vstack(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("network", type=Path)
    parser.add_argument("--portraits", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    judges: dict[str, Judge] = {"rule": ruled, "network": learnt(options.network)}
    where = polygon(UV[OVAL], SIDE) > 0.5
    results: dict[str, Any] = {"network_sha256": hashlib.sha256(options.network.read_bytes()).hexdigest(), "kinds": {}}
    for path in sorted(options.work.glob("test-*.npz")):
        data = dict(np.load(path))
        kind = path.stem.removeprefix("test-")
        results["kinds"][kind] = {name: score(judge, data, where) for name, judge in judges.items()}
        print(f"{kind:<12}", *(f"{name}: {values}" for name, values in results["kinds"][kind].items()), flush=True)
    if options.portraits:
        results["portraits"] = portraits(judges, options.portraits)
        print(results["portraits"])
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    if options.sheet:
        cv2.imwrite(str(options.sheet), cv2.cvtColor(sheet(judges["network"], options.work), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
