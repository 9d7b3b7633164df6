"""Batches: pictures as networks take them."""

import numpy as np
from numpy.typing import NDArray

from mien.native import address, kernels
from mien.vision.types import Image, check_image


def batch_of(image: Image, *, scale: float, offset: float = 0.0) -> NDArray[np.float32]:
    """Return a picture as a network takes it: (1, 3, H, W) float32, times `scale`, plus `offset`.

    Args:
        image: (H, W, 3) uint8.
        scale: What a grey level counts for.
        offset: What black becomes.

    Raises:
        ShapeError: Not a picture.

    Example:
        >>> batch_of(np.full((2, 2, 3), 255, np.uint8), scale=1 / 255).tolist()[0][2]
        [[1.0, 1.0], [1.0, 1.0]]
    """
    check_image(image)
    if kernels is None:
        planes = image.transpose(2, 0, 1)[None].astype(np.float32) * np.float32(scale) + np.float32(offset)
        return np.ascontiguousarray(planes)
    image, batch = np.ascontiguousarray(image), np.empty((1, 3, *image.shape[:2]), np.float32)
    kernels.mien_planes(address(image), image.shape[0] * image.shape[1], scale, offset, address(batch))
    return batch
