"""Hold the mesh to the skin: landmarks follow the picture's own motion; the network keeps them from drifting."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.alignment import fit_similarity
from mien.vision.mesh.geometry import bounds, mesh_size
from mien.vision.mesh.topology import BROW_LEFT, BROW_RIGHT, EYE_LEFT, EYE_RIGHT, LIPS, MOUTH, STEADY, UV
from mien.vision.one_euro import OneEuro, share
from mien.vision.scaling import scaled
from mien.vision.types import Affine, Image, Mesh, Points

SIDE: Final = 160
"""Side of the upright picture of the face in which motion is seen."""
_PLACE: Final[Points] = (UV[STEADY] * (0.86 * SIDE) + 0.07 * SIDE).astype(np.float32)
_PULL_HZ: Final = 1.0
"""How fast the network's landmarks pull where they agree with the motion; what they add is mostly tremor."""
_TREMOR: Final = 0.012
"""How far a landmark of a face at rest strays from frame to frame, in distances of the outer eye corners."""
_LIVELY_HZ: Final = 5.0
"""Lids and lips cover and uncover what moves under them, so that motion alone misleads there."""


def _pull_hz() -> NDArray[np.float32]:
    pull = np.full((len(UV), 1), _PULL_HZ, np.float32)
    pull[np.concatenate([BROW_LEFT, BROW_RIGHT])] = 2 * _PULL_HZ
    pull[np.concatenate([EYE_LEFT, EYE_RIGHT, LIPS, MOUTH])] = _LIVELY_HZ
    return pull[:468]


_PULL: Final = _pull_hz()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is kept of the last frame: the face upright and in grey, the way into that picture, and the calm mesh."""

    crop: NDArray[np.uint8]
    to_crop: Affine
    mesh: Mesh


class LandmarkStabiliser:
    """Smooth a mesh without letting it swim on the face or lag behind it.

    Each landmark is carried along by the optical flow since the last frame. What the network says pulls it back:
    gently where the two agree, at once where they do not. Depth, of which the picture tells nothing, is smoothed alone.

    Source:
        Kroeger et al. 2016, arXiv:1603.03590, for the flow.
    """

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._last: _Seen | None = None
        self._depth = OneEuro(min_cutoff_hz=2.0, responsiveness=16.0)
        self._at = 0.0

    def __call__(self, image: Image, mesh: Mesh, *, dt: float) -> Mesh:
        """Return the steadied mesh.

        Args:
            image: The frame before anything is drawn on this face.
            mesh: The network's landmarks in it.
            dt: Seconds since the last call.
        """
        crop, to_crop = _upright(image, mesh)
        if self._last is None:
            calm = mesh.astype(np.float32)
        else:
            carried = self._carry(self._last, crop, to_crop)
            stray = np.linalg.norm((mesh - carried)[:, :2], axis=1, keepdims=True) / max(mesh_size(mesh), 1e-3)
            pull = share(_PULL * (1 + np.square(stray / _TREMOR)), dt)
            calm = (carried + pull * (mesh - carried)).astype(np.float32)
        self._at += dt
        calm[:, 2] = self._depth(mesh[:, 2], at=self._at, unit=mesh_size(mesh))
        self._last = _Seen(crop, to_crop, calm)
        return calm.copy()

    def _carry(self, last: _Seen, crop: NDArray[np.uint8], to_crop: Affine) -> Mesh:
        """Move landmarks of the last frame as the picture moved."""
        flow = self._flow.calc(last.crop, crop, None)  # type: ignore[call-overload]  # None lets OpenCV allocate
        before = last.mesh[:, :2] @ last.to_crop[:, :2].T + last.to_crop[:, 2]
        moves = cv2.remap(
            flow, before[None, :, 0], before[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        back = cv2.invertAffineTransform(to_crop)
        carried = last.mesh.copy()
        carried[:, :2] = (before + moves[0]) @ back[:, :2].T + back[:, 2]
        return carried


def _upright(image: Image, mesh: Mesh) -> tuple[NDArray[np.uint8], Affine]:
    """Return the face upright and in grey, and the way into that picture."""
    low, high = bounds(mesh)
    margin = 0.3 * (high - low)
    x0, y0 = np.clip(np.floor(low - margin), 0, [image.shape[1] - 2, image.shape[0] - 2]).astype(int)
    x1, y1 = np.clip(np.ceil(high + margin), [x0 + 2, y0 + 2], image.shape[1::-1]).astype(int)
    grey = cv2.cvtColor(image[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
    large_wh = np.array(grey.shape[::-1])
    if (factor := 1.6 * SIDE / max(grey.shape)) < 1:
        width, height = np.maximum(np.round(factor * large_wh), 1).astype(int)
        grey = scaled(np.asarray(grey, np.uint8), int(width), int(height))
    to_crop = fit_similarity(mesh[STEADY, :2], _PLACE)
    across, down = large_wh / grey.shape[::-1]
    from_part = np.array([[across, 0, x0 + 0.5 * across - 0.5], [0, down, y0 + 0.5 * down - 0.5], [0, 0, 1]])
    way = (np.vstack([to_crop, [0, 0, 1]]) @ from_part)[:2]
    upright = cv2.warpAffine(grey, way, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(upright, np.uint8), to_crop
