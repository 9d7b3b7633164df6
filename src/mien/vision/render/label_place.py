"""Where the label stands: in a corner that is free of faces, and steadily there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.alignment import FIVE_OF_MESH
from mien.vision.types import Box, Mesh

SAFE_MARGIN: Final = 0.05
"""EBU R 95: graphics stay inside 90 % of the width and height, where no screen cuts them off."""
PLACES: Final = ((1.0, 0.0), (0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.5, 0.0), (0.5, 1.0), (1.0, 0.5), (0.0, 0.5))
"""Where in the safe area a label may stand, from left (0) to right and from top (0) to bottom, the best first."""
FREE_FOR_S: Final = 0.5
"""The label leaves a face only for a place that was free for so long."""
STAYS_FOR_S: Final = 2.0
"""The label stays for so long before it leaves a face; a moving label cannot be read."""
FORGETS_AFTER_S: Final = 1.5
"""A label that was not drawn for so long begins anew, in the best place."""
EYE_SHARE, MOUTH_SHARE = 0.32, 0.28
"""Half the side of an eye's box, and the room around the corners of a mouth, over the distance between the eyes."""


@dataclass(frozen=True, slots=True)
class InTheWay:
    """What the label should not cover.

    Attributes:
        faces: Boxes of all faces; the label stands elsewhere where it can.
        features: Boxes of the eyes and mouths that are meant to be seen; it is never drawn over them, if any place
            is free of them.
    """

    faces: Sequence[Box] = ()
    features: Sequence[Box] = ()


NOTHING: Final = InTheWay()


def features_of(mesh: Mesh) -> list[Box]:
    """Return boxes around the image-left eye, the image-right eye and the mouth of a mesh, in pixels."""
    left, right, _nose, *mouth = (mesh[list(group), :2].mean(axis=0) for group in FIVE_OF_MESH)
    apart = max(float(np.hypot(*(right - left))), float(np.ptp(mesh[:, 1])) / 3)  # in profile the eyes are close
    corners = np.array(mouth)
    eye, lips = np.float32(EYE_SHARE * apart), np.float32(MOUTH_SHARE * apart)
    boxes = [(point - eye, point + eye) for point in (left, right)]
    boxes.append((corners.min(axis=0) - lips, corners.max(axis=0) + lips))
    return [np.concatenate(box).astype(np.float32) for box in boxes]


class LabelPlace:
    """Chooses the place of the label of one stream, frame by frame."""

    def __init__(self) -> None:
        self._place = 0
        self._since = self._drawn_at = -np.inf
        self._free_since: dict[int, float] = {}

    def __call__(
        self, size_wh: tuple[int, int], label_wh: tuple[int, int], way: InTheWay, *, at: float
    ) -> tuple[int, int]:
        """Return left and top of the label in this frame.

        Args:
            size_wh: Size of the frame in pixels.
            label_wh: Size of the label in pixels.
            way: What is in this frame.
            at: Capture time in seconds.
        """
        boxes = _boxes(size_wh, label_wh)
        features, faces = _covered(boxes, way.features), _covered(boxes, way.faces)
        best = int(np.lexsort((np.arange(len(boxes)), faces, features))[0])
        is_free = (features + faces) == 0
        self._free_since = {i: self._free_since.get(i, at) for i in np.flatnonzero(is_free).tolist()}
        if not 0 <= at - self._drawn_at < FORGETS_AFTER_S or features[self._place] > features[best]:
            self._move(best, at)
        elif not is_free[self._place] and at - self._since >= STAYS_FOR_S:
            lasting = [i for i, since in self._free_since.items() if at - since >= FREE_FOR_S]
            if lasting:
                self._move(min(lasting), at)
        self._drawn_at = at
        return int(boxes[self._place][0]), int(boxes[self._place][1])

    def _move(self, place: int, at: float) -> None:
        self._place, self._since = place, at


def _boxes(size_wh: tuple[int, int], label_wh: tuple[int, int]) -> NDArray[np.float32]:
    """Return the label's box in each place, (8, 4) whole pixels."""
    size, label = np.array(size_wh), np.array(label_wh)
    margin = np.round(size * SAFE_MARGIN)
    corners = np.round(margin + np.array(PLACES) * (size - 2 * margin - label))
    return np.concatenate([corners, corners + label], axis=1).astype(np.float32)


def _covered(boxes: NDArray[np.float32], others: Sequence[Box]) -> NDArray[np.float32]:
    """Return how many pixels of `others` each of `boxes` covers."""
    if not len(others):
        return np.zeros(len(boxes), np.float32)
    other = np.array(others, np.float32)
    low = np.maximum(boxes[:, None, :2], other[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], other[None, :, 2:])
    return np.asarray(np.prod(np.maximum(high - low, 0), axis=2).sum(axis=1), np.float32)
