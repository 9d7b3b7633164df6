"""Regions of the face as mattes in the flat texture."""

from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.topology import (
    BROW_LEFT,
    BROW_RIGHT,
    EYE_LEFT,
    EYE_RIGHT,
    LANDMARKS,
    LIPS,
    OVAL,
    UV,
    Indices,
)
from mien.vision.types import Image, Matte

_CHEEKS: Final = np.array([116, 50, 205, 187, 210, 345, 280, 425, 411, 430])
_CHIN: Final = np.array([199, 208, 428, 171, 396])
INNER: Final = np.concatenate([BROW_LEFT, BROW_RIGHT, EYE_LEFT, EYE_RIGHT, LIPS, _CHEEKS, _CHIN])
"""What a person is recognised by: brows, eyes, nose, cheeks, mouth, chin."""


def polygon(corners: NDArray[np.float32], side: int) -> Matte:
    """Fill a polygon with corners given as 0 to 1 of a square picture of `side` pixels, its edge smooth."""
    drawn = np.zeros((side, side), np.uint8)
    cv2.fillPoly(drawn, [np.round((corners * side - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return drawn * np.float32(1 / 255)


def ring(landmarks: Indices, side: int) -> Matte:
    """Fill a ring of landmarks."""
    return polygon(UV[landmarks], side)


def depth_inside(matte: Matte) -> NDArray[np.float32]:
    """Return how far each pixel lies inside the matte, as a share of the texture's side."""
    distance = cv2.distanceTransform((matte > 0.5).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return distance / np.float32(len(matte))


def distance_outside(matte: Matte) -> NDArray[np.float32]:
    """Return how far each pixel lies outside the matte, as a share of the texture's side."""
    return depth_inside(1 - matte)


def ramp(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """Rise smoothly from 0 at `low` to 1 at `high` (or fall, where `low` is above `high`).

    Example:
        >>> ramp(np.array([0.0, 0.5, 1.0], np.float32), 0, 1).tolist()
        [0.0, 0.5, 1.0]
    """
    t = np.minimum(np.maximum((values - low) / (high - low), 0), 1)  # on small arrays, clip takes thrice the time
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def soften(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Blur by a Gaussian whose sigma is a share of the picture's side."""
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma * len(values)), np.float32)


def spread_out(
    texture: Image, known: Matte, radii: tuple[float, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Let what is known of a texture flow over the rest.

    Args:
        texture: (S, S, 3) RGB.
        known: (S, S) how well each place of it is known, 0 to 1.
        radii: How far it flows, as shares of the side: what a nearer one fills, a farther one leaves alone.

    Returns:
        (S, S, 3) RGB, and (S, S, 1) how surely, 0 to 1.
    """
    painted, sure = np.zeros(texture.shape, np.float32), np.zeros((*known.shape, 1), np.float32)
    for radius in radii:
        weight = soften(known, radius)[..., None]
        near = soften(texture * known[..., None], radius) / np.maximum(weight, 1e-4)
        share = (1 - sure) * ramp(weight, 0.02, 0.2)
        painted += share * near
        sure += share
    return np.asarray(painted / np.maximum(sure, 1e-4), np.float32), sure


def shrink(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Average down to `side` pixels."""
    return np.asarray(cv2.resize(values, (side, side), interpolation=cv2.INTER_AREA), np.float32)


@cache
def oval(side: int) -> Matte:
    """Return the face, fading out towards its oval: soonest on the forehead, where plain skin goes on to the hair."""
    depth, top = depth_inside(ring(OVAL, side)), forehead(side)
    return _lasting(ramp(depth, 0.003, 0.02) * (1 - top) + ramp(depth, 0.008, 0.09) * top)


@cache
def inner(side: int) -> Matte:
    """Return the inner face, its eyes and mouth included."""
    hull = cv2.convexHull(UV[INNER])[:, 0]
    return _lasting(soften(polygon(hull, side), 0.008))


@cache
def openings(side: int) -> Matte:
    """Return the eyes with the edges of their lids, which stay live; `render_texture` opens the mouth."""
    eyes = np.maximum(ring(EYE_LEFT, side), ring(EYE_RIGHT, side))
    return _lasting(ramp(distance_outside(eyes), 0.012, 0.002))


@cache
def eye_surroundings(side: int) -> Matte:
    """Return the eyes and as much around them as large spectacles hide."""
    eyes = np.maximum(ring(EYE_LEFT, side), ring(EYE_RIGHT, side))
    return _lasting(ramp(distance_outside(eyes), 0.11, 0.09))


@cache
def expressive(side: int) -> Matte:
    """Return the surroundings of eyes and mouth, whose look changes as the face moves."""
    both = np.maximum(np.maximum(ring(EYE_LEFT, side), ring(EYE_RIGHT, side)), ring(LIPS, side))
    return _lasting(soften(ramp(distance_outside(both), 0.05, 0.03), 0.02))


@cache
def forehead(side: int) -> Matte:
    """Return forehead and temples, down to the lower edge of the brows."""
    over = np.concatenate([OVAL[1:16], BROW_RIGHT[5:], BROW_LEFT[5:]])
    return _lasting(soften(ring(over, side), 0.006))


@cache
def brows(side: int) -> Matte:
    """Return the brows and what little they reach beyond their landmarks."""
    both = np.maximum(
        *(polygon(np.asarray(cv2.convexHull(UV[brow])[:, 0], np.float32), side) for brow in (BROW_LEFT, BROW_RIGHT))
    )
    return _lasting(soften(ramp(distance_outside(both), 0.022, 0.006), 0.004))


@cache
def beard(side: int) -> Matte:
    """Return the lower face, below nose and cheekbones: hair there belongs to the face."""
    jaw = OVAL[18:35]
    return _lasting(soften(ring(np.concatenate([jaw, [205, 2, 425]]), side), 0.016))


@cache
def core() -> NDArray[np.bool_]:
    """Return which of the 468 landmarks belong to brows, eyes, nose and mouth."""
    hull = cv2.convexHull(UV[np.concatenate([BROW_LEFT, BROW_RIGHT, EYE_LEFT, EYE_RIGHT, LIPS])])
    return np.array([cv2.pointPolygonTest(hull, tuple(map(float, place)), False) >= 0 for place in UV[:LANDMARKS]])


def _lasting(matte: Matte) -> Matte:
    """Make a cached array safe to hand out."""
    matte.flags.writeable = False
    return matte
