"""The face mesh's topology: which landmarks form triangles and rings, and where each lies in the flat texture.

`topology.npz` is made by `scripts/make_topology.py` from Apache-2.0 sources by Google: texture coordinates
from `npm:@tensorflow-models/facemesh@0.0.5`, triangles from `pypi:mediapipe==0.10.21`. The published mesh has
holes at eyes and mouth and ends at the face oval; here the holes are closed, and two rings are added around the
oval: a first ring, which a mask may cover, and a second ring, at which every change of shape has died away.
"""

from importlib.resources import files
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.errors import ShapeError
from mien.native import address, kernels

Indices: TypeAlias = NDArray[np.intp]
Triangles: TypeAlias = NDArray[np.int32]
Vertices: TypeAlias = NDArray[np.float32]
"""(468, K) or (540, K) float32: something known at each vertex."""

LANDMARKS: Final = 468
OUTER_RING: Final = 0.16
"""Reach of the first ring beyond the oval, as a share of the distance from the middle of the face."""
OUTERMOST_RING: Final = 0.45
MARGIN: Final = 0.86
"""The published texture is shrunk so far towards the middle of ours, to make room for the first ring."""


def _ring(*landmarks: int) -> Indices:
    return np.array(landmarks, np.int64)


# Rings run from the image-left corner over the top back to the start.
OVAL: Final = _ring(
    234, 127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356, 454, 323,
    361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93,
)  # fmt: skip
EYE_LEFT: Final = _ring(33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
EYE_RIGHT: Final = _ring(362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382)
MOUTH: Final = _ring(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
LIPS: Final = _ring(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
BROW_LEFT: Final = _ring(70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
BROW_RIGHT: Final = _ring(336, 296, 334, 293, 300, 276, 283, 282, 295, 285)
HOLES: Final = (EYE_LEFT, EYE_RIGHT, MOUTH)

STEADY: Final = _ring(
    10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 33, 133, 362, 263, 127, 356, 234, 454, 93, 323,
    67, 297, 54, 284, 109, 338, 116, 345, 50, 280, 1, 2, 98, 327,
)  # fmt: skip
"""Landmarks that hardly move with expression: forehead, nose, eye corners, cheekbones."""


def lid_pairs(ring: Indices) -> tuple[Indices, Indices]:
    """Return the upper and lower edge of an eye or mouth ring, point facing point, corners left out."""
    half = len(ring) // 2
    return ring[1:half], ring[half + 1 :][::-1]


def close_hole(ring: Indices) -> Triangles:
    """Return triangles that close a ring, wound as the mesh is."""
    upper, lower = lid_pairs(ring)
    left, right = ring[0], ring[len(ring) // 2]
    ends = [(left, lower[0], upper[0]), (upper[-1], lower[-1], right)]
    strip = [t for (a, b), (c, d) in zip(pairwise(upper), pairwise(lower), strict=True) for t in ((a, c, b), (b, c, d))]
    return np.array(ends + strip, np.int32)


def band(inner: Indices, outer: Indices) -> Triangles:
    """Return triangles between two closed rings of equal length."""
    a, b, c, d = inner, np.roll(inner, -1), outer, np.roll(outer, -1)
    return np.concatenate([np.column_stack(t) for t in ((a, b, c), (b, d, c))]).astype(np.int32)


def with_outer_rings(vertices: Vertices) -> Vertices:
    """Add both outer rings to what is known at the 468 landmarks.

    Args:
        vertices: (468, K): positions in the frame or the texture.

    Returns:
        (540, K): the landmarks, then 36 points of the first ring, then 36 of the second.

    Raises:
        ShapeError: Not all landmarks are there.
    """
    if vertices.ndim != 2 or len(vertices) < LANDMARKS:
        raise ShapeError(f"wanted what is known at {LANDMARKS} landmarks, got {vertices.shape}")
    if kernels is not None:
        vertices = np.ascontiguousarray(vertices, np.float32)
        out = np.empty((len(vertices) + 2 * len(OVAL), vertices.shape[1]), np.float32)
        kernels.mien_outer_rings(
            *(address(vertices), *vertices.shape, address(OVAL), len(OVAL)),
            *(OUTER_RING, OUTERMOST_RING, address(out)),
        )
        return out
    oval = vertices[OVAL]
    outward = oval - vertices.mean(axis=0)
    return np.concatenate([vertices, oval + OUTER_RING * outward, oval + OUTERMOST_RING * outward])


def _load() -> tuple[Vertices, Triangles]:
    with files("mien.vision.mesh").joinpath("topology.npz").open("rb") as file, np.load(file) as data:
        return data["uv"], data["triangles"]


_uv, SURFACE = _load()
UV: Final[Vertices] = with_outer_rings((0.5 + MARGIN * (_uv - _uv.mean(axis=0))).astype(np.float32))
"""(540, 2): place of each vertex in the texture, 0 to 1, x right and y down; the second ring lies outside."""

EYES_OF_SIDE: Final = float(np.linalg.norm(UV[263] - UV[33]))
"""Distance of the outer eye corners in the texture, as a share of its side."""
OUTER_RING_POINTS: Final = np.arange(LANDMARKS, LANDMARKS + len(OVAL))
OUTERMOST_RING_POINTS: Final = OUTER_RING_POINTS + len(OVAL)
FACE: Final[Triangles] = np.concatenate([SURFACE, *(close_hole(ring) for ring in HOLES)])
"""The face inside the oval, eyes and mouth closed."""
WITH_OUTER_RING: Final[Triangles] = np.concatenate([FACE, band(OVAL, OUTER_RING_POINTS)])
"""Face and first ring."""
SURROUNDED: Final[Triangles] = np.concatenate([WITH_OUTER_RING, band(OUTER_RING_POINTS, OUTERMOST_RING_POINTS)])
"""Face and both outer rings."""
