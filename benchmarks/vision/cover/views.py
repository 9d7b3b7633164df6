"""What an attacker sees of covered people: a square around each cover, from one frame or laid together from many."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.restoration import richardson_lucy

from benchmarks.vision.cover.kinds import Hide, leaving_bare
from benchmarks.vision.cover.shots import another_day, as_photo, shot
from benchmarks.vision.portraits import Portrait
from mien.vision.cover import GROW_XYXY, HEAD_XYXY, MosaicShape, cover_box
from mien.vision.types import Box, Image

FRAMES: Final = 30
PATCH: Final = (24, 28)
"""What the learning and the pixel-wise attacker see of a cover, columns and rows."""
SEEN: Final = 160
"""Side of the picture that recognisers get, the face in its middle half."""

Vectors: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Views:
    """What an attacker sees of some people: a square around each cover, and how wide the cover is for its height."""

    squares: list[Image]
    forms: Vectors


def outline(box: Box, shape: MosaicShape) -> Box:
    """Return the cover that can be seen, less its margins: all that is known of a covered face's place."""
    x0, y0, x1, y1 = cover_box(box, shape=shape)
    left, top, right, bottom = HEAD_XYXY if shape is MosaicShape.HEAD else GROW_XYXY
    width, height = (x1 - x0) / (1 + left + right), (y1 - y0) / (1 + top + bottom)
    return np.array([x0 + left * width, y0 + top * height, x1 - right * width, y1 - bottom * height], np.float32)


def squared(image: Image, box: Box) -> Image:
    x, y, side = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, max(box[2] - box[0], box[3] - box[1])
    scale = SEEN / (2.0 * side)
    place = np.array([[scale, 0, SEEN / 2 - scale * x], [0, scale, SEEN / 2 - scale * y]], np.float32)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.GaussianBlur(image, (0, 0), 0.4 / float(scale)) if scale < 1 else image
    return np.asarray(cv2.warpAffine(small, place, (SEEN, SEEN), flags=way, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def one_frame(crowd: Sequence[Portrait], hide: Hide, shape: MosaicShape, size: int, *, seed: int) -> Views:
    """See everybody once, covered: as in the photo where `seed` is 0, on another day elsewhere."""
    squares, forms = [], []
    for number, person in enumerate(crowd):
        rng = np.random.default_rng((seed, number))
        look = another_day(size, rng) if seed else as_photo(size)
        seen = shot(person, look, shape, rng, relit=bool(seed))
        hide(seen.image, seen.boxes[0])
        seen_at = outline(seen.boxes[0], shape)
        squares.append(squared(seen.image, seen_at))
        x0, y0, x1, y1 = seen.boxes[0] if hide is leaving_bare else seen_at
        forms.append((x1 - x0) / (y1 - y0))
    return Views(squares, np.array(forms, np.float32))


def many_frames(crowd: Sequence[Portrait], hide: Hide, shape: MosaicShape, size: int, *, seed: int) -> Views:
    """Lay together frames in which the face moves a little and its box trembles, each where the face truly was.

    Every frame samples the face elsewhere: that is how film gives a finer picture away where cells are means of it.
    """
    squares, forms = [], []
    for number, person in enumerate(crowd):
        rng = np.random.default_rng((seed, number))
        look = another_day(size, rng) if seed else as_photo(size)
        still = shot(person, look, shape, rng, relit=bool(seed), frames=FRAMES)
        middle = outline(np.mean(still.boxes, axis=0), shape)
        total = np.zeros((SEEN, SEEN, 3), np.float32)
        for box in still.boxes:
            image = still.image.copy()
            hide(image, box)
            total += squared(image, middle)
        squares.append((total / FRAMES).round().astype(np.uint8))
        forms.append((middle[2] - middle[0]) / (middle[3] - middle[1]))
    return Views(squares, np.array(forms, np.float32))


def bicubic(square: Image) -> Image:
    """Take a square for a small picture, a pixel a cell, and enlarge it smoothly."""
    small = cv2.resize(square, (12, 12), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SEEN, SEEN), interpolation=cv2.INTER_CUBIC), np.uint8)


def sharpened(square: Image) -> Image:
    """Undo a blur as wide as a cell."""
    grid = np.arange(-13, 14)
    kernel = np.exp(-(grid[:, None] ** 2 + grid**2) / (2 * 6.0**2))
    kernel = (kernel / kernel.sum())[..., None]
    back = richardson_lucy(bicubic(square) / 255.0 + 1e-3, kernel, num_iter=8)
    return np.asarray((back * 255).clip(0, 255), np.uint8)


def patches(views: Views) -> Vectors:
    """Return what a cover looks like as numbers, each picture's own brightness and contrast taken out."""
    small = [
        cv2.resize(s[SEEN // 8 : -SEEN // 8, SEEN // 8 : -SEEN // 8], PATCH, interpolation=cv2.INTER_AREA)
        for s in views.squares
    ]
    flat = np.stack(small).reshape(len(small), -1).astype(np.float32)
    return np.asarray((flat - flat.mean(axis=1, keepdims=True)) / (flat.std(axis=1, keepdims=True) + 1), np.float32)
