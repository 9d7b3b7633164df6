"""Overlay mask: where in a frame a persona hides everything, so that a cover drawn over it would hide nothing more."""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.geometry import mesh_size
from mien.vision.mesh.topology import EYE_LEFT, EYE_RIGHT, MOUTH, OVAL
from mien.vision.types import Matte, Mesh, Points

__all__ = ["OverlayMask"]

_WHOLE: Final = 0.99
"""Opacity from which on nothing of what lies below is left."""
_AROUND, _LEAST_ROOM_PX = 0.06, 3.0
"""How far beyond eyes and mouth the soft edge of their openings may reach, in distances of the outer eye corners, and
how wide the ring of persona around it must be: a hand or a head before the face leaves no such ring."""
_CLOSED: Final = 0.5
"""How much of that ring the persona must hide: beside the far eye of a turned face it fades out."""
_LEAST: Final = 0.4
"""How much of the face's oval the persona must hide wholly; its soft edges and a fringe take a third of the best."""
_EDGE: Final = 0.02
"""How far inside its edge a persona stands fully before a cover, in the same unit."""

Part = tuple[slice, slice]
"""Rows and columns of a frame."""


@dataclass(frozen=True, slots=True, eq=False)
class OverlayMask:
    """A persona as it was drawn into a frame.

    Attributes:
        part: The pixels of the frame that the drawing may have touched.
        alpha: (H, W) of the part: how much the persona hides, 0 to 1.
        mesh: Landmarks in pixels of the part.
    """

    part: Part
    alpha: Matte
    mesh: Mesh

    def meets(self, area_xyxy: tuple[int, int, int, int]) -> bool:
        """Tell whether the drawing and an area share pixels."""
        rows, cols = self.part
        x0, y0, x1, y1 = area_xyxy
        return bool(x0 < cols.stop and cols.start < x1 and y0 < rows.stop and rows.start < y1)

    def below(self, other: "OverlayMask") -> "OverlayMask":
        """Return what is left of it where another persona may have been drawn over it."""
        rows, cols = self.part
        over_rows, over_cols = other.part
        alpha = self.alpha.copy()
        alpha[
            max(over_rows.start - rows.start, 0) : max(over_rows.stop - rows.start, 0),
            max(over_cols.start - cols.start, 0) : max(over_cols.stop - cols.start, 0),
        ] = 0
        return replace(self, alpha=alpha)

    def opaque(self) -> Matte:
        """Return how surely each pixel of the part shows the persona alone: 0 wherever anything else shows.

        Live eyes and the inner mouth, where the persona lies all around them, belong to it. A persona without its eyes,
        or with too little of a face, would be a torn one: then it is 0 everywhere.
        """
        hides = (self.alpha >= _WHOLE).astype(np.uint8)
        eyes_apart = mesh_size(self.mesh)
        room = max(_LEAST_ROOM_PX, _AROUND * eyes_apart)
        eyes = [self._close(hides, self.mesh[eye, :2], room) for eye in (EYE_LEFT, EYE_RIGHT)]
        self._close(hides, self.mesh[MOUTH, :2], room)
        face = np.zeros_like(hides)
        cv2.fillPoly(face, [np.round(self.mesh[OVAL, :2] * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
        if not all(eyes) or not face.any() or float(hides[face > 0].mean()) < _LEAST:
            return np.zeros_like(self.alpha)
        # The picture's edge is no edge of the persona.
        depth = cv2.distanceTransform(hides, cv2.DIST_L2, cv2.DIST_MASK_3)
        return np.asarray(np.minimum(depth / np.float32(max(_EDGE * eyes_apart, 1.0)), 1), np.float32)

    @staticmethod
    def _close(hides: NDArray[np.uint8], edge: Points, room: float) -> bool:
        """Fill an opening around which the persona lies on all sides; say whether it does."""
        hole = np.zeros_like(hides)
        corners = np.round(edge * 16).astype(np.int32)
        cv2.fillPoly(hole, [corners], 1, cv2.LINE_8, 4)
        thick = max(1, round(room))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * thick + 1, 2 * thick + 1))
        inner = cv2.dilate(hole, kernel)
        ring = cv2.dilate(inner, kernel) - inner
        closed = bool(ring.any()) and float(hides[ring > 0].mean()) >= _CLOSED
        if closed:
            hides[inner > 0] = 1
        return closed
