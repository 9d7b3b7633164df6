"""What a built-in mask looks like before anybody wears it: laid on nobody's head."""

from functools import lru_cache
from importlib import resources

import cv2
import numpy as np

from mien.vision.faces import Image, Mesh
from mien.vision.masks import builtin_mask
from mien.vision.swapper import MeshSwapper

SIDE = 384
HEIGHT = 0.74
"""Of the face, as a share of the picture."""
_BACKDROP = (58, 62, 72)


@lru_cache(maxsize=8)
def mask_preview(name: str) -> Image:
    """Draw a mask on a head without features, lit from the front.

    Returns:
        (384, 384, 3) RGB.

    Raises:
        PersonaError: There is no such mask.
    """
    image = np.empty((SIDE, SIDE, 3), np.uint8)
    rows = np.linspace(1.15, 0.7, SIDE, dtype=np.float32)[:, None, None]
    image[...] = np.clip(np.array(_BACKDROP, np.float32) * rows, 0, 255).astype(np.uint8)
    mesh = nobody()
    outline = cv2.convexHull(mesh[:, :2].astype(np.int32))
    cv2.fillConvexPoly(image, outline, (150, 132, 120))  # a mask is lit as what it lies on
    MeshSwapper(builtin_mask(name))(image, mesh, at=0.0)
    return image


def nobody() -> Mesh:
    """Return the mean of many faces of people who do not exist, frontal, in the middle of the picture."""
    with resources.files(__package__).joinpath("mean_face.npy").open("rb") as file:
        mean = np.load(file, allow_pickle=False).astype(np.float32)
    return np.asarray(mean * (HEIGHT * SIDE) + (SIDE / 2, SIDE / 2 + 0.02 * SIDE, 0), np.float32)
