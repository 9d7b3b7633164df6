"""Evidence: which large candidates are faces, and which are no face and remembered as such.

A wrong cover of a small candidate costs a few cells; one as large as a face near the camera costs a good part of the
picture. A large candidate is hidden at once; within a fifth of a second something other than the detector that found it
must confirm it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.detector import SURE
from mien.vision.faces import Box, Detection, Image
from mien.vision.glance import roll_of
from mien.vision.landmarks import MeshLandmarker, roi_of_detection
from mien.vision.looks import LARGE_PX
from mien.vision.tracker import MESH_SCORE, FaceTrack, iou, lies_on

DOUBT_S, LEAST_CHECKS = 0.2, 4
"""A candidate that so many checks over so long a time did not confirm is no face."""
CHECKED_A_FRAME = 3
"""So many candidates are checked in one frame; the others wait, hidden."""
SAME_PLACE = 0.3
"""Overlap (of the union) from which a candidate is the one that was refuted."""
UNCHANGED, ANOTHER = 0.85, 0.4
"""Correlation with the refuted picture above which the place shows the same, and below which it shows something else.
Between them the candidate is checked again before it is believed to be the refuted one."""
RECHECKED_FRAMES = 12
"""So often a refuted candidate that looks the same is checked again: the first checks may have been wrong."""
REMEMBERED = 16
PATCH = 24


class Check(Protocol):
    """Looks for a face at a place, as sure as any: a `Glance` with another network than the one that found it."""

    def __call__(self, image: Image, box_xyxy: Box, roll: float, *, threshold: float) -> Detection | None:
        """Return the face near `box_xyxy`, or None where there is none."""
        ...


@dataclass(slots=True)
class _Doubt:
    """A candidate that nothing confirmed yet: since when, and after how many checks."""

    since: float
    checks: int = 0


@dataclass(slots=True)
class _Refuted:
    """A place where there is no face, what it looks like, and how often it was found since it was checked."""

    box_xyxy: Box
    patch: NDArray[np.float32]
    found: int = 0


class Evidence:
    """Confirm large candidates, and refute those that nothing confirms. One stream's; holds state.

    Args:
        checks: Look again at a candidate, each in its own way: another network, a smaller or a larger cut-out.
        landmarker: A mesh that holds confirms, too; None leaves it to the checks.
    """

    def __init__(self, checks: Sequence[Check], landmarker: MeshLandmarker | None = None) -> None:
        self._checks, self._landmarker = checks, landmarker
        self._doubts: dict[int, _Doubt] = {}
        self._confirmed: set[int] = set()
        self._refuted: list[_Refuted] = []

    def forget(self) -> None:
        """Drop everything, as after a cut."""
        self._doubts.clear()
        self._confirmed.clear()
        self._refuted.clear()

    def believable(self, image: Image, found: Sequence[Detection]) -> list[Detection]:
        """Return `found` without the candidates that were refuted and still look the same."""
        likeness = [_likeness(refuted.patch, _patch(image, refuted.box_xyxy)) for refuted in self._refuted]
        kept = [(r, like) for r, like in zip(self._refuted, likeness, strict=True) if like >= ANOTHER]
        self._refuted = [refuted for refuted, _like in kept]
        return [seen for seen in found if not self._is_refuted(image, seen, kept)]

    def _is_refuted(self, image: Image, seen: Detection, known: list[tuple[_Refuted, float]]) -> bool:
        for refuted, likeness in known:
            if not _is_large(seen.box_xyxy) or iou(seen.box_xyxy, refuted.box_xyxy) < SAME_PLACE:
                continue
            refuted.found += 1
            if likeness >= UNCHANGED and refuted.found % RECHECKED_FRAMES:
                return True
            if self._confirms(image, seen.box_xyxy, roll_of(seen)):
                self._refuted = [other for other in self._refuted if other is not refuted]
                return False
            refuted.box_xyxy, refuted.patch = seen.box_xyxy, _patch(image, seen.box_xyxy)
            return True
        return False

    def weigh(self, image: Image, tracks: Sequence[FaceTrack], at: float) -> set[int]:
        """Check the large face tracks of a frame; return the numbers of those that are no faces."""
        self._confirmed &= {track.id for track in tracks}
        self._confirmed |= {track.id for track in tracks if track.mesh is not None}
        doubtful = [
            t for t in tracks if t.id not in self._confirmed and (t.id in self._doubts or _is_large(t.box_xyxy))
        ]
        self._doubts = {track.id: self._doubts.get(track.id, _Doubt(at)) for track in doubtful}
        checked = sorted(doubtful, key=lambda track: self._doubts[track.id].checks)[:CHECKED_A_FRAME]
        refuted = set()
        for track in checked:
            doubt = self._doubts[track.id]
            doubt.checks += 1
            if self._confirms(image, track.box_xyxy, track.roll):
                self._confirmed.add(track.id)
                del self._doubts[track.id]
            elif at - doubt.since >= DOUBT_S - 1e-6 and doubt.checks >= LEAST_CHECKS:
                refuted.add(track.id)
                del self._doubts[track.id]
                self._remember(image, track.box_xyxy)
        return refuted

    def _confirms(self, image: Image, box: Box, roll: float) -> bool:
        """Tell whether something else than what found a candidate sees a face there, too."""
        if any(check(image, box, roll, threshold=SURE) is not None for check in self._checks):
            return True
        if self._landmarker is None:
            return False
        seen = Detection(box, 1.0, _upright_marks(box, roll))
        mesh, score = self._landmarker.settle(image, roi_of_detection(seen))
        return score >= MESH_SCORE and lies_on(mesh, Detection(box, 1.0))

    def _remember(self, image: Image, box: Box) -> None:
        self._refuted = [*self._refuted[1 - REMEMBERED :], _Refuted(box, _patch(image, box))]


def _is_large(box: Box) -> bool:
    return float((box[2:] - box[:2]).max()) >= LARGE_PX


def _upright_marks(box: Box, roll: float) -> NDArray[np.float32]:
    """Return five points whose eyes are turned by `roll`, for a landmarker that turns the face by them."""
    marks = np.tile((box[:2] + box[2:]) / 2, (5, 1)).astype(np.float32)
    reach = np.array([np.cos(roll), np.sin(roll)], np.float32) * (box[2] - box[0]) / 4
    marks[0] -= reach
    marks[1] += reach
    return marks


def _patch(image: Image, box: Box) -> NDArray[np.float32]:
    """Return what is seen at a place, small and in luma, with a mean of 0 and a length of 1."""
    height, width = image.shape[:2]
    x0, y0 = np.clip(box[:2], 0, [width - 1, height - 1]).astype(int)
    x1, y1 = np.clip(box[2:], [x0 + 1, y0 + 1], [width, height]).astype(int)
    step = max(1, min(x1 - x0, y1 - y0) // (2 * PATCH))
    small = cv2.resize(image[y0:y1:step, x0:x1:step], (PATCH, PATCH), interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    luma -= luma.mean()
    return np.asarray(luma / max(float(np.linalg.norm(luma)), PATCH * 1.0), np.float32)


def _likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the correlation of two patches, -1 to 1."""
    return float((a * b).sum())
