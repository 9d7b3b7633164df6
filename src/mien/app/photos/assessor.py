"""Photos of faces: the one face in each, and what could be better about it.

A photo is searched more thoroughly than a frame. Whoever builds personas or knows people by photos asks here. It may
import `mien.app.models` and `mien.vision`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mien.app.models import ModelProvider
from mien.errors import ManyFacesError, NoFaceError, PhotoFinding
from mien.vision.analysis.landmarks import roi_of_detection
from mien.vision.analysis.tiles import Tile, overlapping_parts
from mien.vision.analysis.tracker import MESH_SCORE
from mien.vision.photos.quality import LIMITS, PhotoAssessor, PhotoIssue
from mien.vision.types import Detection, Image, Mesh

RIVAL = LIMITS[PhotoIssue.SEVERAL_FACES].warn
"""A second face of more than this share of the largest one's size makes a photo ambiguous."""


@dataclass(frozen=True, slots=True)
class FoundFace:
    """The one face of a photo."""

    mesh: Mesh
    score: float


class FacePhotoAssessor:
    """Looks at photos of faces. Safe to use from any thread.

    Args:
        models: The networks.
    """

    def __init__(self, models: ModelProvider) -> None:
        self._models = models

    def one_face(self, image: Image, *, name: str) -> FoundFace:
        """Return the one face of a photo.

        Raises:
            NoFaceError: None was found.
            ManyFacesError: Several of similar size were.
        """
        seen, rivals = self._largest_first(image)
        if not seen:
            raise NoFaceError(f"no face was found in {name}")
        if rivals and rivals[0] > RIVAL:
            count = 1 + sum(rival > RIVAL for rival in rivals)
            raise ManyFacesError(f"{name} shows {count} faces; use a photo of one person, or crop it")
        face = self._lay(image, seen[0])
        if face.score < MESH_SCORE:
            raise NoFaceError(f"the face in {name} cannot be read: use a frontal photo in good light")
        return face

    def assess_photo(self, image: Image) -> tuple[PhotoFinding, ...]:
        """Return what was found in a photo that is to be the reference of a swap."""
        return self.assess(image)[0]

    def assess(self, image: Image) -> tuple[tuple[PhotoFinding, ...], FoundFace | None]:
        """Return what was found in a photo, and the face in it where it can serve."""
        seen, rivals = self._largest_first(image)
        face = self._lay(image, seen[0]) if seen else None
        found = PhotoAssessor(self._models.occlusion)(
            image,
            face.mesh if face is not None else None,
            score=face.score if face is not None else 0.0,
            rival=rivals[0] if rivals else 0.0,
        )
        return found, None if refused(found) else face

    def _largest_first(self, image: Image) -> tuple[list[Detection], list[float]]:
        """Return the faces of a photo, and the heights of all but the largest as shares of its."""
        height, width = image.shape[:2]
        tiles = [Tile((0, 0, width, height), side) for side in (320, 640)]
        seen = self._models.photo_finder(image, tiles)
        if not seen:
            parts = overlapping_parts((width, height), 2)
            seen = self._models.photo_finder(image, [Tile(part, 640) for part in parts])
        seen = sorted(seen, key=_height_of, reverse=True)
        return seen, [_height_of(face) / _height_of(seen[0]) for face in seen[1:]]

    def _lay(self, image: Image, seen: Detection) -> FoundFace:
        return FoundFace(*self._models.landmarker.settle(image, roi_of_detection(seen), rounds=3))


def refused(found: Sequence[PhotoFinding]) -> list[str]:
    """Return the codes of the findings for which a photo cannot serve."""
    return [finding.code for finding in found if finding.severity == "refuse"]


def _height_of(seen: Detection) -> float:
    return float(seen.box_xyxy[3] - seen.box_xyxy[1])
