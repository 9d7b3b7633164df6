"""Clips composed by code: heads cut out of pictures, moved over backgrounds, every pixel of each face known.

An actor's `Place` is a function of time; who stands before whom is painted into a map of identities, so that the pixels
of each face that are really seen are known one by one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.vision.hide.truth import FPS, Clip, TruthFace
from mien.vision.types import Image

SIZE_WH = (1280, 720)
HEAD = 1.75
"""A head with its hair is so much larger than its face."""
NEAR_WIDTH = 0.6
"""From this share of the frame's shorter side a face is near: forehead or chin leave the picture first."""
EYES_AND_MOUTH = ((0.3, 0.38), (0.7, 0.38), (0.5, 0.78))
"""Where eyes and mouth lie in the box of a face."""

Shape: TypeAlias = tuple[NDArray[np.float64], tuple[int, int, int]]
"""A polygon, (N, 2) in pixels, and its colour."""


@dataclass(frozen=True, slots=True)
class Cutout:
    """A head, to be put anywhere: its picture and the box of its face in it, both in pixels of the picture."""

    image: Image
    face_xyxy: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the middle of a face is, how wide it is (both in pixels) and how far it is turned (degrees)."""

    x: float
    y: float
    width: float
    roll: float = 0.0


@dataclass(frozen=True, slots=True)
class Actor:
    """A head and its way through the clip; None while it is away."""

    id: str
    cutout: Cutout
    place: Callable[[float], Place | None]


@dataclass(frozen=True, slots=True)
class Scene:
    """One composed clip.

    Attributes:
        name: The clip's name.
        seconds: How long it is.
        actors: Painted in this order, the last in front.
        backdrop: The background at a time.
        front: Shapes painted in front of everybody.
        finish: What the camera does to the picture.
        cuts_s: When a new scene begins.
        light: See `Clip`.
        size_wh: Width and height of the frames.
    """

    name: str
    seconds: float
    actors: list[Actor]
    backdrop: Callable[[float], Image]
    front: Callable[[float], list[Shape]] = field(default=lambda _second: [])
    finish: Callable[[Image, float], Image] = field(default=lambda image, _second: image)
    cuts_s: tuple[float, ...] = ()
    light: str = "day"
    size_wh: tuple[int, int] = SIZE_WH

    def clip(self) -> Clip:
        """Return the scene as a clip."""
        cuts = tuple(round(second * FPS) for second in self.cuts_s)
        return Clip(self.name, FPS, self._frames, cuts, self.light)

    def _frames(self) -> Iterator[tuple[Image, list[TruthFace]]]:
        grain = (
            np.random.default_rng(5).normal(8, 2, (4, self.size_wh[1], self.size_wh[0], 3)).clip(0, 16).astype(np.uint8)
        )
        for number in range(round(self.seconds * FPS)):
            second = number / FPS
            image = self.backdrop(second).copy()
            owner = np.zeros(image.shape[:2], np.uint8)
            there = [(actor, place) for actor in self.actors if (place := actor.place(second)) is not None]
            whole = [_paint(image, owner, i, *entry) for i, entry in enumerate(there, 1)]
            for corners, colour in self.front(second):
                outline = np.round(corners).astype(np.int32)
                cv2.fillPoly(image, [outline], colour, cv2.LINE_AA)
                cv2.fillPoly(owner, [outline], 0)
            image = self.finish(image, second)
            image = np.asarray(cv2.subtract(cv2.add(image, grain[number % 4]), np.full_like(image, 8)), np.uint8)
            faces = [_seen(owner, i, *entry, area) for (i, entry), area in zip(enumerate(there, 1), whole, strict=True)]
            yield image, [face for face in faces if face is not None]


def _paint(image: Image, owner: NDArray[np.uint8], number: int, actor: Actor, place: Place) -> float:
    """Paint a head into the picture and its face into the map of owners; return the area of the whole face."""
    frame, (x0, y0, x1, y1) = actor.cutout.image, (float(v) for v in actor.cutout.face_xyxy)
    scale = place.width / (x1 - x0)
    while scale < 0.5:  # halve first: a turned picture sampled sparsely would glitter
        frame = np.asarray(cv2.pyrDown(frame), np.uint8)
        x0, y0, x1, y1, scale = x0 / 2, y0 / 2, x1 / 2, y1 / 2, scale * 2
    middle, axes = ((x0 + x1) / 2, (y0 + y1) / 2), ((x1 - x0) / 2, (y1 - y0) / 2)
    turn = np.asarray(cv2.getRotationMatrix2D(middle, place.roll, scale), np.float64)
    reach = HEAD * 1.2 * scale * max(axes) + 8
    left, top = max(0, int(place.x - reach)), max(0, int(place.y - reach))
    right, bottom = min(image.shape[1], int(place.x + reach)), min(image.shape[0], int(place.y + reach))
    if right > left and bottom > top:
        turn[:, 2] += np.array([place.x - left, place.y - top]) - middle
        size_wh = (right - left, bottom - top)
        outline = np.zeros(frame.shape[:2], np.float32)
        head = (round(axes[0] * HEAD), round(axes[1] * HEAD * 0.92))
        cv2.ellipse(outline, (round(middle[0]), round(middle[1] - axes[1] * 0.2)), head, 0, 0, 360, 1.0, -1)
        soft = cv2.GaussianBlur(outline, (0, 0), max(0.8, axes[0] * 0.05))
        matte = np.asarray(cv2.warpAffine(soft, turn, size_wh), np.float32)
        there = image[top:bottom, left:right]
        there[:] = there * (1 - matte[..., None]) + cv2.warpAffine(frame, turn, size_wh) * matte[..., None]
        owner[top:bottom, left:right][matte > 0.5] = 0
    place_of = (round(place.x * 16), round(place.y * 16))
    size = (round(axes[0] * scale * 16), round(axes[1] * scale * 16))
    cv2.ellipse(owner, place_of, size, -place.roll, 0, 360, number, -1, cv2.LINE_8, 4)
    return float(np.pi * axes[0] * axes[1] * scale * scale)


def _seen(owner: NDArray[np.uint8], number: int, actor: Actor, place: Place, area: float) -> TruthFace | None:
    mine = owner == number
    rows, cols = np.flatnonzero(mine.any(axis=1)), np.flatnonzero(mine.any(axis=0))
    if not len(rows):
        return None
    seen = mine[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    shown = min(1.0, float(seen.sum()) / area)
    roll = (place.roll + 180) % 360 - 180
    tells = place.width > NEAR_WIDTH * min(owner.shape) and _tells(owner, number, actor, place)
    return TruthFace(actor.id, int(cols[0]), int(rows[0]), seen, place.width, roll, shown, tells)


def _tells(owner: NDArray[np.uint8], number: int, actor: Actor, place: Place) -> bool:
    """Tell whether the map of owners shows an eye and the mouth of a face."""
    x0, y0, x1, y1 = (float(value) for value in actor.cutout.face_xyxy)
    scale, turn = place.width / (x1 - x0), np.radians(place.roll)
    size = np.array([x1 - x0, y1 - y0]) * scale
    out = []
    for share in EYES_AND_MOUTH:
        x, y = (np.array(share) - 0.5) * size
        col, row = place.x + x * np.cos(turn) + y * np.sin(turn), place.y - x * np.sin(turn) + y * np.cos(turn)
        inside = 0 <= col < owner.shape[1] and 0 <= row < owner.shape[0]
        out.append(inside and owner[int(row), int(col)] == number)
    return bool((out[0] or out[1]) and out[2])
