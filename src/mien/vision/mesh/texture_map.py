"""Between frame and flat texture: one rasteriser serves both ways."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.topology import UV, WITH_OUTER_RING, Triangles, Vertices, with_outer_rings
from mien.vision.types import Image

_FAR: Final = 100.0
_SETTINGS: Final = cv2.TriangleRasterizeSettings()
_SETTINGS.setCullingMode(cv2.RASTERIZE_CULLING_NONE)  # what faces away lies behind what faces us, or fades out
_SETTINGS.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
_FOV: Final = 2 * float(np.arctan(0.5 / _FAR))
_HALF: Final = 0.5 + 1 / 997
"""Half a pixel, and a touch: OpenCV leaves a pixel out whose centre lies exactly on the edge of two triangles."""
_CAMERA: Final = np.eye(4, dtype=np.float32)


def rasterise(
    points: Vertices, values: Vertices, triangles: Triangles, size_wh: tuple[int, int]
) -> NDArray[np.float32]:
    """Draw triangles, values running straight from corner to corner, nearer ones in front.

    OpenCV 5 has a software rasteriser with a perspective camera. Set far away, and with each point moved
    out by its own depth, it projects in parallel: exact at the corners, and off by less than 1 % of a
    triangle's own depth between them.

    Args:
        points: (N, 2) or (N, 3) pixels; with z, smaller is nearer. Pixel centres have whole coordinates.
        values: (N, 3), any range.
        triangles: (T, 3) indices of points.
        size_wh: Size of the picture to draw.

    Returns:
        (H, W, 3) float32; 0 where there is no triangle.

    Source:
        https://docs.opencv.org/5.x/ (3d module, `triangleRasterize`).

    Example:
        >>> corners = np.array([[-0.5, -0.5], [3.5, -0.5], [-0.5, 3.5]], np.float32)
        >>> values = np.array([[0, 0, 1], [4, 0, 1], [0, 4, 1]], np.float32)
        >>> drawn = rasterise(corners, values, np.array([[0, 1, 2]], np.int32), (4, 4))
        >>> drawn[1, 2].round(2).tolist(), drawn[3, 3].tolist()
        ([2.5, 1.5, 1.0], [0.0, 0.0, 0.0])
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


def flatten(values: Vertices, side: int) -> NDArray[np.float32]:
    """Draw what is known at the landmarks into the flat texture.

    Args:
        values: (468, 3).
        side: The texture's side, in pixels.

    Returns:
        (side, side, 3) float32; 0 outside the first ring.
    """
    return rasterise(
        UV[:_WITH_OUTER_RING_COUNT] * side - 0.5,
        with_outer_rings(values)[:_WITH_OUTER_RING_COUNT],
        WITH_OUTER_RING,
        (side, side),
    )


def unwrap(image: Image, points: Vertices, side: int) -> Image:
    """Peel the face off an image into the flat texture.

    Args:
        image: RGB.
        points: (468, 2 or 3) landmarks in pixels of the image.
        side: The texture's side, in pixels.

    Returns:
        (side, side, 3) RGB. Outside the first ring it repeats some border pixel of the image.
    """
    places = flatten(np.column_stack([points[:, :2], np.ones(len(points), np.float32)]), side)
    peeled = cv2.remap(image, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(peeled, np.uint8)


_WITH_OUTER_RING_COUNT: Final = int(WITH_OUTER_RING.max()) + 1
