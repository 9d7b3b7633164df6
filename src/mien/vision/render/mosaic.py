"""Mosaic: a face and its surroundings painted over with cells in the colours of the picture around it.

Cells averaged from a face, however coarse, are a small picture of it: whoever holds photos of some people and averages
them alike can tell which of them it was, and film of a moving head gives a finer picture than any frame of it. So every
pixel that a cover shows depends on its place and on pixels that can be seen beside it, and on nothing that it hides.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.cover import MosaicShape, cover_box
from mien.vision.overlay_mask import OverlayMask
from mien.vision.render.surroundings import Area, CellGrid, spread
from mien.vision.types import Box, Image, Matte

__all__ = ["Cover", "MosaicShape", "MosaicStyle", "cover_box", "draw_covers"]

FEATHER: Final = 0.07
"""Share of a head's size over which its edge fades, outside of it."""
OVAL_PX: Final = 3
"""So much larger is an oval on each side: of a tiny face, a corner would otherwise lie on its edge."""
RELIEF: Final = ((1, 8.0), (3, 7.0))
"""Side of a patch in cells, and how much lighter or darker than around it a patch is at most: small ones tell cells
apart, larger ones let a near face's cover look like a mosaic, not like noise."""
GRAIN: Final = 10.0
"""How much lighter or darker each pixel of a blur is at most."""
_Number = TypeVar("_Number", np.float32, np.uint8)
_TILE: Final = 192
"""The relief repeats after so many cells, the grain after so many pixels."""


class MosaicStyle(StrEnum):
    """How a hidden face is painted over. None of them holds anything of it."""

    CELLS = "cells"
    SOLID = "solid"
    BLUR = "blur"


@dataclass(frozen=True, slots=True)
class Cover:
    """One place to hide.

    Attributes:
        area_xyxy: (4,) pixels; of a head, what its oval touches.
        strength: 1 hides; less lets through what lies below, which must then be no bare face.
    """

    area_xyxy: Box
    strength: float = 1.0


def draw_covers(
    image: Image,
    covers: Sequence[Cover],
    *,
    style: MosaicStyle = MosaicStyle.CELLS,
    shape: MosaicShape = MosaicShape.BOX,
    overlays: Sequence[OverlayMask] = (),
) -> None:
    """Hide all `covers` of a frame, in place.

    They must be drawn together: a cover drawn alone would take colours from the next face, which is hidden after it.
    All lie on one grid, so that covers side by side are one mosaic, and cells stay where they are while a cover moves.

    Args:
        image: RGB frame, changed in place.
        covers: What to hide; parts outside the frame are ignored.
        style: How.
        shape: The form of each.
        overlays: Personas that stand before the covers, as far as they hide what is there themselves.
    """
    placed = [place for cover in covers if (place := _place(cover, image, shape)) is not None]
    if not placed:
        return
    # Every colour is taken before anything is drawn.
    grid = spread(image, [place.area for place in placed])
    before = [one for one in overlays if any(one.meets(place.area) for place in placed)]
    kept = [image[one.part].copy() for one in before]
    for place in placed:
        _lay(image, _painted(grid.within(place.area), place.area, style), place)
    for one, pixels in zip(before, kept, strict=True):
        share = one.opaque()
        image[one.part] = cv2.blendLinear(pixels, np.ascontiguousarray(image[one.part]), share, 1 - share)


@dataclass(frozen=True, slots=True)
class _Place:
    """The pixels of a frame that a cover touches.

    Attributes:
        area: Within the frame.
        whole: The same, with what lies outside the frame.
        shape: A box where what was cut off an oval would change its form.
        strength: How much of the cover is drawn, 0 to 1.
    """

    area: Area
    whole: Area
    shape: MosaicShape
    strength: float


def _place(cover: Cover, image: Image, shape: MosaicShape) -> _Place | None:
    """Return what a cover touches; None where that is nothing of the image."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (float(value) for value in cover.area_xyxy)
    if shape is MosaicShape.HEAD:
        beyond_x, beyond_y = FEATHER * (x1 - x0) + OVAL_PX, FEATHER * (y1 - y0) + OVAL_PX
        x0, y0, x1, y1 = x0 - beyond_x, y0 - beyond_y, x1 + beyond_x, y1 + beyond_y
    whole = math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1)
    area = max(0, whole[0]), max(0, whole[1]), min(width, whole[2]), min(height, whole[3])
    if area[2] <= area[0] or area[3] <= area[1]:
        return None
    # A box may be of any size; memory is not.
    too_large = whole[2] - whole[0] > 3 * width or whole[3] - whole[1] > 3 * height
    return _Place(area, whole, MosaicShape.BOX if too_large else shape, min(cover.strength, 1.0))


# --- paint ---------------------------------------------------------------------------------------------------------


def _painted(grid: CellGrid, area: Area, style: MosaicStyle) -> Image:
    """Return the pixels of an area, all of whose cells `grid` holds."""
    colours = grid.colours
    if style is MosaicStyle.SOLID:
        colours = np.broadcast_to(colours.mean(axis=(0, 1)), colours.shape)
    elif style is MosaicStyle.CELLS:
        colours = colours + _tiled(_relief(), grid.first_row, grid.first_column, *colours.shape[:2])[..., None]
    cell, (rows, cols) = grid.cell_px, colours.shape[:2]
    way = cv2.INTER_LINEAR if style is MosaicStyle.BLUR else cv2.INTER_NEAREST
    cells = np.clip(colours, 0, 255).astype(np.uint8)
    pixels = np.asarray(cv2.resize(cells, (cols * cell, rows * cell), interpolation=way), np.uint8)
    top, left = area[1] - grid.first_row * cell, area[0] - grid.first_column * cell
    pixels = pixels[top : top + area[3] - area[1], left : left + area[2] - area[0]]
    if style is not MosaicStyle.BLUR:
        return pixels
    grain = _tiled(_grain(), area[1], area[0], *pixels.shape[:2])
    return np.asarray(cv2.addWeighted(pixels, 1, grain, 1, -GRAIN), np.uint8)


def _tiled(tile: NDArray[_Number], row: int, column: int, rows: int, columns: int) -> NDArray[_Number]:
    """Return a part of a plane that repeats `tile`."""
    row, column = row % _TILE, column % _TILE
    more = max(0, row + rows - _TILE), max(0, column + columns - _TILE)
    plane = np.pad(tile, [(0, more[0]), (0, more[1])] + [(0, 0)] * (tile.ndim - 2), mode="wrap") if any(more) else tile
    return plane[row : row + rows, column : column + columns]


@cache
def _relief() -> NDArray[np.float32]:
    """Return how cells differ from what is around them: (192, 192), the same in every frame of every stream."""
    rng = np.random.default_rng(0)
    total = np.zeros((_TILE, _TILE))
    for side, most in RELIEF:
        patches = rng.uniform(-most, most, (_TILE // side, _TILE // side))
        total += patches.repeat(side, axis=0).repeat(side, axis=1)
    return _lasting(total)


@cache
def _grain() -> Image:
    noise = np.random.default_rng(0).uniform(0, 2 * GRAIN, (_TILE, _TILE, 1)).repeat(3, axis=2).astype(np.uint8)
    noise.flags.writeable = False
    return noise


def _lay(image: Image, painted: Image, place: _Place) -> None:
    left, top, right, bottom = place.area
    there = image[top:bottom, left:right]
    if place.shape is MosaicShape.BOX:
        whole = place.strength == 1
        there[:] = painted if whole else cv2.addWeighted(painted, place.strength, there, 1 - place.strength, 0)
        return
    x0, y0, x1, y1 = place.whole
    oval = cv2.resize(_oval(), (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    matte = oval[top - y0 : bottom - y0, left - x0 : right - x0] * np.float32(place.strength)
    there[:] = cv2.blendLinear(np.ascontiguousarray(painted), np.ascontiguousarray(there), matte, 1 - matte)


@cache
def _oval() -> Matte:
    """Return a head's matte: 1 in the oval that touches the area of its cover, 0 where its feather ends."""
    y, x = (np.mgrid[:256, :256] + 0.5) / 128 - 1
    ends = 1 + 2 * FEATHER
    t = np.clip((ends - np.hypot(x, y) * ends) / (ends - 1), 0, 1)
    return _lasting(t * t * (3 - 2 * t))


def _lasting(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Make a cached array small and safe to hand out."""
    lasting = values.astype(np.float32)
    lasting.flags.writeable = False
    return lasting
