"""Where a cover lies: how much around the box of a face is to be hidden."""

from enum import StrEnum
from typing import Final

import numpy as np

from mien.vision.types import Box

GROW_XYXY: Final = (0.22, 0.34, 0.22, 0.18)
"""Share of the box that the mosaic reaches beyond it: forehead above, temples beside, chin below."""
HEAD_XYXY: Final = (0.36, 0.52, 0.36, 0.24)
"""The same for a head: hair line above, ears beside. Its oval holds the whole box of the face."""
PROPORTION: Final = 0.8
"""Width of a face for its height, as every cover takes it to be: a face's own would tell whose it is."""


class MosaicShape(StrEnum):
    """How much is hidden: the face and a margin, or the head's oval with hair line and ears."""

    BOX = "box"
    HEAD = "head"


def cover_box(box_xyxy: Box, *, grow: float = 1.0, shape: MosaicShape = MosaicShape.BOX) -> Box:
    """Return the area to hide for a face in `box_xyxy`.

    Args:
        box_xyxy: (4,) tight box of the face.
        grow: 1 for a face seen now; more for one whose place is less sure.
        shape: The cover's shape.

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


def _in_proportion(box_xyxy: Box) -> tuple[float, float, float, float]:
    """Grow a box to the proportions of every face; one that lies, or moves sideways, only becomes a little higher."""
    x0, y0, x1, y1 = (float(value) for value in box_xyxy)
    width, height = x1 - x0, y1 - y0
    more_x = max(0.0, PROPORTION * height - width) / 2
    more_y = max(0.0, min(width, height) / PROPORTION - height) / 2
    return x0 - more_x, y0 - more_y, x1 + more_x, y1 + more_y
