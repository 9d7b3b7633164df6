"""Restoration: the last touch on a drawn face, before it is blended into the picture."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.geometry import bounds
from mien.vision.mesh.regions import INNER
from mien.vision.one_euro import share
from mien.vision.types import Image, Mesh

_FOLLOW_HZ: Final = 0.7
"""Sharpness and grain belong to the camera: they are followed slowly."""
_FALL: Final = 0.6
"""How the slope of detail falls with the square of a Gaussian's sigma, per pixel squared; see `_sharpness`."""
_MAX_SIGMA: Final = 2.2
_RICHER: Final = 1.6
"""How much more detail than the live face a persona may have by its own nature: wrinkles, a beard."""
_COARSEST: Final = 3.0
"""Grain larger than so many times its own median is no grain but an edge of the live face."""


class DetailMatch:
    """Give a drawn face the sharpness and the grain of the picture around it.

    A photo sharper than the camera looks pasted and shimmers; one softer looks like wax. How fast detail falls from
    coarse to fine tells how sharp a picture is, whatever it shows: the face is blurred until it falls alike. What the
    live skin then still has more of, its grain and pores, is added from it.

    Args:
        strength: 0 leaves the face as drawn, 1 matches fully.
    """

    def __init__(self, strength: float = 1.0) -> None:
        self._strength = strength
        self._blur: float | None = None
        self._grain = 0.0

    def __call__(self, face: Image, live: Image, mesh: Mesh, *, dt: float) -> Image:
        """Return `face`, blurred or grained."""
        part = _middle(mesh, live)
        if min(live[part].shape[:2]) < _MIN_PX:
            return face
        live_fine, live_slope = _sharpness(live[part])
        face_fine, face_slope = _sharpness(face[part])
        blur = float(np.clip(np.log(max(face_slope, 1e-3) / max(live_slope, 1e-3)) / _FALL, 0, _MAX_SIGMA**2))
        # The slope tells little where coding has flattened everything; the amount of detail bounds it there.
        blur = max(
            blur,
            float(np.clip(np.log(max(face_fine, 1e-3) / max(_RICHER * live_fine, 1e-3)) / _FALL, 0, _MAX_SIGMA**2)),
        )
        grain = float(np.clip(1 - face_fine / max(live_fine, 1e-3), 0, 1))
        pace = 1.0 if self._blur is None else float(share(_FOLLOW_HZ, dt))
        self._blur = blur if self._blur is None else self._blur + pace * (blur - self._blur)
        self._grain += pace * (grain - self._grain)
        sigma = self._strength * np.sqrt(self._blur)
        if sigma > 0.3:
            face = np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), np.uint8)
        if self._strength * self._grain > 0.05:
            face = _with_grain(face, live, part, self._strength * self._grain)
        return face


_MIN_PX: Final = 16


def _middle(mesh: Mesh, image: Image) -> tuple[slice, slice]:
    """Return the inner face's part of the image."""
    low, high = bounds(mesh[INNER])
    x0, y0 = np.clip(low, 0, image.shape[1::-1]).astype(int)
    x1, y1 = np.clip(high, 0, image.shape[1::-1]).astype(int)
    return slice(y0, y1), slice(x0, x1)


def _sharpness(image: Image) -> tuple[float, float]:
    """Return the finest detail, in levels, and its share of the detail twice as coarse."""
    fine = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    coarse = cv2.resize(fine, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    energies = [float(np.abs(cv2.Laplacian(level, cv2.CV_16S)).mean()) for level in (fine, coarse)]
    return energies[0], energies[0] / max(energies[1], 1e-3)


def _with_grain(face: Image, live: Image, part: tuple[slice, slice], amount: float) -> Image:
    """Add the finest luminance detail of the live skin, edges left out."""
    luma = cv2.cvtColor(live, cv2.COLOR_RGB2GRAY)
    grain = cv2.subtract(luma, cv2.GaussianBlur(luma, (0, 0), 1.2), dtype=cv2.CV_16S)
    usual: NDArray[np.int16] = np.abs(grain[part][::2, ::2])
    most = max(2.0, _COARSEST * float(np.median(usual)))
    grain = np.clip(grain, -most, most) * np.float32(amount)
    return np.asarray(cv2.add(face, cv2.merge([grain] * 3), dtype=cv2.CV_8U), np.uint8)
