"""Recognition: which enrolled person each face of a frame is cleared as. One stream's; it holds the clearances."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from mien.vision.analysis.appearance import appearance_of
from mien.vision.analysis.clearance import Clearance, ClearanceRules, judged
from mien.vision.analysis.embedder import Gallery
from mien.vision.analysis.landmarks import box_of_mesh
from mien.vision.analysis.tracker import FaceTrack
from mien.vision.ports import Embedder
from mien.vision.types import Doubt, Face, FaceQuality, Image

SMALL_PX = 32.0
"""A face without a mesh that is less wide is called too small, and one that is wider covered."""
THRIFTY_SPACING_S = 0.25
"""Where time is short, nobody is recognised sooner than so long after the last embedding of any face. A clearance needs
one in two seconds: eight faces can be kept so."""
EMBEDDINGS_A_FRAME = 2
"""So many faces are recognised in one frame, those first that have waited for longest: a crowd costs no more."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Whom a stream may recognise.

    Attributes:
        gallery: The enrolled people.
        rules: When a face counts as recognised.
    """

    gallery: Gallery
    rules: ClearanceRules

    def trusts(self, other: "Enrolled") -> bool:
        """Tell whether evidence that was weighed by `other` holds here: it was compared with as many people or more."""
        return self.rules == other.rules and self.gallery.is_part_of(other.gallery)


class Turns:
    """Whose turn it is to be recognised: embeddings are costly, so few are taken in a frame, and nobody is left out.

    Attributes:
        spacing_s: Least time between two embeddings of any faces.
    """

    def __init__(self) -> None:
        self.spacing_s = 0.0
        self._taken_at, self._taken = -np.inf, 0
        self._waiting: list[int] = []

    def has(self, face_track_id: int, at: float, *, at_once: bool) -> bool:
        """Tell whether it is a face's turn in the frame captured at `at`; otherwise it waits.

        Args:
            face_track_id: The face's track.
            at: Capture time in seconds.
            at_once: It cannot wait: it may not be the face that is cleared.
        """
        if at_once:
            return True
        if face_track_id not in self._waiting:
            self._waiting.append(face_track_id)
        return face_track_id in self._waiting[: self._room(at)]

    def _room(self, at: float) -> int:
        """Return how many more faces may be recognised in the frame captured at `at`."""
        most = 1 if self.spacing_s else EMBEDDINGS_A_FRAME
        if at == self._taken_at:
            return max(most - self._taken, 0)
        return most if at - self._taken_at >= self.spacing_s else 0

    def take(self, face_track_id: int, at: float) -> None:
        """Note that a face is recognised."""
        self._taken = self._taken + 1 if at == self._taken_at else 1
        self._taken_at = at
        self.leave(face_track_id)

    def leave(self, face_track_id: int) -> None:
        """Forget a face that is gone, or that this frame does not show well enough."""
        if face_track_id in self._waiting:
            self._waiting.remove(face_track_id)

    def forget(self) -> None:
        """Let nobody wait any more."""
        self._waiting.clear()

    def take_over(self, other: "Turns") -> None:
        """Go on where `other`, which is not used any more, stopped."""
        self._taken_at, self._taken, self._waiting = other._taken_at, other._taken, other._waiting  # noqa: SLF001


class Recognition:
    """Weigh the evidence about who each face is. Doubt of any kind makes a stranger.

    Args:
        embed: Turns a face into a vector; None recognises nobody.
        enrolled: Whom it may recognise, and when.
    """

    def __init__(self, embed: Embedder | None, enrolled: Enrolled) -> None:
        self._embed = embed if len(enrolled.gallery) else None
        self._enrolled = enrolled
        self._clearances: dict[int, Clearance] = {}
        self._turns = Turns()

    def save_time(self, *, on: bool) -> None:
        """Take embeddings more rarely, or as often as usual."""
        self._turns.spacing_s = THRIFTY_SPACING_S if on else 0.0

    def forget(self) -> None:
        """Make strangers of all, as after a cut."""
        self._clearances.clear()
        self._turns.forget()

    def keep_only(self, face_track_ids: Collection[int]) -> None:
        """Forget what is known of faces that are gone."""
        for gone in self._clearances.keys() - set(face_track_ids):
            del self._clearances[gone]
            self._turns.leave(gone)

    def take_over(self, other: "Recognition") -> bool:
        """Go on with the clearances of `other`, which is not used any more; tell whether its names hold here.

        They hold where nobody is enrolled whom the other did not know by the same embeddings: a clearance against
        fewer people proves less.
        """
        if self._embed is None or not self._enrolled.trusts(other._enrolled):  # noqa: SLF001  # its own kind
            return False
        self._clearances = other._clearances  # noqa: SLF001
        self._turns.take_over(other._turns)  # noqa: SLF001
        for clearance in self._clearances.values():
            if clearance.likely_identity not in self._enrolled.gallery.names:
                clearance.forget()
        return True

    def keep_name(self, face: Face, *, trusted: bool) -> Face:
        """Return a face of an older frame, with its name where it is trusted and that person is enrolled."""
        if trusted and face.identity in self._enrolled.gallery.names:
            return face
        doubt = None if self._embed is None else Doubt.UNSURE
        return replace(face, identity=None, likely_identity=None, doubt=doubt)

    def __call__(self, image: Image, track: FaceTrack, at: float) -> Face:
        """Return the face of `track` in the frame captured at `at`, with the name it is cleared as."""
        face = Face(
            track.id,
            track.box_xyxy,
            track.swept_box_xyxy,
            track.mesh,
            track.mesh_score,
            track.seen,
            unseen_s=at - track.seen_at,
        )
        if self._embed is None:
            return face
        clearance = self._clearances.setdefault(track.id, Clearance())
        quality = self._weigh(image, track, at, clearance, self._embed)
        return replace(
            face,
            identity=clearance.identity,
            likely_identity=clearance.likely_identity,
            quality=quality,
            doubt=clearance.doubt,
        )

    def _weigh(
        self, image: Image, track: FaceTrack, at: float, clearance: Clearance, embed: Embedder
    ) -> FaceQuality | None:
        """Let the frame speak for or against a face's clearance; return its quality where that was judged."""
        rules, mesh = self._enrolled.rules, track.mesh
        sure = track.seen and not track.doubtful and track.mesh_score >= rules.keep_mesh_score
        if not sure or mesh is None or not clearance.follows(box_of_mesh(mesh), at, rules):
            clearance.revoke()
            clearance.doubt = _unsure_because(track)
            self._turns.leave(track.id)
            return None
        clearance.watch(appearance_of(image, mesh), rules)
        quality = self._sample(image, track, at, clearance, embed)
        clearance.tick(at, rules)
        return quality

    def _sample(
        self, image: Image, track: FaceTrack, at: float, clearance: Clearance, embed: Embedder
    ) -> FaceQuality | None:
        """Take an embedding where one is due and it is the face's turn; return its quality where that was judged."""
        rules, gallery, mesh = self._enrolled.rules, self._enrolled.gallery, track.mesh
        if mesh is None or not clearance.wants_sample(FaceQuality.GOOD, at, rules):  # sharpness costs time
            self._turns.leave(track.id)
            return None
        is_cleared = clearance.identity is not None
        if not self._turns.has(track.id, at, at_once=is_cleared and clearance.appearance_changed):
            if not is_cleared and self._turns.spacing_s:
                clearance.doubt = Doubt.OVERLOAD
            return None
        quality, because = judged(image, mesh, track.mesh_score, rules)
        if because is not None and not is_cleared:
            clearance.doubt = because
            self._turns.leave(track.id)
        elif clearance.wants_sample(quality, at, rules):
            self._turns.take(track.id, at)
            vector = embed(image, mesh)
            clearance.weigh(
                gallery.match(vector),
                quality,
                at,
                rules,
                enrolled=len(gallery),
                embedding=vector,
                match_of=gallery.match,
            )
        else:
            self._turns.leave(track.id)
        return quality


def _unsure_because(track: FaceTrack) -> Doubt:
    """Say why a face cannot be taken for the one that it was."""
    if not track.seen:
        return Doubt.LOST
    if track.mesh is None or track.mesh_score < ClearanceRules().keep_mesh_score:
        size = float(np.ptp(track.box_xyxy[[0, 2]]))
        return Doubt.TOO_SMALL if size < SMALL_PX else Doubt.COVERED
    return Doubt.CROSSING if track.doubtful else Doubt.MOVING
