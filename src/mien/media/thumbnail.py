"""A small still of a broadcast: of what viewers see now, never of what the camera saw."""

import threading
import time
from typing import Final

import cv2
import numpy as np

from mien.errors import MediaError
from mien.vision.types import TreatedFrame

MAX_WIDTH: Final = 320
QUALITY: Final = 70


class ThumbnailMaker:
    """Keeps the newest treated frame that was shown, and makes a JPEG of it when somebody asks.

    Nothing is made while nobody asks, and at most one JPEG in `every_s` however many do. All methods may be
    called from any thread; only `latest` does work, about 2 ms for a 720p frame.

    Args:
        every_s: How old a JPEG may be before a newer one is made.
    """

    def __init__(self, *, every_s: float = 2.0) -> None:
        self._every_s = every_s
        self._newest: TreatedFrame | None = None
        self._made_of: TreatedFrame | None = None
        self._made_at = 0.0
        self._jpeg: bytes | None = None
        self._lock = threading.Lock()

    def put(self, treated: TreatedFrame) -> None:
        """Take the frame that is shown now; never waits.

        Raises:
            TypeError: `treated` is not a `TreatedFrame`; no other frame may leave.
        """
        if not isinstance(treated, TreatedFrame):
            raise TypeError(f"only a TreatedFrame may be shown, got {type(treated).__name__}")
        self._newest = treated

    def forget(self) -> None:
        """Have no image until the next frame: a consent that was taken back takes its images with it."""
        with self._lock:
            self._newest = self._made_of = self._jpeg = None

    def latest(self) -> bytes | None:
        """Return a JPEG of at most 320 pixels' width, or None if there is nothing to show."""
        with self._lock:
            treated = self._newest
            if treated is None:
                return None
            now = time.monotonic()
            if self._jpeg is None or (treated is not self._made_of and now - self._made_at >= self._every_s):
                self._jpeg = _jpeg(treated)
                self._made_of, self._made_at = treated, now
            return self._jpeg


def _jpeg(treated: TreatedFrame) -> bytes:
    image = treated.image
    height, width = image.shape[:2]
    if width > MAX_WIDTH:
        small_wh = (MAX_WIDTH, max(round(height * MAX_WIDTH / width), 1))
        image = np.asarray(cv2.resize(image, small_wh, interpolation=cv2.INTER_AREA), np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise MediaError(f"no JPEG can be made of a picture of {image.shape}")
    return bytes(data.tobytes())
