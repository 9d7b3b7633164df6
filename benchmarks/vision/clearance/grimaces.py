"""Grimaces: enrolled people who shout for seconds, and strangers who take their place meanwhile."""

from collections.abc import Iterator
from typing import Final

from benchmarks.vision.clearance.events import nearest
from benchmarks.vision.clearance.heads import Mover, background
from benchmarks.vision.clearance.people import Bench
from benchmarks.vision.clearance.tally import Row, attributed, rounded
from benchmarks.vision.grimaces import grimacing
from benchmarks.vision.portraits import Portrait, View
from mien.vision.types import Box, Image

FPS: Final = 25
CALM_S, SECONDS = 1.6, 4.6
WIDEST: Final = ((0.0, 0.0), (0.07, 0.3), (0.14, 0.6), (0.2, 0.6))
"""How far the mouth and how much the eyes are, from calm to the widest."""
PAIRS: Final = 16


class Shouter:
    """One person's head, calm at first, then shouting."""

    def __init__(self, portrait: Portrait, *, seed: int, yaw: float) -> None:
        look = View(face_px=120, yaw=yaw, noise=2, jpeg=80)
        self._levels = [
            Mover(grimacing(portrait, mouth=mouth, squint=squint), look, seed=seed) for mouth, squint in WIDEST
        ]

    def draw(self, frame: Image, i: int) -> Box:
        """Draw the head of frame `i`; return the face's true box."""
        return self._levels[_level(i)].draw(frame, (640, 360), (0, 0, 1280, 720), i)


def _level(i: int) -> int:
    """Return how wide the mouth is: it opens within a tenth of a second, and trembles."""
    since = i / FPS - CALM_S
    if since <= 0:
        return 0
    return min(len(WIDEST) - 1, 1 + int(since / 0.04)) - (1 if int(5 * since) % 3 == 2 else 0)


def grimaces(bench: Bench) -> Iterator[Row]:
    """Let the enrolled shout before the camera; then exchange each for the nearest stranger in the middle of it."""
    enrolled, strangers = bench.enrolled_and_strangers()
    pairs = list(zip(enrolled, nearest(bench, enrolled, strangers), strict=True))
    pairs = pairs[:: max(1, len(pairs) // PAIRS)]
    gallery = bench.gallery_of(enrolled)
    for title, yaw, exchange in (("shouting", 0, False), ("shouting, turning to 30 degrees", 30, False),
                                 ("exchanged while shouting", 0, True)):  # fmt: skip
        calm, loud, falsely, longest = [0, 0], [0, 0], 0, 0
        for mine, theirs in pairs:
            cast = [Shouter(bench.people[name].portrait, seed=k, yaw=yaw) for k, name in enumerate((mine, theirs))]
            truth: list[tuple[str, Box]] = []
            frames = 0
            for i, shown in enumerate(bench.watch(_played(cast, truth, exchange=exchange), gallery, fps=FPS)):
                name, box = truth[-1]
                who = attributed({name: box}, shown).get(name)
                if name == "other":
                    frames += who is not None
                elif i >= FPS:
                    spell = calm if i / FPS <= CALM_S else loud
                    spell[0], spell[1] = spell[0] + (who == mine), spell[1] + 1
            falsely, longest = falsely + (frames > 0), max(longest, frames)
        yield {"part": "grimaces", "what": title, "people": len(pairs),
               "shown calm": rounded(calm[0] / max(calm[1], 1)), "shown shouting": rounded(loud[0] / max(loud[1], 1)),
               "stranger shown": falsely, "longest, ms": 1000 * longest // FPS}  # fmt: skip


def _played(cast: list[Shouter], truth: list[tuple[str, Box]], *, exchange: bool) -> Iterator[Image]:
    room = background()
    for i in range(round(SECONDS * FPS)):
        frame = room.copy()
        other = exchange and i / FPS >= CALM_S + 1.2
        truth.append(("other" if other else "mine", cast[other].draw(frame, i)))
        yield frame
