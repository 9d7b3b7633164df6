"""How natural the fine structure of a face is, judged with nothing to compare it to.

What neighbouring pixels of a photo have to do with each other follows laws that blur, noise, compression, smoothing and
sharpening break. A face is as good as it is near to what 334 official portraits of real people obey, a Gaussian
distribution of 36 statistics: NIQE, fitted to faces instead of landscapes, and to the width of the face. It was told
nothing of any damage. `research/naturalness` fits it, and measures what it sees and what not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import lgamma
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.topology import OVAL
from mien.vision.types import Image, Mesh

FITTED: Final = Path(__file__).with_suffix(".npz")
WIDTHS_PX: Final = (56.0, 220.0)
"""Widths of the faces the distribution was fitted to; wider and narrower ones are measured by its ends."""

Statistics = NDArray[np.float64]


def statistics(image: Image, mesh: Mesh) -> Statistics:
    """Return what neighbouring pixels of a face have to do with each other.

    Returns:
        (36,): for the picture and for half its size, the logarithms of shape and spread of the normalised luma; and for
        its products with the neighbours beside, below and on both diagonals, the logarithms of shape and of the spreads
        of the negative and of the positive ones, and their mean.

    Source:
        Mittal, Moorthy and Bovik 2012, doi:10.1109/TIP.2012.2214050, features; logarithms are ours: they make the
        distribution of each more alike a Gaussian one.
    """
    part, inside = _face(image, mesh)
    luma = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32)
    found: list[float] = []
    for _ in range(2):
        found += _of_scale(normalised(luma), inside)
        half = (luma.shape[1] // 2, luma.shape[0] // 2)
        luma = np.asarray(cv2.resize(luma, half, interpolation=cv2.INTER_AREA), np.float32)
        inside = cv2.resize(inside.astype(np.uint8), half, interpolation=cv2.INTER_NEAREST) > 0
    return np.array(found)


def _face(image: Image, mesh: Mesh) -> tuple[Image, NDArray[np.bool_]]:
    """Cut out a face with what its pixels are compared to, and tell which pixels lie in its oval."""
    oval = mesh[OVAL, :2]
    low, high = oval.min(axis=0), oval.max(axis=0)
    margin = 0.1 * (high - low) + 8
    x0, y0 = np.maximum(low - margin, 0).astype(int)
    x1, y1 = np.minimum(high + margin, image.shape[1::-1]).astype(int)
    middle = oval.mean(axis=0)
    drawn = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(drawn, [np.round((oval - middle) * 0.95 + middle - (x0, y0)).astype(np.int32)], 1)
    return image[y0:y1, x0:x1], drawn > 0


def normalised(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take the local mean from (H, W) values of 0 to 255, and divide by their local deviation, plus one."""
    window = cv2.getGaussianKernel(7, 7 / 6)
    mean = cv2.sepFilter2D(luma, -1, window, window)
    square = cv2.sepFilter2D(luma * luma, -1, window, window)
    return np.asarray((luma - mean) / (np.sqrt(np.maximum(square - mean * mean, 0)) + 1), np.float32)


def _of_scale(values: NDArray[np.float32], inside: NDArray[np.bool_]) -> list[float]:
    shape, left, right = spread_of(values[inside])
    found = [np.log(shape), np.log((left + right) / 2)]
    whole = inside.copy()
    whole[0], whole[:, 0], whole[:, -1] = False, False, False  # have no neighbour
    for step in ((0, 1), (1, 0), (1, 1), (1, -1)):
        products = (values * np.roll(values, step, axis=(0, 1)))[whole]
        shape, left, right = spread_of(products)
        found += [np.log(shape), np.log(left), np.log(right), float(products.mean())]
    return [float(value) for value in found]


def spread_of(values: NDArray[np.float32]) -> tuple[float, float, float]:
    """Fit an asymmetric generalised Gaussian distribution.

    Returns:
        Its shape (2 is a Gaussian, 1 a Laplace distribution), and the roots of the mean squares of the negative and of
        the positive values.

    Source:
        Lasmar, Stitou and Berthoumieu 2009, doi:10.1109/ICIP.2009.5414404, by moments.
    """
    square = values.astype(np.float64) ** 2
    tiny = 1e-5  # a face painted in one colour has no spread at all
    left, right = (np.sqrt(square[side].mean()) + tiny if side.any() else tiny for side in (values < 0, values > 0))
    ratio = float(left / right)
    peaked = float(np.abs(values).mean()) ** 2 / (float(square.mean()) + tiny**2)
    wanted = peaked * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, peaks = _peaks()
    return float(np.interp(wanted, peaks, shapes)), float(left), float(right)


@cache
def _peaks() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return shapes of the distribution, and for each the squared mean over the mean square, which grows with it."""
    shapes = np.arange(0.2, 10, 0.001)
    peaks = [np.exp(2 * lgamma(2 / shape) - lgamma(1 / shape) - lgamma(3 / shape)) for shape in shapes]
    return shapes, np.array(peaks)


@dataclass(frozen=True, slots=True)
class Naturalness:
    """What the statistics of good portraits are.

    Attributes:
        line: (2, 36): their mean at a face 110 px wide, and how much it grows with the logarithm of the width.
        spread: (36,): their standard deviation around it.
        precision: (36, 36): inverse of their correlation.

    Source:
        Mittal, Soundararajan and Bovik 2013, doi:10.1109/LSP.2012.2227726. There the picture's own variance joins that
        of the model; one face is too small to have one.
    """

    line: Statistics
    spread: Statistics
    precision: Statistics

    @classmethod
    @cache
    def read(cls) -> "Naturalness":
        """Return what was fitted to portraits."""
        with np.load(FITTED, allow_pickle=False) as fitted:
            return cls(*(fitted[name].astype(np.float64) for name in cls.__slots__))

    @classmethod
    def fit(cls, faces: Sequence[tuple[Image, Mesh]]) -> "Naturalness":
        """Fit it to pictures of faces, each with its mesh."""
        found = np.array([statistics(image, mesh) for image, mesh in faces])
        widths = np.array([_width(mesh) for _, mesh in faces])
        line = np.linalg.lstsq(widths, found, rcond=None)[0]
        apart = found - widths @ line
        spread = apart.std(axis=0)
        alike = np.corrcoef(apart.T)
        # A fiftieth of the identity keeps what hardly varies among portraits from deciding everything.
        return cls(line, spread, np.linalg.inv(0.98 * alike + 0.02 * np.eye(len(alike))))

    def write(self) -> None:
        """Write it where `read` finds it."""
        np.savez_compressed(FITTED, **{name: getattr(self, name).astype(np.float32) for name in self.__slots__})

    def distance(self, image: Image, mesh: Mesh) -> float:
        """Return how far a face is from a good portrait: about 1 for one of them, more for what was damaged."""
        away = (statistics(image, mesh) - _width(mesh) @ self.line) / self.spread
        return float(np.sqrt(away @ self.precision @ away / len(away)))


def quality(before: Image, after: Image, mesh: Mesh) -> float:
    """Return how much nearer to a good portrait a face is after the swap than before: below 1 it looks worse."""
    natural = Naturalness.read()
    return natural.distance(before, mesh) / natural.distance(after, mesh)


def _width(mesh: Mesh) -> Statistics:
    return np.array([1.0, np.log(np.clip(np.ptp(mesh[:, 0]), *WIDTHS_PX) / 110)])
