"""Photos made worse by code: one fault at a time, so far that it matters, less far, and in steps."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from benchmarks.vision.portraits import Portrait, View, as_taken, seen_as
from mien.vision.photos.quality import PhotoIssue
from mien.vision.types import Image


def _light_from_a_side(portrait: Portrait, stops: float) -> Image:
    """Darken one side of the face, softly over its middle."""
    x0, x1 = portrait.mesh[234, 0], portrait.mesh[454, 0]
    across = np.clip((np.arange(portrait.image.shape[1]) - x0) / (x1 - x0), 0, 1)
    gain = 2.0 ** (-stops / 0.8 * np.clip(across - 0.1, 0, 0.8))
    linear = (portrait.image.astype(np.float32) / 255) ** 2.2 * gain[None, :, None]
    return np.asarray(255 * linear ** (1 / 2.2), np.uint8)


def _gain(image: Image, stops: float) -> Image:
    linear = (image.astype(np.float32) / 255) ** 2.2 * 2.0**stops
    return np.asarray(255 * np.clip(linear, 0, 1) ** (1 / 2.2), np.uint8)


def soft(image: Image, sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def _without_top(portrait: Portrait, share: float) -> Image:
    top, chin = portrait.mesh[10, 1], portrait.mesh[152, 1]
    return portrait.image[int(top + share * (chin - top)) :]


def _without_side(portrait: Portrait, share: float) -> Image:
    left, right = portrait.mesh[:, 0].min(), portrait.mesh[:, 0].max()
    return portrait.image[:, int(left + share * (right - left)) :]


def _paper(portrait: Portrait, share: float) -> Image:
    """Hold a sheet of paper before the lower face."""
    image = portrait.image.copy()
    chin, top = portrait.mesh[152, 1], portrait.mesh[10, 1]
    y = int(chin - share * (chin - top))
    x0, x1 = int(portrait.mesh[:, 0].min()) - 10, int(portrait.mesh[:, 0].max()) + 10
    image[max(y, 0) :, max(x0, 0) : x1] = (225, 222, 215)
    return image


def _beside(portrait: Portrait, share: float) -> Image:
    """Put the same face once more beside it, smaller."""
    small = cv2.resize(portrait.image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    canvas = np.full((portrait.image.shape[0], portrait.image.shape[1] + small.shape[1], 3), 128, np.uint8)
    canvas[:, : portrait.image.shape[1]] = portrait.image
    canvas[: len(small), portrait.image.shape[1] :] = small
    return canvas


def seen_so(**look: float) -> Callable[[Portrait], Image]:
    """Return a way to see somebody, by the fields of `View`; 180 px wide unless told otherwise."""
    return lambda portrait: seen_as(portrait, replace(View(face_px=180), **look))[0]  # type: ignore[arg-type]  # jpeg is not used


WORSE: Final[tuple[tuple[PhotoIssue, str, bool, Callable[[Portrait], Image]], ...]] = (
    (PhotoIssue.FACE_SMALL, "60 px wide", True, seen_so(face_px=60)),
    (PhotoIssue.FACE_SMALL, "140 px wide", False, seen_so(face_px=140)),
    (PhotoIssue.FACE_TURNED, "45 degrees", True, seen_so(yaw=45)),
    (PhotoIssue.FACE_TURNED, "8 degrees", False, seen_so(yaw=8)),
    (PhotoIssue.FACE_TILTED, "70 degrees", True, seen_so(roll=70)),
    (PhotoIssue.FACE_TILTED, "40 degrees", False, seen_so(roll=40)),
    (PhotoIssue.CUT_OFF, "top fifth", True, lambda p: _without_top(p, 0.2)),
    (PhotoIssue.CUT_OFF, "side fifth", True, lambda p: _without_side(p, 0.2)),
    (PhotoIssue.CUT_OFF, "hair alone", False, lambda p: _without_top(p, -0.06)),
    (PhotoIssue.COVERED, "up to the nose", True, lambda p: _paper(p, 0.45)),
    (PhotoIssue.COVERED, "under the chin", False, lambda p: _paper(p, 0.0)),
    (PhotoIssue.BLURRED, "motion, 13 px", True, seen_so(blur_px=13)),
    (PhotoIssue.BLURRED, "out of focus", True, lambda p: soft(p.image, 3.5)),
    (PhotoIssue.BLURRED, "slightly soft", False, lambda p: soft(p.image, 0.7)),
    (PhotoIssue.TOO_DARK, "5 stops", True, lambda p: _gain(p.image, -5)),
    (PhotoIssue.TOO_DARK, "2 stops", False, lambda p: _gain(p.image, -2)),
    (PhotoIssue.TOO_BRIGHT, "2 stops", True, lambda p: _gain(p.image, 2)),
    (PhotoIssue.TOO_BRIGHT, "a third of a stop", False, lambda p: _gain(p.image, 0.33)),
    (PhotoIssue.LIGHT_UNEVEN, "5 stops", True, lambda p: _light_from_a_side(p, 5)),
    (PhotoIssue.LIGHT_UNEVEN, "1 stop", False, lambda p: _light_from_a_side(p, 1)),
    (PhotoIssue.SEVERAL_FACES, "0.8 as large", True, lambda p: _beside(p, 0.8)),
    (PhotoIssue.SEVERAL_FACES, "0.3 as large", False, lambda p: _beside(p, 0.3)),
    (PhotoIssue.NO_FACE, "a wall", True, lambda p: np.full_like(p.image, 120)),
)  # fmt: skip
"""What is made worse, how far, and whether the assessor should say so."""

HARM: Final[tuple[tuple[PhotoIssue, tuple[float, ...], Callable[[Portrait, float], Image]], ...]] = (
    (PhotoIssue.FACE_SMALL, (180, 120, 90, 70, 55, 45, 38), lambda p, v: seen_so(face_px=v)(p)),
    (PhotoIssue.FACE_TURNED, (0, 15, 25, 35, 45, 55), lambda p, v: seen_so(yaw=v)(p)),
    (PhotoIssue.FACE_TILTED, (0, 15, 30, 45, 60), lambda p, v: seen_so(roll=v)(p)),
    (PhotoIssue.BLURRED, (0.3, 0.7, 1, 1.5, 2, 3, 4), lambda p, v: soft(p.image, v)),
    (PhotoIssue.TOO_DARK, (0, -1, -2, -3, -4, -5), lambda p, v: as_taken(_gain(p.image, v), View(noise=2))),
    (PhotoIssue.TOO_BRIGHT, (0, 0.5, 1, 1.5, 2, 2.5), lambda p, v: _gain(p.image, v)),
    (PhotoIssue.LIGHT_UNEVEN, (0, 1, 2, 3, 4, 5), _light_from_a_side),
)  # fmt: skip
"""What is made worse, and in which steps."""
