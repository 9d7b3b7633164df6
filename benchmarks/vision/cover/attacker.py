"""The attacker: recognisers, the photos of everybody who may be under a cover, and what was learnt from others."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.vision.cover.views import SEEN, Vectors, Views, patches
from benchmarks.vision.portraits import Portrait
from benchmarks.vision.swap.measures import Judges
from mien.vision.analysis.landmarks import box_of_mesh
from mien.vision.types import Box, Image, Mesh


class Attacker:
    """Recognisers, and the people whom the attacker knows."""

    def __init__(self, judges: Judges, known: Sequence[Portrait], others: Sequence[Portrait]) -> None:
        self._judges, self.known, self.others = judges, known, others
        self.photos = self._by_mesh(known)
        self.lessons = self._by_mesh(others)
        boxes = [box_of_mesh(person.mesh) for person in others]
        self._mean = np.mean([_in_box(p.mesh, box) for p, box in zip(others, boxes, strict=True)], axis=0)

    def _by_mesh(self, crowd: Sequence[Portrait]) -> list[Vectors]:
        seen = [self._judges.embed(person.image, person.mesh) for person in crowd]
        return [np.stack([vectors[i] for vectors in seen]) for i in range(len(seen[0]))]

    def embed(self, squares: Sequence[Image]) -> list[Vectors]:
        """Embed covered faces, their landmarks guessed: a mean face's in the box."""
        middle = np.array([SEEN / 4 * 1.2, SEEN / 4, 0], np.float32), np.array([0.8, 1, 0.9], np.float32) * (SEEN / 2)
        mesh = (self._mean * middle[1] + middle[0]).astype(np.float32)
        seen = [self._judges.embed(square, mesh) for square in squares]
        return [np.stack([vectors[i] for vectors in seen]) for i in range(len(seen[0]))]

    def learn(self, lessons: Sequence[Views]) -> Callable[[Views], list[Vectors]]:
        """Learn to read embeddings off covers, from people who are not in the gallery."""
        x = np.concatenate([patches(views) for views in lessons])
        mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-3
        x = (x - mean) / spread
        readers = []
        for target in self.lessons:
            y = np.tile(target - target.mean(axis=0), (len(lessons), 1))
            readers.append((_ridge(x, y, len(target)), target.mean(axis=0)))

        def read(views: Views) -> list[Vectors]:
            z = (patches(views) - mean) / spread
            return [unit(z @ weights) for weights, _ in readers]

        return read

    def centred(self) -> list[Vectors]:
        """Return the photos' embeddings as `learn` reads them."""
        return [unit(p - t.mean(axis=0)) for p, t in zip(self.photos, self.lessons, strict=True)]


def _ridge(x: Vectors, y: Vectors, count: int) -> Vectors:
    """Fit a linear map, its stiffness chosen by people who were left out."""
    person = np.arange(len(x)) % count
    left_out = person >= min(0.8 * count, count - 1)
    fit = ~left_out
    best, weights = -1.0, np.zeros((x.shape[1], y.shape[1]), np.float32)
    gram = x[fit] @ x[fit].T  # by the examples, which are fewer than the numbers that describe one
    for stiffness in (1e-2, 1e-1, 1.0, 10.0):
        tried = x[fit].T @ np.linalg.solve(gram + stiffness * len(x) * np.eye(len(gram)), y[fit])
        likeness = float((unit(x[left_out] @ tried) * unit(y[left_out])).sum(axis=1).mean())
        if likeness > best:
            best, weights = likeness, tried
    return np.asarray(weights, np.float32)


def unit(vectors: NDArray[Any]) -> Vectors:
    """Return each vector with length one."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)


def _in_box(mesh: Mesh, box: Box) -> Mesh:
    size = np.array([box[2] - box[0], box[3] - box[1], box[2] - box[0]], np.float32)
    return (mesh - np.array([box[0], box[1], 0], np.float32)) / size
