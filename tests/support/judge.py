"""A stranger's eyes: what can be found and recognised in a finished picture."""

from dataclasses import dataclass

import numpy as np

from mien.registry.runtime import Runtime
from mien.vision.analysis.detector import CenterFaceDetector
from mien.vision.analysis.embedder import DlibEmbedder
from mien.vision.analysis.landmarks import MeshLandmarker, box_of_mesh, roi_of_detection
from mien.vision.types import Embedding, Image, Mesh

SAME_PERSON = 0.93
"""Cosine from which dlib's embedding sees the same person: one in a thousand strangers reaches it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One face that the judge found."""

    mesh: Mesh
    mesh_score: float
    embedding: Embedding


class Judge:
    """Finds faces at two sizes and embeds them with dlib's network, which no swap has ever seen."""

    def __init__(self, runtime: Runtime) -> None:
        self._detect = CenterFaceDetector(runtime.open("centerface"))
        self._mesh = MeshLandmarker(runtime.open("face-mesh"))
        self._embed = DlibEmbedder(runtime.open("dlib-face"))

    def __call__(self, image: Image) -> list[Seen]:
        """Return every face found, the largest first."""
        found = [face for side in (320, 640) for face in self._detect(image, long_side=side, threshold=0.5)]
        seen = []
        for face in found:
            mesh, score = self._mesh.settle(image, roi_of_detection(face), rounds=3)
            seen.append(Seen(mesh, score, self._embed(image, mesh)))
        return sorted(seen, key=lambda face: -float(np.ptp(box_of_mesh(face.mesh)[[0, 2]])))

    def embedding(self, image: Image) -> Embedding:
        """Return the embedding of the largest face, which must be there."""
        seen = self(image)
        if not seen:
            raise AssertionError("the judge found no face")
        return seen[0].embedding

    def likeness(self, image: Image, person: Embedding) -> float:
        """Return how like `person` the most like face of `image` is; -1 where no face is found."""
        return max((float(face.embedding @ person) for face in self(image)), default=-1.0)
