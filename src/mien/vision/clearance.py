"""Clearance: the evidence by which a face track earns the right to a treatment of its own.

A track starts as a stranger. It is cleared by unanimous looks, spaced in time and of good quality; it loses its
clearance at once on doubt. Only cleared tracks have an identity, so a stranger's treatment is what doubt gets.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from mien.vision.embedder import Match
from mien.vision.faces import Image, Mesh
from mien.vision.landmarks import box_of_mesh, eye_distance, yaw_of_mesh


@dataclass(frozen=True, slots=True)
class ClearanceRules:
    """What it takes to be recognised.

    Attributes:
        similarity: Smallest cosine to the enrolled person.
        margin: Smallest lead over the runner-up.
        looks: How many agreeing looks in a row.
        spacing_s: Least time between two looks that count.
        renew_s: A cleared track is looked at again after this long.
        expire_s: Without an agreeing look for this long, clearance ends.
        min_eye_px: Least distance between the eyes; below it no look counts.
        max_yaw: Largest `yaw_of_mesh` of a look that counts.
        min_sharpness: Least variance of the Laplacian of the face, at 64 px.
        min_mesh_score: Least mesh score of a look that counts; below `keep_mesh_score` clearance ends.
        keep_mesh_score: See above.
    """

    similarity: float = 0.945
    margin: float = 0.01
    looks: int = 3
    spacing_s: float = 0.15
    renew_s: float = 1.0
    expire_s: float = 2.5
    min_eye_px: float = 18.0
    max_yaw: float = 0.45
    min_sharpness: float = 12.0
    min_mesh_score: float = 0.8
    keep_mesh_score: float = 0.5


STILL = ClearanceRules(similarity=0.955, margin=0.015, looks=1, spacing_s=0.0)
"""A still gives one look only, so the look must be better."""


@dataclass(slots=True)
class Clearance:
    """The evidence about one face track."""

    identity: str | None = None
    _candidate: str | None = None
    _agreeing: int = 0
    _last_look: float = field(default=-1e9)
    _last_agreement: float = field(default=-1e9)

    def wants_look(self, at: float, rules: ClearanceRules) -> bool:
        """Tell whether another look is due."""
        return at - self._last_look >= (rules.spacing_s if self.identity is None else rules.renew_s)

    def weigh(self, match: Match | None, at: float, rules: ClearanceRules) -> None:
        """Take the result of one look of good quality."""
        self._last_look = at
        surely = match is not None and match.similarity >= rules.similarity and match.margin >= rules.margin
        if match is None or not surely or (self._candidate not in {None, match.identity}):
            self.revoke()
            self._last_look = at
            return
        self._candidate = match.identity
        self._agreeing += 1
        self._last_agreement = at
        if self._agreeing >= rules.looks:
            self.identity = match.identity

    def tick(self, at: float, rules: ClearanceRules) -> None:
        """End a clearance that nothing has confirmed for too long."""
        if self.identity is not None and at - self._last_agreement > rules.expire_s:
            self.revoke()

    def revoke(self) -> None:
        """Forget all evidence: whoever this is starts again as a stranger."""
        self.identity = self._candidate = None
        self._agreeing = 0


def good_look(image: Image, mesh: Mesh, mesh_score: float, rules: ClearanceRules) -> bool:
    """Tell whether this frame shows the face well enough to be recognised by."""
    return (
        mesh_score >= rules.min_mesh_score
        and eye_distance(mesh) >= rules.min_eye_px
        and yaw_of_mesh(mesh) <= rules.max_yaw
        and sharpness(image, mesh) >= rules.min_sharpness
    )


def sharpness(image: Image, mesh: Mesh) -> float:
    """Return the variance of the Laplacian of the face at 64 px; a face out of the frame scores 0."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = np.clip(box_of_mesh(mesh), 0, [width, height, width, height]).astype(int)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return 0.0
    grey = cv2.cvtColor(cv2.resize(image[y0:y1, x0:x1], (64, 64), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())
