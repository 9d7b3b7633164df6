"""Exchanges: an enrolled person makes way for a stranger, who must not inherit the clearance."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from benchmarks.vision.clearance.heads import Mover, background
from benchmarks.vision.clearance.people import Bench
from benchmarks.vision.clearance.tally import Row, attributed
from benchmarks.vision.portraits import View
from mien.vision.types import Box, Image

Place: TypeAlias = tuple[float, float] | None


def events(bench: Bench) -> Iterator[Row]:
    """Exchange an enrolled person for a stranger, in four ways, and count the frames that show the stranger."""
    enrolled, strangers = bench.enrolled_and_strangers()
    pairs = list(zip(enrolled, nearest(bench, enrolled, strangers), strict=True))[:: max(1, len(enrolled) // 12)]
    gallery = bench.gallery_of(enrolled)
    for title, scene in EVENTS.items():
        leaked, longest, shown_before = 0, 0, 0
        for mine, theirs in pairs:
            movers = [
                Mover(bench.people[n].portrait, View(face_px=90, noise=2), seed=k) for k, n in enumerate((mine, theirs))
            ]
            truth: list[tuple[Box | None, Box | None]] = []
            frames = 0
            before = False
            for shown in bench.watch(_played(movers, scene, truth), gallery, fps=25):
                a, b = truth[-1]
                who = attributed({n: box for n, box in (("a", a), ("b", b)) if box is not None}, shown)
                before |= "a" in who
                frames += "b" in who and (a is None or b is None or _apart(a, b))
            shown_before += before
            leaked, longest = leaked + (frames > 0), max(longest, frames)
        yield {"part": "events", "what": title, "pairs": len(pairs), "enrolled had been shown": shown_before,
               "stranger shown": leaked, "longest, ms": 40 * longest}  # fmt: skip


def nearest(bench: Bench, enrolled: Sequence[str], strangers: Sequence[str]) -> list[str]:
    """Return for each enrolled person the stranger who resembles them most: the worst to be exchanged for."""
    theirs = np.stack([bench.people[name].vector for name in strangers])
    return [strangers[int(np.argmax(theirs @ bench.people[name].vector))] for name in enrolled]


def _crossing(i: int) -> tuple[Place, Place, bool]:
    x = 340.0 if i < 40 else min(340.0 + 12 * (i - 40), 940.0)
    return (x, 360), (1280 - x, 372), False


def _exchange(i: int) -> tuple[Place, Place, bool]:
    return ((640, 360), None, False) if i < 40 else (None, (640, 360), False)


def _cut(i: int) -> tuple[Place, Place, bool]:
    return ((640, 360), None, False) if i < 40 else (None, (640, 360), True)


def _behind(i: int) -> tuple[Place, Place, bool]:
    """Walk behind a pillar; somebody else comes out at the other side, without a moment in which nobody is there."""
    x = 400.0 if i < 40 else 400.0 + 10 * (i - 40)
    return ((x, 360), None, False) if x < 640 else (None, (x, 360), False)


EVENTS: dict[str, Callable[[int], tuple[Place, Place, bool]]] = {
    "crossing": _crossing,
    "exchange within one frame, same place": _exchange,
    "cut": _cut,
    "exchange behind a pillar": _behind,
}


def _played(
    movers: Sequence[Mover],
    scene: Callable[[int], tuple[Place, Place, bool]],
    truth: list[tuple[Box | None, Box | None]],
) -> Iterator[Image]:
    room, other = background(), np.ascontiguousarray(background()[::-1, ::-1])
    whole = (0, 0, 1280, 720)
    for i in range(100):
        *places, elsewhere = scene(i)
        frame = (other if elsewhere else room).copy()
        boxes: list[Box | None] = [None, None]
        for k in (1, 0):
            place = places[k]
            if isinstance(place, tuple):
                boxes[k] = movers[k].draw(frame, place, whole, i)
        if scene is _behind:
            frame[:, 560:720] = (70, 60, 50)
        truth.append((boxes[0], boxes[1]))
        yield frame


def _apart(a: Box, b: Box) -> bool:
    """Tell whether two faces are so far apart that it is clear which one was shown."""
    return abs(float(a[0] + a[2] - b[0] - b[2])) / 2 > 0.6 * float(a[2] - a[0])
