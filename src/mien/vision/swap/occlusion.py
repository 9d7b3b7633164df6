"""What of a face is covered by hair, glasses or a hand, seen in the flat texture."""

from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.native import address, kernels
from mien.vision.batches import batch_of
from mien.vision.mesh.regions import expressive, eye_surroundings, inner, openings, polygon, ramp, shrink, soften
from mien.vision.mesh.topology import UV
from mien.vision.one_euro import share
from mien.vision.types import Image, Matte, Net

SIDE: Final = 64
"""Side of the texture in which cover is judged by rule, and counted."""
FINE_SIDE: Final = 128
"""Side of the texture in which a network judges: a glasses frame is two or three texels wide."""
_NEW_LIGHT: Final = 0.6
"""Where more of the face than this looks strange at once, the light has changed; nothing has come in front."""
_SURE: Final = (0.25, 0.65)
"""Shares of face, as a network says them, at which a persona begins to be drawn and covers wholly."""
_CALM_HZ: Final = 1.5
_BRISK_HZ: Final = 14.0
_CHEEK_PATCHES: Final = ((117, 118, 101, 205, 187, 147, 123), (346, 347, 330, 425, 411, 376, 352))


@cache
def _cheeks() -> NDArray[np.bool_]:
    """Return the patches of skin by which all skin is judged: they are the last to be covered."""
    patches = [polygon(UV[list(corners)], SIDE) for corners in _CHEEK_PATCHES]
    return np.asarray(np.maximum(*patches) > 0.5)


def _median(sample: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the median of each column, in a third of the time that NumPy's takes."""
    ranked, count = np.sort(sample, axis=0), len(sample)
    return np.asarray((ranked[(count - 1) // 2] + ranked[count // 2]) / 2, np.float32)


def skin_matte(texture: Image) -> Matte:
    """Return where a face's texture looks like the skin of its own cheeks.

    Colour counts most. Brighter is forgiven (a highlight is skin), darker less (hair, frames).

    Args:
        texture: RGB, any size.

    Returns:
        (SIDE, SIDE) 0 to 1.
    """
    small = np.asarray(cv2.resize(texture, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.uint8)
    sample = lab[_cheeks()].astype(np.float32)
    middle = _median(sample)
    spread = np.maximum(1.48 * _median(np.abs(sample - middle)), (14.0, 4.5, 4.5)).astype(np.float32)
    if kernels is not None:
        out = np.empty((SIDE, SIDE), np.float32)
        kernels.mien_skin(address(lab), SIDE * SIDE, address(middle), address(spread), address(out))
        return out
    away = (lab - middle) / spread
    lightness = np.where(away[..., 0] < 0, 0.75 * away[..., 0], 0.5 * np.minimum(away[..., 0], 2.0))
    distance = np.sqrt(lightness**2 + np.square(away[..., 1:]).sum(axis=2))
    return np.asarray(1 - np.clip((distance - 3.2) / 2.5, 0, 1), np.float32)


class LearntOcclusion:
    """Tell what is in front of a face by a network that looks at each frame, and steady its judgement over time.

    Args:
        net: `input` (1, 3, FINE_SIDE, FINE_SIDE) RGB -1 to 1; output `face` (1, 1, FINE_SIDE, FINE_SIDE), the share of
            each texel that is face, 0 to 1.
    """

    side: Final = FINE_SIDE

    def __init__(self, net: Net) -> None:
        self._net = net
        self._face: Matte | None = None

    def __call__(self, live: Image, *, dt: float) -> Matte:
        """Return where the persona may be drawn, (FINE_SIDE, FINE_SIDE) 0 to 1.

        Args:
            live: (FINE_SIDE, FINE_SIDE, 3) flat texture of the live face.
            dt: Seconds since the last call.
        """
        now = self._net(batch_of(live, scale=1 / 127.5, offset=-1.0))["face"][0, 0]
        if self._face is None:
            self._face = now
        # What comes or goes does so at once; a doubt that wavers around its value is calmed.
        change = now - self._face
        self._face = self._face + share(_CALM_HZ + _BRISK_HZ * np.abs(change), dt) * change
        return ramp(self._face, *_SURE)


class OcclusionRule:
    """Tell what passes in front of a face from the face: it differs from how each spot of skin has looked so far.

    Serves where there is no network. The inner face is taken as skin unless something moved in front of it; outside,
    what has not the colour of the cheeks counts as hair or frames and stays live.
    """

    side: Final = SIDE

    def __init__(self) -> None:
        self._usual: NDArray[np.float32] | None = None
        self._occluded = np.zeros((SIDE, SIDE), np.float32)
        self._seen_s = 0.0

    def __call__(self, live: Image, *, dt: float) -> Matte:
        """Return where the persona may be drawn, (SIDE, SIDE) 0 to 1.

        Args:
            live: (SIDE, SIDE, 3) flat texture of the live face.
            dt: Seconds since the last call.
        """
        skin = skin_matte(live)
        passing = self._passing(live, dt)
        self._occluded = self._occluded + share(5.0, dt) * (passing - self._occluded)
        free = 1 - self._occluded * (1 - 0.7 * expressive(SIDE))
        return np.asarray(soften(np.maximum(skin, inner(SIDE)), 0.019) * free, np.float32)

    def _passing(self, live: Image, dt: float) -> Matte:
        """Compare with the running mean, overall brightness taken out, and keep the mean free of occluders."""
        now = live.astype(np.float32)
        now *= 110 / (now.mean() + 1)
        if self._usual is None:
            self._usual = now
        strange = np.clip((np.abs(now - self._usual).max(axis=2) - 45) / 35, 0, 1)
        if float((strange * inner(SIDE)).sum() / inner(SIDE).sum()) > _NEW_LIGHT:
            self._usual, strange = now, np.zeros_like(strange)
        # The first moments settle the mean quickly; then it follows slowly, and hardly where something is in front.
        rate = share(0.25 if self._seen_s > 0.4 else 2.0, dt) * (1 - 0.9 * strange[..., None])
        self._usual = self._usual + rate * (now - self._usual)
        self._seen_s += dt
        return soften(strange.astype(np.float32), 0.023)


def covered_share(matte: Matte, facing: Matte, *, spectacles: bool = True) -> float:
    """Return how much of the visible inner face, eyes and mouth apart, a persona's matte covers.

    Args:
        matte: The persona's opacity in the flat texture, (SIDE, SIDE).
        facing: How much each spot turns to the viewer, 0 to 1, (SIDE, SIDE).
        spectacles: Whether to count what lies behind large spectacles.
    """
    weight = inner(SIDE) * (1 - (openings(SIDE) if spectacles else eye_surroundings(SIDE))) * facing
    return float((weight * np.minimum(matte, 1)).sum() / max(float(weight.sum()), 1e-6))


def shown_skin(texture: Image, seen: Matte) -> Matte:
    """Return where a photo's texture shows the face: all of the inner face; around it what is skin and well seen.

    Args:
        texture: The photo's flat texture, any size.
        seen: How openly each place showed itself to the camera, 0 to 1, any size.
    """
    thinned = cv2.erode(skin_matte(texture), np.ones((3, 3), np.uint8))
    outer = np.clip((thinned - 0.35) / 0.4, 0, 1) * shrink(seen, SIDE)
    return np.maximum(soften(outer.astype(np.float32), 0.0156), inner(SIDE))
