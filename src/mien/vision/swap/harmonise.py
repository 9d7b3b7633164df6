"""Put a photo's skin into the light of the live picture."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.native import address, kernels
from mien.vision.mesh.regions import oval, shrink, soften
from mien.vision.one_euro import share
from mien.vision.types import Image, Matte

COARSE: Final = 32
"""Side of the texture in which light is compared: one pixel is about a finger's breadth."""
_LIGHT_SIGMA: Final = 0.125
_OFFSET: Final = 8.0
"""Added before the logarithm, so that noise in the dark does not count as contrast."""
_GAIN_HZ: Final = 2.5
_CONTRAST_HZ: Final = 0.5


@dataclass(frozen=True, slots=True)
class Skin:
    """What of a photo is the face and not its light.

    Attributes:
        detail: (S, S, 3) log of the texture over its own soft light.
        contrast: Spread of `detail` at coarse scale.
        trust: (COARSE, COARSE) where the photo shows skin.
        colour: How far the skin is from grey.
    """

    detail: NDArray[np.float32]
    contrast: float
    trust: Matte
    colour: float


def read_skin(texture: Image, skin: Matte) -> Skin:
    """Take the light out of a texture.

    Args:
        texture: (S, S, 3) RGB.
        skin: Where it shows skin, any size.
    """
    logs = _log(texture)
    trust = shrink(skin, COARSE)
    coarse = shrink(logs, COARSE)
    light = _light(coarse, trust)
    whole = np.asarray(cv2.resize(light, logs.shape[1::-1], interpolation=cv2.INTER_CUBIC))
    # Highlights of the photo's own lamp are cut: they would sit wrongly under another.
    detail = np.clip(logs - whole, -2.0, 0.55).astype(np.float32)
    return Skin(detail, _spread(coarse - light, trust), trust, _colour(light, trust))


class LightMatch:
    """Give a photo's detail the light, the hue and the contrast of the live skin, changing calmly.

    The live light is the live texture's logarithm, blurred over skin; the photo's detail is laid over it.
    """

    def __init__(self, skin: Skin) -> None:
        self._skin = skin
        self._light: NDArray[np.float32] | None = None
        self._contrast = self._colour = 1.0
        self._drawn = (-1.0, -1.0)
        self._grey = skin.detail.mean(axis=2, keepdims=True)
        self._detail = np.empty_like(skin.detail)

    def __call__(self, live: Image, trust: Matte, *, dt: float) -> Image:
        """Return the persona's texture in the light of `live`.

        Args:
            live: The live face's flat texture, any size.
            trust: Where it shows skin.
            dt: Seconds since the last call.
        """
        live_trust = shrink(trust, COARSE)
        coarse = _log(shrink(live.astype(np.float32), COARSE))
        light = _light(coarse, live_trust)
        ratio = _spread(coarse - light, np.minimum(live_trust, self._skin.trust)) / self._skin.contrast
        contrast = float(np.clip(ratio, 0.7, 1.2)) ** 0.8
        # In film without colour, or in the dark, a blue beard or orange cheeks would give the photo away.
        colour = float(np.clip(_colour(light, live_trust) / self._skin.colour, 0, 1))
        if self._light is None:
            self._light, self._contrast, self._colour = light, contrast, colour
        self._light = self._light + share(_GAIN_HZ, dt) * (light - self._light)
        self._contrast += float(share(_CONTRAST_HZ, dt)) * (contrast - self._contrast)
        self._colour += float(share(_CONTRAST_HZ, dt)) * (colour - self._colour)
        return self._lit(self._light)

    def _lit(self, light: NDArray[np.float32]) -> Image:
        """Multiply light and detail. Both are kept as factors, since a logarithm a frame is dear."""
        if max(abs(self._contrast - self._drawn[0]), abs(self._colour - self._drawn[1])) > 0.02:
            detail = self._grey + (self._skin.detail - self._grey) * np.float32(self._colour)
            cv2.exp(detail * np.float32(self._contrast), self._detail)
            self._drawn = (self._contrast, self._colour)
        size_wh = self._detail.shape[1::-1]
        if kernels is not None:
            stretched = np.asarray(cv2.resize(np.exp(light), (size_wh[0], len(light)), interpolation=cv2.INTER_LINEAR))
            out = np.empty(self._detail.shape, np.uint8)
            kernels.mien_light(
                *(address(self._detail), address(stretched), len(light), 3 * size_wh[0], size_wh[1]),
                *(_OFFSET, address(out)),
            )
            return out
        lamp = cv2.resize(np.exp(light), size_wh, interpolation=cv2.INTER_LINEAR)
        lit = cv2.multiply(self._detail, lamp) - np.float32(_OFFSET)
        return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _log(texture: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.log(texture.astype(np.float32) + np.float32(_OFFSET)))


def _light(logs: NDArray[np.float32], trust: Matte) -> NDArray[np.float32]:
    """Blur what is trusted; where nothing is, the nearest trusted light spreads."""
    weight = (np.maximum(trust, 0.02) * np.maximum(oval(COARSE), 0.05))[..., None]
    lit = soften(logs * weight, _LIGHT_SIGMA) / soften(weight, _LIGHT_SIGMA)[..., None]
    return np.asarray(lit, np.float32)


def _colour(light: NDArray[np.float32], trust: Matte) -> float:
    """Return how much the skin's channels differ from each other, as a ratio's logarithm."""
    away = np.ptp(light, axis=2)
    weight = trust * oval(COARSE)
    return max(float((away * weight).sum() / max(float(weight.sum()), 1e-3)), 0.02)


def _spread(residual: NDArray[np.float32], trust: Matte) -> float:
    """Return the root mean square of luminance detail over trusted skin."""
    there = (trust * oval(COARSE)) > 0.5
    if there.sum() < 20:
        return 0.15
    return max(float(np.sqrt(np.square(residual.mean(axis=2)[there]).mean())), 0.02)
