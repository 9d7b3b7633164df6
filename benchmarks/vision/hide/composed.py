"""The hard clips: small, near, turned, dark, half hidden and fast faces, cuts and crossings."""

from functools import cache

import cv2
import numpy as np
from skimage import data

from benchmarks.vision.hide.movements import (
    SHOT_S,
    SHOTS,
    Cast,
    appearing,
    around_the_edges,
    cast_of,
    in_shot,
    leaning,
    passing,
    rolling,
    walking,
)
from benchmarks.vision.hide.scenes import SIZE_WH, Actor, Place, Scene, Shape
from benchmarks.vision.hide.truth import FPS, Clip
from mien.app.factory import VisionFactory
from mien.vision.types import Image

PORTRAIT_WH = (720, 1280)
FACE_ASPECT = 1.25
"""A face is so many times taller than wide, about."""


@cache
def _wall(name: str) -> Image:
    frame = getattr(data, name)()
    frame = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)
    width, height = SIZE_WH
    return np.asarray(cv2.resize(frame[..., :3], (width + 400, height + 200), interpolation=cv2.INTER_CUBIC), np.uint8)


def still_room(second: float, *, name: str = "coffee") -> Image:
    """Return a background that does not move."""
    del second
    return _wall(name)[100 : 100 + SIZE_WH[1], 200 : 200 + SIZE_WH[0]]


def moving_camera(second: float, *, name: str = "rocket") -> Image:
    """Return a background as a walking person's camera sees it."""
    x, y = round(200 + 190 * np.sin(second * 1.1)), round(100 + 60 * np.sin(second * 5.3))
    return _wall(name)[y : y + SIZE_WH[1], x : x + SIZE_WH[0]]


def shots(second: float) -> Image:
    """Return the background of the shot that is on."""
    return still_room(second, name=("coffee", "rocket", "retina", "brick")[int(second / SHOT_S) % 4])


def hallway(_second: float) -> Image:
    """Return a background that does not move, in portrait."""
    return np.ascontiguousarray(np.rot90(still_room(0.0, name="rocket")))


HALF_HIDDEN = (
    (150, 210, 90, (-60, 10, 60, 80)),  # a mask over mouth and chin
    (450, 210, 90, (-60, -30, 60, -6)),  # a bar over the eyes
    (760, 210, 90, (-70, -80, -8, 80)),  # half behind a door
    (1060, 210, 90, (-60, -80, 60, -34)),  # a hat
    (300, 520, 48, (-40, 6, 40, 50)),
    (640, 520, 48, (-40, -14, 40, -2)),
    (980, 520, 48, (-4, -50, 40, 50)),
)
"""Faces, by x, y and width, and the bar before each, from its middle."""


def _bars(_second: float) -> list[Shape]:
    return [_shape((x + x0, y + y0, x + x1, y + y1), (70, 60, 80)) for x, y, _width, (x0, y0, x1, y1) in HALF_HIDDEN]


def _pillar(_second: float) -> list[Shape]:
    return [_shape((560, 0, 760, 720), (96, 88, 80))]


def _shape(box_xyxy: tuple[float, float, float, float], colour: tuple[int, int, int]) -> Shape:
    x0, y0, x1, y1 = box_xyxy
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64), colour


def _darken(image: Image, second: float) -> Image:
    noise = np.random.default_rng(round(second * FPS)).normal(0, 3, (*image.shape[:2], 1))
    return np.clip(image * 0.16 + noise, 0, 255).astype(np.uint8)


def _grey(image: Image, second: float) -> Image:
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grain = np.random.default_rng(round(second * FPS)).normal(0, 7, luma.shape)
    return np.repeat(np.clip(luma * 0.85 + 20 + grain, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _smear(image: Image, _second: float, *, length: int = 15) -> Image:
    return np.asarray(cv2.blur(image, (length, 1)), np.uint8)


def composed(maker: VisionFactory) -> list[Clip]:
    """Return the hard clips."""
    cast = Cast(cast_of(maker))
    small = (24, 28, 32, 36, 40, 48, 56, 64)
    scenes = [
        Scene("small", 4, cast.crowd(0, small), still_room),
        Scene("small, moving camera", 4, cast.crowd(1, small), moving_camera),
        Scene("appearing", 3, _who_appear(cast), still_room),
        Scene("turning over", 6, _who_turn_over(cast), still_room),
        Scene("turned from the start", 3, _who_are_turned(cast), still_room),
        Scene("dark", 4, cast.crowd(2, (32, 40, 48, 64, 80, 110)), still_room, finish=_darken, light="dark"),
        Scene("black and white", 4, cast.crowd(3, (28, 32, 40, 48, 64, 80)), moving_camera, finish=_grey, light="grey"),
        Scene("motion blur", 3, cast.crowd(4, (48, 64, 80, 110), speed=15), still_room, finish=_smear),
        Scene("fast", 3, cast.crowd(5, (48, 64, 90, 120, 150), speed=36), still_room),
        Scene("half hidden", 3, _who_are_half_hidden(cast), still_room, front=_bars),
        Scene("cuts", SHOT_S * SHOTS, _who_are_cut_to(cast), shots, cuts_s=tuple(SHOT_S * n for n in range(1, SHOTS))),
        Scene("behind a pillar", 5, _who_pass_behind(cast), still_room, front=_pillar),
        Scene("crossing", 4, _who_cross(cast), still_room),
    ]
    return [scene.clip() for scene in (*scenes, *_near(cast), *_near_elsewhere(cast))]


def _near(cast: Cast) -> list[Scene]:
    """Return faces larger than the frame."""
    tall = SIZE_WH[1] / FACE_ASPECT  # as tall as the frame
    return [
        Scene(
            "near, leaning in", 5, [cast.actor(1, leaning(640, 380, (0.5 * tall, 2.6 * tall), seconds=5))], still_room
        ),
        Scene(
            "near, leaning aside",
            4,
            [cast.actor(2, leaning(300, 500, (0.4 * tall, 1.8 * tall), seconds=4))],
            still_room,
        ),
        Scene("near, turning over", 6, [cast.actor(3, rolling(640, 360, 1.4 * tall, per_s=60))], still_room),
        Scene("nearest, turning over", 6, [cast.actor(8, rolling(600, 380, 2.0 * tall, per_s=-60))], still_room),
        Scene("near, cut by each edge", 6, [cast.actor(4, around_the_edges(1.5 * tall, seconds=6))], moving_camera),
        Scene(
            "near, passing", 3, [cast.actor(5, passing((-900, 300), (2100, 420), 1.3 * tall, seconds=3))], still_room
        ),
        Scene(
            "near, rising", 3, [cast.actor(6, passing((700, 1500), (600, -700), 1.6 * tall, seconds=3))], moving_camera
        ),
        Scene(
            "near, dark",
            4,
            [cast.actor(7, leaning(640, 400, (0.5 * tall, 1.8 * tall), seconds=4))],
            still_room,
            finish=_darken,
            light="dark",
        ),
        Scene(
            "near, black and white",
            4,
            [cast.actor(0, leaning(660, 380, (0.5 * tall, 1.8 * tall), seconds=4))],
            still_room,
            finish=_grey,
            light="grey",
        ),
    ]


def _near_elsewhere(cast: Cast) -> list[Scene]:
    """Return faces larger than the frame, in cuts and in portrait."""
    tall, shots_s = SIZE_WH[1] / FACE_ASPECT, tuple(SHOT_S * n for n in range(1, SHOTS))
    sizes = (1.0, 1.3, 1.6, 2.0, 2.4, 1.2, 1.8, 2.6)
    shown = [
        cast.actor(n, in_shot(n, Place(640 + 40 * (n % 3 - 1), 360 + 30 * (n % 2), tall * size, (0, 20, -35)[n % 3])))
        for n, size in enumerate(sizes)
    ]
    return [
        Scene("near, cuts", SHOT_S * SHOTS, shown, shots, cuts_s=shots_s),
        Scene(
            "near, portrait",
            5,
            [cast.actor(6, leaning(360, 640, (0.5 * tall, 2.6 * tall), seconds=5))],
            hallway,
            size_wh=PORTRAIT_WH,
        ),
        Scene(
            "near, portrait, aside",
            4,
            [cast.actor(1, leaning(120, 1000, (0.5 * tall, 2.0 * tall), seconds=4))],
            hallway,
            size_wh=PORTRAIT_WH,
        ),
    ]


def _who_appear(cast: Cast) -> list[Actor]:
    return [
        cast.actor(i, appearing(110 + 150 * i, 160 + 130 * (i * 2 % 5), width, at=0.33 + 0.21 * i))
        for i, width in enumerate((24, 32, 32, 40, 48, 64, 80, 110))
    ]


def _who_turn_over(cast: Cast) -> list[Actor]:
    return [
        cast.actor(0, rolling(250, 220, 120, per_s=60)),
        cast.actor(3, rolling(640, 220, 64, per_s=-60)),
        cast.actor(4, rolling(1020, 220, 40, per_s=60)),
        cast.actor(5, rolling(250, 560, 90, per_s=30, begin=90)),
        cast.actor(6, rolling(640, 560, 64, per_s=-30, begin=180)),
        cast.actor(7, rolling(1020, 560, 32, per_s=30, begin=180)),
    ]


def _who_are_turned(cast: Cast) -> list[Actor]:
    """Return three rows, each of smaller people, who are turned by 45 degrees more from left to right."""
    return [
        cast.actor(
            6 * row + column,
            appearing(130 + 200 * column, 130 + 230 * row, width, at=0.13 * (6 * row + column), roll=45 + 45 * column),
        )
        for row, width in enumerate((110, 64, 40))
        for column in range(6)
    ]


def _who_are_half_hidden(cast: Cast) -> list[Actor]:
    return [cast.actor(i, appearing(x, y, width, at=0.2 * i)) for i, (x, y, width, _bar) in enumerate(HALF_HIDDEN)]


def _who_are_cut_to(cast: Cast) -> list[Actor]:
    """Return two people for each shot."""
    widths = (64, 32, 110, 48, 36, 90, 40, 180)
    ones = [Place(150 + 97 * n, 140 + 60 * n, width, 12 * n - 40) for n, width in enumerate(widths)]
    others = [Place(1100 - 80 * n, 560 - 50 * n, 44 + 6 * n) for n in range(SHOTS)]
    return [cast.actor(i, in_shot(i % SHOTS, place)) for i, place in enumerate(ones + others)]


def _who_pass_behind(cast: Cast) -> list[Actor]:
    return [
        cast.actor(1, walking(380, 940, 180, 60, seconds=4.5)),
        cast.actor(2, walking(900, 420, 360, 90, seconds=4.5)),
        cast.actor(3, walking(420, 1100, 560, 40, seconds=4.0)),
    ]


def _who_cross(cast: Cast) -> list[Actor]:
    return [
        cast.actor(4, walking(240, 1040, 200, 70, seconds=3.6)),
        cast.actor(5, walking(1040, 240, 215, 90, seconds=3.6)),
        cast.actor(6, walking(300, 900, 520, 44, seconds=3.6)),
        cast.actor(7, walking(900, 300, 525, 52, seconds=3.6)),
    ]
