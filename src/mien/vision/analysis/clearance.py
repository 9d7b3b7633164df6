"""Clearance: the evidence by which a face track earns the right to a treatment of its own.

A track starts as a stranger. It is cleared by unanimous samples, spaced in time and of good quality, whose mean is
alike enough. It keeps its clearance while further samples agree, and loses it at once on doubt. Only cleared tracks
have an identity, so a stranger's treatment is what doubt gets.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from mien.vision.analysis.appearance import Continuity
from mien.vision.analysis.embedder import Match
from mien.vision.analysis.landmarks import box_of_mesh, eye_distance, gape_of_mesh, yaw_of_mesh
from mien.vision.analysis.pooling import MatchOf, Pool, Sample
from mien.vision.types import Doubt, Embedding, FaceQuality, Image, Mesh

DARK_BELOW = 45.0
"""Mean grey value of a face from which on a lack of detail is the light's fault."""
_REMEMBERED = 6
"""So many samples that kept a clearance are compared with the next ones."""


@dataclass(frozen=True, slots=True)
class ClearanceRules:
    """What it takes to be recognised.

    Attributes:
        similarity: Smallest mean cosine of the samples to the enrolled person, where one person is enrolled.
        per_tenfold: By how much it rises with each tenfold of enrolled people: every one of them is a chance to err.
        slack: How far below that mean a single sample may lie.
        lopsided: By how much more alike a lopsided sample must be to clear somebody: some pairs of people look more
            alike turned or shouting than ahead.
        pooled: By how much more alike the mean embedding of the samples must be: noise cancels out in it, so that
            everybody is more alike, strangers too.
        pooled_slack: How far below that a single sample of it may lie.
        margin: Smallest lead over the runner-up.
        samples: How many agreeing samples in a row.
        spacing_s: Least time between two samples that count.
        patient_after: After so many samples in a row that spoke for nobody, they are taken less often.
        patient_spacing_s: How often then.
        renew_s: A cleared track is looked at again after this long.
        keep: Smallest cosine of a sample that confirms a clearance; a good sample below it ends the clearance.
        refute: A fair or lopsided sample below this ends the clearance; one between this and `keep` says nothing alone.
        keep_own: A lopsided sample keeps the clearance too where it is so alike to one of the last that kept it.
        expire_s: Without a sample that keeps it for this long, clearance ends.
        carry_s: It also ends after this long without a sample of `keep` at the enrolled person.
        min_eye_px: Least distance between the eyes of a good sample.
        max_yaw: Largest `yaw_of_mesh` of a good sample.
        max_gape: Widest `gape_of_mesh` of a good sample.
        fair_eye_px: The same for a fair sample.
        fair_yaw: The same for a fair sample.
        min_sharpness: Least variance of the Laplacian of the face, at 64 px.
        min_mesh_score: Least mesh score of a sample; below `keep_mesh_score` clearance ends.
        keep_mesh_score: See above.
        max_leap: Farthest a face may move from frame to frame, and most it may grow or shrink, as a share of its size.
        max_gap_s: Longest time between two frames of a cleared face.
        same_appearance: Least likeness of two appearances of a cleared face, one frame apart; below it, a sample is due
            at once. Of 14,878 pairs of people none reaches 0.909; most talking heads fall below in 1 to 3 % of frames.
    """

    similarity: float = 0.955
    per_tenfold: float = 0.006
    slack: float = 0.01
    lopsided: float = 0.005
    pooled: float = 0.005
    pooled_slack: float = 0.02
    margin: float = 0.015
    samples: int = 4
    spacing_s: float = 0.2
    patient_after: int = 6
    patient_spacing_s: float = 0.6
    renew_s: float = 0.4
    keep: float = 0.94
    refute: float = 0.9
    keep_own: float = 0.965
    expire_s: float = 2.0
    carry_s: float = 8.0
    min_eye_px: float = 18.0
    max_yaw: float = 0.45
    max_gape: float = 0.18
    fair_eye_px: float = 14.0
    fair_yaw: float = 0.65
    min_sharpness: float = 30.0
    min_mesh_score: float = 0.9
    keep_mesh_score: float = 0.5
    max_leap: float = 0.35
    max_gap_s: float = 0.25
    same_appearance: float = 0.92

    def wanted(self, enrolled: int) -> float:
        """Return the mean cosine that clears somebody among `enrolled` people.

        Example:
            >>> [round(ClearanceRules().wanted(people), 3) for people in (1, 10, 100)]
            [0.955, 0.961, 0.967]
        """
        return self.similarity + self.per_tenfold * float(np.log10(max(enrolled, 1)))


STILL = ClearanceRules(similarity=0.965, slack=0.0, margin=0.02, samples=1, spacing_s=0.0)
"""A still gives one sample only, so the sample must be better."""


@dataclass(slots=True)
class Clearance(Continuity):
    """The evidence about one face track.

    Attributes:
        identity: The enrolled person that it is cleared as, or None.
        doubt: Why it is not cleared; None where it is. It explains, and decides nothing.
    """

    identity: str | None = None
    doubt: Doubt | None = Doubt.UNSURE
    _candidate: str | None = None
    _last_identity: str | None = None
    _likeness: list[float] = field(default_factory=list)
    _unanimous: list[float] = field(default_factory=list)
    _pool: Pool = field(default_factory=Pool)
    _in_vain: int = 0
    _kept_by: list[Embedding] = field(default_factory=list)
    _last_sample: float = field(default=-1e9)
    _last_agreement: float = field(default=-1e9)
    _last_kept: float = field(default=-1e9)

    @property
    def likely_identity(self) -> str | None:
        """The person for whom the evidence speaks, cleared or not; after a doubt, for whom it spoke."""
        return self._candidate or self._pool.identity or self._last_identity

    def wants_sample(self, quality: FaceQuality, at: float, rules: ClearanceRules) -> bool:
        """Tell whether a sample is due and this frame good enough for it.

        After a sudden change of the appearance a sample is due however poor the frame, and only one that confirms the
        clearance keeps it.
        """
        if self.identity is None:
            wanted = FaceQuality.FAIR if rules.samples > 1 else FaceQuality.GOOD
            spacing_s = rules.spacing_s if self._in_vain < rules.patient_after else rules.patient_spacing_s
            return quality >= wanted and at - self._last_sample >= spacing_s
        if self._appearance_changed:
            return True
        return quality >= FaceQuality.FAIR and at - self._last_sample >= rules.renew_s

    def weigh(
        self,
        match: Match | None,
        quality: FaceQuality,
        at: float,
        rules: ClearanceRules,
        *,
        enrolled: int,
        embedding: Embedding | None = None,
        match_of: MatchOf | None = None,
    ) -> None:
        """Take the result of one sample.

        Args:
            match: Whom the face resembles most.
            quality: How well the frame shows it; a poor sample is doubt.
            at: When, in seconds.
            rules: What it takes.
            enrolled: How many people it was compared with.
            embedding: The sample itself, to compare later samples of this face track with; None compares none.
            match_of: Tells whom the mean of several samples resembles most; None pools none.
        """
        if match is None:
            self.revoke()
        elif self.identity is None:
            self._add_up(match, quality, at, rules, enrolled, embedding)
            if embedding is not None and match_of is not None:
                self._add_to_pool(Sample(embedding, quality, match), at, rules, enrolled, match_of)
            self._in_vain = 0 if self.likely_identity is not None else self._in_vain + 1
        elif not self._confirms(match, quality, at, rules, embedding):
            self.revoke()
        if match is not None and self.identity is None:
            self._explain(match, rules, enrolled)
        self._last_sample = at

    def _explain(self, match: Match, rules: ClearanceRules, enrolled: int) -> None:
        """Note why a sample did not clear the face."""
        if match.identity != self._last_identity or match.similarity < rules.refute:
            self._last_identity = None
        if self._candidate is not None or self._pool.identity is not None:
            self.doubt = Doubt.UNSURE
        elif match.similarity < rules.refute:
            self.doubt = Doubt.STRANGER
        elif match.margin < rules.margin and match.similarity >= rules.wanted(enrolled) - rules.slack:
            self.doubt = Doubt.AMBIGUOUS
        else:
            self.doubt = Doubt.UNLIKE

    def _add_up(
        self,
        match: Match,
        quality: FaceQuality,
        at: float,
        rules: ClearanceRules,
        enrolled: int,
        embedding: Embedding | None,
    ) -> None:
        """Add one sample to the evidence, or forget it all where it disagrees.

        A lopsided sample counts for less than its cosine. One that disagrees leaves the good ones, unless it speaks for
        somebody else: turned faces and grimaces are less alike to a calm photo.
        """
        if quality is FaceQuality.FAIR and rules.samples > 1:
            return  # too small to count by itself; the pool takes it
        wanted = rules.wanted(enrolled)
        likeness = match.similarity - (rules.lopsided if quality is FaceQuality.LOPSIDED else 0.0)
        alike = likeness >= wanted - rules.slack and match.margin >= rules.margin
        same = self._candidate in {None, match.identity}
        if quality is FaceQuality.LOPSIDED and not alike and match.similarity >= rules.refute and same:
            self._unanimous.clear()
            return
        if quality < FaceQuality.LOPSIDED or not alike or not same:
            self._forget_samples()
            return
        self._candidate = match.identity
        self._unanimous.append(likeness)
        if quality is FaceQuality.GOOD:
            self._likeness.append(likeness)
        # The mean of all samples, not of the last few: who tries for long gets no more chances than who is brief.
        for evidence in (self._likeness, self._unanimous):
            if len(evidence) >= rules.samples and float(np.mean(evidence)) >= wanted:
                self.identity, self.doubt = match.identity, None
        self._last_agreement = self._last_kept = at
        self._remember(embedding)

    def _add_to_pool(self, sample: Sample, at: float, rules: ClearanceRules, enrolled: int, match_of: MatchOf) -> None:
        """Let the mean of the samples speak, those of small faces too."""
        clears = self._pool.add(sample, rules, enrolled, match_of)
        if self._pool.identity is None:
            return
        self._last_agreement = self._last_kept = at
        if self.identity is None and clears:
            self.identity, self.doubt = self._pool.identity, None
            self._remember(sample.embedding)

    def _confirms(
        self, match: Match, quality: FaceQuality, at: float, rules: ClearanceRules, embedding: Embedding | None
    ) -> bool:
        """Tell whether a sample at a cleared face leaves no doubt, and let it renew the clearance if it confirms it.

        Looks of this very face track are compared too, since a grimace is more alike to the last moment's than to a
        photo. They only keep what the enrolled person's photo has cleared, for `carry_s`, and are forgotten with it.
        """
        if match.identity != self.identity or quality is FaceQuality.POOR:
            return False
        if match.similarity >= rules.keep:
            self._last_agreement = self._last_kept = at
        elif quality is FaceQuality.GOOD or match.similarity < rules.refute:
            return False
        elif quality is FaceQuality.LOPSIDED and self._is_like_before(embedding, rules):
            self._last_agreement = at
        else:
            return not self._appearance_changed
        self._remember(embedding)
        return True

    def _is_like_before(self, embedding: Embedding | None, rules: ClearanceRules) -> bool:
        return embedding is not None and any(float(np.vdot(own, embedding)) >= rules.keep_own for own in self._kept_by)

    def _remember(self, embedding: Embedding | None) -> None:
        if embedding is not None:
            self._kept_by = [*self._kept_by, embedding][-_REMEMBERED:]

    def tick(self, at: float, rules: ClearanceRules) -> None:
        """Forget evidence, and with it a clearance, that nothing has confirmed for too long."""
        if at - self._last_agreement > rules.expire_s or at - self._last_kept > rules.carry_s:
            self.revoke()

    def forget(self) -> None:
        """Forget all evidence, and for whom it spoke."""
        self.revoke()
        self._last_identity = None

    def revoke(self) -> None:
        """Forget all evidence: whoever this is starts again as a stranger."""
        if self.identity is not None:
            self._last_identity, self.doubt = self.identity, Doubt.UNSURE
        self.identity = None
        self._pool.forget()
        self._forget_samples()

    def _forget_samples(self) -> None:
        """Forget what samples said one by one."""
        self._candidate = None
        self._likeness.clear()
        self._unanimous.clear()
        self._kept_by.clear()


def face_quality_of(image: Image, mesh: Mesh, mesh_score: float, rules: ClearanceRules) -> FaceQuality:
    """Return how well this frame shows the face."""
    return judged(image, mesh, mesh_score, rules)[0]


def judged(image: Image, mesh: Mesh, mesh_score: float, rules: ClearanceRules) -> tuple[FaceQuality, Doubt | None]:
    """Return how well this frame shows the face, and what keeps it from clearing anybody."""
    eyes_px, yaw = eye_distance(mesh), yaw_of_mesh(mesh)
    if eyes_px < rules.fair_eye_px:
        return FaceQuality.POOR, Doubt.TOO_SMALL
    if yaw > rules.fair_yaw:
        return FaceQuality.POOR, Doubt.TURNED
    if mesh_score < rules.min_mesh_score:
        return FaceQuality.POOR, Doubt.COVERED
    if laplacian_variance(image, mesh) < rules.min_sharpness:
        return FaceQuality.POOR, Doubt.DARK if brightness(image, mesh) < DARK_BELOW else Doubt.BLURRED
    is_straight = yaw <= rules.max_yaw and gape_of_mesh(mesh) <= rules.max_gape
    if eyes_px < rules.min_eye_px:
        return FaceQuality.FAIR, None if is_straight else Doubt.TOO_SMALL
    return FaceQuality.GOOD if is_straight else FaceQuality.LOPSIDED, None


def brightness(image: Image, mesh: Mesh) -> float:
    """Return the mean of the face's grey values, 0 to 255; 0 for a face out of the frame."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = np.clip(box_of_mesh(mesh), 0, [width, height, width, height]).astype(int)
    return float(image[y0:y1, x0:x1].mean()) if x1 > x0 and y1 > y0 else 0.0


def laplacian_variance(image: Image, mesh: Mesh) -> float:
    """Return the variance of the Laplacian of the face at 64 px; a face out of the frame scores 0."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = np.clip(box_of_mesh(mesh), 0, [width, height, width, height]).astype(int)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return 0.0
    grey = cv2.cvtColor(cv2.resize(image[y0:y1, x0:x1], (64, 64), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())
