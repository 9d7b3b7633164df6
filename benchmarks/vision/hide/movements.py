"""Who moves how: functions of time that give the place of a face, and the heads that are moved by them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from skimage import data

from benchmarks.vision.films import MEDIA, read_video
from benchmarks.vision.hide.scenes import SIZE_WH, Actor, Cutout, Place
from benchmarks.vision.hide.truth import FPS
from mien.app.factory import VisionFactory
from mien.vision.analysis.landmarks import box_of_mesh
from support.scenes import ASTRONAUT_FACE_XYXY

STILLS = ("sfhq_000", "sfhq_002", "sfhq_004", "sfhq_006", "sfhq_009", "sfhq_014", "sfhq_017", "flux_man_0055")
SHOTS, SHOT_S = 8, 0.48


def walking(
    x0: float, x1: float, y: float, width: float, *, seconds: float, start: float = 0.0
) -> Callable[[float], Place]:
    """Return a walk from `x0` to `x1` that bobs a little."""

    def place(second: float) -> Place:
        t = np.clip((second - start) / seconds, 0, 1)
        return Place(x0 + (x1 - x0) * t, y + 0.08 * width * np.sin(second * 9), width, 4 * np.sin(second * 4))

    return place


def rolling(x: float, y: float, width: float, *, per_s: float, begin: float = 0.0) -> Callable[[float], Place]:
    """Return somebody who turns over and over, by `per_s` degrees a second."""
    return lambda second: Place(x + 12 * np.sin(second * 2), y, width, begin + per_s * second)


def appearing(x: float, y: float, width: float, *, at: float, roll: float = 0.0) -> Callable[[float], Place | None]:
    """Return somebody who is suddenly there, as from behind a corner, and sways."""
    return lambda s: None if s < at else Place(x + 0.2 * width * np.sin(s * 3), y, width, roll + 5 * np.sin(s * 2))


def leaning(x: float, y: float, widths: tuple[float, float], *, seconds: float) -> Callable[[float], Place]:
    """Return somebody who leans in from the first width to the second, stays, and leans back."""

    def place(second: float) -> Place:
        t = np.interp(second / seconds, (0.05, 0.4, 0.65, 0.9), (0, 1, 1, 0))
        width = float(widths[0] * (widths[1] / widths[0]) ** t)
        sway = 0.02 * width
        return Place(x + sway * np.sin(second * 5), y + sway * np.cos(second * 4), width, 5 * np.sin(second * 2))

    return place


def passing(
    start: tuple[float, float], end: tuple[float, float], width: float, *, seconds: float, roll: float = 0.0
) -> Callable[[float], Place]:
    """Return a near face that passes through the picture, from one place to another."""

    def place(second: float) -> Place:
        t = np.clip(second / seconds, 0, 1)
        return Place(start[0] + (end[0] - start[0]) * t, start[1] + (end[1] - start[1]) * t, width, roll)

    return place


def around_the_edges(width: float, *, seconds: float) -> Callable[[float], Place]:
    """Return a near face whose middle goes once around the picture's edges, cut by each."""

    def place(second: float) -> Place:
        turn = 2 * np.pi * second / seconds
        return Place(SIZE_WH[0] * (0.5 + 0.45 * np.sin(turn)), SIZE_WH[1] * (0.5 - 0.45 * np.cos(turn)), width)

    return place


def in_shot(number: int, place: Place) -> Callable[[float], Place | None]:
    """Return somebody who stands still in one shot and is in no other."""
    return lambda second: place if int(second / SHOT_S) == number else None


def cast_of(maker: VisionFactory) -> list[Cutout]:
    """Return the heads there are: the astronaut first, then faces that belong to nobody."""
    cast = [Cutout(data.astronaut(), np.array(ASTRONAUT_FACE_XYXY, np.float32))]
    for name in STILLS if MEDIA.is_dir() else ():
        image = next(read_video(MEDIA / "stills_synth" / f"{name}.jpg"))
        cast.append(Cutout(image, box_of_mesh(maker.assessor.one_face(image, name=name).mesh)))
    return cast


@dataclass(frozen=True, slots=True)
class Cast:
    """The heads there are, and the actors who wear them; with more actors than heads, some look alike."""

    heads: list[Cutout]

    def actor(self, number: int, place: Callable[[float], Place | None]) -> Actor:
        """Return one actor."""
        return Actor(f"{number}", self.heads[number % len(self.heads)], place)

    def crowd(self, start: int, widths: tuple[float, ...], *, speed: float = 4.0, seconds: float = 4.0) -> list[Actor]:
        """Return people who walk in from both sides, one below the other; `speed` is in pixels a frame."""
        people = []
        for i, width in enumerate(widths):
            y, way = 70 + i * 580 / max(1, len(widths) - 1), speed * FPS * seconds
            x0, x1 = (-width, way - width) if i % 2 else (SIZE_WH[0] + width, SIZE_WH[0] + width - way)
            people.append(self.actor(start + i, walking(x0, x1, y, width, seconds=seconds, start=0.12 * i)))
        return people
