"""The slate: what viewers see when there is nothing safe to show."""

from typing import Final

import cv2
import numpy as np

from mien.vision.render.label import draw_text, text_size_wh
from mien.vision.types import TreatedFrame

_GROUND: Final = (24, 26, 32)
_INK: Final = (214, 218, 226)
_WORDS: Final = ("Paused", "잠시 멈춤")


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
    unit = max(min(width, height) // 10, 1)
    middle = (width // 2, round(height * 0.36))
    cv2.circle(image, middle, unit * 3 // 2, _INK, max(unit // 8, 1), cv2.LINE_AA)
    for side in (-1, 1):
        left, top = middle[0] + side * unit // 2 - unit // 6, middle[1] - unit * 5 // 8
        cv2.rectangle(image, (left, top), (left + unit // 3, top + unit * 5 // 4), _INK, cv2.FILLED)
    text_px = unit * 3 // 4
    if text_px >= 8 and max(text_size_wh(word, text_px)[0] for word in _WORDS) < width:
        for row, word in enumerate(_WORDS):
            centre_xy = (width / 2, height * 0.66 + row * text_px * 2)
            draw_text(image, word, centre_xy=centre_xy, height_px=text_px, colour=_INK)
    return TreatedFrame(image=image, at=at)
