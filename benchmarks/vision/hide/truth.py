"""Faces whose place is known, and clips of them; those of ../shared that carry a truth file."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.vision.films import MEDIA, read_video
from mien.vision.types import Image

WITH_TRUTH: Final = ("video_hard/hd_synth_small_crowd12_gt", "video_multi/mp_synth_walk5_gt")
FPS: Final = 25.0


@dataclass(frozen=True, slots=True)
class TruthFace:
    """A face that is there.

    Attributes:
        id: Who it is; one leak event belongs to one.
        left: First column of `seen` in the frame.
        top: First row of `seen` in the frame.
        seen: (h, w) which pixels of the frame show the face.
        size_px: Width of the face, unturned.
        roll: Degrees from upright.
        shown: Share of the face that is in the picture and that nothing hides.
        tells: True where an eye and the mouth of a face larger than the frame are in the picture.
    """

    id: str
    left: int
    top: int
    seen: NDArray[np.bool_]
    size_px: float
    roll: float
    shown: float
    tells: bool = False


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames and what is in them.

    Attributes:
        name: The clip's name.
        fps: Frames a second.
        frames: Yields each frame, a new array, and its faces.
        cuts: Numbers of the frames that begin a new scene.
        light: "day", "dark" or "grey" (black-and-white).
        exact: False where the faces are a judge's and not the truth.
    """

    name: str
    fps: float
    frames: Callable[[], Iterator[tuple[Image, list[TruthFace]]]]
    cuts: tuple[int, ...] = ()
    light: str = "day"
    exact: bool = True


def clips_with_truth() -> list[Clip]:
    """Return the clips of ../shared that carry a truth file; none where the folder is missing."""
    return [Clip(Path(name).name, FPS, partial(_with_truth, name)) for name in WITH_TRUTH if MEDIA.is_dir()]


def _with_truth(name: str) -> Iterator[tuple[Image, list[TruthFace]]]:
    truth = json.loads((MEDIA / f"{name}.gt.json").read_text())["frames"]
    for image, row in zip(read_video(MEDIA / f"{name}.mp4"), truth, strict=True):
        yield image, [_boxed(face, image) for face in row["faces"]]


def _boxed(face: dict[str, Any], image: Image) -> TruthFace:
    height, width = image.shape[:2]
    x0, y0, x1, y1 = np.clip(face["box"], 0, [width, height, width, height]).astype(int)
    size, shown = face["box"][2] - face["box"][0], face.get("vis", 1.0) * (1 - face.get("occ", 0.0))
    return TruthFace(
        face["id"], int(x0), int(y0), np.ones((y1 - y0, x1 - x0), bool), size, face.get("roll", 0.0), shown
    )
