"""A photo's eyes, shut: skin over them, and lashes in the slit that is left."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.regions import brows, distance_outside, ramp, ring, spread_out
from mien.vision.mesh.topology import EYE_LEFT, EYE_RIGHT
from mien.vision.types import Image, Matte

_PAINTED: Final = (0.014, 0.028)
"""How far around an eye its lashes and their shadow are painted over: whole, and no more, as shares of the side."""
_KNOWN: Final = (0.022, 0.032)
_NEAR: Final = (0.11, 0.08)
"""From where to where skin counts as that of the lids."""
_DARKEST: Final = 0.2
"""Which share of an open eye is as dark as its lashes."""
_LASHES: Final = 0.7
"""How much of that darkness a slit between shut lids has: at most distances skin shows between lashes."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoLids:
    """What shuts the eyes of a texture.

    Attributes:
        rows: Those of the texture that hold the eyes.
        shut: (rows, S, 3) float32 RGB, those rows with both eyes shut.
        painted: (rows, S) how much of them that replaces, 0 to 1.
        skin: For the image-left and the image-right eye, rows and columns of skin around it.
        levels: (2, 3) RGB level of that skin in the photo.
    """

    rows: slice
    shut: NDArray[np.float32]
    painted: Matte
    skin: tuple[tuple[NDArray[np.intp], ...], ...]
    levels: NDArray[np.float32]


def read_lids(texture: Image) -> PhotoLids:
    """Make shut lids of the skin around the eyes of a photo.

    They are drawn on a mesh whose upper lids are lowered (see `with_shut_lids`): skin is all around the openings, the
    openings themselves have the colour of lashes, since nothing of them is left but a slit.

    Args:
        texture: (S, S, 3) RGB.
    """
    side = len(texture)
    half = np.arange(side) < side // 2
    away = distance_outside(np.maximum(ring(EYE_LEFT, side), ring(EYE_RIGHT, side)))
    painted = ramp(away, *_PAINTED[::-1])
    known = ramp(away, *_KNOWN) * ramp(away, *_NEAR) * (1 - brows(side))
    shut, sure = spread_out(texture, known, (0.02, 0.05, 0.12))
    for eye in (EYE_LEFT, EYE_RIGHT):
        inside = ring(eye, side)[..., None]
        lashes = _darkest(texture[inside[..., 0] > 0.5])
        shut = shut * (1 - _LASHES * inside) + lashes * (_LASHES * inside)
    painted *= sure[..., 0]
    held = np.flatnonzero(painted.max(axis=1) > 0)
    rows = slice(int(held[0]), int(held[-1]) + 1)
    skin = tuple(np.nonzero((known > 0.5) & of_eye) for of_eye in (half, ~half))
    return PhotoLids(rows, shut[rows].astype(np.float32), painted[rows], skin, _levels(texture, skin))


def draw_lids(lit: Image, lids: PhotoLids, shut: NDArray[np.float32]) -> None:
    """Shut the eyes of a texture, in place.

    Args:
        lit: (S, S, 3) RGB, the photo's texture in another light.
        lids: The photo's.
        shut: (2,) how far the image-left and the image-right eye are shut, 0 to 1.
    """
    halves = (lit.shape[1] // 2, lit.shape[1] - lit.shape[1] // 2)
    gains = np.repeat((_levels(lit, lids.skin) + 4) / (lids.levels + 4), halves, axis=0)
    share = (lids.painted * np.repeat(shut, halves))[..., None]
    part = lit[lids.rows]
    part[...] = np.clip(part * (1 - share) + lids.shut * gains * share, 0, 255)


def _darkest(pixels: Image) -> NDArray[np.float32]:
    order = np.argsort(pixels.sum(axis=1, dtype=np.int32))
    return np.asarray(pixels[order[: max(1, round(_DARKEST * len(order)))]].mean(axis=0), np.float32)


def _levels(texture: Image, skin: tuple[tuple[NDArray[np.intp], ...], ...]) -> NDArray[np.float32]:
    return np.stack([texture[places].mean(axis=0) for places in skin]).astype(np.float32)
