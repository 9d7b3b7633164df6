"""Embedding and gallery: a face as a unit vector, and whom it belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import ShapeError
from mien.vision.mesh.alignment import crop_aligned
from mien.vision.types import Embedding, Image, Mesh, Net, Points

CROP = 150
MEAN_RGB = np.array([122.782, 117.001, 104.298], np.float32)
# dlib's five-point mean shape with its margin of a quarter, in the order of `_chip_landmarks`.
_MEAN_SHAPE = np.array(
    [[0.8595674, 0.2134982], [0.6460605, 0.2289675], [0.1205751, 0.2137274], [0.3340851, 0.2290642],
     [0.4901123, 0.6277975]],
    np.float32,
)  # fmt: skip
TEMPLATE: Points = ((_MEAN_SHAPE + 0.25) / 1.5 * CROP).astype(np.float32)


class DlibEmbedder:
    """dlib's face recognition network.

    Args:
        net: `input` (1, 3, 150, 150) RGB, less `MEAN_RGB`, over 256; output `embedding` (1, 128).

    Source:
        King 2017, "High quality face recognition with deep metric learning"; weights CC0.
    """

    def __init__(self, net: Net) -> None:
        self._net = net

    def __call__(self, image: Image, mesh: Mesh) -> Embedding:
        """Return the unit vector of the face under `mesh`."""
        crop = crop_aligned(image, _crop_landmarks(mesh), TEMPLATE, CROP)
        scaled = (crop - MEAN_RGB) * np.float32(1 / 256)
        batch = np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], np.float32)
        vector = self._net(batch)["embedding"].reshape(-1)
        return (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)


def _crop_landmarks(mesh: Mesh) -> Points:
    """Return outer and inner corner of both eyes and the base of the nose, dlib's five points."""
    points = mesh[[263, 362, 33, 133, 2], :2].astype(np.float32)
    points[4] = mesh[[2, 94], :2].mean(axis=0)
    return points


@dataclass(frozen=True, slots=True)
class Match:
    """Whom a face resembles most.

    Attributes:
        identity: Name of the nearest enrolled person.
        similarity: Cosine to them, -1 to 1.
        margin: How much nearer they are than the runner-up; 2 where nobody else is enrolled.
    """

    identity: str
    similarity: float
    margin: float


class Gallery:
    """The enrolled people, each known by one or several embeddings.

    Args:
        people: Unit vectors by name.

    Raises:
        ShapeError: A person has no embedding, or the vectors differ in length.
    """

    def __init__(self, people: Mapping[str, Sequence[Embedding]]) -> None:
        empty = [name for name, vectors in people.items() if not len(vectors)]
        if empty:
            raise ShapeError(f"no embedding for {', '.join(empty)}")
        self._names = list(people)
        self._owner = np.array([i for i, name in enumerate(self._names) for _ in people[name]], np.intp)
        rows = [vector for vectors in people.values() for vector in vectors]
        if len({len(row) for row in rows}) > 1:
            raise ShapeError(f"embeddings of different lengths: {sorted({len(row) for row in rows})}")
        self._vectors = np.array(rows, np.float32)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def names(self) -> frozenset[str]:
        """Who is enrolled."""
        return frozenset(self._names)

    def is_part_of(self, other: "Gallery") -> bool:
        """Tell whether `other` knows everybody here, each by the same embeddings."""
        return all(
            name in other.names and np.array_equal(self.embeddings(name), other.embeddings(name))
            for name in self._names
        )

    def embeddings(self, name: str) -> NDArray[np.float32]:
        """Return the embeddings of one enrolled person, (N, D)."""
        return np.asarray(self._vectors[self._owner == self._names.index(name)], np.float32)

    def match(self, embedding: Embedding) -> Match | None:
        """Return the person nearest to `embedding`, or None where nobody is enrolled."""
        if not self._names:
            return None
        best = np.full(len(self._names), -1.0, np.float32)
        np.maximum.at(best, self._owner, self._vectors @ embedding)
        order = np.argsort(-best)
        first = float(best[order[0]])
        margin = first - float(best[order[1]]) if len(order) > 1 else 2.0
        return Match(self._names[int(order[0])], first, margin)
