"""Judge a network on clips of people, beside the rule that works without one.

    python clips.py NETWORK.onnx CLIP... [--out clips.json]

For the largest face of each clip: how much of the visible inner face may be covered (mean over the frames, and the
worst twentieth), and how much of that judgement changes from one frame to the next, which a viewer sees as flicker. In
a clip of a face with nothing in front, what is missing from 1 is live skin that shows.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from mien.config import Settings
from mien.inference.card import load_cards
from mien.inference.network import load_network
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.analysis.detector import CenterFaceDetector
from mien.vision.analysis.landmarks import MeshLandmarker
from mien.vision.analysis.tiled_detector import TiledDetector
from mien.vision.analysis.tiles import Tile
from mien.vision.analysis.tracker import FaceTracker
from mien.vision.mesh.regions import inner, openings, shrink
from mien.vision.mesh.texture_map import flatten, unwrap
from mien.vision.swap.occlusion import SIDE, LearntOcclusion, OcclusionRule, covered_share
from mien.vision.swap.render_texture import facing
from mien.vision.types import Image, Matte, Mesh

FACE_PX = 140
"""Faces are reduced to about this height before they are judged, as a swap does."""


def faces(clip: Path, runtime: Runtime) -> Iterator[tuple[Image, Mesh, int, float]]:
    """Yield each frame with the largest face's mesh, its face track's id, and the frame's time."""
    find = TiledDetector(CenterFaceDetector(runtime.open("centerface")))
    follow = FaceTracker(MeshLandmarker(runtime.open("face-mesh")))
    with av.open(str(clip)) as container:
        fps = float(container.streams.video[0].average_rate or 25)
        for k, frame in enumerate(container.decode(video=0)):
            image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            whole = Tile((0, 0, image.shape[1], image.shape[0]), 640)
            tracks = [t for t in follow(image, find(image, [whole]), k / fps) if t.seen and t.mesh is not None]
            if tracks:
                largest = max(tracks, key=lambda t: float(t.box_xyxy[3] - t.box_xyxy[1]))
                if largest.mesh is not None:
                    yield image, largest.mesh, largest.id, k / fps


def judge(clip: Path, runtime: Runtime, network: Path) -> dict[str, dict[str, float]]:
    """Return what network and rule make of a clip."""
    net = load_network(network.read_bytes(), load_cards()["face-occlusion"])
    judges: dict[str, OcclusionRule | LearntOcclusion] = {}
    covers: dict[str, list[float]] = {"rule": [], "network": []}
    changes: dict[str, list[float]] = {"rule": [], "network": []}
    last: dict[str, Matte] = {}
    known_id, known_at = -1, 0.0
    for image, mesh, track_id, at in faces(clip, runtime):
        if track_id != known_id:
            judges, last = {"rule": OcclusionRule(), "network": LearntOcclusion(net)}, {}
        scale = min(1.0, FACE_PX / float(np.ptp(mesh[:, 1])))
        small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        towards = np.maximum(flatten(np.repeat(facing(mesh)[:, None], 3, axis=1), SIDE)[..., 0], 0)
        weight = inner(SIDE) * (1 - openings(SIDE)) * towards
        for name, ask in judges.items():
            texture = unwrap(small, (mesh[:, :2] + 0.5) * scale - 0.5, ask.side)
            matte = shrink(ask(texture, dt=max(at - known_at, 1e-3)), SIDE)
            covers[name].append(covered_share(matte, towards))
            if name in last:
                changes[name].append(float((weight * np.abs(matte - last[name])).sum() / max(weight.sum(), 1e-6)))
            last[name] = matte
        known_id, known_at = track_id, at
    return {
        name: {
            "frames": len(covers[name]),
            "cover_mean": round(float(np.mean(covers[name])), 4),
            "cover_p5": round(float(np.percentile(covers[name], 5)), 4),
            "change_per_frame": round(float(np.mean(changes[name])), 5),
        }
        for name in covers
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    runtime = Runtime(Store(Settings().models_dir))
    results = {}
    for clip in options.clips:
        results[clip.stem] = judge(clip, runtime, options.network)
        print(clip.stem, results[clip.stem], flush=True)
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
