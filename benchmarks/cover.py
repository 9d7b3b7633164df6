"""How well a mosaic covers faces whose place is exactly known: face frames left bare, by delay.

    python benchmarks/cover.py

Uses the ground-truth clips in ../shared/media where that folder is beside the checkout, and a clip made by code from a
public-domain photo everywhere. A face frame counts as bare when less than 90 % of the face's box was covered; faces
under 32 px, more than half outside the picture or more than half hidden behind others are left out.
"""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from mien.config import Settings
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.sessions.eyes import EyesMaker
from mien.sessions.wishes import Wishes
from mien.vision.faces import Box, Image
from support.scenes import astronaut_boxes, astronaut_frame

MEDIA = ROOT.parent / "shared" / "media"
CLIPS = ("video_hard/hd_synth_small_crowd12_gt", "video_multi/mp_synth_walk5_gt")


def ground_truth(name: str) -> Iterator[tuple[Image, dict[str, Box]]]:
    """Yield each frame of a clip and where its countable faces are."""
    truth = json.loads((MEDIA / f"{name}.gt.json").read_text())["frames"]
    video = cv2.VideoCapture(str(MEDIA / f"{name}.mp4"))
    for row in truth:
        read, bgr = video.read()
        if not read:
            return
        faces = {
            face["id"]: np.array(face["box"], np.float32)
            for face in row["faces"]
            if face.get("vis", 1) >= 0.5 and face.get("occ", 0) <= 0.5 and face["box"][2] - face["box"][0] >= 32
        }
        yield np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8), faces


def composed(seconds: float = 6.0) -> Iterator[tuple[Image, dict[str, Box]]]:
    """Yield the frames of a clip made by code."""
    for i in range(round(seconds * 25)):
        boxes = astronaut_boxes(i / 25, faces=4, face_px=120)
        yield astronaut_frame(i / 25, faces=4, face_px=120), {str(n): box for n, box in enumerate(boxes)}


def main() -> None:
    maker = EyesMaker(Runtime(Store(Settings().models_dir)))
    clips: list[tuple[str, Callable[[], Iterator[tuple[Image, dict[str, Box]]]]]] = [("composed", composed)]
    clips += [(name, partial(ground_truth, name)) for name in CLIPS if MEDIA.is_dir()]
    print(f"{'clip':<40} {'delay':>5} {'face frames':>12} {'bare':>5} {'longest run':>12}")
    for name, frames in clips:
        for delay in (0, 2, 6):
            total, bare, longest = run(maker, frames(), delay)
            print(f"{name:<40} {delay:>5} {total:>12} {bare:>5} {longest:>12}")


def run(maker: EyesMaker, frames: Iterator[tuple[Image, dict[str, Box]]], delay: int) -> tuple[int, int, int]:
    """Return face frames, bare ones, and the longest run of bare frames of one face."""
    pipeline = maker.pipeline(Wishes(mosaic=True, delay_frames=delay))
    waiting: list[tuple[Image, dict[str, Box]]] = []
    runs: dict[str, int] = {}
    total = bare = longest = 0
    for i, (image, faces) in enumerate(frames):
        waiting.append((image.copy(), faces))
        treated = pipeline(image, at=i / 25)
        if treated is None:
            continue
        before, truth = waiting.pop(0)
        for face_id, box in truth.items():
            total += 1
            exposed = covered_share(before, treated.image, box) < 0.9
            runs[face_id] = runs.get(face_id, 0) + 1 if exposed else 0
            bare += exposed
            longest = max(longest, runs[face_id])
    return total, bare, longest


def covered_share(before: Image, after: Image, box: Box) -> float:
    """Return the share of a box's pixels that the treatment changed."""
    height, width = before.shape[:2]
    x0, y0, x1, y1 = np.clip(box, 0, [width, height, width, height]).astype(int)
    changed = (before[y0:y1, x0:x1] != after[y0:y1, x0:x1]).any(axis=-1)
    return float(changed.mean()) if changed.size else 1.0


if __name__ == "__main__":
    main()
