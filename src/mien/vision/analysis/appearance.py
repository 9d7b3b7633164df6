"""Continuity: whether the face of this frame can be the face of the last one, by its place and its picture."""

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.alignment import crop_aligned, five_landmarks
from mien.vision.types import Box, Image, Mesh, Points

Appearance: TypeAlias = NDArray[np.float32]
"""A small grey picture of an aligned face, less its mean, of L2 norm 1."""
_APPEARANCE = 32
_APPEARANCE_TEMPLATE: Points = np.array([[10, 12], [22, 12], [16, 18], [11.5, 24], [20.5, 24]], np.float32)


class ContinuityRules(Protocol):
    """What it takes to be continuous."""

    @property
    def max_leap(self) -> float:
        """Farthest a face may move from frame to frame, and most it may grow or shrink, as a share of its size."""
        ...

    @property
    def max_gap_s(self) -> float:
        """Longest time between two frames of one face."""
        ...

    @property
    def same_appearance(self) -> float:
        """Least likeness of two appearances of one face, one frame apart."""
        ...


@dataclass(slots=True)
class Continuity:
    """Where one face track was in the last frame, and what it looked like there."""

    _place: tuple[Box, float] | None = field(default=None, init=False)
    _appearance: Appearance | None = field(default=None, init=False)
    _appearance_changed: bool = field(default=False, init=False)

    def follows(self, box: Box, at: float, rules: ContinuityRules) -> bool:
        """Take the face's place in this frame; tell whether the face of the last frame can have moved there.

        Args:
            box: (4,) pixels.
            at: When, in seconds.
            rules: `max_leap` and `max_gap_s`.
        """
        last, self._place = self._place, (box, at)
        if last is None:
            return True
        before, seen_at = last
        size_before, size = float(np.ptp(before[[1, 3]])), float(np.ptp(box[[1, 3]]))
        smaller, larger = sorted((max(size_before, 1.0), max(size, 1.0)))
        moved = float(np.linalg.norm((box[:2] + box[2:] - before[:2] - before[2:]) / 2))
        near = moved <= rules.max_leap * smaller and larger <= (1 + rules.max_leap) * smaller
        return near and at - seen_at <= rules.max_gap_s

    def watch(self, appearance: Appearance, rules: ContinuityRules) -> None:
        """Compare the face's picture with the last frame's: another face in the same place startles."""
        last, self._appearance = self._appearance, appearance
        self._appearance_changed = last is None or float(np.vdot(last, appearance)) < rules.same_appearance

    @property
    def appearance_changed(self) -> bool:
        """True where the face's picture changed suddenly, or is the first."""
        return self._appearance_changed


def appearance_of(image: Image, mesh: Mesh) -> Appearance:
    """Return the face as a picture that changes little from frame to frame, however it moves."""
    crop = crop_aligned(image, five_landmarks(mesh), _APPEARANCE_TEMPLATE, _APPEARANCE)
    grey = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (3, 3), 0).astype(np.float32)[4:, 3:-3]
    grey -= grey.mean()
    return np.asarray(grey / max(float(np.linalg.norm(grey)), 1e-6), np.float32)
