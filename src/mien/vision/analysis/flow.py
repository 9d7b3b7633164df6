"""Flow: where what is seen at one place of a frame is in a frame close to it in time."""

import cv2
import numpy as np

from mien.vision.types import Box, Image

SIDE = 24
"""A face is compared at about this size: enough to tell it from its surroundings, and quick."""
LIKENESS = 0.7
"""Least correlation with the best place for it to be believed."""


def carried(image: Image, box_xyxy: Box, other: Image) -> Box | None:
    """Return where in `other` the content of `box_xyxy` of `image` is, or None where nothing near is like it.

    It is sought as far around as the box is large. Size and turn are taken to be the same.
    """
    size = float((box_xyxy[2:] - box_xyxy[:2]).max())
    step = max(1, round(size / SIDE))
    template, origin = _thinned(image, box_xyxy, step)
    around, corner = _thinned(other, box_xyxy + np.array([-size, -size, size, size], np.float32), step)
    if min(template.shape[:2]) < 6 or (np.array(around.shape[:2]) < template.shape[:2]).any() or template.std() < 2:
        return None
    likeness = cv2.matchTemplate(around, template, cv2.TM_CCOEFF_NORMED)
    _low, high, _at_low, (col, row) = cv2.minMaxLoc(likeness)
    if high < LIKENESS:
        return None
    shift = np.array([col, row], np.float32) * step + corner - origin
    return np.asarray(box_xyxy + np.concatenate([shift, shift]), np.float32)


def _thinned(image: Image, box: Box, step: int) -> tuple[Image, Box]:
    """Return every n-th pixel of a part of the image, in luma, and where the part begins."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (int(value) for value in np.clip(box, 0, [width, height, width, height]))
    part = image[y0:y1:step, x0:x1:step]
    luma = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY) if part.size else part[..., 0]
    return np.asarray(luma, np.uint8), np.array([x0, y0], np.float32)
