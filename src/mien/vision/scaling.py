"""Make pictures smaller, and batches of them, quickly."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.native import address, kernels
from mien.vision.types import Image


def scaled(image: Image, width: int, height: int) -> Image:
    """Scale a picture: by halves, then to the size. Averaging to any size at once takes thrice the time.

    Args:
        image: (H, W, 3) or (H, W) uint8.
        width: The result's width.
        height: The result's height.

    Example:
        >>> scaled(np.zeros((90, 160, 3), np.uint8), 64, 32).shape
        (32, 64, 3)
    """
    while image.shape[1] >= 2 * width and image.shape[0] >= 2 * height:
        half_wh = (image.shape[1] // 2, image.shape[0] // 2)
        image = np.asarray(cv2.resize(image, half_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def batch_of(image: Image, *, scale: float, offset: float = 0.0) -> NDArray[np.float32]:
    """Return a picture as a network takes it: (1, 3, H, W) float32, times `scale`, plus `offset`.

    Args:
        image: (H, W, 3) uint8.
        scale: What a grey level counts for.
        offset: What black becomes.

    Example:
        >>> batch_of(np.full((2, 2, 3), 255, np.uint8), scale=1 / 255).tolist()[0][2]
        [[1.0, 1.0], [1.0, 1.0]]
    """
    if kernels is None:
        planes = image.transpose(2, 0, 1)[None].astype(np.float32) * np.float32(scale) + np.float32(offset)
        return np.ascontiguousarray(planes)
    image, batch = np.ascontiguousarray(image), np.empty((1, 3, *image.shape[:2]), np.float32)
    kernels.mien_planes(address(image), image.shape[0] * image.shape[1], scale, offset, address(batch))
    return batch
