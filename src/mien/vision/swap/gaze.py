"""Where open eyes look: the place of the iris in the opening, read from the picture."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.alignment import fit_similarity
from mien.vision.mesh.regions import ramp
from mien.vision.mesh.topology import EYE_LEFT, EYE_RIGHT, Indices, lid_pairs
from mien.vision.one_euro import OneEuro, share
from mien.vision.types import Affine, Image, Matte, Mesh, Points

EYES: Final = (EYE_LEFT, EYE_RIGHT)
EYE_PX: Final = 28
"""Width of an eye, corner to corner, in the upright picture in which its iris is sought."""
SPAN_WH: Final = (1.4, 0.9)
"""Size of that picture in widths of the eye; the corners lie level in its middle."""
IRIS: Final = 0.2
"""Radius of an iris in widths of its eye, give or take a tenth from person to person."""
_USUAL: Final = (0.22, 0.12)
"""How far irises usually stray from the middle, across and along the lids, in widths of the eye."""
_CLOSED, _OPEN = 0.18, 0.27
"""Distinctness of the less distinct iris, as `Iris` gives it, at which eyes surely are closed, and surely open."""
_BIAS_HZ: Final = 0.5
_NARROW, _SHUT = 0.86, 0.7
"""Height of an opening, over that of the same eye when its iris is seen, from which on lids that hide the iris are
closing, and at which they are shut: the mesh closes less than lids do."""
_BLINK: Final = 0.94
"""Where both openings are lower than this, both eyes are closing."""
_LID_WAY, _FOLD_WAY = 0.92, 0.35
"""How far a shut lid comes down, of the opening's height, and the fold above it, of the lid's way."""
_FOLDS: Final = {
    246: 247, 161: 30, 160: 29, 159: 27, 158: 28, 157: 56, 173: 190,
    466: 467, 388: 260, 387: 259, 386: 257, 385: 258, 384: 286, 398: 414,
}  # fmt: skip
"""The landmark in the fold above each one of an upper lid's edge."""


@dataclass(frozen=True, slots=True)
class Iris:
    """The darkest disc in the opening of an eye.

    Attributes:
        place: (2,) its centre, from the middle of the opening, in widths of the eye, along the eye's own axes.
        distinct: How clearly it is an iris: the contrast to the rest of the opening times that to the skin below it.
            The less distinct one of a pair reaches 0.26 where they are open in good light and stays below 0.18 where
            they are closed.
        white: (3,) RGB level of the lightest quarter of what the iris leaves of the opening.
    """

    place: NDArray[np.float32]
    distinct: float
    white: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Gaze:
    """Where both eyes look.

    Attributes:
        places: (2, 2) centre of the image-left and the image-right iris, as `Iris.place`.
        sure: (2,) how surely each was read in an open eye, 0 to 1.
        whites: (2, 3) RGB levels of the white.
        shut: (2,) how far the lids are closed, 0 to 1.
    """

    places: NDArray[np.float32]
    sure: NDArray[np.float32]
    whites: NDArray[np.float32]
    shut: NDArray[np.float32]


class GazeReader:
    """Read the gaze of one face from frame to frame.

    Both eyes move alike: a movement is the mean of both, the better one counting for more; how they stand to each other
    is learnt slowly.
    """

    def __init__(self) -> None:
        self._calm = OneEuro(min_cutoff_hz=3.0, responsiveness=12.0)
        self._bias: NDArray[np.float32] | None = None
        self._sure: NDArray[np.float32] | None = None
        self._whites: NDArray[np.float32] | None = None
        self._usual_heights: NDArray[np.float32] | None = None
        self._shut = np.zeros(2, np.float32)
        self._at = 0.0

    def __call__(self, image: Image, mesh: Mesh, *, dt: float) -> Gaze:
        """Return the gaze.

        Args:
            image: RGB, before anything is drawn on the eyes.
            mesh: Landmarks in its pixels.
            dt: Seconds since the last call.
        """
        irises = [find_iris(image, mesh, ring) for ring in EYES]
        distinct = np.array([iris.distinct for iris in irises], np.float32)
        # Eyes blink together, and heavy lashes may look like an iris: where one eye is in doubt, so is the other.
        now = np.repeat(ramp(distinct.min(keepdims=True), _CLOSED, _OPEN), 2)
        self._sure = now if self._sure is None else self._sure + share(12.0, dt) * (now - self._sure)
        places = np.array([iris.place for iris in irises], np.float32)
        weight = np.maximum(distinct, 0.02)[:, None]
        shared = (places * weight).sum(axis=0) / weight.sum()
        bias = np.clip(places - shared, -0.12, 0.12)
        pace = share(_BIAS_HZ, dt) * float(now.min())
        self._bias = bias if self._bias is None else self._bias + np.float32(pace) * (bias - self._bias)
        self._at += dt
        calm = self._calm((shared + self._bias).astype(np.float32), at=self._at, unit=1.0)
        whites = np.array([iris.white for iris in irises], np.float32)
        self._whites = whites if self._whites is None else self._whites + share(2.0, dt) * (whites - self._whites)
        sure = np.minimum(self._sure, now).astype(np.float32)
        seen = ramp(distinct, _CLOSED, _OPEN)
        return Gaze(calm, sure, self._whites, self._how_shut(mesh, seen, dt))

    def _how_shut(self, mesh: Mesh, seen: NDArray[np.float32], dt: float) -> NDArray[np.float32]:
        """Return how far each eye's lids are closed: they hide the iris, and stand lower than where it is seen."""
        heights = np.array([_height(mesh, ring) for ring in EYES], np.float32)
        if seen.min() > 0.5:
            usual = heights if self._usual_heights is None else self._usual_heights
            self._usual_heights = usual + share(_BIAS_HZ, dt) * (heights - usual)
        if self._usual_heights is not None:
            left_of = np.asarray(heights / np.maximum(self._usual_heights, 1e-6), np.float32)
            # Where both stand lower it is a blink, in which lashes may look like an iris; else a wink.
            seen = np.repeat(seen.min(keepdims=True), 2) if left_of.max() < _BLINK else seen
            shut = ramp(left_of, _NARROW, _SHUT) * np.maximum(0, 1 - 2 * seen)
            self._shut += share(12.0, dt) * (shut - self._shut)
        return self._shut.copy()


def _height(mesh: Mesh, ring: Indices) -> float:
    """Return the height of an eye's opening over its width."""
    upper, lower = lid_pairs(ring)
    width = float(np.linalg.norm(mesh[ring[0]] - mesh[ring[len(ring) // 2]]))
    return float(np.linalg.norm(mesh[upper[2:5]] - mesh[lower[2:5]], axis=1).mean()) / max(width, 1e-6)


def with_shut_lids(mesh: Mesh, shut: NDArray[np.float32]) -> Mesh:
    """Return the mesh with its upper lids lowered, and the folds above them by less; see `Gaze.shut`."""
    lowered = mesh.copy()
    for ring, amount in zip(EYES, shut, strict=True):
        upper, lower = lid_pairs(ring)
        way = (mesh[lower] - mesh[upper]) * np.float32(amount * _LID_WAY)
        lowered[upper] += way
        lowered[[_FOLDS[int(lid)] for lid in upper]] += way * np.float32(_FOLD_WAY)
    return lowered


def eye_frame(mesh: Mesh, ring: Indices, eye_px: float) -> Affine:
    """Return the way into an upright picture of an eye, `eye_px` from corner to corner and `SPAN_WH` of that large."""
    corners = np.asarray(mesh[[ring[0], ring[len(ring) // 2]], :2], np.float32)
    middle = np.array(crop_wh(eye_px), np.float32) / 2 - 0.5
    half = np.array([eye_px / 2, 0], np.float32)
    return fit_similarity(corners, np.stack([middle - half, middle + half]).astype(np.float32))


def crop_wh(eye_px: float) -> tuple[int, int]:
    """Return the size of that picture in pixels."""
    return round(SPAN_WH[0] * eye_px), round(SPAN_WH[1] * eye_px)


def opening(corners: Points, size_wh: tuple[int, int]) -> Matte:
    """Fill the opening of an eye."""
    drawn = np.zeros(size_wh[::-1], np.uint8)
    corners = np.clip(corners, -4096, 4096)  # a mesh gone wild must not leave the range of the fill
    cv2.fillPoly(drawn, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return drawn * np.float32(1 / 255)


def find_iris(image: Image, mesh: Mesh, ring: Indices, *, radius: float = IRIS) -> Iris:
    """Return the iris of one eye.

    Args:
        image: RGB.
        mesh: Landmarks in its pixels.
        ring: The eye's.
        radius: The iris's radius, in widths of the eye.
    """
    if float(np.linalg.norm(mesh[ring[len(ring) // 2], :2] - mesh[ring[0], :2])) < _FEWEST_PX_WIDE:
        return _NO_IRIS
    way, size_wh = eye_frame(mesh, ring, EYE_PX), crop_wh(EYE_PX)
    # Irises of any colour are dark in red; the white is not.
    drawn = cv2.warpAffine(image, way, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    crop = np.asarray(drawn, np.uint8)
    red = crop[..., 0]
    lids = mesh[ring, :2] @ way[:, :2].T + way[:, 2]
    inside = opening(lids, size_wh)
    middle = lids.mean(axis=0)
    values = crop[inside > 0.5]
    if len(values) < _FEWEST_PX:
        return _NO_IRIS
    ranked = np.sort(values, axis=0)  # a tenth of the time of two percentiles
    white = ranked[round(0.75 * (len(ranked) - 1))].astype(np.float32)
    dark, light = float(ranked[round(0.05 * (len(ranked) - 1)), 0]), float(white[0])
    darkness = np.clip((light - red) / np.float32(max(light - dark, 4)), 0, 1).astype(np.float32) * inside
    disc = _disc(radius * EYE_PX)
    area = np.maximum(cv2.filter2D(inside, -1, disc, borderType=cv2.BORDER_CONSTANT), 0)
    found = cv2.filter2D(darkness, -1, disc, borderType=cv2.BORDER_CONSTANT)
    within = found / np.maximum(area, 1)
    around = (darkness.sum() - found) / np.maximum(inside.sum() - area, 1)
    score = (within - around) * np.sqrt(np.minimum(area / disc.sum(), 1))
    wanted = score * _usual()
    y, x = (int(i) for i in np.unravel_index(int(np.argmax(wanted)), wanted.shape))
    peak = np.array([_peak(wanted[y], x), _peak(wanted[:, x], y)], np.float32)
    distinct = float(score[y, x]) * _on_skin(red, inside, lids, peak, radius)
    return Iris((peak - middle) / np.float32(EYE_PX), distinct, _white(crop, inside, peak, radius, white))


_FEWEST_PX: Final = 16
_FEWEST_PX_WIDE: Final = 5
_NO_IRIS: Final = Iris(np.zeros(2, np.float32), 0.0, np.full(3, 255, np.float32))


def _on_skin(red: NDArray[np.uint8], inside: Matte, lids: Points, peak: Points, radius: float) -> float:
    """Return how much darker a disc is than the skin below the eye, as a ratio's logarithm; never below 0."""
    reach, bottom = radius * EYE_PX, float(lids[:, 1].max())
    rows = np.s_[int(np.ceil(bottom)) + 1 : int(np.ceil(bottom)) + 5]
    columns = np.s_[max(int(peak[0] - reach), 0) : int(peak[0] + reach) + 1]
    skin = red[rows, columns]
    y, x = np.ogrid[: red.shape[0], : red.shape[1]]
    disc = red[(np.hypot(x - peak[0], y - peak[1]) < 0.8 * reach) & (inside > 0.5)]
    if not skin.size or not disc.size:
        return 0.0
    return max(float(np.log((np.median(skin) + 8) / (np.median(disc) + 8))), 0.0)


def _white(
    crop: Image, inside: Matte, peak: NDArray[np.float32], radius: float, lightest: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the level of the white beside an iris; `lightest`, where too little of it shows."""
    y, x = np.ogrid[: crop.shape[0], : crop.shape[1]]
    beside = crop[(np.hypot(x - peak[0], y - peak[1]) > 1.15 * radius * EYE_PX) & (inside > 0.9)]
    if len(beside) < _FEWEST_PX:
        return lightest
    ranked = np.sort(beside, axis=0)
    return np.asarray(np.maximum(ranked[round(0.75 * (len(ranked) - 1))], lightest), np.float32)


def _peak(row: NDArray[np.float32], at: int) -> float:
    """Return the place of a maximum between pixels."""
    if not 0 < at < len(row) - 1:
        return float(at)
    left, top, right = (float(value) for value in row[at - 1 : at + 2])
    bend = left - 2 * top + right
    return at + (float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < -1e-6 else 0.0)


@cache
def _disc(radius_px: float) -> NDArray[np.float32]:
    reach = int(np.ceil(radius_px)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc: NDArray[np.float32] = np.clip(radius_px + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    disc.flags.writeable = False
    return disc


@cache
def _usual() -> NDArray[np.float32]:
    """Return how usual each place of an iris is, 0.5 to 1."""
    width, height = crop_wh(EYE_PX)
    y, x = np.mgrid[:height, :width]
    across, along = ((x - width / 2 + 0.5) / EYE_PX, (y - height / 2 + 0.5) / EYE_PX)
    squares = np.square(across / _USUAL[0]) + np.square(along / _USUAL[1])
    usual: NDArray[np.float32] = (0.5 + 0.5 * np.exp(-squares / 2)).astype(np.float32)
    usual.flags.writeable = False
    return usual
