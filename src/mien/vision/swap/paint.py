"""Paint: a persona's texture in the light of the live face, and where it covers it."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.geometry import mesh_size
from mien.vision.mesh.regions import ramp, shrink
from mien.vision.mesh.topology import EYES_OF_SIDE
from mien.vision.ports import Occluder
from mien.vision.swap.gaze import Gaze
from mien.vision.swap.harmonise import LightMatch, Skin
from mien.vision.swap.masks.light import Finish, MaskLight
from mien.vision.swap.occlusion import SIDE, LearntOcclusion, OcclusionRule, skin_matte
from mien.vision.swap.persona import Persona
from mien.vision.swap.photo_lids import draw_lids
from mien.vision.types import Image, Matte, Mesh, Net

_SHUT: Final = (0.4, 0.9)
"""How far down lids are from which on an eye is drawn shut, and at which it is."""


class SkinPaint:
    """Light and cover of a photo's face."""

    def __init__(self, persona: Persona, skin: Skin, occlusion: Net | None) -> None:
        self._persona = persona
        self._light = LightMatch(skin)
        self._occlusion: Occluder = OcclusionRule() if occlusion is None else LearntOcclusion(occlusion)
        self.side = self._occlusion.side

    def __call__(self, live: Image, mesh: Mesh, dt: float, gaze: Gaze | None) -> tuple[Image, Matte]:
        """Return the texture in the light of `live`, and how much of the face each of its texels covers."""
        lids, matte = self._persona.lids, self._persona.matte
        free = cv2.resize(self._occlusion(live, dt=dt), matte.shape, interpolation=cv2.INTER_LINEAR)
        texture = self._light(live, skin_matte(live), dt=dt)
        shut = np.zeros(2, np.float32) if gaze is None or lids is None else ramp(gaze.shut, *_SHUT)
        if lids is not None and shut.any():
            draw_lids(texture, lids, shut)
        matte = self._closed_over(matte, gaze, shut) * np.asarray(free, np.float32)
        while _too_fine(texture, mesh):
            texture, matte = _halved(texture, matte)
        return texture, matte

    def _closed_over(self, matte: Matte, gaze: Gaze | None, shut: NDArray[np.float32]) -> Matte:
        """Return the persona's matte, closed over the eyes as far as they are shut, or drawn."""
        if gaze is None or self._persona.eye_matte is None:
            return matte
        shares = shut if self._persona.eyes is None else np.maximum(shut, gaze.sure)
        half = matte.shape[1] // 2
        return np.asarray(
            matte + self._persona.eye_matte * np.repeat(shares, (half, matte.shape[1] - half)), np.float32
        )


class MaskPaint:
    """Light of a mask, which covers whatever is there."""

    side: Final = SIDE

    def __init__(self, persona: Persona, finish: Finish) -> None:
        self._sizes = [(persona.texture, persona.matte)]
        self._light = MaskLight(finish)

    def __call__(self, live: Image, mesh: Mesh, dt: float, _gaze: Gaze | None) -> tuple[Image, Matte]:
        """Return the texture in the light of `live`, and how much of the face each of its texels covers."""
        level = 0
        while _too_fine(self._sizes[level][0], mesh):
            level += 1
            if level == len(self._sizes):
                self._sizes.append(_halved(*self._sizes[-1]))
        texture, matte = self._sizes[level]
        return self._light(texture, live, skin_matte(live), mesh, dt=dt), matte


def _too_fine(texture: Image, mesh: Mesh) -> bool:
    """Say whether a texture has so much more detail than the face has pixels that it would shimmer."""
    return EYES_OF_SIDE * len(texture) > 1.5 * mesh_size(mesh)


def _halved(texture: Image, matte: Matte) -> tuple[Image, Matte]:
    side = len(texture) // 2
    small = cv2.resize(texture, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), shrink(matte, side)


def paint_of(persona: Persona, occlusion: Net | None) -> SkinPaint | MaskPaint:
    """Return what paints a persona on one face track."""
    if isinstance(persona.surface, Skin):
        return SkinPaint(persona, persona.surface, occlusion)
    return MaskPaint(persona, persona.surface)
