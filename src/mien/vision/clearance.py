"""Clearance: the evidence by which a face track earns the right to a treatment of its own.

A track starts as a stranger. It is cleared by unanimous looks, spaced in time and of good quality, whose mean is
alike enough. It keeps its clearance while further looks agree, and loses it at once on doubt. Only cleared tracks
have an identity, so a stranger's treatment is what doubt gets.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.alignment import crop_aligned, five_landmarks
from mien.vision.embedder import Match
from mien.vision.faces import Box, Image, Mesh, Points
from mien.vision.landmarks import box_of_mesh, eye_distance, yaw_of_mesh


class Sight(IntEnum):
    """How well a frame shows a face."""

    POOR = 0
    """Nobody can be told by it."""
    FAIR = 1
    """Turned or small: it can speak against somebody known, or for them, but clears nobody."""
    GOOD = 2


@dataclass(frozen=True, slots=True)
class ClearanceRules:
    """What it takes to be recognised.

    Attributes:
        similarity: Smallest mean cosine of the looks to the enrolled person, where one person is enrolled.
        per_tenfold: By how much it rises with each tenfold of enrolled people: every one of them is a chance to err.
        slack: How far below that mean a single look may lie.
        margin: Smallest lead over the runner-up.
        looks: How many agreeing looks in a row.
        spacing_s: Least time between two looks that count.
        renew_s: A cleared track is looked at again after this long.
        keep: Smallest cosine of a look that confirms a clearance; a good look below it ends the clearance.
        refute: A fair look below this ends the clearance; one between this and `keep` says nothing.
        expire_s: Without a look that confirms it for this long, clearance ends.
        min_eye_px: Least distance between the eyes of a good look.
        max_yaw: Largest `yaw_of_mesh` of a good look.
        fair_eye_px: The same for a fair look.
        fair_yaw: The same for a fair look.
        min_sharpness: Least variance of the Laplacian of the face, at 64 px.
        min_mesh_score: Least mesh score of a look; below `keep_mesh_score` clearance ends.
        keep_mesh_score: See above.
        max_leap: Farthest a face may move from frame to frame, and most it may grow or shrink, as a share of its size.
        max_gap_s: Longest time between two frames of a cleared face.
        same_picture: Least likeness of two glimpses of a cleared face, one frame apart; below it, it is looked at again
            at once. Of 14,878 pairs of people none reaches 0.909; most talking heads fall below in 1 to 3 % of frames.
    """

    similarity: float = 0.955
    per_tenfold: float = 0.006
    slack: float = 0.01
    margin: float = 0.015
    looks: int = 4
    spacing_s: float = 0.2
    renew_s: float = 0.4
    keep: float = 0.94
    refute: float = 0.9
    expire_s: float = 2.0
    min_eye_px: float = 18.0
    max_yaw: float = 0.45
    fair_eye_px: float = 14.0
    fair_yaw: float = 0.65
    min_sharpness: float = 30.0
    min_mesh_score: float = 0.9
    keep_mesh_score: float = 0.5
    max_leap: float = 0.35
    max_gap_s: float = 0.25
    same_picture: float = 0.92

    def wanted(self, enrolled: int) -> float:
        """Return the mean cosine that clears somebody among `enrolled` people.

        Example:
            >>> [round(ClearanceRules().wanted(people), 3) for people in (1, 10, 100)]
            [0.955, 0.961, 0.967]
        """
        return self.similarity + self.per_tenfold * float(np.log10(max(enrolled, 1)))


STILL = ClearanceRules(similarity=0.965, slack=0.0, margin=0.02, looks=1, spacing_s=0.0)
"""A still gives one look only, so the look must be better."""


Glimpse: TypeAlias = NDArray[np.float32]
"""A small grey picture of an aligned face, less its mean, of L2 norm 1."""
_GLIMPSE = 32
_GLIMPSE_TEMPLATE: Points = np.array([[10, 12], [22, 12], [16, 18], [11.5, 24], [20.5, 24]], np.float32)


@dataclass(slots=True)
class Clearance:
    """The evidence about one face track."""

    identity: str | None = None
    _candidate: str | None = None
    _likeness: list[float] = field(default_factory=list)
    _last_look: float = field(default=-1e9)
    _last_agreement: float = field(default=-1e9)
    _place: tuple[Box, float] | None = None
    _glimpse: Glimpse | None = None
    _startled: bool = False

    def wants_look(self, sight: Sight, at: float, rules: ClearanceRules) -> bool:
        """Tell whether a look is due and this frame good enough for it.

        After a sudden change of the face's picture a look is due however poor the frame, and only a look that confirms
        the clearance keeps it.
        """
        if self.identity is None:
            return sight is Sight.GOOD and at - self._last_look >= rules.spacing_s
        if self._startled:
            return True
        return sight >= Sight.FAIR and at - self._last_look >= rules.renew_s

    def weigh(self, match: Match | None, sight: Sight, at: float, rules: ClearanceRules, *, enrolled: int) -> None:
        """Take the result of one look.

        Args:
            match: Whom the face resembles most.
            sight: How well the frame shows it; a poor look is doubt.
            at: When, in seconds.
            rules: What it takes.
            enrolled: How many people it was compared with.
        """
        agrees = self._confirms if self.identity is not None else self._adds_up
        if match is None or not agrees(match, sight, at, rules, enrolled):
            self.revoke()
        self._last_look = at

    def _adds_up(self, match: Match, sight: Sight, at: float, rules: ClearanceRules, enrolled: int) -> bool:
        """Add one look to the evidence; tell whether it agrees with what there is."""
        wanted = rules.wanted(enrolled)
        alike = match.similarity >= wanted - rules.slack and match.margin >= rules.margin
        if sight is not Sight.GOOD or not alike or self._candidate not in {None, match.identity}:
            return False
        self._candidate = match.identity
        self._likeness.append(match.similarity)
        # The mean of all looks, not of the last few: who tries for long gets no more chances than who is brief.
        if len(self._likeness) >= rules.looks and float(np.mean(self._likeness)) >= wanted:
            self.identity = match.identity
        self._last_agreement = at
        return True

    def _confirms(self, match: Match, sight: Sight, at: float, rules: ClearanceRules, _enrolled: int) -> bool:
        """Tell whether a look at a cleared face leaves no doubt, and let it renew the clearance if it confirms it."""
        if match.identity != self.identity or sight is Sight.POOR:
            return False
        if match.similarity >= rules.keep:
            self._last_agreement = at
            return True
        return sight is Sight.FAIR and match.similarity >= rules.refute and not self._startled

    def follows(self, box: Box, at: float, rules: ClearanceRules) -> bool:
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

    def watch(self, glimpse: Glimpse, rules: ClearanceRules) -> None:
        """Compare the face's picture with the last frame's: another face in the same place startles."""
        last, self._glimpse = self._glimpse, glimpse
        self._startled = last is None or float(np.vdot(last, glimpse)) < rules.same_picture

    def tick(self, at: float, rules: ClearanceRules) -> None:
        """Forget evidence, and with it a clearance, that nothing has confirmed for too long."""
        if at - self._last_agreement > rules.expire_s:
            self.revoke()

    def revoke(self) -> None:
        """Forget all evidence: whoever this is starts again as a stranger."""
        self.identity = self._candidate = None
        self._likeness.clear()


def glimpse_of(image: Image, mesh: Mesh) -> Glimpse:
    """Return the face as a picture that changes little from frame to frame, however it moves."""
    crop = crop_aligned(image, five_landmarks(mesh), _GLIMPSE_TEMPLATE, _GLIMPSE)
    grey = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (3, 3), 0).astype(np.float32)[4:, 3:-3]
    grey -= grey.mean()
    return np.asarray(grey / max(float(np.linalg.norm(grey)), 1e-6), np.float32)


def sight_of(image: Image, mesh: Mesh, mesh_score: float, rules: ClearanceRules) -> Sight:
    """Return how well this frame shows the face."""
    eyes_px, yaw = eye_distance(mesh), yaw_of_mesh(mesh)
    if mesh_score < rules.min_mesh_score or eyes_px < rules.fair_eye_px or yaw > rules.fair_yaw:
        return Sight.POOR
    if sharpness(image, mesh) < rules.min_sharpness:
        return Sight.POOR
    return Sight.GOOD if eyes_px >= rules.min_eye_px and yaw <= rules.max_yaw else Sight.FAIR


def sharpness(image: Image, mesh: Mesh) -> float:
    """Return the variance of the Laplacian of the face at 64 px; a face out of the frame scores 0."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = np.clip(box_of_mesh(mesh), 0, [width, height, width, height]).astype(int)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return 0.0
    grey = cv2.cvtColor(cv2.resize(image[y0:y1, x0:x1], (64, 64), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())
