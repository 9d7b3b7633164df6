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
THRIFTY_SPACING_S = 0.5
"""Where time is short, nobody is recognised sooner than so long after the last embedding of any face."""


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
        self._spacing_s, self._embedded_at = 0.0, -np.inf

    def save_time(self, *, on: bool) -> None:
        """Take embeddings more rarely, or as often as usual."""
        self._spacing_s = THRIFTY_SPACING_S if on else 0.0

    def forget(self) -> None:
        """Make strangers of all, as after a cut."""
        self._clearances.clear()

    def keep_only(self, face_track_ids: Collection[int]) -> None:
        """Forget what is known of faces that are gone."""
        for gone in self._clearances.keys() - set(face_track_ids):
            del self._clearances[gone]

    def take_over(self, other: "Recognition") -> bool:
        """Go on with the clearances of `other`, which is not used any more; tell whether its names hold here.

        They hold where nobody is enrolled whom the other did not know by the same embeddings: a clearance against
        fewer people proves less.
        """
        if self._embed is None or not self._enrolled.trusts(other._enrolled):  # noqa: SLF001  # its own kind
            return False
        self._clearances, self._embedded_at = other._clearances, other._embedded_at  # noqa: SLF001
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
        rules, gallery, mesh = self._enrolled.rules, self._enrolled.gallery, track.mesh
        sure = track.seen and not track.doubtful and track.mesh_score >= rules.keep_mesh_score
        if not sure or mesh is None or not clearance.follows(box_of_mesh(mesh), at, rules):
            clearance.revoke()
            clearance.doubt = _unsure_because(track)
            return None
        quality = None
        clearance.watch(appearance_of(image, mesh), rules)
        is_time = at - self._embedded_at >= self._spacing_s
        if is_time and clearance.wants_sample(FaceQuality.GOOD, at, rules):  # is one due at all? sharpness costs time
            quality, because = judged(image, mesh, track.mesh_score, rules)
            if because is not None and clearance.identity is None:
                clearance.doubt = because
            if clearance.wants_sample(quality, at, rules):
                self._embedded_at = at
                vector = embed(image, mesh)
                clearance.weigh(gallery.match(vector), quality, at, rules, enrolled=len(gallery), embedding=vector)
        elif not is_time and clearance.identity is None and clearance.wants_sample(FaceQuality.GOOD, at, rules):
            clearance.doubt = Doubt.OVERLOAD
        clearance.tick(at, rules)
        return quality


def _unsure_because(track: FaceTrack) -> Doubt:
    """Say why a face cannot be taken for the one that it was."""
    if not track.seen:
        return Doubt.LOST
    if track.mesh is None or track.mesh_score < ClearanceRules().keep_mesh_score:
        size = float(np.ptp(track.box_xyxy[[0, 2]]))
        return Doubt.TOO_SMALL if size < SMALL_PX else Doubt.COVERED
    return Doubt.CROSSING if track.doubtful else Doubt.MOVING
