"""A photo's eyes, read once, and drawn so that they look where the live ones look."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.native import address, kernels
from mien.vision.mesh.geometry import bounds
from mien.vision.mesh.regions import ramp
from mien.vision.mesh.topology import EYE_LEFT, EYE_RIGHT, UV, Indices
from mien.vision.swap.gaze import EYES, Gaze, Iris, crop_wh, eye_frame, find_iris, opening
from mien.vision.types import Image, Matte, Mesh

EYE_PX: Final = 64
"""Width of an eye, corner to corner, in the pictures kept of it: more than a near face shows."""
_RADII: Final = (0.17, 0.185, 0.2, 0.215, 0.23)
_DISTINCT: Final = 0.17
"""Distinctness (see `Iris`) below which an iris in the photo is not sure enough to be drawn; pale ones have little."""
_ALIKE, _HIGH = (0.2, 0.08), 0.16
"""How far the irises of a photo may differ in place across and along the lids, and lie above or below the middle, in
widths of an eye: farther, what was found is a shadow, or a reflection in glasses. Across, a mesh may be off itself."""
_TINT: Final = 1.3
"""How much more of a channel the light on the live eye may have than that on the photo's."""
_DIM: Final = 0.42
"""How dark an eye's white may be, over the cheek below: a darker one is behind dark glass."""
_CHEEKS: Final = (50, 280)
_WHITER: Final = 1.25
"""How much lighter than the live eye's white the drawn one may be."""
_GLARE: Final = 1.6
"""How much more light on the white than on the skin is believed."""
_RIM: Final = 0.12
"""Softness of the rim of an iris, as a share of its radius."""
_SHADE: Final = 0.6
"""How much darker an eye is at the edge of its upper lid."""
_NEAR_EYE: Final = 0.02
"""How much around an eye tells its light, as a share of the texture's side."""
_SOFT: Final = 0.035
"""Softness of the edge of an opening, in widths of the eye."""
_GLINT: Final = 0.3
"""Largest size of a glint, in radii of the iris."""
_TURNS, _STEPS = 64, 24
_POLAR: Final = cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS
"""Without the second, what lies outside keeps whatever was in that memory before."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoEye:
    """One eye of a photo, taken apart.

    Attributes:
        white: (H, W, 3) RGB float32, the eye without its iris, spread out below the lids.
        iris: (H, W, 4) RGB and opacity, float32: a whole iris in the middle of an empty picture.
        level: (3,) RGB level of the white, as `Iris.white`.
    """

    white: NDArray[np.float32]
    iris: NDArray[np.float32]
    level: NDArray[np.float32]


PhotoEyes = tuple[PhotoEye, PhotoEye]


def read_eyes(image: Image, mesh: Mesh) -> PhotoEyes | None:
    """Take the eyes of a photo apart, image-left one first.

    Returns:
        None where one of them does not show its iris clearly: closed, in glare, behind dark glass, small or looking
        far aside.
    """
    left, right = (_best_iris(image, mesh, ring) for ring in EYES)
    apart = bool((np.abs(left[0].place - right[0].place) > _ALIKE).any())
    high = max(abs(float(iris.place[1])) for iris, _ in (left, right))
    faint = min(left[0].distinct, right[0].distinct) < _DISTINCT
    if faint or apart or high > _HIGH or _dim(image, mesh, left[0], right[0]):
        return None
    eyes = _read_eye(image, mesh, EYE_LEFT, *left), _read_eye(image, mesh, EYE_RIGHT, *right)
    return None if eyes[0] is None or eyes[1] is None else (eyes[0], eyes[1])


def behind_dark_glass(image: Image, mesh: Mesh) -> bool:
    """Say whether the eyes of a photo lie behind dark glass: what is lightest in them is dark, over the cheek."""
    left, right = (_best_iris(image, mesh, ring)[0] for ring in EYES)
    return _dim(image, mesh, left, right)


def _dim(image: Image, mesh: Mesh, left: Iris, right: Iris) -> bool:
    whites = (float(iris.white[0]) for iris in (left, right))
    return any(white < _DIM * _red_of(image, mesh, cheek) for white, cheek in zip(whites, _CHEEKS, strict=True))


def _red_of(image: Image, mesh: Mesh, landmark: int) -> float:
    """Return the red level of the skin at a landmark."""
    reach = max(1, round(0.05 * float(np.linalg.norm(mesh[EYE_LEFT[0], :2] - mesh[EYE_RIGHT[0], :2]))))
    x, y = (int(value) for value in np.clip(mesh[landmark, :2], 0, np.array(image.shape[1::-1]) - 1))
    return float(np.median(image[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1, 0]))


def _best_iris(image: Image, mesh: Mesh, ring: Indices) -> tuple[Iris, float]:
    """Return the iris of an eye and its radius in widths of the eye."""
    found = [(find_iris(image, mesh, ring, radius=radius), radius) for radius in _RADII]
    return max(found, key=lambda one: one[0].distinct)


def _read_eye(image: Image, mesh: Mesh, ring: Indices, iris: Iris, share: float) -> PhotoEye | None:
    way, size_wh = eye_frame(mesh, ring, EYE_PX), crop_wh(EYE_PX)
    crop = _upright(image, way, size_wh)
    lids = mesh[ring, :2] @ way[:, :2].T + way[:, 2]
    centre = lids.mean(axis=0) + iris.place * EYE_PX
    radius = share * EYE_PX
    # Next to the lids there are lashes and their shadow.
    inside = np.asarray(cv2.erode(opening(lids, size_wh), np.ones((5, 3), np.uint8)), np.float32)
    white, whole = _white(crop, inside, centre, radius), _whole_iris(crop, inside, centre, radius)
    return None if whole is None else PhotoEye(white, whole, iris.white)


def _upright(image: Image, way: NDArray[np.float32], size_wh: tuple[int, int]) -> NDArray[np.float32]:
    """Return the upright picture of an eye. A large photo is made smaller first, so that nothing is left out."""
    zoom = float(np.hypot(way[0, 0], way[0, 1]))
    if zoom < 1:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.5 / zoom), np.uint8)
    drawn = cv2.warpAffine(image, way, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.float32)


def _white(crop: NDArray[np.float32], inside: Matte, centre: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """Return the white of an eye, spread over the whole picture."""
    y, x = np.ogrid[: crop.shape[0], : crop.shape[1]]
    away = np.asarray(np.hypot(x - centre[0], y - centre[1]) / radius, np.float32)
    known = inside * ramp(away, 1.05, 1.25)
    white, sure = np.zeros_like(crop), np.zeros((*known.shape, 1), np.float32)
    for sigma in (1.2, 3.0, 8.0, 30.0):
        weight = cv2.GaussianBlur(known, (0, 0), sigma)[..., None]
        near = cv2.GaussianBlur(crop * known[..., None], (0, 0), sigma) / np.maximum(weight, 1e-5)
        share = (1 - sure) * ramp(np.asarray(weight, np.float32), 0.02, 0.3)
        white += share * near
        sure += share
    return np.asarray(white / np.maximum(sure, 1e-4), np.float32)


def _whole_iris(
    crop: NDArray[np.float32], inside: Matte, centre: NDArray[np.float32], radius: float
) -> NDArray[np.float32] | None:
    """Return the iris with the part that the lids hide, and without the glints of the photo's lamps.

    None where the lids hide nearly all of it.
    """
    reach = radius * (1 + _RIM)
    place = (float(centre[0]), float(centre[1]))
    drawn = cv2.warpPolar(crop, (_STEPS, _TURNS), place, reach, _POLAR)
    rings = np.asarray(drawn, np.float32)
    seen = cv2.warpPolar(inside, (_STEPS, _TURNS), place, reach, _POLAR) > 0.6
    usual = np.stack([_usual(rings[:, step], seen[:, step]) for step in range(_STEPS)])
    known = usual.min(axis=1) >= 0
    if not known.any():
        return None
    steps = np.arange(_STEPS)
    usual = np.stack([np.interp(steps, steps[known], usual[known, c]) for c in range(3)], axis=1).astype(np.float32)
    glint = rings.mean(axis=2) > usual.mean(axis=1) + 30
    plain = seen & ~(cv2.dilate(glint.astype(np.uint8), np.ones((5, 3), np.uint8)) > 0)
    # What is hidden above is taken from below, as far as that is seen.
    mirrored = rings[(-np.arange(_TURNS)) % _TURNS], plain[(-np.arange(_TURNS)) % _TURNS]
    filled = np.where(plain[..., None], rings, np.where(mirrored[1][..., None], mirrored[0], usual[None]))
    filled = cv2.GaussianBlur(np.tile(filled, (3, 1, 1)), (1, 5), 0, sigmaY=1.0)[_TURNS : 2 * _TURNS]
    middle = ((crop.shape[1] - 1) / 2, (crop.shape[0] - 1) / 2)
    whole = cv2.warpPolar(
        np.ascontiguousarray(filled, np.float32),
        crop.shape[1::-1],
        middle,
        reach,
        _POLAR | cv2.WARP_INVERSE_MAP,
    )
    y, x = np.ogrid[: crop.shape[0], : crop.shape[1]]
    distance = np.asarray(np.hypot(x - middle[0], y - middle[1]) / radius, np.float32)
    return np.dstack([whole, ramp(distance, 1 + _RIM, 1 - _RIM)]).astype(np.float32)


def _usual(ring: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the median colour of what is seen of a ring; below 0 where too little is."""
    if seen.sum() < _TURNS // 8:
        return np.full(3, -1, np.float32)
    return np.asarray(np.median(ring[seen], axis=0), np.float32)


def draw_eyes(face: Image, live: Image, mesh: Mesh, eyes: PhotoEyes, gaze: Gaze, gains: Sequence[float]) -> None:
    """Draw a photo's eyes into the openings of a drawn face, in place.

    Args:
        face: (H, W, 3) RGB.
        live: (H, W, 3) RGB, the picture that it will be blended over; its glints are kept.
        mesh: Landmarks in pixels of both.
        eyes: What is drawn.
        gaze: Where it looks.
        gains: For each eye, how much brighter the skin around it is drawn than it is in the photo.
    """
    for eye, ring, place, white, gain in zip(eyes, EYES, gaze.places, gaze.whites, gains, strict=True):
        lids = mesh[ring, :2]
        eye_px = float(np.linalg.norm(lids[len(ring) // 2] - lids[0]))
        if eye_px < _FEWEST_PX:
            continue
        low, high = bounds(lids)
        x0, y0 = np.clip(np.floor(low - 0.1 * eye_px), 0, face.shape[1::-1]).astype(int)
        x1, y1 = np.clip(np.ceil(high + 0.1 * eye_px) + 1, 0, face.shape[1::-1]).astype(int)
        if x1 - x0 < _FEWEST_PX or y1 - y0 < _FEWEST_PX:
            continue
        part, corner = np.s_[y0:y1, x0:x1], np.array([x0, y0], np.float32)
        way = eye_frame(mesh, ring, EYE_PX)
        centre = (lids @ way[:, :2].T + way[:, 2]).mean(axis=0) + place * EYE_PX
        light = _light(eye, white, gain)
        inside = opening(lids - corner, (int(x1 - x0), int(y1 - y0)))
        soft = np.asarray(cv2.GaussianBlur(inside, (0, 0), max(_SOFT * eye_px, 0.5)), np.float32)
        shade = _lid_shade(inside, eye_px)
        if kernels is not None:
            way[:, 2] += way[:, :2] @ corner
            _draw_eye(kernels, face[part], eye, (way, centre, light), _shining(live[part], eye_px), (soft, shade))
            continue
        drawn = _composed(eye, centre, light)
        back = np.asarray(cv2.invertAffineTransform(way), np.float32)
        back[:, 2] -= corner
        size_wh = (int(x1 - x0), int(y1 - y0))
        placed = cv2.warpAffine(drawn, back, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        colours, iris = placed[..., :3], np.asarray(placed[..., 3], np.float32)
        lit = colours + _glints(live[part], iris, eye_px)
        soft = soft[..., None]
        face[part] = np.clip(face[part] * (1 - soft) + lit * (shade * soft), 0, 255).astype(np.uint8)


def _draw_eye(
    native: Any,
    face: Image,
    eye: PhotoEye,
    how: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    glints: NDArray[np.uint8],
    mattes: tuple[Matte, NDArray[np.float32]],
) -> None:
    """Draw an eye into a part of a face; `how` is the way from there into its picture, its iris's place, its light."""
    height, width = eye.white.shape[:2]
    way, centre, light = (np.ascontiguousarray(each, np.float32) for each in how)
    move = np.array([centre[0] - (width - 1) / 2, centre[1] - (height - 1) / 2], np.float32)
    soft, shade = (np.ascontiguousarray(each, np.float32) for each in mattes)
    whole = np.empty((height, width, 4), np.float32)
    native.mien_compose_eye(
        *(address(eye.white), address(eye.iris), width, height, address(move), address(light), address(whole))
    )
    native.mien_draw_eye(
        *(address(whole), width, height, address(way), address(glints), address(soft), address(shade)),
        *(*face.shape[1::-1], address(face), face.strides[0]),
    )


_FEWEST_PX: Final = 4


def levels_around(texture: Image) -> NDArray[np.float32]:
    """Return the mean colour of a flat texture around the image-left and the image-right eye, (2, 3) RGB."""
    levels = []
    for ring in EYES:
        low, high = bounds(UV[ring])
        x0, y0, x1, y1 = np.round(np.concatenate([low - _NEAR_EYE, high + _NEAR_EYE]) * len(texture)).astype(int)
        levels.append(texture[y0:y1, x0:x1].mean(axis=(0, 1)))
    return np.asarray(levels, np.float32)


def _composed(eye: PhotoEye, centre: NDArray[np.float32], gain: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return white and iris in the live light, (H, W, 4): the last is where the iris is."""
    height, width = eye.white.shape[:2]
    move = np.array([[1, 0, centre[0] - (width - 1) / 2], [0, 1, centre[1] - (height - 1) / 2]], np.float32)
    iris = cv2.warpAffine(eye.iris, move, (width, height), flags=cv2.INTER_LINEAR)
    there = iris[..., 3:]
    return np.dstack([(eye.white * (1 - there) + iris[..., :3] * there) * gain, there])


def _light(eye: PhotoEye, white: NDArray[np.float32], gain: float) -> NDArray[np.float32]:
    """Return the light on an eye over that in its photo, (3,).

    It is told by the white, which is the same in everybody; skin is not. The skin around speaks where it says more
    light, since the white of a narrow eye lies in the shade, or so much less that what seems white is a reflection.
    """
    ratio = (white + 8) / (eye.level + 8)
    level = float(ratio.mean())
    strength = min(max(gain, min(level, _GLARE * gain)), _WHITER * level)
    return np.asarray(strength * np.clip(ratio / level, 1 / _TINT, _TINT), np.float32)


def _glints(live: Image, iris: Matte, eye_px: float) -> NDArray[np.float32]:
    """Return the small lights on the live iris, (H, W, 1)."""
    return (np.maximum(_shining(live, eye_px).astype(np.float32) - 10, 0) * iris)[..., None]


def _shining(live: Image, eye_px: float) -> NDArray[np.uint8]:
    """Return how much lighter each pixel is than what is around it."""
    luma = cv2.cvtColor(live, cv2.COLOR_RGB2GRAY)
    side = 2 * max(1, round(_GLINT * 0.2 * eye_px)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.morphologyEx(luma, cv2.MORPH_TOPHAT, kernel), np.uint8)


def _lid_shade(inside: Matte, eye_px: float) -> NDArray[np.float32]:
    """Return how the upper lid darkens the eye below it, (H, W, 1) factors."""
    down = 0.06 * eye_px
    moved = cv2.warpAffine(inside, np.array([[1, 0, 0], [0, 1, down]], np.float32), inside.shape[::-1])
    lit = cv2.GaussianBlur(moved, (0, 0), max(0.05 * eye_px, 0.5))
    return np.asarray(1 - _SHADE * (1 - lit)[..., None], np.float32)
