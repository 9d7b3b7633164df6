"""Surroundings: the colours of what can be seen of a frame, spread over what is hidden, on one coarse grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.types import Image

SAMPLES: Final = 4
"""Pixels along each side of a cell that are read for its colour: as many again change no colour by a grey level."""
CELL_SHARE: Final = 0.022
"""Side of a cell over the short side of the frame: 16 px at 720p, where the cells then are the macroblocks of the
encoder."""
REACH_CELLS: Final = 2
"""So many cells around the hidden areas are read."""
NOTHING_SEEN: Final = 112.0
"""Grey level of all cells of a frame of which nothing can be seen."""

Area: TypeAlias = tuple[int, int, int, int]
"""Whole pixels, left, top, right, bottom; the last two lie outside."""
Colours: TypeAlias = NDArray[np.float32]
"""(rows, columns, 3), 0 to 255."""
_Plane: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CellGrid:
    """The colours of some cells of a frame's grid.

    Attributes:
        colours: (rows, columns, 3) float32, RGB, 0 to 255.
        first_row: Row of `colours[0]` in the grid of the frame, whose first cell begins at the top left pixel.
        first_column: The same for columns.
        cell_px: Side of a cell.
    """

    colours: Colours
    first_row: int
    first_column: int
    cell_px: int

    def within(self, area: Area) -> "CellGrid":
        """Return the cells that an area touches; it must lie in the region that was read."""
        left, top, right, bottom = area
        first_row, first_column = top // self.cell_px, left // self.cell_px
        rows = slice(first_row - self.first_row, -(-bottom // self.cell_px) - self.first_row)
        columns = slice(first_column - self.first_column, -(-right // self.cell_px) - self.first_column)
        return CellGrid(self.colours[rows, columns], first_row, first_column, self.cell_px)


def cell_side(size_wh: tuple[int, int]) -> int:
    """Return the side of a cell of a frame's grid, in pixels; a multiple of 4.

    Example:
        >>> [cell_side(size) for size in ((640, 360), (1280, 720), (1080, 1920), (40, 40))]
        [8, 16, 24, 4]
    """
    return max(1, round(min(size_wh) * CELL_SHARE / SAMPLES)) * SAMPLES


def spread(image: Image, hidden: Sequence[Area]) -> CellGrid:
    """Return the cells around and under the `hidden` areas, coloured by nothing but what can be seen beside them.

    Args:
        image: RGB frame.
        hidden: Areas within the frame, none of them empty; at least one.

    Source:
        The pull-push fill of Gortler et al. 1996, doi:10.1145/237170.237200, section 3.4.
    """
    height, width = image.shape[:2]
    cell = cell_side((width, height))
    corners = np.array(hidden)
    top, left = (max(0, int(corners[:, axis].min()) // cell - REACH_CELLS) for axis in (1, 0))
    bottom = min(-(-height // cell), -(-int(corners[:, 3].max()) // cell) + REACH_CELLS)
    right = min(-(-width // cell), -(-int(corners[:, 2].max()) // cell) + REACH_CELLS)
    sums, weights = _visible(image, hidden, (left, top, right, bottom), cell)
    return CellGrid(_filled(sums, weights), top, left, cell)


def _visible(image: Image, hidden: Sequence[Area], cells: Area, cell: int) -> tuple[Colours, _Plane]:
    """Return the colour of the visible part of each cell, weighted by that part, and the part itself, 0 to 1."""
    step = cell // SAMPLES
    left, top, right, bottom = (side * cell + step // 2 for side in cells)
    samples = image[top:bottom:step, left:right:step]
    seen = np.ones(samples.shape[:2], np.uint8)
    for x0, y0, x1, y1 in hidden:
        rows = slice(max(0, -((top - y0) // step)), max(0, -((top - y1) // step)))
        columns = slice(max(0, -((left - x0) // step)), max(0, -((left - x1) // step)))
        seen[rows, columns] = 0
    cols, rows_ = cells[2] - cells[0], cells[3] - cells[1]
    missing = rows_ * SAMPLES - samples.shape[0], cols * SAMPLES - samples.shape[1]  # a cell may be cut by the frame
    visible = cv2.copyMakeBorder(
        cv2.bitwise_and(samples, samples, mask=seen), 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT
    )
    seen = np.asarray(cv2.copyMakeBorder(seen, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT), np.uint8)
    sums = cv2.resize(visible.astype(np.float32), (cols, rows_), interpolation=cv2.INTER_AREA)
    weights = cv2.resize(seen.astype(np.float32), (cols, rows_), interpolation=cv2.INTER_AREA)
    return np.asarray(sums, np.float32).reshape(rows_, cols, 3), np.asarray(weights, np.float32)


def _filled(sums: Colours, weights: _Plane) -> Colours:
    """Return the colours of all cells: as much of each cell's own as was seen of it, the rest from farther away."""
    rows, cols = weights.shape
    if rows == cols == 1:
        seen = float(weights[0, 0])
        return sums / np.float32(seen) if seen > 0 else np.full_like(sums, NOTHING_SEEN)
    even = (0, rows % 2, 0, cols % 2, cv2.BORDER_CONSTANT)
    half_wh = ((cols + 1) // 2, (rows + 1) // 2)
    wide, far = (
        cv2.resize(cv2.copyMakeBorder(4 * plane, *even), half_wh, interpolation=cv2.INTER_AREA)
        for plane in (sums, weights)
    )
    full = np.maximum(np.asarray(far, np.float32), 1)  # what was seen of four cells counts as one at most
    coarse = _filled(
        np.asarray(wide / full[..., None], np.float32).reshape(half_wh[1], half_wh[0], 3),
        np.asarray(far / full, np.float32),
    )
    beyond = cv2.resize(coarse, (half_wh[0] * 2, half_wh[1] * 2), interpolation=cv2.INTER_LINEAR)
    return np.asarray(sums + (1 - weights)[..., None] * beyond.reshape(half_wh[1] * 2, -1, 3)[:rows, :cols], np.float32)
