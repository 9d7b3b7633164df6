"""Candidates: which of them are faces, and which are no face and remembered as such.

A wrong cover of a small candidate costs a few cells; one as large as a face near the camera costs a good part of the
picture, and it grows while the face is not seen. A candidate is hidden at once; within a fifth of a second something
other than the detector that found it must confirm it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.analysis.landmarks import roi_of_detection
from mien.vision.analysis.redetection import FaceCheck, roll_of
from mien.vision.analysis.tracker import MESH_SCORE, FaceTrack, iou, lies_on
from mien.vision.mesh.alignment import five_landmarks
from mien.vision.ports import Landmarker
from mien.vision.types import Box, Detection, Image

DOUBT_S, LEAST_CHECKS = 0.2, 4
"""A candidate that was checked in so many frames over so long a time and not confirmed is no face."""
CLEAR, FAINT, ENOUGH = 0.7, 0.5, 2
"""Scores of checks that count for two signs and for one, and how many confirm: a clear look, a mesh that holds, or two
fainter looks."""
TURNS = tuple(np.radians([72.0, -72.0, 144.0, -144.0]))
"""Ways to turn a candidate otherwise than it seems to lie: the networks know faces within 36 degrees of upright."""
DOUBTED_FROM_PX = 200
"""Smaller candidates are believed: a cover of theirs costs less than a face that is dropped wrongly."""
CHECKED_A_FRAME = 3
"""So many candidates are checked in one frame; the others wait, hidden."""
SAME_PLACE = 0.3
"""Overlap (of the union) from which a candidate is the one that was refuted."""
UNCHANGED, ANOTHER = 0.85, 0.4
"""Correlation with the refuted picture above which the place shows the same, and below which it shows something else.
Between them the candidate is checked again before it is believed to be the refuted one."""
CROWD = 2.5
"""Two confirmed faces in a huge candidate, each so many times smaller: it is made of them."""
RECHECKED_FRAMES = 12
"""So often a refuted candidate that looks the same is checked again: the first checks may have been wrong."""
REMEMBERED = 16
PATCH = 24


class MeshCheck:
    """Look for a face by laying a mesh: it holds on hardly anything that is none.

    Args:
        landmarker: Lays it.
    """

    def __init__(self, landmarker: Landmarker) -> None:
        self._landmarker = landmarker

    def __call__(self, image: Image, box_xyxy: Box, roll: float, *, threshold: float) -> Detection | None:
        """Return the face at `box_xyxy`, turned by `roll`, or None where no mesh holds."""
        mesh, score = self._landmarker(image, roi_of_detection(Detection(box_xyxy, 1.0, _turned_marks(box_xyxy, roll))))
        if score < max(threshold, MESH_SCORE) or not lies_on(mesh, Detection(box_xyxy, 1.0)):
            return None
        return Detection(box_xyxy, score, five_landmarks(mesh))


@dataclass(slots=True)
class _Doubt:
    """A candidate that is not confirmed yet: since when, checked in how many frames, and what spoke for it."""

    since: float
    checks: int = 0
    signs: int = 0
    mesh: bool = False

    def is_settled(self) -> bool:
        """Tell whether enough spoke for it."""
        return self.mesh or self.signs >= ENOUGH


@dataclass(slots=True)
class _Refuted:
    """A place where there is no face, what it looks like, and how often it was found since it was checked."""

    box_xyxy: Box
    patch: NDArray[np.float32]
    found: int = 0


class CandidateReview:
    """Confirm candidates, and refute those that nothing confirms. One stream's; holds state.

    Args:
        checks: Look again at a candidate, each in its own way: another network, a smaller or a larger cut-out. The
            first is also shown the candidate turned otherwise.
        mesh: A mesh that holds is enough; None leaves it to the checks.
        from_px: Candidates smaller than this are believed.
    """

    def __init__(
        self, checks: Sequence[FaceCheck], mesh: FaceCheck | None = None, *, from_px: float = DOUBTED_FROM_PX
    ) -> None:
        self._checks, self._mesh, self._from_px = checks, mesh, from_px
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
            if not self._is_doubted(seen.box_xyxy) or iou(seen.box_xyxy, refuted.box_xyxy) < SAME_PLACE:
                continue
            refuted.found += 1
            if likeness >= UNCHANGED and refuted.found % RECHECKED_FRAMES:
                return True
            if self._confirms(image, seen):
                self._refuted = [other for other in self._refuted if other is not refuted]
                return False
            refuted.box_xyxy, refuted.patch = seen.box_xyxy, _patch(image, seen.box_xyxy)
            return True
        return False

    def confirmed(self, image: Image, found: Sequence[Detection]) -> list[Detection]:
        """Return `found` without candidates that nothing confirms now: for a frame after which none follows."""
        return [s for s in found if not self._is_doubted(s.box_xyxy) or self._confirms(image, s)]

    def weigh(self, image: Image, tracks: Sequence[FaceTrack], at: float) -> set[int]:
        """Check the new face tracks of a frame; return the numbers of those that are no faces."""
        self._confirmed &= {track.id for track in tracks}
        self._confirmed |= {t.id for t in tracks if t.mesh is not None}
        # A face that was small is no wrong giant: dropped for one look that took it for large, it would be bare.
        self._confirmed |= {t.id for t in tracks if t.id not in self._doubts and not self._is_doubted(t.box_xyxy)}
        doubtful = [
            t for t in tracks if t.id not in self._confirmed and (t.id in self._doubts or self._is_doubted(t.box_xyxy))
        ]
        self._doubts = {track.id: self._doubts.get(track.id, _Doubt(at)) for track in doubtful}
        crowds = {track.id for track in doubtful if self._is_crowd(track, tracks)}
        doubtful = [track for track in doubtful if track.id not in crowds]
        checked = sorted(doubtful, key=lambda track: self._doubts[track.id].checks)[:CHECKED_A_FRAME]
        refuted = crowds
        for track in checked:
            doubt = self._doubts[track.id]
            self._check(image, track, doubt)
            if doubt.is_settled():
                self._confirmed.add(track.id)
                del self._doubts[track.id]
            elif at - doubt.since >= DOUBT_S - 1e-6 and doubt.checks >= LEAST_CHECKS:
                refuted.add(track.id)
                del self._doubts[track.id]
                self._remember(image, track.box_xyxy)
        return refuted

    def _is_crowd(self, track: FaceTrack, tracks: Sequence[FaceTrack]) -> bool:
        """Tell whether a huge candidate is made of several much smaller faces that are known to be some."""
        box, size = track.box_xyxy, _size(track.box_xyxy)
        inside = [
            other
            for other in tracks
            if other.id in self._confirmed
            and other.seen
            and _size(other.box_xyxy) * CROWD < size
            and (box[:2] < other.box_xyxy[:2]).all()
            and (other.box_xyxy[2:] < box[2:]).all()
        ]
        return len(inside) > 1

    def _is_doubted(self, box: Box) -> bool:
        return _size(box) >= self._from_px

    def _check(self, image: Image, track: FaceTrack, doubt: _Doubt) -> None:
        """Note what speaks for a candidate in this frame, beside what found it.

        It is looked at as it seems to be turned, and otherwise: what found it may have seen a face that lies with its
        eyes anywhere. Then the face track learns how it is turned.
        """
        turn = TURNS[doubt.checks % len(TURNS)]
        doubt.checks += 1
        doubt.mesh = doubt.mesh or self._mesh_holds(image, track.box_xyxy, track.roll)
        if doubt.is_settled():
            return
        signs = max(self._weight(check, image, track.box_xyxy, track.roll)[0] for check in self._checks)
        if signs < ENOUGH:
            otherwise, seen = self._weight(self._checks[0], image, track.box_xyxy, track.roll + turn)
            if seen is not None and otherwise >= ENOUGH:  # a fainter look at what is turned any way is no sign
                track.roll, signs = roll_of(seen), otherwise
        doubt.signs += signs

    def _confirms(self, image: Image, seen: Detection) -> bool:
        """Tell whether anything speaks for a candidate, turned any way."""
        box, roll = seen.box_xyxy, roll_of(seen)
        if self._mesh_holds(image, box, roll):
            return True
        if any(self._weight(check, image, box, roll)[0] for check in self._checks):
            return True
        return any(self._weight(self._checks[0], image, box, roll + turn)[0] >= ENOUGH for turn in TURNS)

    @staticmethod
    def _weight(check: FaceCheck, image: Image, box: Box, roll: float) -> tuple[int, Detection | None]:
        seen = check(image, box, roll, threshold=FAINT)
        return (0 if seen is None else ENOUGH if seen.score >= CLEAR else 1), seen

    def _mesh_holds(self, image: Image, box: Box, roll: float) -> bool:
        return self._mesh is not None and self._mesh(image, box, roll, threshold=MESH_SCORE) is not None

    def _remember(self, image: Image, box: Box) -> None:
        self._refuted = [*self._refuted[1 - REMEMBERED :], _Refuted(box, _patch(image, box))]


def _size(box: Box) -> float:
    return float((box[2:] - box[:2]).max())


def _turned_marks(box: Box, roll: float) -> NDArray[np.float32]:
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
