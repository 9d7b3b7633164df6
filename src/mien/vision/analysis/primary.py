"""The one person a swap is bound to: chosen once, known again by the embedding, never exchanged for another.

The face that is largest when the swap begins is chosen. Its face track wears the persona while it is followed without a
doubt. After a doubt, or where the person was out of sight, nobody wears it until a face is surely the same one again.
Embeddings are costly (3 to 8 ms), so they are taken where identity is in question, spaced, one a frame.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from mien.errors import ShapeError
from mien.vision.analysis.appearance import Continuity, appearance_of
from mien.vision.analysis.clearance import ClearanceRules, face_quality_of
from mien.vision.analysis.landmarks import box_of_mesh
from mien.vision.analysis.tracker import FaceTrack
from mien.vision.ports import Embedder
from mien.vision.types import Box, Embedding, FaceQuality, Image, Mesh


@dataclass(frozen=True, slots=True)
class PrimaryRules:
    """What it takes to be chosen, to stay so, and to be known again.

    Attributes:
        steady_frames: A face is chosen after so many frames, in the first and last of which it is known as the same.
        patience_s: For so long a larger face that cannot be known yet holds back a smaller one that can.
        near_largest: A face that is to be chosen stays so while it has this share of the largest one's area.
        at_once: Cosine from which one embedding tells the chosen person.
        same: Mean cosine of the last `samples` embeddings of a face track from which they tell the chosen person; and
            least cosine of the wearer's where something happened that could have exchanged the face.
        samples: See above.
        keep: Least cosine of the wearer's embedding while another face crosses, and of one that is learnt.
        refute: Least cosine of the wearer's embedding where nothing did; people who pull faces fall below `keep`.
        novel: The wearer's embeddings below this cosine are learnt: another pose, another light.
        learnt: How many are kept beside the first ones.
        spacing_s: Least time between two embeddings of one face track; half of it after a doubt and while faces cross.
        patient_after: So many embeddings later a face track that was not the person is asked less often.
        patient_spacing_s: How often then.
        renew_s: The wearer's face is compared again after this long.
        max_leap: Farthest a face may move from frame to frame, and most it may grow or shrink, as a share of its size.
        max_gap_s: Longest time between two frames of a face that needs no new comparison.
        same_appearance: Least likeness of two appearances of one face, one frame apart.
    """

    steady_frames: int = 4
    patience_s: float = 1.0
    near_largest: float = 0.8
    at_once: float = 0.97
    same: float = 0.96
    samples: int = 3
    keep: float = 0.94
    refute: float = 0.9
    novel: float = 0.985
    learnt: int = 8
    spacing_s: float = 0.2
    patient_after: int = 6
    patient_spacing_s: float = 0.6
    renew_s: float = 1.0
    max_leap: float = 0.35
    max_gap_s: float = 0.25
    same_appearance: float = 0.92


@dataclass(frozen=True, slots=True)
class PrimaryPerson:
    """What the chosen person looks like. It stays in memory and is never written anywhere.

    Attributes:
        first: Embeddings taken when the person was chosen; they stay.
        learnt: Embeddings taken later, newest last.
    """

    first: tuple[Embedding, ...]
    learnt: tuple[Embedding, ...] = ()

    def likeness(self, embedding: Embedding) -> float:
        """Return the cosine of `embedding` to the nearest of the person's own."""
        return max(float(np.vdot(own, embedding)) for own in (*self.first, *self.learnt))

    def having_learnt(self, embedding: Embedding, most: int) -> "PrimaryPerson":
        """Return the person with one more embedding; the oldest of more than `most` is forgotten."""
        return PrimaryPerson(self.first, (*self.learnt, embedding)[-most:])


@dataclass(slots=True)
class _Trace(Continuity):
    """What is known of one face track.

    Attributes:
        since: It has been followed without a doubt since then; None where this frame does not show it well enough.
        embedded_at: When its last embedding was taken.
        embedded: How many were.
        likeness: The last ones' cosines to the chosen person, all taken since `since`.
    """

    since: float | None = None
    embedded_at: float = -np.inf
    embedded: int = 0
    likeness: list[float] = field(default_factory=list)

    def break_off(self, since: float | None) -> None:
        """Trust nothing from before: from here on it may be another face."""
        self.since = since
        self.likeness.clear()


@dataclass(slots=True)
class _Candidate:
    """The face that is to be chosen: where it is, and what it looked like first."""

    face_track_id: int
    embedding: Embedding
    frames: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which face of a frame is the chosen person.

    Attributes:
        wearer: Its face track, or None: then nobody wears the persona.
        since: From this time on the wearer's face track has surely been the same face.
        refuted: A face track that wore the persona and turns out to be somebody else, or None.
    """

    wearer: int | None = None
    since: float = np.inf
    refuted: int | None = None


class PrimaryFace:
    """Tell in each frame which face is the chosen person.

    Args:
        embed: Turns a face into a unit vector.
        rules: What it takes.

    Attributes:
        person: Who was chosen; None where nobody is yet.
        asked: The face track to choose instead; None where it was, or is gone. May be set from any thread.
    """

    def __init__(self, embed: Embedder, rules: PrimaryRules | None = None) -> None:
        self._embed, self._rules = embed, rules or PrimaryRules()
        self._quality_rules = ClearanceRules()
        self._traces: dict[int, _Trace] = {}
        self._candidate: _Candidate | None = None
        self._held_back_since: float | None = None
        self._wearer: int | None = None
        self._taken_up: int | None = None
        self.person: PrimaryPerson | None = None
        self.asked: int | None = None

    def forget_tracks(self) -> None:
        """Begin a new scene: whoever is in it must be known again."""
        self._traces.clear()
        self._wearer = None

    def __call__(self, image: Image, tracks: Sequence[FaceTrack], at: float, others: Collection[int] = ()) -> Verdict:
        """Return which of `tracks` is the chosen person.

        Args:
            image: The untreated frame.
            tracks: Its faces.
            at: Its capture time in seconds.
            others: Face tracks of enrolled people, who have a treatment of their own and are not to be chosen.
        """
        self._take_up_asked([track.id for track in tracks if track.id not in others])
        before = self._wearer
        if before in others:  # an enrolled person who had not been recognised yet: the swap has not begun
            self.person = self._wearer = self._candidate = None
        for track in tracks:
            self._follow(image, track, at)
        self._traces = {track.id: self._traces[track.id] for track in tracks}
        free = sorted((track for track in tracks if track.id not in others), key=_area, reverse=True)
        if self.person is None:
            self._choose(image, free, at)
        else:
            refuted = self._check(image, next((track for track in free if track.id == self._wearer), None), at)
            if refuted:
                self._wearer = None
                return Verdict(refuted=before)
            if self._wearer is None:
                self._find(image, free, at)
        since = None if self._wearer is None else self._traces[self._wearer].since
        return Verdict() if since is None else Verdict(self._wearer, since)

    def _take_up_asked(self, free: Collection[int]) -> None:
        """Choose anew where somebody asked for a face; one that is gone, or has a rule of its own, is nobody's."""
        asked = self.asked = self.asked if self.asked in free else None
        if asked is not None and asked != self._taken_up:
            self.person = self._wearer = self._candidate = None
        self._taken_up = asked

    # --- following -------------------------------------------------------------------------------------------

    def _follow(self, image: Image, track: FaceTrack, at: float) -> None:
        """Note whether the face can have been exchanged since the last frame."""
        trace = self._traces.setdefault(track.id, _Trace())
        if not track.seen or track.mesh is None or track.mesh_score < self._quality_rules.keep_mesh_score:
            trace.break_off(None)
            return
        follows = trace.follows(box_of_mesh(track.mesh), at, self._rules)
        trace.watch(appearance_of(image, track.mesh), self._rules)
        if trace.since is None or not follows or trace.appearance_changed:
            trace.break_off(at)

    def _quality_of(self, image: Image, track: FaceTrack) -> FaceQuality:
        if track.mesh is None or self._traces[track.id].since is None:
            return FaceQuality.POOR
        return face_quality_of(image, track.mesh, track.mesh_score, self._quality_rules)

    def _likeness(self, image: Image, track: FaceTrack, person: PrimaryPerson, at: float) -> tuple[float, Embedding]:
        """Embed the face; return its cosine to the chosen person, and the embedding."""
        trace, embedding = self._traces[track.id], self._embed(image, _mesh_of(track))
        trace.embedded_at, trace.embedded = at, trace.embedded + 1
        alike = person.likeness(embedding)
        trace.likeness = [*trace.likeness, alike][-self._rules.samples :]
        return alike, embedding

    # --- choosing --------------------------------------------------------------------------------------------

    def _choose(self, image: Image, largest_first: Sequence[FaceTrack], at: float) -> None:
        """Choose the largest face once it was steady and shown well enough to be known again."""
        track = self._to_be_chosen(image, largest_first, at)
        if track is None:
            return
        known = self._candidate
        if known is not None and known.face_track_id == track.id:
            known.frames += 1
            if known.frames < self._rules.steady_frames:
                return
        embedding = self._embed(image, _mesh_of(track))
        if known is None or float(np.vdot(known.embedding, embedding)) < self._rules.same:
            self._candidate = _Candidate(track.id, embedding)
        elif known.face_track_id != track.id:  # the same person under another number, as after a cut
            known.face_track_id, known.frames = track.id, known.frames + 1
        if known is not None and self._candidate is known and known.frames >= self._rules.steady_frames:
            self.person = PrimaryPerson((known.embedding, embedding))
            self._wearer, self._candidate, self.asked = track.id, None, None
            self._traces[track.id].embedded_at = at

    def _to_be_chosen(self, image: Image, largest_first: Sequence[FaceTrack], at: float) -> FaceTrack | None:
        """Return the largest face that is shown well enough, or None while a larger one may soon be."""
        fit = [track for track in largest_first if self._quality_of(image, track) >= FaceQuality.FAIR]
        if self._taken_up is not None:
            return next((track for track in fit if track.id == self._taken_up), None)
        if not fit:
            self._held_back_since = None
            return None
        known = None if self._candidate is None else self._candidate.face_track_id
        largest = next(track for track in largest_first if track.seen)
        for track in fit:
            if track.id == known and _area(track) >= self._rules.near_largest * _area(largest):
                return track
        if fit[0] is largest:
            return largest
        if self._held_back_since is None:
            self._held_back_since = at
        return fit[0] if at - self._held_back_since >= self._rules.patience_s else None

    # --- keeping ---------------------------------------------------------------------------------------------

    def _check(self, image: Image, track: FaceTrack | None, at: float) -> bool:
        """Look whether the wearer still is the chosen person; tell whether it turns out to be somebody else."""
        person, rules = self.person, self._rules
        if track is None or person is None or self._traces[track.id].since is None:
            self._wearer = None  # out of sight
            return False
        trace = self._traces[track.id]
        broken, crossing = trace.since == at, track.doubtful
        due_s = rules.spacing_s / 2 if crossing else self._renew_s(trace)
        if not broken and at - trace.embedded_at < due_s:
            return False
        quality = self._quality_of(image, track)
        if quality is FaceQuality.POOR:
            if broken or (crossing and at - trace.embedded_at >= rules.spacing_s):
                self._wearer = None  # perhaps another face, and nobody can be told by it
            return False
        alike, embedding = self._likeness(image, track, person, at)
        if broken and rules.keep <= alike < rules.same:
            self._wearer = None  # not surely the same; up to the last frame it was
            return False
        if alike < (rules.keep if broken or crossing else rules.refute):
            return True
        if rules.keep <= alike < rules.novel and not broken and not crossing:
            self.person = person.having_learnt(embedding, rules.learnt)
        return False

    def _renew_s(self, trace: _Trace) -> float:
        """Return when the wearer is to be compared again: soon while little is known, or after a doubtful result."""
        person, rules = self.person, self._rules
        is_new = person is not None and len(person.learnt) < rules.samples and trace.embedded < rules.patient_after
        in_doubt = bool(trace.likeness) and trace.likeness[-1] < rules.keep
        return rules.spacing_s if is_new or in_doubt else rules.renew_s

    # --- knowing again ---------------------------------------------------------------------------------------

    def _find(self, image: Image, tracks: Sequence[FaceTrack], at: float) -> None:
        """Compare one face of the frame with the chosen person: the one that has waited for longest."""
        if self.person is None:
            return
        for track in sorted(tracks, key=lambda track: self._traces[track.id].embedded_at):
            if not self._is_due(track, at) or self._quality_of(image, track) is FaceQuality.POOR:
                continue
            alike, _embedding = self._likeness(image, track, self.person, at)
            recent = self._traces[track.id].likeness
            settled = len(recent) >= self._rules.samples and float(np.mean(recent)) >= self._rules.same
            if alike >= self._rules.at_once or (settled and not track.doubtful):
                self._wearer = track.id
            return

    def _is_due(self, track: FaceTrack, at: float) -> bool:
        trace, rules = self._traces[track.id], self._rules
        if trace.since is None:
            return False
        spacing_s = rules.spacing_s if trace.embedded < rules.patient_after else rules.patient_spacing_s
        if trace.embedded_at < trace.since:
            spacing_s = rules.spacing_s / 2
        return at - trace.embedded_at >= spacing_s


class LargestInStill:
    """Choose the largest face of a picture that stands by itself: no other tells who it is."""

    person: PrimaryPerson | None = None
    asked: int | None = None

    def forget_tracks(self) -> None:
        """Nothing is kept."""

    def __call__(self, _image: Image, tracks: Sequence[FaceTrack], at: float, others: Collection[int] = ()) -> Verdict:
        """Return the largest of `tracks` that is none of `others`, one with a mesh if there is any."""
        free = [track for track in tracks if track.id not in others]
        largest = max(free, key=lambda track: (track.mesh is not None, _area(track)), default=None)
        return Verdict() if largest is None else Verdict(largest.id, since=at)


def _mesh_of(track: FaceTrack) -> Mesh:
    if track.mesh is None:
        raise ShapeError("a face without a mesh cannot be embedded")
    return track.mesh


def _area(track: FaceTrack) -> float:
    box: Box = track.box_xyxy
    return float((box[2] - box[0]) * (box[3] - box[1]))
