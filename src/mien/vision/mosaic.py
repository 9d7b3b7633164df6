"""Mosaic: a face and its surroundings painted over with nobody's head, in the light of the picture around it.

Cells averaged from a face, however coarse, are a small picture of it: whoever holds photos of some people and averages
them alike can tell which of them it was, and film of a moving head gives a finer picture than any frame of it. So every
pixel that a cover shows depends on its place and on pixels that can be seen beside it, and on nothing that it hides.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.faces import Box, Image, Matte
from mien.vision.worn import Worn

CELLS: Final = 6
"""Cells across a face."""
GROW_XYXY: Final = (0.22, 0.34, 0.22, 0.18)
"""Share of the box that the mosaic reaches beyond it: forehead above, temples beside, chin below."""
HEAD_XYXY: Final = (0.36, 0.52, 0.36, 0.24)
"""The same for a head: hair line above, ears beside. Its oval holds the whole box of the face."""
PROPORTION: Final = 0.8
"""Width of a face for its height, as every cover takes it to be: a face's own would tell whose it is."""
FEATHER: Final = 0.07
"""Share of a head's size over which its edge fades, outside of it."""
OVAL_PX: Final = 3
"""So much larger is an oval on each side: of a tiny face, a corner would otherwise lie on its edge."""
SKIN, HAIR = (158.0, 126.0, 106.0), (72.0, 60.0, 54.0)
"""Of the head that is painted over every face, in middling light: the same for everybody."""
RELIEF, GRAIN = 14.0, 10.0
"""How much lighter or darker than the head is each cell, and each pixel of a blur."""
NOTHING_AROUND = (112.0, 112.0, 112.0)
"""What is taken to be around a cover where nothing can be seen."""
MIDDLING = 128.0
"""Brightness of the surroundings in which the head has the colours above."""
_MOST_CELLS: Final = 512

Colours: TypeAlias = NDArray[np.float32]
"""(rows, columns, 3), 0 to 255."""
Area: TypeAlias = tuple[int, int, int, int]
"""Whole pixels, left, top, right, bottom; the last two lie outside."""


class MosaicStyle(StrEnum):
    """How a hidden face is painted over. None of them holds anything of it."""

    CELLS = "cells"
    SOLID = "solid"
    BLUR = "blur"


class MosaicShape(StrEnum):
    """How much is hidden: the face and a margin, or the head's oval with hair line and ears."""

    BOX = "box"
    HEAD = "head"


@dataclass(frozen=True, slots=True)
class Cover:
    """One place to hide.

    Attributes:
        area_xyxy: (4,) pixels; of a head, what its oval touches.
        cell_px: Side of a cell.
        strength: 1 hides; less lets through what lies below, which must then be no bare face.
    """

    area_xyxy: Box
    cell_px: float
    strength: float = 1.0


def cover_box(box_xyxy: Box, *, grow: float = 1.0, shape: MosaicShape = MosaicShape.BOX) -> Box:
    """Return the area to hide for a face in `box_xyxy`.

    Args:
        box_xyxy: (4,) tight box of the face.
        grow: 1 for a face seen now; more for one whose place is less sure.
        shape: Of the cover.

    Example:
        >>> cover_box(np.array([0, 0, 80, 100], np.float32)).round().tolist()
        [-18.0, -34.0, 98.0, 118.0]
    """
    x0, y0, x1, y1 = _in_proportion(box_xyxy)
    width, height = x1 - x0, y1 - y0
    left, top, right, bottom = HEAD_XYXY if shape is MosaicShape.HEAD else GROW_XYXY
    more_x, more_y = width * (grow - 1) / 2, height * (grow - 1) / 2
    return np.array(
        [
            x0 - left * width - more_x,
            y0 - top * height - more_y,
            x1 + right * width + more_x,
            y1 + bottom * height + more_y,
        ],
        np.float32,
    )


def cell_size(box_xyxy: Box) -> float:
    """Return the side of a cell for a face in `box_xyxy`, at least 4 px."""
    x0, y0, x1, y1 = _in_proportion(box_xyxy)
    return max(4.0, max(x1 - x0, y1 - y0) / CELLS)


def _in_proportion(box_xyxy: Box) -> tuple[float, float, float, float]:
    """Grow a box to the proportions of every face; one that lies, or moves sideways, only becomes a little higher."""
    x0, y0, x1, y1 = (float(value) for value in box_xyxy)
    width, height = x1 - x0, y1 - y0
    more_x = max(0.0, PROPORTION * height - width) / 2
    more_y = max(0.0, min(width, height) / PROPORTION - height) / 2
    return x0 - more_x, y0 - more_y, x1 + more_x, y1 + more_y


def draw_covers(
    image: Image,
    covers: Sequence[Cover],
    *,
    style: MosaicStyle = MosaicStyle.CELLS,
    shape: MosaicShape = MosaicShape.BOX,
    worn: Sequence[Worn] = (),
) -> None:
    """Hide all `covers` of a frame, in place.

    They must be drawn together: a cover drawn alone would take colours from the next face, which is hidden after it.

    Args:
        image: RGB frame, changed in place.
        covers: What to hide; parts outside the frame are ignored.
        style: How.
        shape: The form of each.
        worn: Personas that stand before the covers, as far as they hide what is there themselves.
    """
    placed = [place for cover in covers if (place := _place(cover, image, shape)) is not None]
    # Every colour is taken before anything is drawn.
    heads = [
        _head(_around(image, place, hidden=[other.area for other in placed if other is not place])) for place in placed
    ]
    before = [one for one in worn if any(one.meets(place.area) for place in placed)]
    kept = [image[one.part].copy() for one in before]
    for place, head in zip(placed, heads, strict=True):
        _lay(image, _painted(head, place.area, style), place)
    for one, pixels in zip(before, kept, strict=True):
        share = one.opaque()
        image[one.part] = cv2.blendLinear(pixels, np.ascontiguousarray(image[one.part]), share, 1 - share)


@dataclass(frozen=True, slots=True)
class _Place:
    """The pixels that a cover touches."""

    area: Area
    cell_px: float
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
    # A box may be of any size; memory is not. What was cut off an oval would change its form.
    area = max(-width, whole[0]), max(-height, whole[1]), min(2 * width, whole[2]), min(2 * height, whole[3])
    left, top, right, bottom = _within(area, image)
    if right <= left or bottom <= top:
        return None
    return _Place(area, cover.cell_px, shape if area == whole else MosaicShape.BOX, cover.strength)


# --- what can be seen around ---------------------------------------------------------------------------------------


def _around(image: Image, place: _Place, *, hidden: Sequence[Area]) -> Colours:
    """Return a colour for each cell, spread from what can be seen along the four sides of a place."""
    x0, y0, x1, y1 = place.area
    cols, rows = (min(max(1, round(side / max(place.cell_px, 1.0))), _MOST_CELLS) for side in (x1 - x0, y1 - y0))
    reach = max(2, round(place.cell_px))
    near_rows, near_cols = _nearness(rows)[:, None, None], _nearness(cols)[None, :, None]
    sides = (
        (_side(image, (x0, y0 - reach, x1, y0), (cols, 1), hidden), near_rows),
        (_side(image, (x0, y1, x1, y1 + reach), (cols, 1), hidden), near_rows[::-1]),
        (_side(image, (x0 - reach, y0, x0, y1), (1, rows), hidden), near_cols),
        (_side(image, (x1, y0, x1 + reach, y1), (1, rows), hidden), near_cols[:, ::-1]),
    )
    total, weight = np.zeros((rows, cols, 3), np.float32), np.zeros((rows, cols, 1), np.float32)
    for colours, nearness in sides:
        if colours is not None:
            total += colours * nearness
            weight += nearness
    return total / weight if weight.any() else total + np.array(NOTHING_AROUND, np.float32)


def _side(image: Image, strip: Area, cells_wh: tuple[int, int], hidden: Sequence[Area]) -> Colours | None:
    """Return the mean colours along a strip, as (1, cells, 3) or (cells, 1, 3); None where none of it can be seen."""
    x0, y0, x1, y1 = strip
    left, top, right, bottom = _within(strip, image)
    if right <= left or bottom <= top:
        return None
    there = image[top:bottom, left:right].astype(np.float32)
    seen = np.ones(there.shape[:2], np.uint8)
    for other in hidden:
        cut = (max(0, other[0] - left), max(0, other[1] - top), max(0, other[2] - left), max(0, other[3] - top))
        seen[cut[1] : cut[3], cut[0] : cut[2]] = 0
    if not seen.any():
        return None
    there[seen == 0] = cv2.mean(there, seen)[:3]
    # What lies outside the frame looks like the frame's edge.
    whole = cv2.copyMakeBorder(there, top - y0, y1 - bottom, left - x0, x1 - right, cv2.BORDER_REPLICATE)
    colours = cv2.resize(whole, cells_wh, interpolation=cv2.INTER_AREA)
    return np.asarray(colours, np.float32).reshape(cells_wh[1], cells_wh[0], 3)


@cache
def _nearness(cells: int) -> NDArray[np.float32]:
    """Return how near each of a row of cells is to where the row begins."""
    return _lasting(1 / (np.arange(cells) + 0.5))


# --- nobody's head -------------------------------------------------------------------------------------------------


def _head(around: Colours) -> Colours:
    """Paint nobody's head, a colour for each cell, in the light that is `around` it."""
    colours, share, relief = _nobody(*around.shape[:2])
    lit = colours * np.float32(around.mean() / MIDDLING)
    return np.clip(around + (lit - around) * share + relief, 0, 255)


@lru_cache(maxsize=256)
def _nobody(rows: int, cols: int) -> tuple[Colours, NDArray[np.float32], NDArray[np.float32]]:
    """Return the colours of a head that is nobody's, its share in each cell, and how cells differ from it."""
    y, x = (np.mgrid[:rows, :cols] + 0.5) / np.array([rows, cols])[:, None, None] * 2 - 1
    hair = np.clip((0.25 * x**2 - 0.42 - y) / 0.3 + 0.5, 0, 1)
    eyes = 0.28 * np.exp(-(((y + 0.08) / 0.16) ** 2))
    mouth = 0.22 * np.exp(-(((y - 0.5) / 0.13) ** 2) - (x / 0.4) ** 2)
    skin = np.array(SKIN) * (1 - eyes - mouth)[..., None]
    colours = skin + (np.array(HAIR) - skin) * hair[..., None]
    share = 0.8 * np.clip((1.15 - np.hypot(x / 0.95, y / 0.98)) / 0.4, 0, 1)[..., None]
    relief = np.random.default_rng(0).uniform(-RELIEF, RELIEF, (_MOST_CELLS, _MOST_CELLS, 1))[:rows, :cols]
    return _lasting(colours), _lasting(share), _lasting(relief)


# --- paint ---------------------------------------------------------------------------------------------------------


def _painted(colours: Colours, area: Area, style: MosaicStyle) -> Image:
    size_wh = (area[2] - area[0], area[3] - area[1])
    if style is MosaicStyle.SOLID:
        colours = colours.mean(axis=(0, 1), keepdims=True)
    if style is not MosaicStyle.BLUR:
        return np.asarray(cv2.resize(colours.astype(np.uint8), size_wh, interpolation=cv2.INTER_NEAREST), np.uint8)
    smooth = cv2.resize(colours.astype(np.uint8), size_wh, interpolation=cv2.INTER_CUBIC)
    times = (-(-size_wh[1] // len(_grain())), -(-size_wh[0] // len(_grain())), 1)
    grain = np.tile(_grain(), times)[: size_wh[1], : size_wh[0]]
    return np.asarray(cv2.addWeighted(smooth, 1, grain, 1, -GRAIN), np.uint8)


@cache
def _grain() -> Image:
    noise = np.random.default_rng(0).uniform(0, 2 * GRAIN, (256, 256, 1))
    return np.repeat(noise, 3, axis=2).astype(np.uint8)


def _lay(image: Image, painted: Image, place: _Place) -> None:
    area = place.area
    left, top, right, bottom = _within(area, image)
    there = image[top:bottom, left:right]
    here = (slice(top - area[1], bottom - area[1]), slice(left - area[0], right - area[0]))
    share = min(place.strength, 1.0)
    if place.shape is MosaicShape.BOX:
        there[:] = painted[here] if share == 1 else cv2.addWeighted(painted[here], share, there, 1 - share, 0)
        return
    whole = cv2.resize(_oval(), (painted.shape[1], painted.shape[0]), interpolation=cv2.INTER_LINEAR)
    matte = whole[here] * np.float32(share)
    there[:] = cv2.blendLinear(painted[here], there, matte, 1 - matte)


@cache
def _oval() -> Matte:
    """Return a head's matte: 1 in the oval that touches the area of its cover, 0 where its feather ends."""
    y, x = (np.mgrid[:256, :256] + 0.5) / 128 - 1
    ends = 1 + 2 * FEATHER
    t = np.clip((ends - np.hypot(x, y) * ends) / (ends - 1), 0, 1)
    return _lasting(t * t * (3 - 2 * t))


def _within(area: Area, image: Image) -> Area:
    """Return the part of an area that lies in the image; empty where none does."""
    height, width = image.shape[:2]
    return max(0, area[0]), max(0, area[1]), min(width, area[2]), min(height, area[3])


def _lasting(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Make a cached array small and safe to hand out."""
    lasting = values.astype(np.float32)
    lasting.flags.writeable = False
    return lasting
