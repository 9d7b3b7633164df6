"""Between frame and flat texture: one rasteriser serves both ways."""

from functools import cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import ShapeError
from mien.native import address, kernels
from mien.vision.mesh.topology import LANDMARKS, UV, WITH_OUTER_RING, Triangles, Vertices, with_outer_rings
from mien.vision.types import Image, check_image

_FAR: Final = 100.0
_SETTINGS: Final = cv2.TriangleRasterizeSettings()
_SETTINGS.setCullingMode(cv2.RASTERIZE_CULLING_NONE)  # what faces away lies behind what faces us, or fades out
_SETTINGS.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
_FOV: Final = 2 * float(np.arctan(0.5 / _FAR))
_TOUCH: Final = 1 / 997
"""All is drawn so far aside: OpenCV leaves a pixel out whose centre lies exactly on the edge of two triangles."""
_HALF: Final = 0.5 + _TOUCH
_CAMERA: Final = np.eye(4, dtype=np.float32)


def rasterise(
    points: Vertices, values: Vertices, triangles: Triangles, size_wh: tuple[int, int]
) -> NDArray[np.float32]:
    """Draw triangles, values running straight from corner to corner, nearer ones in front.

    Args:
        points: (N, 2) or (N, 3) pixels; with z, smaller is nearer. Pixel centres have whole coordinates.
        values: (N, 3), any range.
        triangles: (T, 3) indices of points.
        size_wh: Size of the picture to draw.

    Returns:
        (H, W, 3) float32; 0 where there is no triangle.

    Example:
        >>> corners = np.array([[-0.5, -0.5], [3.5, -0.5], [-0.5, 3.5]], np.float32)
        >>> values = np.array([[0, 0, 1], [4, 0, 1], [0, 4, 1]], np.float32)
        >>> drawn = rasterise(corners, values, np.array([[0, 1, 2]], np.int32), (4, 4))
        >>> drawn[1, 2].round(2).tolist(), drawn[3, 3].tolist()
        ([2.5, 1.5, 1.0], [0.0, 0.0, 0.0])
    """
    if kernels is not None:
        return rasterise_by(kernels, points, values, triangles, size_wh)[..., :3]
    return _rasterise_in_perspective(points, values, triangles, size_wh)


def _rasterise_in_perspective(
    points: Vertices, values: Vertices, triangles: Triangles, size_wh: tuple[int, int]
) -> NDArray[np.float32]:
    """Draw with OpenCV.

    OpenCV 5 has a software rasteriser with a perspective camera. Set far away, and with each point moved
    out by its own depth, it projects in parallel: exact at the corners, and off by less than 1 % of a
    triangle's own depth between them.

    Source:
        https://docs.opencv.org/5.x/ (3d module, `triangleRasterize`).
    """
    width, height = size_wh
    depth = np.full(len(points), _FAR, np.float32)
    if points.shape[1] == 3:
        depth += np.clip(points[:, 2] / height, -0.4 * _FAR, 0.4 * _FAR)
    spread = depth / (_FAR * height)
    corners = np.column_stack(
        [(points[:, 0] + _HALF - width / 2) * spread, (height / 2 - _HALF - points[:, 1]) * spread, -depth]
    )
    drawn = np.zeros((height, width, 3), np.float32)
    cv2.triangleRasterizeColor(
        np.ascontiguousarray(corners, np.float32),
        triangles,
        np.ascontiguousarray(values, np.float32),
        drawn,
        _CAMERA,
        _FOV,
        0.5 * _FAR,
        1.5 * _FAR,
        _SETTINGS,
    )
    return drawn


def rasterise_by(
    native: Any, points: Vertices, values: Vertices, triangles: Triangles, size_wh: tuple[int, int]
) -> NDArray[np.float32]:
    """Do what `rasterise` does with kernels; return (H, W, 4), of which the last is a kernel's own."""
    places = np.zeros((len(points), 3), np.float32)
    places[:, : points.shape[1]] = points
    places[:, :2] += np.float32(_TOUCH)
    values, triangles = np.ascontiguousarray(values, np.float32), np.ascontiguousarray(triangles, np.int32)
    width, height = size_wh
    drawn = np.empty((height, width, 4), np.float32)
    if values.shape != (len(places), 3) or triangles.shape[1] != 3:
        raise ShapeError(f"{len(places)} points need as many values of three, got {values.shape}, {triangles.shape}")
    native.mien_rasterise(
        *(address(places), address(values), len(places), address(triangles), len(triangles)),
        *(address(drawn), width, height),
    )
    return drawn


def flatten(values: Vertices, side: int) -> NDArray[np.float32]:
    """Draw what is known at the landmarks into the flat texture.

    Args:
        values: (468, 3).
        side: The texture's side, in pixels.

    Returns:
        (side, side, 3) float32; 0 outside the first ring.
    """
    if kernels is not None:
        return _flattened(kernels, values, side)[..., :3]
    return rasterise(
        UV[:_WITH_OUTER_RING_COUNT] * side - 0.5,
        with_outer_rings(values)[:_WITH_OUTER_RING_COUNT],
        WITH_OUTER_RING,
        (side, side),
    )


def _flattened(native: Any, values: Vertices, side: int) -> NDArray[np.float32]:
    known, (corners, weights) = with_outer_rings(values), _texels(side)
    drawn = np.empty((side, side, 4), np.float32)
    if known.shape != (len(UV), 3):
        raise ShapeError(f"a texture takes values of three at {LANDMARKS} landmarks, got {values.shape}")
    native.mien_flatten(address(known), address(corners), address(weights), side * side, address(drawn))
    return drawn


@cache
def _texels(side: int) -> tuple[Triangles, NDArray[np.float32]]:
    """Return between which vertices each texel lies, and how much each counts: (S, S, 3) both; outside, none does."""
    triangles, count = np.arange(3 * len(WITH_OUTER_RING), dtype=np.int32).reshape(-1, 3), len(WITH_OUTER_RING)
    places = (UV[WITH_OUTER_RING.reshape(-1)] * side - 0.5).astype(np.float32)
    weights = rasterise(places, np.tile(np.eye(3, dtype=np.float32), (count, 1)), triangles, (side, side))
    numbers = np.repeat(np.arange(count, dtype=np.float32), 3)[:, None].repeat(3, axis=1)
    which = np.rint(rasterise(places, numbers, triangles, (side, side))[..., 0]).astype(np.intp)
    return np.ascontiguousarray(WITH_OUTER_RING[which], np.int32), np.ascontiguousarray(weights)


def unwrap(image: Image, points: Vertices, side: int) -> Image:
    """Peel the face off an image into the flat texture.

    Args:
        image: RGB.
        points: (468, 2 or 3) landmarks in pixels of the image.
        side: The texture's side, in pixels.

    Returns:
        (side, side, 3) RGB. Outside the first ring it repeats some border pixel of the image.

    Raises:
        ShapeError: Not an image, or not all landmarks are there.
    """
    check_image(image)
    values = np.ones((len(points), 3), np.float32)
    values[:, :2] = points[:, :2]
    if kernels is not None:
        flat, out = _flattened(kernels, values, side), np.empty((side, side, 3), np.uint8)
        pixels, stride = rows_of(image)
        height, width = image.shape[:2]
        kernels.mien_sample(address(pixels), stride, width, height, address(flat), side * side, address(out))
        return out
    places = flatten(values, side)
    peeled = cv2.remap(image, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(peeled, np.uint8)


def rows_of(image: Image) -> tuple[Image, int]:
    """Return an image whose pixels lie beside each other in each row, and how many bytes lie between two rows.

    Raises:
        ShapeError: Not an image.
    """
    check_image(image)
    if image.strides[1:] != (3, 1) or image.strides[0] < 3 * image.shape[1]:
        image = np.ascontiguousarray(image)
    return image, image.strides[0]


_WITH_OUTER_RING_COUNT: Final = int(WITH_OUTER_RING.max()) + 1
