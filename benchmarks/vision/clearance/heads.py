"""Heads cut out of photos, swaying before an empty room: what the composed clips are made of."""

from typing import Final

import cv2
import numpy as np

from benchmarks.vision.portraits import Portrait, View, seen_as
from mien.vision.analysis.landmarks import box_of_mesh
from mien.vision.types import Box, Image, Mesh

PHASES: Final = 9
"""So many pictures of a head make its sway."""


class Mover:
    """One person's head, swaying in its cell."""

    def __init__(self, portrait: Portrait, look: View, *, seed: int) -> None:
        self._portrait, self._look, self._seed = portrait, look, seed
        self._shift = float(np.random.default_rng(seed).uniform(0, 2 * np.pi))
        self._patches: dict[int, tuple[Image, Mesh]] = {}

    def draw(self, frame: Image, centre: tuple[float, float], cell: tuple[int, int, int, int], i: int) -> Box:
        """Draw the head of frame `i` inside `cell` (x0, y0, x1, y1); return the face's true box."""
        image, mesh = self._patch((i * PHASES // 18) % PHASES)
        sway = np.array([6 * np.sin(0.35 * i + self._shift), 3 * np.cos(0.25 * i)])
        corner = np.round(np.array(centre) + sway - np.array(image.shape[1::-1]) / 2).astype(int)
        paste(frame, image, (int(corner[0]), int(corner[1])), cell)
        return np.asarray(box_of_mesh(mesh) + np.tile(corner, 2), np.float32)

    def _patch(self, k: int) -> tuple[Image, Mesh]:
        """Return the head in one phase of its sway, and its mesh there; drawn once."""
        if k not in self._patches:
            turn, tilt = (float(f(2 * np.pi * k / PHASES + self._shift)) for f in (np.sin, np.cos))
            phase = _changed(self._look, yaw=(self._look.yaw or 10) * turn, pitch=4 * turn, roll=6 * tilt)
            self._patches[k] = seen_as(self._portrait, phase, seed=self._seed + k)
        return self._patches[k]


def _changed(look: View, *, yaw: float, pitch: float, roll: float) -> View:
    return View(look.face_px, yaw, pitch, roll, look.light, look.blur_px, look.noise, look.jpeg)


def paste(frame: Image, image: Image, corner: tuple[int, int], cell: tuple[int, int, int, int]) -> None:
    """Copy `image` into `frame` with its first pixel at `corner`, cut to `cell`."""
    x0, y0 = max(corner[0], cell[0]), max(corner[1], cell[1])
    x1, y1 = min(corner[0] + image.shape[1], cell[2]), min(corner[1] + image.shape[0], cell[3])
    if x1 > x0 and y1 > y0:
        frame[y0:y1, x0:x1] = image[y0 - corner[1] : y1 - corner[1], x0 - corner[0] : x1 - corner[0]]


def background() -> Image:
    """Return an empty room of 1280 x 720: soft shapes, some noise."""
    rng = np.random.default_rng(2)
    soft = cv2.resize(rng.integers(60, 190, (9, 16, 3), np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(soft + rng.normal(0, 3, soft.shape), 0, 255), np.uint8)
