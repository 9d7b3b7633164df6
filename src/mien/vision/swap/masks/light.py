"""Light on a mask: its own gloss and shade under the lamp that the live face stands in."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.native import address, kernels
from mien.vision.mesh.geometry import vertex_normals
from mien.vision.mesh.regions import inner, shrink
from mien.vision.mesh.texture_map import flatten
from mien.vision.one_euro import share
from mien.vision.swap.harmonise import COARSE
from mien.vision.types import Image, Matte, Mesh

_SHADE_SIDE: Final = 64
_LAMP_HZ: Final = 1.0
_DOUBT: Final = 0.25
"""How much the studio's lamp weighs against what the live face says."""


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


@dataclass(frozen=True, slots=True)
class Lamp:
    """One far lamp.

    Attributes:
        direction: (3,) of length 1, from the face towards the lamp.
        colour: (3,) RGB, 1 where a white mask should come out white.
    """

    direction: NDArray[np.float32]
    colour: NDArray[np.float32]

    def towards(self, other: "Lamp", amount: float) -> "Lamp":
        """Return a lamp between this one and `other`."""
        direction = self.direction + amount * (other.direction - self.direction)
        colour = self.colour + np.float32(amount) * (other.colour - self.colour)
        return Lamp(_unit(direction), colour)


def _unit(vector: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), np.float32)


STUDIO: Final = Lamp(_unit(np.array([-0.30, -0.55, -0.78])), np.ones(3, np.float32))
"""Where light comes from when the live face does not say: above, a little from the image's left."""


class MaskLight:
    """Shade a mask by the live mesh's normals under a lamp estimated from the live face.

    Args:
        finish: The mask's material.
    """

    def __init__(self, finish: Finish) -> None:
        self._finish = finish
        self._lamp: Lamp | None = None

    def __call__(self, texture: Image, live: Image, trust: Matte, mesh: Mesh, *, dt: float) -> Image:
        """Return the texture as lit now.

        Args:
            texture: The mask's, (S, S, 3) RGB.
            live: The live face's flat texture.
            trust: Where it shows skin.
            mesh: Live landmarks.
            dt: Seconds since the last call.
        """
        normals = vertex_normals(mesh)
        seen = guess_lamp(live, trust, flatten(normals, COARSE))
        self._lamp = seen if self._lamp is None else self._lamp.towards(seen, float(share(_LAMP_HZ, dt)))
        return self._lit(texture, flatten(normals, _SHADE_SIDE), self._lamp)

    def studio(self, texture: Image, mesh: Mesh) -> Image:
        """Return the texture under the studio's lamp."""
        return self._lit(texture, flatten(vertex_normals(mesh), _SHADE_SIDE), STUDIO)

    def _lit(self, texture: Image, normals: NDArray[np.float32], lamp: Lamp) -> Image:
        """Shade (Lambert) and add the highlight (Blinn-Phong), both too smooth to need the texture's resolution."""
        finish, viewer = self._finish, np.array([0, 0, -1], np.float32)
        half = _unit(lamp.direction + viewer)
        # Light wraps a little around the edge, as it does from a lamp that is not a point.
        diffuse = np.clip((normals @ lamp.direction + 0.25) / 1.25, 0, 1)
        shine = finish.gloss * np.clip(normals @ half, 0, 1) ** finish.hardness
        glow = np.clip(255 * shine[..., None] * lamp.colour, 0, 255).astype(np.float32)
        gain = (1 - finish.shade + finish.shade * 1.1 * diffuse)[..., None] * lamp.colour
        size_wh = texture.shape[1::-1]
        if kernels is not None:
            return _shone(kernels, texture, gain.astype(np.float32), glow)
        full = cv2.resize(gain.astype(np.float32), size_wh, interpolation=cv2.INTER_LINEAR)
        lit = cv2.multiply(texture, full, dtype=cv2.CV_8U)
        return np.asarray(
            cv2.add(lit, cv2.resize(glow, size_wh, interpolation=cv2.INTER_LINEAR), dtype=cv2.CV_8U), np.uint8
        )


def _shone(native: Any, texture: Image, gain: NDArray[np.float32], glow: NDArray[np.float32]) -> Image:
    rows, length, height = len(gain), 3 * texture.shape[1], len(texture)
    wide = [
        np.asarray(cv2.resize(each, (texture.shape[1], rows), interpolation=cv2.INTER_LINEAR)) for each in (gain, glow)
    ]
    texture, out = np.ascontiguousarray(texture), np.empty(texture.shape, np.uint8)
    native.mien_shine(address(texture), address(wide[0]), address(wide[1]), rows, length, height, address(out))
    return out


def guess_lamp(live: Image, trust: Matte, normals: NDArray[np.float32]) -> Lamp:
    """Guess the lamp from a live face: skin that looks towards it is brighter.

    The hue of skin and of light cannot be told apart; a quarter of the skin's hue is taken as light.

    Args:
        live: The live face's flat texture.
        trust: Where it shows skin.
        normals: (COARSE, COARSE, 3).
    """
    skin = shrink(live.astype(np.float32), COARSE).reshape(-1, 3)
    weight = (shrink(trust, COARSE) * inner(COARSE)).reshape(-1, 1) + np.float32(1e-3)
    mean = (skin * weight).sum(axis=0) / weight.sum()
    level = float(mean.mean())
    bright = skin.mean(axis=1) / max(level, 1.0) - 1
    facing = normals.reshape(-1, 3)
    facing = facing - (facing * weight).sum(axis=0) / weight.sum()
    spread = (facing * weight).T @ facing + np.eye(3, dtype=np.float32) * (0.02 * weight.sum())
    slope = np.linalg.solve(spread, (facing * weight).T @ bright)
    direction = slope + _DOUBT * STUDIO.direction + np.array([0, 0, -0.35], np.float32)
    hue = (mean / max(level, 1.0)) ** 0.25
    colour = np.clip((level / 120) ** 0.5, 0.3, 0.98) * hue
    return Lamp(_unit(direction), colour.astype(np.float32))
