"""Lay a flat texture on a live mesh."""

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.native import address, kernels
from mien.vision.mesh.geometry import bounds, mesh_size, vertex_normals
from mien.vision.mesh.texture_map import rasterise, rasterise_by, rows_of
from mien.vision.mesh.topology import (
    EYE_LEFT,
    EYE_RIGHT,
    MOUTH,
    UV,
    WITH_OUTER_RING,
    Vertices,
    lid_pairs,
    with_outer_rings,
)
from mien.vision.types import Image, Matte, Mesh, Points

_COUNT: Final = int(WITH_OUTER_RING.max()) + 1
_MOUTH_EDGE: Final = 0.012
"""Softness of the mouth's edge, in distances of the outer eye corners."""
_LIP_EDGE: Final = 0.022
"""How far the inner mouth reaches onto the lips, in the same unit."""
_EYE_SOFT: Final = 0.045
"""Softness of the tone that live eyes take on, in the same unit: about half the height of an open eye."""
_TONE_SIGMA_PX: Final = 1.5
_CLOSED, _OPEN = 0.14, 0.26
"""Height of an eye over its width at which it has none of that tone, and all."""


def facing(mesh: Mesh) -> NDArray[np.float32]:
    """Return how much each vertex looks at the viewer, (468,) -1 to 1; edge-on is 0."""
    return -vertex_normals(mesh)[:, 2]


def render_texture(
    under: Image,
    mesh: Mesh,
    opacity: NDArray[np.float32],
    texture: Image,
    matte: Matte,
    *,
    draw_eyes: Callable[[Image], None] | None = None,
    finish: Callable[[Image], Image] | None = None,
    eye_tone: float = 0.0,
) -> tuple[Image, Matte]:
    """Return `under` with the texture laid on the mesh, and how much of each pixel that hides.

    The inner mouth stays open.

    Args:
        under: (H, W, 3) RGB.
        mesh: Landmarks in pixels of `under`.
        opacity: (468,) 0 to 1 at each landmark.
        texture: (S, S, 3) RGB.
        matte: (S, S) 0 to 1.
        draw_eyes: Draws eyes into the drawn face.
        finish: Works on the drawn face before it is blended in.
        eye_tone: How much of the texture's light and shade around the eyes the open, live eyes take on, 0 to 1.
    """
    points = with_outer_rings(mesh)[:_COUNT]
    values = np.empty((_COUNT, 3), np.float32)
    values[:, :2] = UV[:_COUNT] * len(texture) - 0.5
    values[:, 2:] = with_outer_rings(opacity[:, None])[:_COUNT]
    face, alpha = _laid(points, values, texture, matte, under.shape[1::-1])
    if draw_eyes is not None:
        draw_eyes(face)
    if finish is not None:
        face = finish(face)
    if eye_tone > 0:
        under = _toned_eyes(under, face, mesh, eye_tone)
    _open_mouth(alpha, mesh)
    return _blended(face, under, alpha), alpha


def _laid(
    points: Vertices, values: Vertices, texture: Image, matte: Matte, size_wh: tuple[int, int]
) -> tuple[Image, Matte]:
    """Return the texture as the mesh shows it, and how much of each pixel it hides."""
    if kernels is not None and len(texture) > 1:
        return _laid_by(kernels, points, values, _with_matte(texture, matte), size_wh)
    u, v, open_ = cv2.split(rasterise(points, values, WITH_OUTER_RING, size_wh))
    open_ = np.clip(2 * cv2.blur(open_, (3, 3)) - 1, 0, 1)  # the rasteriser draws hard edges
    textured = cv2.remap(_with_matte(texture, matte), u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    hides = cv2.multiply(cv2.extractChannel(textured, 3), open_, scale=1 / 255, dtype=cv2.CV_32F)
    return np.asarray(cv2.cvtColor(textured, cv2.COLOR_RGBA2RGB), np.uint8), np.asarray(hides, np.float32)


def _laid_by(
    native: Any, points: Vertices, values: Vertices, texture: NDArray[np.uint8], size_wh: tuple[int, int]
) -> tuple[Image, Matte]:
    """Do the same with kernels, and only around the mesh: of the rest nothing is shown."""
    low, high = bounds(points)
    x0, y0 = np.clip(np.floor(low) - 2, 0, size_wh).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(high) + 3, 0, size_wh).astype(int).tolist()
    face, alpha = np.zeros((size_wh[1], size_wh[0], 3), np.uint8), np.zeros(size_wh[::-1], np.float32)
    if x1 > x0 and y1 > y0:
        points = points - np.array([x0, y0, 0], np.float32)
        drawn = rasterise_by(native, points, values, WITH_OUTER_RING, (x1 - x0, y1 - y0))
        drawn_face, drawn_alpha = face[y0:y1, x0:x1], alpha[y0:y1, x0:x1]
        native.mien_lay(
            *(address(texture), len(texture), address(drawn), x1 - x0, y1 - y0),
            *(address(drawn_face), face.strides[0], address(drawn_alpha), alpha.strides[0]),
        )
    return face, alpha


def _blended(face: Image, under: Image, alpha: Matte) -> Image:
    if kernels is None:
        return np.asarray(cv2.blendLinear(face, under, alpha, 1 - alpha), np.uint8)
    face, (below, stride), out = np.ascontiguousarray(face), rows_of(under), np.empty(face.shape, np.uint8)
    kernels.mien_blend(address(face), address(below), stride, address(alpha), *face.shape[1::-1], address(out))
    return out


def _with_matte(texture: Image, matte: Matte) -> NDArray[np.uint8]:
    """Return the texture with its matte as the fourth channel: four are warped in less time than three and one."""
    both = cv2.cvtColor(texture, cv2.COLOR_RGB2RGBA)
    cv2.insertChannel(cv2.convertScaleAbs(matte, alpha=255), both, 3)
    return np.asarray(both, np.uint8)


def _toned_eyes(under: Image, face: Image, mesh: Mesh, strength: float) -> Image:
    """Return `under` with the texture's soft light and shade on its open eyes.

    Deep or pale eyes are part of a likeness. The iris and the edges of the lids stay as they are. The photo's eyes are
    open: lids that close lose the tone, or they would be grey.
    """
    toned, soft = under.copy(), _EYE_SOFT * mesh_size(mesh)
    for ring in (EYE_LEFT, EYE_RIGHT):
        upper, lower = lid_pairs(ring)
        gap = float(np.linalg.norm(mesh[lower] - mesh[upper], axis=1).max())
        width = float(np.linalg.norm(mesh[ring[0]] - mesh[ring[len(ring) // 2]]))
        amount = strength * float(np.clip((gap / max(width, 1e-3) - _CLOSED) / (_OPEN - _CLOSED), 0, 1))
        (x0, y0), (x1, y1) = _around(mesh[ring], 4 * soft, under)
        part = np.s_[y0:y1, x0:x1]
        if amount <= 0 or 0 in under[part].shape:
            continue
        toned[part] = _toned(under[part], face[part], mesh[ring, :2] - (x0, y0), soft, amount)
    return toned


def _toned(live: Image, wanted: Image, eye: Points, soft: float, amount: float) -> Image:
    """Return `live` with the soft part of what sets `wanted` apart from it, inside an eye.

    What is soft needs few pixels: it is found at a fraction of the resolution.
    """
    factor = min(1.0, _TONE_SIGMA_PX / max(soft, 1e-3))
    small_wh = tuple(max(2, round(side * factor)) for side in live.shape[1::-1])
    inside = np.zeros(small_wh[::-1], np.uint8)
    corners = (eye + 0.5) * (np.array(small_wh) / live.shape[1::-1]) - 0.5
    cv2.fillPoly(inside, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    sigma = max(soft * factor, 0.5)
    near = cv2.GaussianBlur(inside, (0, 0), sigma).astype(np.float32) * np.float32(2 * amount / 255)
    levels = [cv2.resize(image, small_wh, interpolation=cv2.INTER_AREA).astype(np.float32) for image in (wanted, live)]
    apart = np.log((levels[0] + 8) / (levels[1] + 8))
    gain = np.exp(cv2.GaussianBlur(apart, (0, 0), sigma) * np.minimum(near, amount)[..., None])
    if kernels is not None:
        width, height = live.shape[1::-1]
        stretched = np.asarray(cv2.resize(gain, (width, len(gain)), interpolation=cv2.INTER_LINEAR), np.float32)
        bright, out = live + np.float32(8), np.empty(live.shape, np.uint8)
        kernels.mien_light(
            *(address(bright), address(stretched), len(gain), 3 * width, height, 8.0, address(out)),
        )
        return out
    whole = cv2.resize(gain, live.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip((live + np.float32(8)) * whole - 8, 0, 255), np.uint8)


def _around(points: Points, margin: float, image: Image | Matte) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the corners of the part of an image around points."""
    low, high = bounds(points)
    size_wh = image.shape[1::-1]
    return (
        np.clip(np.floor(low - margin), 0, size_wh).astype(np.intp),
        np.clip(np.ceil(high + margin) + 1, 0, size_wh).astype(np.intp),
    )


def _parted(mesh: Mesh) -> Points:
    """Return the edge of the inner mouth, a little onto the lips where they are apart.

    The texture knows the lips' inner edge only as a line of pixels that shows teeth or shadow of another mouth.
    """
    edge = mesh[MOUTH, :2].copy()
    half = len(MOUTH) // 2
    upper, lower = slice(1, half), slice(half + 1, None)
    gap = edge[lower][::-1] - edge[upper]
    reach = np.minimum(0.15, _LIP_EDGE * mesh_size(mesh) / np.maximum(np.linalg.norm(gap, axis=1), 1e-6))
    edge[upper] -= gap * reach[:, None]
    edge[lower] += (gap * reach[:, None])[::-1]
    return edge


def _open_mouth(alpha: Matte, mesh: Mesh) -> None:
    """Cut the inner mouth in the frame: in the texture it is a slit that cannot hold an edge."""
    soft = _MOUTH_EDGE * mesh_size(mesh)
    (x0, y0), (x1, y1) = _around(mesh[MOUTH], 3 * soft, alpha)
    part = alpha[y0:y1, x0:x1]
    if 0 in part.shape:
        return
    mouth = np.zeros(part.shape, np.uint8)
    edge = _parted(mesh) - (x0, y0)
    cv2.fillPoly(mouth, [np.round(edge * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    part *= 1 - cv2.GaussianBlur(mouth, (0, 0), max(soft, 0.5)) * np.float32(1 / 255)
