"""The mesh as a body in space: its pose, its normals, and the shape of one face carried onto another."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.native import address, kernels
from mien.vision.mesh.topology import (
    BROW_LEFT,
    BROW_RIGHT,
    EYE_LEFT,
    EYE_RIGHT,
    FACE,
    HOLES,
    LANDMARKS,
    LIPS,
    MOUTH,
    STEADY,
    UV,
    Vertices,
    lid_pairs,
)
from mien.vision.types import Mesh, Points

_CHEEK_LEFT, _CHEEK_RIGHT, _FOREHEAD, _CHIN = 234, 454, 10, 152
_FIRM: Final = 1.6
"""How much sooner than brows and lids bones take on the persona's build, as an exponent; see `_weights`."""
_LIPS: Final = 0.6
"""Lips take on less than brows: their rest position is the one we know least, and what they say must stay readable."""
_LIVELY_RADIUS: Final = 0.06
"""How far from brows, lids and lips they still count for more than the bones, as a share of the texture's side."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """x -> scale * rotation @ x + shift, in three dimensions."""

    scale: float
    rotation: NDArray[np.float32]
    shift: NDArray[np.float32]

    def carry(self, points: Vertices) -> Vertices:
        """Return `points` (N, 3) moved."""
        return (self.scale * points @ self.rotation.T + self.shift).astype(np.float32)

    def carry_back(self, points: Vertices) -> Vertices:
        """Undo `carry`."""
        return ((points - self.shift) @ self.rotation / self.scale).astype(np.float32)

    def turn(self, offsets: Vertices) -> Vertices:
        """Return offsets between points, moved as the points are."""
        return (self.scale * offsets @ self.rotation.T).astype(np.float32)


def fit_body(src: Vertices, dst: Vertices) -> Similarity:
    """Find the similarity that best carries `src` onto `dst`, both (N, 3).

    Source:
        Umeyama 1991, doi:10.1109/34.88573; cannot mirror.

    Example:
        >>> cube = np.indices((2, 2, 2)).reshape(3, -1).T.astype(np.float32)
        >>> found = fit_body(cube, cube * 3 + 1)
        >>> round(found.scale, 3), found.shift.round(3).tolist()
        (3.0, [1.0, 1.0, 1.0])
    """
    src_mean, dst_mean = src.mean(axis=0), dst.mean(axis=0)
    a, b = (src - src_mean).astype(np.float64), (dst - dst_mean).astype(np.float64)
    left, strength, right = np.linalg.svd(b.T @ a)
    keep = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = (left * keep) @ right
    scale = float((strength * keep).sum() / max((a * a).sum(), 1e-9))
    return Similarity(scale, rotation.astype(np.float32), dst_mean - scale * src_mean @ rotation.T.astype(np.float32))


def head_axes(mesh: Mesh) -> NDArray[np.float32]:
    """Return the head's own axes as rows: to the image's right, down, and away from the viewer; each of length 1."""
    right = mesh[_CHEEK_RIGHT] - mesh[_CHEEK_LEFT]
    down = mesh[_CHIN] - mesh[_FOREHEAD]
    back = _cross(right, down)
    down = _cross(back, right)
    axes = np.stack([right, down, back])
    return np.asarray(axes / np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-6), np.float32)


def _cross(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cross product of two vectors in a fifth of the time that NumPy's takes, which knows arrays of them."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], np.float32)


def turned_away(mesh: Mesh) -> float:
    """Return the angle between the face's direction and the viewer's, in degrees: 0 frontal, 90 profile."""
    return float(np.degrees(np.arccos(np.clip(head_axes(mesh)[2, 2], -1, 1))))


def vertex_normals(mesh: Mesh) -> Vertices:
    """Return (468, 3) normals of length 1, pointing out of the face; z below 0 looks at the viewer."""
    if kernels is not None:
        points, normals = np.ascontiguousarray(mesh, np.float32), np.empty((len(mesh), 3), np.float32)
        kernels.mien_normals(address(points), len(points), address(FACE), len(FACE), address(normals))
        return normals
    a, b, c = (mesh[FACE[:, corner]] for corner in range(3))
    faces = np.cross(c - a, b - a)
    corners = FACE.T.reshape(-1)
    summed = np.stack([np.bincount(corners, np.tile(faces[:, axis], 3), len(mesh)) for axis in range(3)], axis=1)
    return np.asarray(-summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-9), np.float32)


def mesh_size(mesh: Mesh) -> float:
    """Return the distance between the outer eye corners in pixels, turned or not."""
    return float(np.linalg.norm(mesh[263] - mesh[33]))


def bounds(points: Points) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the smallest and the largest x and y of (N, 2 or 3) points; no number where one of them is none."""
    if kernels is not None and len(points) and points.shape[1] >= 2:
        points, found = np.ascontiguousarray(points, np.float32), np.empty((2, 2), np.float32)
        kernels.mien_bounds(address(points), *points.shape, address(found))
        return found[0], found[1]
    return points[:, :2].min(axis=0), points[:, :2].max(axis=0)


class ShapeTransfer:
    """Give a live mesh the build of another face, and keep its pose and expression.

    The live face's own build is learnt as the running mean of its mesh, seen from the front. What sets it apart
    from the persona's is added to the live mesh. Lids and lips move in pairs, so that they stay as open as they are.

    Args:
        mesh: The persona's, from its photo.
        amount: 0 keeps the live shape, 1 takes on the persona's. Between, bones take on more of it than brows and lids.
    """

    def __init__(self, mesh: Mesh, *, amount: float) -> None:
        self._mesh = mesh
        self._weight = _weights(amount)
        self._own: Vertices | None = None
        self._seen = 0

    def __call__(self, live: Mesh) -> Mesh:
        """Return the live mesh in the persona's build."""
        pose = fit_body(self._mesh[STEADY], live[STEADY])
        frontal = pose.carry_back(live)
        self._seen += 1
        own = frontal if self._own is None else self._own + (frontal - self._own) * max(0.01, 1 / self._seen)
        self._own = own
        return live + pose.turn(_in_pairs(self._mesh - own) * self._weight)


def _weights(amount: float) -> Vertices:
    """Return how much of a build each landmark takes on, (468, 1).

    Jaw, cheeks and nose show whose face it is and hardly what it expresses: they go first. Brows, lids and lips, by
    which people read each other, go last.
    """
    weights = np.full(LANDMARKS, 1 - (1 - amount) ** _FIRM)
    for lively, wanted in (
        (np.concatenate([BROW_LEFT, BROW_RIGHT, EYE_LEFT, EYE_RIGHT]), amount),
        (np.concatenate([LIPS, MOUTH]), _LIPS * amount),
    ):
        away = np.linalg.norm(UV[:LANDMARKS, None] - UV[lively], axis=2).min(axis=1)
        near = np.clip(1 - away / _LIVELY_RADIUS, 0, 1)
        weights += near * near * (3 - 2 * near) * (wanted - weights)
    return weights[:, None].astype(np.float32)


def _in_pairs(offsets: Vertices) -> Vertices:
    """Make the two edges of each eye and of the mouth move alike."""
    for ring in HOLES:
        upper, lower = lid_pairs(ring)
        both = (offsets[upper] + offsets[lower]) / 2
        offsets[upper] = offsets[lower] = both
    return offsets
