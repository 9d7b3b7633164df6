"""Two real people in the public domain, whose photos ship inside registry packages."""

from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import PIL.Image
from skimage import data

from mien.vision.types import Image


@lru_cache(maxsize=1)
def astronaut() -> Image:
    """Return Eileen Collins, photographed by NASA (512 x 512); ships in scikit-image."""
    return np.asarray(data.astronaut(), np.uint8)


@lru_cache(maxsize=1)
def hopper() -> Image:
    """Return Grace Hopper, photographed by the United States Navy (512 x 600); ships in Matplotlib."""
    path = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    with PIL.Image.open(path) as frame:
        return np.asarray(frame.convert("RGB"), np.uint8)


def as_png(image: Image) -> bytes:
    """Return the bytes of a PNG file."""
    _ok, png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return png.tobytes()
