"""The slate: what viewers see when there is nothing safe to show."""

import cv2
import numpy as np

from mien.vision.faces import TreatedFrame

_GROUND = (24, 26, 32)
_INK = (214, 218, 226)


def slate(size_wh: tuple[int, int], *, at: float) -> TreatedFrame:
    """Draw a plain picture that says the live picture is paused.

    Args:
        size_wh: Width and height, at least 16 pixels each.
        at: The time it stands for.

    Example:
        >>> slate((64, 36), at=0.0).image.shape
        (36, 64, 3)
    """
    width, height = size_wh
    image = np.full((height, width, 3), _GROUND, np.uint8)
    unit = min(width, height) // 8
    centre_x, centre_y = width // 2, height * 2 // 5
    cv2.circle(image, (centre_x, centre_y), unit + unit // 2, _INK, max(unit // 8, 1), cv2.LINE_AA)
    for side in (-1, 1):
        left = centre_x + side * unit // 2 - unit // 6
        cv2.rectangle(
            image,
            (left, centre_y - unit * 5 // 8),
            (left + unit // 3, centre_y + unit * 5 // 8),
            _INK,
            cv2.FILLED,
        )
    return TreatedFrame(image=image, at=at)
