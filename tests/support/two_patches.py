"""A world of two people made of noise, whom fakes of the networks find, lay meshes on and know by where they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.vision.swap.masks.preview import nobody
from mien.vision.types import Box, Detection, Embedding, Image, Mesh, Roi

SIZE_WH = (480, 270)
FACE_WH = (80, 100)
VECTORS: Mapping[str, Embedding] = {
    "alice": np.array([1, 0, 0], np.float32),
    "bob": np.array([0.9, np.sqrt(0.19), 0], np.float32),
}
"""Alike as relatives are: whoever is between them passes for the one, where the other is not enrolled."""
_BETWEEN: Embedding = np.array([np.sqrt(0.95), np.sqrt(0.05), 0], np.float32)
_NOBODY: Embedding = np.array([0, 0, 1], np.float32)
_FACE: Mesh = np.asarray(nobody() * np.float32(0.3), np.float32)
_MIDDLE = (_FACE[:, :2].min(axis=0) + _FACE[:, :2].max(axis=0)) / 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is in a frame, and how well the networks see them.

    Attributes:
        x: Middle of the face.
        y: The same.
        found: The detector sees the face.
        mesh_score: What the landmarker says of its mesh.
        like: Whom the embedder takes the face for; "both" is half the one and half the other, None is nobody.
    """

    x: float
    y: float
    found: bool = True
    mesh_score: float = 0.95
    like: str | None = None

    @property
    def box_xyxy(self) -> Box:
        half = np.array(FACE_WH, np.float32) / 2
        middle = np.array([self.x, self.y], np.float32)
        return np.concatenate([middle - half, middle + half])


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame of the world: who is where, and before which of two backgrounds."""

    people: Mapping[str, Place]
    scene: int = 0


class TwoPatches:
    """Draws the frames of a script, and stands in for the networks that look at them.

    Each frame says in its first pixel which one it is: a fake is asked about older frames, too.
    """

    def __init__(self, shots: Sequence[Shot]) -> None:
        self.shots = shots
        rng = np.random.default_rng(3)
        width, height = SIZE_WH
        dark = rng.integers(20, 60, (height, width, 3), np.uint8)
        light = rng.integers(180, 220, (height, width, 3), np.uint8)
        self._rooms = [np.hstack([dark[:, :240], light[:, 240:]]), np.hstack([light[:, :240], dark[:, 240:]])]
        self._heads = {name: rng.integers(60, 180, (FACE_WH[1], FACE_WH[0], 3), np.uint8) for name in VECTORS}

    def frame(self, number: int) -> Image:
        """Return frame `number`, a new array."""
        shot = self.shots[number]
        image = self._rooms[shot.scene].copy()
        for name, place in shot.people.items():
            x0, y0 = np.round(place.box_xyxy[:2]).astype(int)
            part = image[max(y0, 0) : y0 + FACE_WH[1], max(x0, 0) : x0 + FACE_WH[0]]
            part[:] = self._heads[name][-part.shape[0] :, -part.shape[1] :] if part.size else 0
        image[0, 0] = number
        return np.asarray(image, np.uint8)

    def find(self, image: Image, _tiles: object, _known: object = ()) -> list[Detection]:
        """See whom the script lets be seen."""
        return [Detection(place.box_xyxy, 0.9) for place in self._people(image).values() if place.found]

    def redetect(self, image: Image, box_xyxy: Box, _roll: float) -> Detection | None:
        """See the nearest face, if it is near."""
        place = self._nearest(image, (box_xyxy[:2] + box_xyxy[2:]) / 2)
        return None if place is None or not place.found else Detection(place.box_xyxy, 0.9)

    def __call__(self, image: Image, roi: Roi) -> tuple[Mesh, float]:
        """Lay a mesh on the nearest face; where there is none, a poor one."""
        place = self._nearest(image, np.array([roi.x, roi.y]))
        middle = np.array([roi.x, roi.y]) if place is None else np.array([place.x, place.y])
        mesh = _FACE + np.append(middle - _MIDDLE, 0).astype(np.float32)
        return mesh, 0.1 if place is None else place.mesh_score

    def settle(self, image: Image, roi: Roi) -> tuple[Mesh, float]:
        """Lay a mesh on a face just found."""
        return self(image, roi)

    def embed(self, image: Image, mesh: Mesh) -> Embedding:
        """Know the nearest face."""
        place = self._nearest(image, (mesh[:, :2].min(axis=0) + mesh[:, :2].max(axis=0)) / 2)
        if place is None or place.like is None:
            return _NOBODY
        return _BETWEEN if place.like == "both" else VECTORS[place.like]

    def is_bare(self, treated: Image, number: int, name: str) -> bool:
        """Tell whether the middle of somebody's face is as the camera saw it."""
        x, y = round(self.shots[number].people[name].x), round(self.shots[number].people[name].y)
        middle = np.s_[max(y - 20, 0) : y + 20, max(x - 20, 0) : x + 20]
        before, after = self.frame(number)[middle], treated[middle]
        return before.size > 0 and float((before == after).all(axis=-1).mean()) > 0.5

    def _people(self, image: Image) -> Mapping[str, Place]:
        return self.shots[int(image[0, 0, 0])].people

    def _nearest(self, image: Image, middle: NDArray[np.float64] | NDArray[np.float32]) -> Place | None:
        places = [place for place in self._people(image).values() if _apart(place, middle) < 60]
        return min(places, key=lambda place: _apart(place, middle), default=None)


def _apart(place: Place, middle: NDArray[np.float64] | NDArray[np.float32]) -> float:
    return float(np.hypot(place.x - middle[0], place.y - middle[1]))
