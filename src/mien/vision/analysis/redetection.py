"""ROI re-detection: one quick look at the place where a face should be."""

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.analysis.detector import EMPTY, EXPECTED
from mien.vision.ports import Detector
from mien.vision.types import Affine, Box, Detection, Image

SIDE = 96
"""The network sees a square of so many pixels: a sixth of what a look at a frame costs."""
FACE = 40
"""So large is the expected face in it. From 20 px the network is sure of upright faces; a blurred, dark or half hidden
one needs more, and the room around it lets the face move by its own width."""
NEAR = 0.7
"""A face whose middle lies farther off than this share of its size is another one."""
ALIKE = 1.8
"""A face so many times larger or smaller than expected is another one."""


class FaceCheck(Protocol):
    """Looks for a face at a place where one is suspected: a `RoiRedetector`, a `MeshCheck`, or a test's own."""

    def __call__(self, image: Image, box_xyxy: Box, roll: float, *, threshold: float) -> Detection | None:
        """Return the face near `box_xyxy`, turned by `roll`, or None where none scores `threshold`."""
        ...


class RoiRedetector:
    """Look for a face where one is expected, turned upright and brought to one size.

    That finds a known face where a look at the whole frame would not: small, turned, blurred, half hidden, or larger
    than the frame.

    Args:
        detector: What looks.
        face_px: So large is the expected face in the square that the network sees.
    """

    def __init__(self, detector: Detector, *, face_px: int = FACE) -> None:
        self._detector, self._face_px = detector, face_px

    def __call__(self, image: Image, box_xyxy: Box, roll: float, *, threshold: float = EXPECTED) -> Detection | None:
        """Return the face near `box_xyxy`, or None where there is none.

        Args:
            image: RGB frame.
            box_xyxy: (4,) where the face should be.
            roll: Radians from upright, positive clockwise.
            threshold: Least score.
        """
        centre, size = (box_xyxy[:2] + box_xyxy[2:]) / np.float32(2), float((box_xyxy[2:] - box_xyxy[:2]).max())
        if size < 4:
            return None
        patch, to_patch = _upright(image, centre, self._face_px / size, roll)
        seen = self._detector(patch, long_side=SIDE, threshold=threshold)
        near = [face for face in seen if self._is_expected(face.box_xyxy)]
        return _in_frame(min(near, key=lambda face: _apart(face.box_xyxy)), to_patch, roll) if near else None

    def _is_expected(self, box: Box) -> bool:
        """Tell whether a face in the cut-out is the one expected in its middle."""
        size = float((box[2:] - box[:2]).max())
        return _apart(box) < NEAR * self._face_px and self._face_px / ALIKE < size < self._face_px * ALIKE


def roll_of(seen: Detection) -> float:
    """Return how far a face is turned from upright, in radians, positive clockwise; 0 where it is not known."""
    if seen.landmarks is None:
        return 0.0
    eyes, mouth = seen.landmarks[:2].mean(axis=0), seen.landmarks[3:].mean(axis=0)
    down_x, down_y = (float(value) for value in mouth - eyes)
    return float(np.arctan2(-down_x, down_y))


def _upright(image: Image, middle: NDArray[np.float32], scale: float, roll: float) -> tuple[Image, Affine]:
    """Cut out a square around `middle` in which the face is upright and seen at `scale`.

    Beyond the frame the square is empty: an edge drawn out into streaks hides a face that the frame cuts from the
    network, which then finds 97 of 160 of them; in the empty room it finds 158.
    """
    height, width = image.shape[:2]
    x, y = (float(value) for value in middle)
    step = max(1, int(0.5 / scale))  # thin out near faces first: averaging all their pixels takes longer than the look
    reach = SIDE / scale / 2 * (1 + abs(np.sin(2 * roll)) * 0.42) + step
    left, top = int(np.clip(x - reach, 0, width - 1)), int(np.clip(y - reach, 0, height - 1))
    right, bottom = int(np.clip(x + reach, left + 1, width)), int(np.clip(y + reach, top + 1, height))
    part = image[top:bottom:step, left:right:step]
    cos, sin = np.cos(roll) * scale, np.sin(roll) * scale
    to_patch = np.array([[cos, sin, 0], [-sin, cos, 0]], np.float32)
    to_patch[:, 2] = SIDE / 2 - to_patch[:, :2] @ (x, y)
    from_part = to_patch.copy()
    from_part[:, :2] *= step
    from_part[:, 2] += to_patch[:, :2] @ (left, top)
    empty = (EMPTY, EMPTY, EMPTY)
    patch = cv2.warpAffine(
        part, from_part, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=empty
    )
    return np.asarray(patch, np.uint8), to_patch


def _apart(box: Box) -> float:
    """Return how far the middle of a box is from the middle of the cut-out."""
    return float(np.abs((box[:2] + box[2:]) / 2 - SIDE / 2).max())


def _in_frame(seen: Detection, to_patch: Affine, roll: float) -> Detection:
    """Bring a face of the cut-out back to the frame; its box is the one around the turned oval."""
    to_frame = cv2.invertAffineTransform(to_patch)
    low, high = seen.box_xyxy[:2], seen.box_xyxy[2:]
    centre = to_frame[:, :2] @ ((low + high) / 2) + to_frame[:, 2]
    wide, tall = (high - low) / 2 * np.hypot(to_frame[0, 0], to_frame[1, 0])
    cos, sin = np.cos(roll), np.sin(roll)
    half = np.array([np.hypot(wide * cos, tall * sin), np.hypot(wide * sin, tall * cos)])
    box = np.concatenate([centre - half, centre + half]).astype(np.float32)
    landmarks = None if seen.landmarks is None else seen.landmarks @ to_frame[:, :2].T + to_frame[:, 2]
    return Detection(box, seen.score, None if landmarks is None else np.asarray(landmarks, np.float32))
