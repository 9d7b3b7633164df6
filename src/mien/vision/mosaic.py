"""Mosaic: opaque coarse cells over a face and its surroundings."""

import cv2
import numpy as np

from mien.vision.faces import Box, Image

CELLS = 6
"""Cells across a face. Eight is the most that still hides who it is; six leaves some air."""
LEVELS = 24
"""Cell colours are rounded to steps of this size, so that small changes over time carry no more detail."""
GROW_XYXY = (0.22, 0.34, 0.22, 0.18)
"""Share of the box that the mosaic reaches beyond it: hair line above, ears beside, chin below."""


def cover_box(box_xyxy: Box, *, grow: float = 1.0) -> Box:
    """Return the area to hide for a face in `box_xyxy`.

    Args:
        box_xyxy: (4,) tight box of the face.
        grow: 1 for a face seen now; more for one whose place is less sure.

    Example:
        >>> cover_box(np.array([0, 0, 100, 100], np.float32)).round().tolist()
        [-22.0, -34.0, 122.0, 118.0]
    """
    x0, y0, x1, y1 = (float(value) for value in box_xyxy)
    width, height = x1 - x0, y1 - y0
    left, top, right, bottom = GROW_XYXY
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


def draw_mosaic(image: Image, area_xyxy: Box, *, cell_px: float) -> None:
    """Replace `area_xyxy` of `image`, in place, by square cells of one colour each.

    The grid hangs on the area's corner, so it travels with the face: a grid fixed to the frame would sample a
    moving face at ever new places and so give its detail away.

    Args:
        image: RGB frame, changed in place.
        area_xyxy: (4,) pixels; the part outside the frame is ignored.
        cell_px: Side of a cell in pixels.
    """
    height, width = image.shape[:2]
    x0, y0 = max(0, int(np.floor(area_xyxy[0]))), max(0, int(np.floor(area_xyxy[1])))
    x1, y1 = min(width, int(np.ceil(area_xyxy[2]))), min(height, int(np.ceil(area_xyxy[3])))
    if x1 <= x0 or y1 <= y0:
        return
    area = image[y0:y1, x0:x1]
    cols, rows = (max(1, int(side / max(cell_px, 1.0))) for side in (x1 - x0, y1 - y0))
    cells = cv2.resize(area, (cols, rows), interpolation=cv2.INTER_AREA)
    cells = (cells // LEVELS * LEVELS + LEVELS // 2).clip(0, 255).astype(np.uint8)
    cv2.resize(cells, (x1 - x0, y1 - y0), dst=area, interpolation=cv2.INTER_NEAREST)


def cell_size(box_xyxy: Box) -> float:
    """Return the side of a cell for a face in `box_xyxy`: never less than 4 px, so that far faces vanish too."""
    return max(4.0, float(max(box_xyxy[2] - box_xyxy[0], box_xyxy[3] - box_xyxy[1])) / CELLS)
