"""Scene cuts: moments at which nothing known about the last frame holds for this one."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.types import Image

THUMB_WH = (64, 36)
DIFFERENCE = 28.0
"""Mean change of luma, of 255, that only a cut or a flash makes; a fast pan stays below it."""
CORRELATION = 0.72
"""Pictures of one scene keep their layout: below this likeness of the two thumbnails it is another scene."""

ANOTHER_SCENE = 0.3
"""Below this likeness no movement explains the alarm: it was a cut."""


class CutDetector:
    """Compare each frame's thumbnail with the last one's.

    A false alarm costs some mosaic, a missed cut costs somebody's privacy: the limits lean to the alarm.

    Attributes:
        change: By how much each cell of the thumbnail changed in the last frame, 0 to 255.
    """

    def __init__(self) -> None:
        self.change = np.zeros(THUMB_WH[::-1], np.float32)
        self._last: NDArray[np.float32] | None = None

    def __call__(self, image: Image) -> bool:
        """Tell whether `image` begins a new scene; the first frame does."""
        luma = _thumbnail(image)
        last, self._last = self._last, luma
        if last is None:
            return True
        self.change = np.abs(luma - last)
        return float(self.change.mean()) > DIFFERENCE or _likeness(luma, last) < CORRELATION


def surely_cut(before: Image, after: Image) -> bool:
    """Tell whether two frames show two scenes beyond doubt: most alarms in fast scenes are none."""
    return _likeness(_thumbnail(before), _thumbnail(after)) < ANOTHER_SCENE


def _thumbnail(image: Image) -> NDArray[np.float32]:
    """Return the luma of a frame, small."""
    # Every n-th pixel first: averaging all of a 720p frame takes 2 ms and tells no more.
    step = max(1, image.shape[1] // (2 * THUMB_WH[0]))
    small = cv2.resize(image[::step, ::step], THUMB_WH, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the correlation of two thumbnails; flat pictures are alike."""
    a0, b0 = a - a.mean(), b - b.mean()
    energy = float(np.sqrt((a0 * a0).sum() * (b0 * b0).sum()))
    if energy < 64.0 * a.size:  # less than 8 levels of contrast: noise has no layout
        return 1.0
    return float((a0 * b0).sum()) / energy
