"""Clips in which the place of every face is known exactly: those with a truth file, and hard ones composed by code.

The composed clips put heads cut out of pictures onto moving, noisy backgrounds: the public-domain astronaut always, and
faces that belong to nobody where ../shared is there. An actor's `Place` is a function of time; who stands before whom
is painted into a map of identities, so that the pixels of each face that are really seen are known one by one.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from mien.app.factory import VisionFactory
from mien.vision.analysis.landmarks import box_of_mesh
from mien.vision.types import Image
from support.scenes import ASTRONAUT_FACE_XYXY

SHARED = Path(os.environ.get("MIEN_SHARED", Path(__file__).parents[4] / "shared"))
MEDIA = SHARED / "media"
WITH_TRUTH = ("video_hard/hd_synth_small_crowd12_gt", "video_multi/mp_synth_walk5_gt")
STILLS = ("sfhq_000", "sfhq_002", "sfhq_004", "sfhq_006", "sfhq_009", "sfhq_014", "sfhq_017", "flux_man_0055")
SIZE_WH, FPS = (1280, 720), 25.0
HEAD = 1.75
"""A head with its hair is so much larger than its face."""
SHOTS, SHOT_S = 8, 0.48
NEAR_WIDTH = 0.6
"""From this share of the frame's shorter side a face is near: forehead or chin leave the picture first."""
EYES_AND_MOUTH = ((0.3, 0.38), (0.7, 0.38), (0.5, 0.78))
"""Where eyes and mouth lie in the box of a face."""
PORTRAIT_WH = (720, 1280)
FACE_ASPECT = 1.25
"""A face is so many times taller than wide, about."""

Shape: TypeAlias = tuple[NDArray[np.float64], tuple[int, int, int]]
"""A polygon, (N, 2) in pixels, and its colour."""


@dataclass(frozen=True, slots=True)
class TruthFace:
    """A face that is there.

    Attributes:
        id: Who it is; one leak event belongs to one.
        left: First column of `seen` in the frame.
        top: First row of `seen` in the frame.
        seen: (h, w) which pixels of the frame show the face.
        size_px: Width of the face, unturned.
        roll: Degrees from upright.
        shown: Share of the face that is in the picture and that nothing hides.
        tells: True where an eye and the mouth of a face larger than the frame are in the picture.
    """

    id: str
    left: int
    top: int
    seen: NDArray[np.bool_]
    size_px: float
    roll: float
    shown: float
    tells: bool = False


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames and what is in them.

    Attributes:
        name: Of the clip.
        fps: Frames a second.
        frames: Yields each frame, a new array, and its faces.
        cuts: Numbers of the frames that begin a new scene.
        light: "day", "dark" or "grey" (black-and-white).
        exact: False where the faces are a judge's and not the truth.
    """

    name: str
    fps: float
    frames: Callable[[], Iterator[tuple[Image, list[TruthFace]]]]
    cuts: tuple[int, ...] = ()
    light: str = "day"
    exact: bool = True


def read_video(path: Path) -> Iterator[Image]:
    """Yield the frames of a video file, or the one of a picture, as RGB."""
    video = cv2.VideoCapture(str(path))
    while True:
        read, bgr = video.read()
        if not read:
            return
        yield np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def clips_with_truth() -> list[Clip]:
    """Return the clips of ../shared that carry a truth file; none where the folder is missing."""
    return [Clip(Path(name).name, FPS, partial(_with_truth, name)) for name in WITH_TRUTH if MEDIA.is_dir()]


def _with_truth(name: str) -> Iterator[tuple[Image, list[TruthFace]]]:
    truth = json.loads((MEDIA / f"{name}.gt.json").read_text())["frames"]
    for image, row in zip(read_video(MEDIA / f"{name}.mp4"), truth, strict=True):
        yield image, [_boxed(face, image) for face in row["faces"]]


def _boxed(face: dict[str, Any], image: Image) -> TruthFace:
    height, width = image.shape[:2]
    x0, y0, x1, y1 = np.clip(face["box"], 0, [width, height, width, height]).astype(int)
    size, shown = face["box"][2] - face["box"][0], face.get("vis", 1.0) * (1 - face.get("occ", 0.0))
    return TruthFace(
        face["id"], int(x0), int(y0), np.ones((y1 - y0, x1 - x0), bool), size, face.get("roll", 0.0), shown
    )


# --- actors ------------------------------------------------------------------------------------------------------


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
        name: Of the clip.
        seconds: How long it is.
        actors: Painted in this order, the last in front.
        backdrop: The background at a time.
        front: Shapes painted in front of everybody.
        finish: What the camera does to the picture.
        cuts_s: When a new scene begins.
        light: See `Clip`.
        size_wh: Of the frames.
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


def cast_of(maker: VisionFactory) -> list[Cutout]:
    """Return the heads there are: the astronaut first, then faces that belong to nobody."""
    cast = [Cutout(data.astronaut(), np.array(ASTRONAUT_FACE_XYXY, np.float32))]
    for name in STILLS if MEDIA.is_dir() else ():
        image = next(read_video(MEDIA / "stills_synth" / f"{name}.jpg"))
        cast.append(Cutout(image, box_of_mesh(maker.assessor.one_face(image, name=name).mesh)))
    return cast


# --- what is behind and before them ------------------------------------------------------------------------------


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


# --- who moves how -----------------------------------------------------------------------------------------------


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


# --- the clips ---------------------------------------------------------------------------------------------------


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
    return [scene.clip() for scene in (*scenes, *_near(cast))]


def _near(cast: Cast) -> list[Scene]:
    """Return faces larger than the frame."""
    tall, shots_s = SIZE_WH[1] / FACE_ASPECT, tuple(SHOT_S * n for n in range(1, SHOTS))  # as tall as the frame
    sizes = (1.0, 1.3, 1.6, 2.0, 2.4, 1.2, 1.8, 2.6)
    shown = [
        cast.actor(n, in_shot(n, Place(640 + 40 * (n % 3 - 1), 360 + 30 * (n % 2), tall * size, (0, 20, -35)[n % 3])))
        for n, size in enumerate(sizes)
    ]
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
