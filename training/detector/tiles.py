"""Tiles that hold what a detector meets: faces of any size and roll, half hidden, in any light, and much else."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import cv2
import numpy as np
from skimage import data

from mien.vision.types import Image

SIDE: Final = 192
HEIGHTS: Final = (22, 330)
"""Least and greatest height of a pasted picture of a person, in pixels; its face is about half as tall."""
PHOTOS: Final = ("coffee", "rocket", "chelsea", "stereo_motorcycle")
TEXTURES: Final = (
    "immunohistochemistry",
    "camera",
    "grass",
    "gravel",
    "text",
    "page",
    "moon",
    "coins",
    "horse",
    "clock",
)


class Tiles:
    """Composes tiles, one by one.

    Args:
        people: RGB pictures of one person each, of any size.
        rng: Where chance comes from; the same one makes the same tiles.
    """

    def __init__(self, people: Sequence[Image], rng: np.random.Generator) -> None:
        self._people = [_of_height(picture, 400) for picture in people]
        self._photos, self._textures = ([_wall(name) for name in names] for names in (PHOTOS, TEXTURES))
        self._rng = rng

    def __call__(self) -> Image:
        """Return the next tile, (192, 192, 3) RGB."""
        rng, kind = self._rng, self._rng.random()
        if kind < 0.7:
            walls = self._photos if kind < 0.35 else self._textures
            tile = _crop(walls[rng.integers(len(walls))], rng, zoom=(0.25, 2.0))
        elif kind < 0.8:  # hair, clothes and parts of faces, from near
            tile = _crop(self._people[rng.integers(len(self._people))], rng, zoom=(0.5, 8.0))
        else:
            tile = _drawn(rng)
        tile = np.ascontiguousarray(np.rot90(tile, int(rng.integers(4)) if rng.random() < 0.3 else 0))
        if rng.random() < 0.5:
            tile = _tinted(tile, rng, 0.25)
        if rng.random() < 0.85:
            for _ in range(rng.integers(1, 6)):
                _paste(tile, self._people[rng.integers(len(self._people))], rng)
        return _as_seen(tile, rng)


def _wall(name: str) -> Image:
    frame = getattr(data, name)()
    frame = np.asarray(frame[0] if isinstance(frame, tuple) else frame)  # a stereo pair is a tuple
    frame = frame.astype(np.uint8) * 255 if frame.dtype == bool else frame
    return np.ascontiguousarray(frame[..., :3] if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2))


def _of_height(image: Image, height: int) -> Image:
    width = max(8, round(height * image.shape[1] / image.shape[0]))
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _crop(image: Image, rng: np.random.Generator, *, zoom: tuple[float, float]) -> Image:
    side = int(np.clip(SIDE / np.exp(rng.uniform(*np.log(zoom))), 24, min(image.shape[:2])))
    y, x = rng.integers(0, image.shape[0] - side + 1), rng.integers(0, image.shape[1] - side + 1)
    how = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image[y : y + side, x : x + side], (SIDE, SIDE), interpolation=how), np.uint8)


def _drawn(rng: np.random.Generator) -> Image:
    """Return clouds with shapes, lines and letters before them."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
    frequency[0, 0] = 1 / SIDE
    waves = np.fft.rfft2(rng.normal(size=(3, SIDE, SIDE))) / frequency ** rng.uniform(0.6, 1.8)
    clouds = np.fft.irfft2(waves, s=(SIDE, SIDE)).transpose(1, 2, 0)
    mixed = rng.uniform()
    clouds = clouds / clouds.std() * (1 - mixed) + clouds.mean(axis=2, keepdims=True) / clouds.std() * mixed
    image = np.ascontiguousarray(
        np.clip(rng.uniform(20, 235, 3) + clouds * rng.uniform(5, 60), 0, 255).astype(np.uint8)
    )
    for _ in range(rng.integers(0, 10)):
        colour, kind = [int(v) for v in rng.integers(0, 256, 3)], rng.random()
        (x0, y0), (x1, y1) = ([int(v) for v in rng.integers(0, SIDE, 2)] for _ in range(2))
        if kind < 0.4:
            corners = rng.integers(-20, SIDE + 20, (rng.integers(3, 6), 2)).astype(np.int32)
            cv2.fillPoly(image, [corners], colour, cv2.LINE_AA)
        elif kind < 0.7:
            cv2.line(image, (x0, y0), (x1, y1), colour, int(rng.integers(1, 14)), cv2.LINE_AA)
        elif kind < 0.9:
            axes = (3 + x1 // 3, 3 + y1 // 3)
            thickness = -1 if rng.random() < 0.7 else 2
            cv2.ellipse(image, (x0, y0), axes, float(rng.uniform(0, 180)), 0, 360, colour, thickness, cv2.LINE_AA)
        else:
            letters = "".join(chr(rng.integers(65, 91)) for _ in range(6))
            cv2.putText(image, letters, (x0, y0), cv2.FONT_HERSHEY_SIMPLEX, float(rng.uniform(0.3, 1.5)), colour, 2)
    return image


def _tinted(image: Image, rng: np.random.Generator, most: float) -> Image:
    tinted = image * rng.uniform(1 - most, 1 + most, 3)
    return np.clip((tinted - 128) * rng.uniform(0.7, 1.3) + 128 + rng.uniform(-30, 30), 0, 255).astype(np.uint8)


def _roll(rng: np.random.Generator) -> float:
    """Return degrees: upright, nearly so, turned by quarters, or anything."""
    kind = rng.random()
    if kind < 0.35:
        return 0.0
    if kind < 0.6:
        return float(rng.uniform(-30, 30))
    if kind < 0.85:
        return float(rng.choice([90, 180, 270]) + (rng.uniform(-20, 20) if rng.random() < 0.5 else 0))
    return float(rng.uniform(0, 360))


def _paste(tile: Image, person: Image, rng: np.random.Generator) -> None:
    """Put a person into the tile, as a whole picture or as a head, and sometimes something in front."""
    picture = _of_height(person, int(np.exp(rng.uniform(*np.log(HEIGHTS)))))
    picture = _tinted(picture, rng, 0.12) if rng.random() < 0.6 else picture
    height, width = picture.shape[:2]
    is_head = rng.random() < 0.6
    matte = np.zeros((height, width), np.float32) if is_head else np.ones((height, width), np.float32)
    if is_head:
        axes = (int(width * rng.uniform(0.34, 0.48)), int(height * rng.uniform(0.42, 0.5)))
        cv2.ellipse(matte, (width // 2, int(height * 0.47)), axes, 0, 0, 360, 1.0, -1)
    beyond = 0.1 if rng.random() < 0.2 else -0.1  # of the tile's side
    middle = rng.uniform(-beyond, 1 + beyond, 2) * SIDE
    turn = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), _roll(rng), 1.0), np.float64)
    turn[:, 2] += middle - np.array([width / 2, height / 2])
    there = cv2.warpAffine(np.ascontiguousarray(picture), turn, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    matte = np.asarray(cv2.warpAffine(matte, turn, (SIDE, SIDE)), np.float32)
    if is_head or rng.random() < 0.3:
        matte = np.asarray(cv2.GaussianBlur(matte, (0, 0), max(0.6, height * 0.01)), np.float32)
    tile[:] = tile * (1 - matte[..., None]) + there * matte[..., None]
    if rng.random() < 0.2:
        face = height * 0.5
        x, y = middle + rng.uniform(-0.5, 0.5, 2) * face
        size = (float(face * rng.uniform(0.2, 1.2)), float(face * rng.uniform(0.15, 0.6)))
        corners = cv2.boxPoints(((float(x), float(y)), size, float(rng.uniform(0, 180)))).astype(np.int32)
        cv2.fillPoly(tile, [corners], [int(v) for v in rng.integers(0, 256, 3)], cv2.LINE_AA)


def _dark(image: Image, rng: np.random.Generator) -> Image:
    noise = rng.normal(0, rng.uniform(1, 5), (SIDE, SIDE, 1))
    return np.clip(image * rng.uniform(0.08, 0.6) + noise, 0, 255).astype(np.uint8)


def _grey(image: Image, _rng: np.random.Generator) -> Image:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)


def _smeared(image: Image, rng: np.random.Generator) -> Image:
    length = int(rng.integers(3, 13))
    return np.asarray(cv2.blur(image, (length, 1) if rng.random() < 0.5 else (1, length)), np.uint8)


def _blurred(image: Image, rng: np.random.Generator) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2)), np.uint8)


def _enlarged(image: Image, rng: np.random.Generator) -> Image:
    share = rng.uniform(0.3, 0.8)
    small: Any = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


def _bright(image: Image, rng: np.random.Generator) -> Image:
    return np.asarray(np.clip(image * rng.uniform(1.2, 2.2), 0, 255), np.uint8)


CAMERAS: Final[tuple[tuple[float, Callable[[Image, np.random.Generator], Image]], ...]] = (
    (0.20, _dark),
    (0.32, _grey),
    (0.42, _smeared),
    (0.50, _blurred),
    (0.60, _enlarged),
    (0.65, _bright),
)
"""What a camera makes of a tile, each up to its share of all; the rest stays as it is."""


def _as_seen(tile: Image, rng: np.random.Generator) -> Image:
    kind = rng.random()
    camera = next((camera for share, camera in CAMERAS if kind < share), None)
    tile = tile if camera is None else camera(tile, rng)
    if rng.random() < 0.4:
        grain = rng.normal(0, rng.uniform(1, 9), (SIDE, SIDE, 3 if rng.random() < 0.5 else 1))
        tile = np.clip(tile + grain, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        _done, packed = cv2.imencode(".jpg", tile, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])
        tile = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return tile
