"""The covers under attack: ours, and those that average or blur the face, as mosaics elsewhere do."""

from collections.abc import Callable
from typing import Final, TypeAlias

import cv2
import numpy as np

from mien.vision.render.mosaic import Cover, MosaicShape, MosaicStyle, cover_box, draw_covers
from mien.vision.types import Box, Image

Hide: TypeAlias = Callable[[Image, Box], None]
"""Hides a face, whose box a detector gave, in place."""


def ours(style: MosaicStyle, shape: MosaicShape) -> Hide:
    def hide(image: Image, box: Box) -> None:
        cover = Cover(cover_box(box, shape=shape))
        draw_covers(image, [cover], style=style, shape=shape)

    return hide


def averaging(cells: int, *, levels: int) -> Hide:
    """Return a mosaic of so many cells across the face, each the mean of what it hides, in steps of `levels`."""

    def hide(image: Image, box: Box) -> None:
        area = _area(cover_box(box), image)
        side = max(1.0, float((box[2:] - box[:2]).max()) / cells)
        size = max(1, int(area.shape[1] / side)), max(1, int(area.shape[0] / side))
        mean = cv2.resize(area, size if cells > 1 else (1, 1), interpolation=cv2.INTER_AREA)
        mean = (mean // levels * levels + levels // 2).clip(0, 255).astype(np.uint8)
        area[:] = cv2.resize(mean, area.shape[1::-1], interpolation=cv2.INTER_NEAREST)

    return hide


def blurring(image: Image, box: Box) -> None:
    """Blur the face itself, as wide as a cell of six, and add noise."""
    area = _area(cover_box(box), image)
    soft = cv2.GaussianBlur(area, (0, 0), float((box[2:] - box[:2]).max()) / 6)
    noise = np.random.default_rng().normal(0, 10, (*area.shape[:2], 1))
    area[:] = np.clip(soft + noise, 0, 255)


def leaving_bare(_image: Image, _box: Box) -> None:
    """Hide nothing."""


COVERS: Final[dict[str, tuple[Hide, MosaicShape]]] = {
    **{f"{style} {shape}": (ours(style, shape), shape) for style in MosaicStyle for shape in MosaicShape},
    "averaged, 6 across": (averaging(6, levels=24), MosaicShape.BOX),
    "averaged, 4 across": (averaging(4, levels=32), MosaicShape.BOX),
    "averaged, 2 across": (averaging(2, levels=48), MosaicShape.BOX),
    "averaged, one colour": (averaging(1, levels=64), MosaicShape.BOX),
    "blurred": (blurring, MosaicShape.BOX),
}


def _area(box: Box, image: Image) -> Image:
    x0, y0, x1, y1 = box.round().astype(int)
    return image[max(0, y0) : y1, max(0, x0) : x1]
