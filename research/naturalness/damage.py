"""What is done to faces on purpose: ten kinds of damage, each in five steps, and changes that do no harm."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.topology import OVAL
from mien.vision.types import Image, Matte, Mesh

Face: TypeAlias = tuple[Image, Mesh]
Damage: TypeAlias = Callable[[Image, Mesh, int, np.random.Generator], Image]


def _oval(image: Image, mesh: Mesh, *, scale: float = 0.95, soft: float = 0.03) -> Matte:
    """Return (H, W, 1), 1 in the face; `soft` is the width of its edge in widths of the face."""
    oval = mesh[OVAL, :2]
    middle = oval.mean(axis=0)
    drawn = np.zeros(image.shape[:2], np.float32)
    cv2.fillPoly(drawn, [np.round((oval - middle) * scale + middle).astype(np.int32)], 1.0)
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), max(0.6, soft * width_of(mesh)))[..., None], np.float32)


def width_of(mesh: Mesh) -> float:
    """Return the width of a face in pixels."""
    return float(np.ptp(mesh[:, 0]))


def _into(image: Image, changed: NDArray[Any], matte: Matte) -> Image:
    return np.clip(np.round(image * (1 - matte) + changed * matte), 0, 255).astype(np.uint8)


def blurred(image: Image, mesh: Mesh, step: int, _dice: np.random.Generator) -> Image:
    sigma = (0.004, 0.007, 0.011, 0.017, 0.025)[step - 1] * width_of(mesh)
    return _into(image, cv2.GaussianBlur(image, (0, 0), sigma), _oval(image, mesh))


def enlarged(image: Image, mesh: Mesh, step: int, _dice: np.random.Generator) -> Image:
    """Make the face smaller and large again."""
    scale = (0.9, 0.75, 0.6, 0.45, 0.33)[step - 1]
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return _into(image, cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR), _oval(image, mesh))


def noisy(image: Image, mesh: Mesh, step: int, dice: np.random.Generator) -> Image:
    grain = dice.normal(0, (2, 4, 7, 12, 20)[step - 1], (*image.shape[:2], 1))
    return _into(image, image + grain, _oval(image, mesh))


def compressed(image: Image, _mesh: Mesh, step: int, _dice: np.random.Generator) -> Image:
    _ok, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, (75, 50, 30, 18, 10)[step - 1]])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


def waxy(image: Image, mesh: Mesh, step: int, _dice: np.random.Generator) -> Image:
    """Smooth the skin and keep its edges."""
    reach = max(0.7, (0.012, 0.016, 0.02, 0.025, 0.03)[step - 1] * width_of(mesh))
    smooth = image
    for _ in range((1, 1, 2, 2, 3)[step - 1]):
        smooth = np.asarray(cv2.bilateralFilter(smooth, 0, (10, 20, 25, 40, 50)[step - 1], reach), np.uint8)
    return _into(image, smooth, _oval(image, mesh))


def sharpened(image: Image, mesh: Mesh, step: int, _dice: np.random.Generator) -> Image:
    """Sharpen until edges ring."""
    values = image.astype(np.float32)
    fine = values - cv2.GaussianBlur(values, (0, 0), max(0.7, 0.008 * width_of(mesh)))
    return _into(image, values + (0.4, 0.8, 1.4, 2.2, 3.5)[step - 1] * fine, _oval(image, mesh))


def _shifted(image: Image, mesh: Mesh, by: float, dice: np.random.Generator) -> Image:
    x, y = np.array([1.0, 0.4]) * by * width_of(mesh) * dice.choice([-1, 1])
    place = np.array([[1, 0, x], [0, 1, y]])
    moved = cv2.warpAffine(image, place, image.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def ghostly(image: Image, mesh: Mesh, step: int, dice: np.random.Generator) -> Image:
    """Lay the face over itself a little aside, ever more opaque."""
    return _into(image, _shifted(image, mesh, 0.07, dice), 0.1 * step * _oval(image, mesh))


def doubled(image: Image, mesh: Mesh, step: int, dice: np.random.Generator) -> Image:
    """Lay the face over itself half transparent, ever further aside."""
    by = (0.015, 0.03, 0.05, 0.08, 0.12)[step - 1]
    return _into(image, _shifted(image, mesh, by, dice), 0.5 * _oval(image, mesh))


def seamed(image: Image, mesh: Mesh, step: int, dice: np.random.Generator) -> Image:
    """Make the face lighter or darker as far as a hard edge."""
    tone = np.array([1.0, 0.8, 0.6]) * (4, 8, 14, 22, 35)[step - 1] * dice.choice([-1, 1])
    return _into(image, image + tone, _oval(image, mesh, scale=0.9, soft=0.004))


def bent(image: Image, mesh: Mesh, step: int, dice: np.random.Generator) -> Image:
    """Bend the face as an ill mesh would."""
    height, width = image.shape[:2]
    far = (
        (0.005, 0.01, 0.018, 0.028, 0.04)[step - 1] * width_of(mesh) * _oval(image, mesh, scale=0.9, soft=0.05)[..., 0]
    )
    grid = np.indices((height, width)).astype(np.float32)
    for axis in grid:
        wave = cv2.GaussianBlur(dice.normal(0, 1, (height, width)), (0, 0), 0.06 * width_of(mesh))
        axis += (wave / wave.std() * far).astype(np.float32)  # noqa: PLW2901  # `axis` is a view of `grid`
    return np.asarray(cv2.remap(image, grid[1], grid[0], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


DAMAGE: Final[dict[str, Damage]] = {
    "blur": blurred,
    "enlarged": enlarged,
    "noise": noisy,
    "JPEG": compressed,
    "waxy": waxy,
    "sharpened": sharpened,
    "ghost, stronger": ghostly,
    "ghost, further": doubled,
    "seam": seamed,
    "bent": bent,
}


def mirrored(image: Image, mesh: Mesh) -> Face:
    flipped = mesh.copy()
    flipped[:, 0] = image.shape[1] - 1 - flipped[:, 0]
    return np.ascontiguousarray(image[:, ::-1]), flipped


def relit(gamma: float) -> Callable[[Image, Mesh], Face]:
    table = np.round(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    return lambda image, mesh: (table[image], mesh)


HARMLESS: Final[dict[str, Callable[[Image, Mesh], Face]]] = {
    "mirrored": mirrored,
    "darker": relit(1.3),
    "lighter": relit(0.8),
}


# --- faces as large as they are measured ---------------------------------------------------------------------------


def resized(image: Image, mesh: Mesh, width_px: float) -> Face:
    """Return the face smaller, with some of what is around it."""
    scale = width_px / width_of(mesh)
    small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return cut_out(small, (mesh * scale).astype(np.float32))


def cut_out(image: Image, mesh: Mesh) -> Face:
    """Return a face with some of what is around it."""
    margin = 0.3 * width_of(mesh)
    x0, y0 = np.maximum(mesh[:, :2].min(axis=0) - margin, 0).astype(int)
    x1, y1 = np.minimum(mesh[:, :2].max(axis=0) + margin, image.shape[1::-1]).astype(int)
    return np.ascontiguousarray(image[y0:y1, x0:x1]), (mesh - np.array([x0, y0, 0])).astype(np.float32)
