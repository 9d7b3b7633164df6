"""Photo quality: what about a photo of a face makes a worse persona, measured, and from where on it counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import PhotoFinding
from mien.vision.mesh.geometry import bounds, head_axes, mesh_size, turned_away, vertex_normals
from mien.vision.mesh.regions import brows, distance_outside, forehead, inner, openings, oval, polygon, ramp, ring
from mien.vision.mesh.texture_map import flatten, unwrap
from mien.vision.mesh.topology import EYE_LEFT, EYE_RIGHT, MOUTH, UV, Indices, lid_pairs
from mien.vision.swap.occlusion import FINE_SIDE
from mien.vision.swap.persona import MAX_PHOTO_TURN, MIN_EYE_DISTANCE_PX, check_mesh, reduced_photo, sharpness
from mien.vision.types import Image, Matte, Mesh, Net, Points


class PhotoIssue(StrEnum):
    """What can be wrong with a photo, the worst first; the values are stable."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    OTHER_PERSON = "other_person"
    """Not judged here: it takes the other photos of the face."""
    FACE_SMALL = "face_small"
    FACE_TURNED = "face_turned"
    CUT_OFF = "cut_off"
    COVERED = "covered"
    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    LIGHT_UNEVEN = "light_uneven"
    GLASSES = "glasses"
    EYES_CLOSED = "eyes_closed"
    MOUTH_OPEN = "mouth_open"
    TEETH = "teeth"
    SMILE = "smile"
    FRINGE = "fringe"
    FACE_TILTED = "face_tilted"


@dataclass(frozen=True, slots=True)
class IssueLimits:
    """From where on a measured value counts.

    Attributes:
        warn: The persona gets visibly worse.
        refuse: It cannot be made; None where that never happens.
        below: Small values are the bad ones.
    """

    warn: float
    refuse: float | None = None
    below: bool = False

    def judge(self, issue: PhotoIssue, value: float) -> PhotoFinding | None:
        """Return what to say of `value`, if anything."""
        if self.refuse is not None and self._passed(value, self.refuse):
            return PhotoFinding(issue.value, "refuse", value, self.refuse)
        return PhotoFinding(issue.value, "warn", value, self.warn) if self._passed(value, self.warn) else None

    def _passed(self, value: float, limit: float) -> bool:
        return value < limit if self.below else value > limit


LIMITS: Final[Mapping[PhotoIssue, IssueLimits]] = {
    PhotoIssue.NO_FACE: IssueLimits(0.5, 0.5, below=True),
    PhotoIssue.SEVERAL_FACES: IssueLimits(0.5, 0.5),
    PhotoIssue.FACE_SMALL: IssueLimits(50.0, MIN_EYE_DISTANCE_PX, below=True),
    PhotoIssue.FACE_TURNED: IssueLimits(20.0, MAX_PHOTO_TURN),
    PhotoIssue.CUT_OFF: IssueLimits(0.0, 0.15),
    PhotoIssue.COVERED: IssueLimits(0.25, 0.6),
    PhotoIssue.BLURRED: IssueLimits(0.28, below=True),
    PhotoIssue.TOO_DARK: IssueLimits(50.0, below=True),
    PhotoIssue.TOO_BRIGHT: IssueLimits(0.05),
    PhotoIssue.LIGHT_UNEVEN: IssueLimits(0.9),
    PhotoIssue.GLASSES: IssueLimits(0.12),
    PhotoIssue.EYES_CLOSED: IssueLimits(0.12, below=True),
    PhotoIssue.MOUTH_OPEN: IssueLimits(0.2),
    PhotoIssue.TEETH: IssueLimits(0.02),
    PhotoIssue.SMILE: IssueLimits(0.045),
    PhotoIssue.FRINGE: IssueLimits(0.2),
    PhotoIssue.FACE_TILTED: IssueLimits(60.0),
}
"""Where `python -m benchmarks.vision.photos harm` shows a swap begin to lose likeness; where it cannot, as for
glasses, on the development side of the portraits. Decision 92 has the figures."""


class PhotoAssessor:
    """Judges a photo of one face as the reference of a swap.

    Args:
        occlusion: The network of `occlusion.LearntOcclusion`.
    """

    def __init__(self, occlusion: Net) -> None:
        self._occlusion = occlusion

    def __call__(
        self, photo: Image, mesh: Mesh | None, *, score: float = 1.0, rival: float = 0.0
    ) -> tuple[PhotoFinding, ...]:
        """Return what is wrong with a photo, the worst first; nothing where it is a good one.

        Args:
            photo: RGB.
            mesh: The face's landmarks in it; None where no face was found.
            score: How surely the mesh sits on a face, 0 to 1.
            rival: Height of the second largest face over that of the largest; 0 where there is one.

        Raises:
            ShapeError: The mesh is malformed.
        """
        first = {PhotoIssue.NO_FACE: score if mesh is not None else 0.0, PhotoIssue.SEVERAL_FACES: rival}
        found = _judged(first)
        if mesh is None or found:
            return found  # whose light or pose would be judged?
        found = _judged(self.measure(photo, mesh))
        return tuple(sorted(found, key=lambda finding: finding.severity != "refuse"))

    def measure(self, photo: Image, mesh: Mesh) -> dict[PhotoIssue, float]:
        """Return every measure of a found face.

        face_small: pixels between the outer eye corners. face_turned, face_tilted: degrees from the camera's axis and
        from upright. cut_off: how far the face reaches past the picture's edge, of its height. blurred: share of the
        brightness steps from pixel to pixel that blurring takes away. too_dark: brightness of the brightest skin, 0 to
        255. too_bright: share of the skin that is all but white. light_uneven: how much brighter one side is, in stops.
        covered, glasses, fringe: share of lower face, eye surroundings and forehead that is not face. eyes_closed,
        mouth_open: opening of the narrower eye, of its width, and of the lips, of the eye distance. teeth: area between
        the lips that is light and not red, of the square over the eye distance. smile: height of the mouth's corners
        over its middle, of the eye distance.
        """
        check_mesh(mesh)
        small, small_mesh = reduced_photo(photo, mesh)
        texture = unwrap(small, small_mesh, FINE_SIDE)
        facing = ramp(flatten(-vertex_normals(mesh), FINE_SIDE)[..., 2], 0.2, 0.5)
        batch = texture.transpose(2, 0, 1)[None].astype(np.float32) * np.float32(1 / 127.5) - 1
        face: Matte = self._occlusion(np.ascontiguousarray(batch))["face"][0, 0]
        hidden = (1 - face) * facing
        eyes_apart = mesh_size(mesh)
        dx, dy = mesh[263, :2] - mesh[33, :2]
        return {
            PhotoIssue.FACE_SMALL: eyes_apart,
            PhotoIssue.FACE_TURNED: turned_away(mesh),
            PhotoIssue.FACE_TILTED: float(abs(np.degrees(np.arctan2(dy, dx)))),
            PhotoIssue.CUT_OFF: _beyond(photo, mesh),
            **_light(texture, facing * (face > 0.5)),
            PhotoIssue.COVERED: _share(hidden, _lower(), facing),
            PhotoIssue.GLASSES: _share(hidden, _spectacles(), facing),
            PhotoIssue.FRINGE: _share(hidden, _brow_to_hair(), facing),
            PhotoIssue.BLURRED: sharpness(small, small_mesh),
            PhotoIssue.EYES_CLOSED: min(_opening(mesh, EYE_LEFT), _opening(mesh, EYE_RIGHT)),
            PhotoIssue.MOUTH_OPEN: float(np.linalg.norm(mesh[13] - mesh[14])) / eyes_apart,
            PhotoIssue.TEETH: _teeth(small, small_mesh),
            PhotoIssue.SMILE: float((mesh[[13, 14]].mean(axis=0) - mesh[[61, 291]].mean(axis=0)) @ head_axes(mesh)[1])
            / eyes_apart,
        }


def _judged(values: Mapping[PhotoIssue, float]) -> tuple[PhotoFinding, ...]:
    found = (LIMITS[issue].judge(issue, values[issue]) for issue in PhotoIssue if issue in values)
    return tuple(finding for finding in found if finding is not None)


def _share(hidden: Matte, region: Matte, facing: Matte) -> float:
    """Return how much of the visible part of a region is hidden."""
    return float((hidden * region).sum() / max(float((facing * region).sum()), 1e-6))


def _beyond(photo: Image, mesh: Mesh) -> float:
    """Return how far a face reaches past the nearest edge; below 0 it keeps away from it."""
    low, high = bounds(mesh)
    height, width = photo.shape[:2]
    edge = np.array([width, height], np.float32) - 1
    return float(max((-low).max(), (high - edge).max()) / max(float(high[1] - low[1]), 1e-6))


def _light(texture: Image, skin: Matte) -> dict[PhotoIssue, float]:
    luma = cv2.cvtColor(texture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    shown = skin * inner(FINE_SIDE) * (1 - openings(FINE_SIDE)) * (1 - brows(FINE_SIDE)) > 0.5
    if not shown.any():
        return {}  # then it is covered, which is said
    logs = np.log2(cv2.GaussianBlur(luma, (0, 0), 3) + 4)
    both = (shown & shown[:, ::-1])[:, : FINE_SIDE // 2]
    sides = (logs - logs[:, ::-1])[:, : FINE_SIDE // 2][both]
    return {
        PhotoIssue.TOO_DARK: float(np.percentile(luma[shown], 95)),
        PhotoIssue.TOO_BRIGHT: float((luma[shown] >= 235).mean()),
        PhotoIssue.LIGHT_UNEVEN: float(abs(np.median(sides))) if len(sides) else 0.0,
    }


def _opening(mesh: Mesh, eye: Indices) -> float:
    upper, lower = lid_pairs(eye)
    width = float(np.linalg.norm(mesh[eye[0]] - mesh[eye[len(eye) // 2]]))
    return float(np.linalg.norm(mesh[upper[2:5]] - mesh[lower[2:5]], axis=1).mean()) / max(width, 1e-6)


_CHEEKS: Final = (50, 280)
_PATCH: Final = 3
_LIGHT, _LESS_RED = 0.6, 4.0
"""How light teeth are, over the cheeks, and by how much less red in Lab of 8 bits."""


def _teeth(photo: Image, mesh: Mesh) -> float:
    """Return the area between the lips that is nearly as light as the cheeks and less red, as `Coach.measure` says."""
    lips = mesh[MOUTH, :2]
    (x0, y0), (x1, y1) = np.floor(lips.min(axis=0)).astype(int), np.ceil(lips.max(axis=0)).astype(int) + 1
    x0, y0 = max(x0, 0), max(y0, 0)
    mouth = photo[y0:y1, x0:x1]
    if not mouth.size:
        return 0.0
    between = np.zeros(mouth.shape[:2], np.uint8)
    cv2.fillPoly(between, [np.round((lips - (x0, y0)) * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    skin = [_lab(_patch(photo, mesh[cheek, :2])).reshape(-1, 3) for cheek in _CHEEKS]
    light, red, _yellow = np.median(np.concatenate(skin), axis=0)
    seen = _lab(mouth)
    teeth = (seen[..., 0] > _LIGHT * light) & (seen[..., 1] < red - _LESS_RED) & (between > 0)
    return float(teeth.sum()) / max(mesh_size(mesh) ** 2, 1e-6)


def _lab(image: Image) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.float32)


def _patch(photo: Image, place: Points) -> Image:
    """Return a few pixels around a place, moved into the photo where it lies outside."""
    x, y = np.clip(np.round(place), _PATCH, np.array(photo.shape[1::-1]) - 1 - _PATCH).astype(int)
    return photo[max(y - _PATCH, 0) : y + _PATCH + 1, max(x - _PATCH, 0) : x + _PATCH + 1]


_BRIDGE: Final = (168, 193, 245, 188, 174, 197, 399, 412, 465, 417)
_EYE_CORNERS: Final = (33, 133, 362, 263)


@cache
def _rows() -> NDArray[np.float32]:
    """Return by how much each row of the texture lies below the eyes, as a share of its side."""
    below = (np.arange(FINE_SIDE, dtype=np.float32) + 0.5) / FINE_SIDE - UV[list(_EYE_CORNERS), 1].mean()
    return np.asarray(below, np.float32)[:, None]


@cache
def _spectacles() -> Matte:
    """Return where frames are seen that nothing else covers: over the bridge of the nose and below the eyes."""
    away = distance_outside(np.maximum(ring(EYE_LEFT, FINE_SIDE), ring(EYE_RIGHT, FINE_SIDE)))
    below = (away > 0.015) & (away < 0.11) & (_rows() > 0.03)
    bridge = polygon(UV[list(_BRIDGE)], FINE_SIDE)
    return _evenly(bridge, below.astype(np.float32))


@cache
def _lower() -> Matte:
    return np.asarray(inner(FINE_SIDE) * (1 - openings(FINE_SIDE)) * (_rows() > 0.11), np.float32)


@cache
def _brow_to_hair() -> Matte:
    return forehead(FINE_SIDE) * oval(FINE_SIDE) * (1 - brows(FINE_SIDE))


def _evenly(*regions: Matte) -> Matte:
    """Let regions count alike, whatever their sizes."""
    return np.asarray(sum(region / region.sum() for region in regions), np.float32)
