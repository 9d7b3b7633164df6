"""Light on a mask: its own relief and gloss under the lamp that the live face stands in."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.faces import Image, Matte, Mesh
from mien.vision.geometry import vertex_normals
from mien.vision.harmonise import COARSE
from mien.vision.one_euro import share
from mien.vision.regions import shrink
from mien.vision.unwrap import flatten

_SHADE_SIDE: Final = 64
_LAMP_HZ: Final = 1.5
_LAMP: Final = np.array([-0.25, -0.55, -0.8], np.float32)
"""Where light comes from when the live face does not say: above, a little from the image's left."""


@dataclass(frozen=True, slots=True, eq=False)
class Finish:
    """How a mask's material answers light.

    Attributes:
        gloss: Strength of the highlight, 0 to 1.
        hardness: Exponent of the highlight; higher is smaller and sharper.
        shade: How dark the sides that look away from the lamp become, 0 to 1.
    """

    gloss: float
    hardness: float
    shade: float


class MaskLight:
    """Shade a mask by the live mesh's normals under a lamp estimated from the live face.

    Args:
        texture: (S, S, 3) RGB.
        finish: Its material.
    """

    def __init__(self, texture: Image, finish: Finish) -> None:
        self._texture = texture.astype(np.float32)
        self._finish = finish
        self._lamp = _LAMP / np.linalg.norm(_LAMP)
        self._level: NDArray[np.float32] | None = None

    def __call__(self, live: Image, trust: Matte, mesh: Mesh, *, dt: float) -> Image:
        """Return the texture as lit now.

        Args:
            live: (S, S, 3) the live face's flat texture.
            trust: Where it shows skin.
            mesh: Live landmarks.
            dt: Seconds since the last call.
        """
        normals = flatten(vertex_normals(mesh), _SHADE_SIDE)
        level = self._look(live, trust, dt)
        diffuse = np.clip(-(normals @ -self._lamp), 0, 1)
        half = self._lamp + np.array([0, 0, -1], np.float32)
        half /= np.linalg.norm(half)
        shine = self._finish.gloss * np.clip(normals @ half, 0, 1) ** self._finish.hardness
        gain = ((1 - self._finish.shade) + self._finish.shade * diffuse * 1.25)[..., None] * level
        size_wh = self._texture.shape[1::-1]
        lit = cv2.multiply(self._texture, cv2.resize(gain.astype(np.float32), size_wh))
        glow = cv2.resize((255 * shine[..., None] * level).astype(np.float32), size_wh)
        return np.asarray(cv2.add(lit, glow, dtype=cv2.CV_8U), np.uint8)

    def _look(self, live: Image, trust: Matte, dt: float) -> NDArray[np.float32]:
        """Estimate the lamp's strength from the live skin."""
        coarse = shrink(live.astype(np.float32), COARSE).reshape(-1, 3)
        weight = shrink(trust, COARSE).reshape(-1, 1) + 1e-3
        level = (coarse * weight).sum(axis=0) / weight.sum()
        bright = float(np.clip((level.mean() / 150) ** 0.6, 0.35, 1.1))
        level = np.full(3, bright, np.float32)
        before = level if self._level is None else self._level
        self._level = np.asarray(before + share(_LAMP_HZ, dt) * (level - before), np.float32)
        return self._level
