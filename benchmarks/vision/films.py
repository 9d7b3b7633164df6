"""Films and photos beside the checkout, which not everybody has, and how a film is read."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mien.vision.types import Image

SHARED: Final = Path(os.environ.get("MIEN_SHARED", Path(__file__).parents[3] / "shared"))
"""`../shared`, or the folder that the variable names; each benchmark says what it does without."""
MEDIA: Final = SHARED / "media"


def read_video(path: Path) -> Iterator[Image]:
    """Yield the frames of a video file, or the one of a picture, as RGB."""
    video = cv2.VideoCapture(str(path))
    while True:
        read, bgr = video.read()
        if not read:
            return
        yield np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
