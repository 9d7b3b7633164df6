"""What a built-in mask looks like before anybody wears it: laid on nobody's head."""

from functools import lru_cache
from importlib import resources
from typing import Final, cast

import numpy as np

from mien.vision.mesh.regions import ramp
from mien.vision.swap.masks.builtin import builtin_mask
from mien.vision.swap.masks.light import Finish, MaskLight
from mien.vision.swap.render_texture import facing, render_texture
from mien.vision.swap.swapper import MASK_LIMITS
from mien.vision.types import Image, Mesh

SIDE: Final = 384
HEIGHT: Final = 0.74
"""The height of the face, as a share of the picture."""
_BACKDROP: Final = (58, 62, 72)
_TURN, _NOD = -16.0, 3.0


@lru_cache(maxsize=8)
def mask_preview(name: str) -> Image:
    """Draw a mask on an invisible head, turned a little, under a studio lamp.

    Returns:
        (384, 384, 3) RGB.

    Raises:
        PersonaError: There is no such mask.
    """
    mask = builtin_mask(name)
    rows = np.linspace(1.05, 0.5, SIDE, dtype=np.float32)[:, None, None]
    backdrop = np.broadcast_to(np.array(_BACKDROP, np.float32) * rows, (SIDE, SIDE, 3)).astype(np.uint8)
    mesh = turned(nobody(), _TURN, _NOD)
    lit = MaskLight(cast("Finish", mask.surface)).studio(mask.texture, mesh)  # a built-in mask has no other
    return render_texture(backdrop, mesh, ramp(facing(mesh), *MASK_LIMITS.edge_on), lit, mask.matte)[0]


def nobody() -> Mesh:
    """Return the mean of many faces of people who do not exist, frontal, in the middle of the picture."""
    with resources.files(__package__).joinpath("mean_face.npy").open("rb") as file:
        mean = np.load(file, allow_pickle=False).astype(np.float32)
    return np.asarray(mean * (HEIGHT * SIDE) + (SIDE / 2, SIDE / 2 + 0.02 * SIDE, 0), np.float32)


def turned(mesh: Mesh, yaw: float, pitch: float) -> Mesh:
    """Return a mesh turned about its middle, in degrees: to the image's right, and up."""
    y, p = np.radians([yaw, pitch])
    around_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    around_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    middle = mesh.mean(axis=0)
    return np.asarray((mesh - middle) @ (around_x @ around_y).T + middle, np.float32)
