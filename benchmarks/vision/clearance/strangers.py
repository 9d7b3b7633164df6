"""Strangers who turn and shout: moving looks in half profile count as evidence, so they must clear no stranger."""

from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.vision.clearance.events import nearest
from benchmarks.vision.clearance.heads import Mover, background
from benchmarks.vision.clearance.people import Bench
from benchmarks.vision.clearance.tally import Row, Tally, attributed, summary
from benchmarks.vision.grimaces import grimacing
from benchmarks.vision.portraits import Portrait, View, turned
from mien.vision.types import Box, Embedding, Image

FPS: Final = 12
SECONDS: Final = 3.0
LOOK: Final = View(face_px=90, noise=2, jpeg=78)
"""The head sways by ten degrees to each side of how it is held."""

CONDITIONS: Final = {
    "held at 28 degrees": (28, (0.0,)),
    "shouting at 28 degrees": (-28, (0.07, 0.14, 0.2, 0.14)),
    "shouting": (0, (0.07, 0.14, 0.2, 0.14)),
}
"""How far the head is turned, in degrees, and how wide the mouth is in turn, as a share of the face's height."""


def strangers(bench: Bench, condition: str = "") -> Iterator[Row]:
    """Let strangers turn and shout before the camera, four at a time, with a full gallery and with their look-alikes'.

    The few whom they resemble most are the harder gallery: the limit is lower the fewer people are enrolled.
    """
    enrolled, others = bench.enrolled_and_strangers()
    alike = dict(zip(others, nearest(bench, others, enrolled), strict=True))
    for title, (yaw, mouths) in CONDITIONS.items():
        if condition not in {"", title}:
            continue
        full = {name: Tally() for name in others}
        few = {name: Tally() for name in others}
        for start in range(0, len(others), 4):
            names = others[start : start + 4]
            heads = [_head(bench.people[name].portrait, yaw, mouths, seed=start + k) for k, name in enumerate(names)]
            _play(bench, bench.gallery_of(enrolled), names, heads, full)
            _play(bench, bench.gallery_of(sorted({alike[name] for name in names})), names, heads, few)
        for gallery, tallies in ((f"{len(enrolled)} enrolled", full), ("their look-alikes enrolled", few)):
            row = summary(tallies, set())
            kept = ("strangers", "cleared falsely", "upper bound 95 %", "their frames shown", "of")
            yield {"part": "strangers", "what": f"{title}, {gallery}"} | {key: row[key] for key in kept}


def _head(portrait: Portrait, yaw: float, mouths: Sequence[float], *, seed: int) -> list[Mover]:
    posed = turned(portrait, yaw=yaw, pitch=0)
    return [Mover(grimacing(posed, mouth=wide, squint=2 * wide), LOOK, seed=seed) for wide in mouths]


def _play(
    bench: Bench,
    gallery: dict[str, list[Embedding]],
    names: Sequence[str],
    heads: Sequence[list[Mover]],
    tallies: dict[str, Tally],
) -> None:
    truth: list[list[Box]] = []
    for i, shown in enumerate(bench.watch(_scene(heads, truth), gallery, fps=FPS)):
        who = attributed(dict(zip(names, truth[i], strict=True)), shown)
        for name in names:
            tallies[name].add(i / FPS, who.get(name), name)


def _scene(heads: Sequence[list[Mover]], truth: list[list[Box]]) -> Iterator[Image]:
    room = background()
    for i in range(round(FPS * SECONDS)):
        frame, boxes = room.copy(), []
        for k, levels in enumerate(heads):
            x, y = k % 2 * 640, k // 2 * 360
            mover = levels[i // 2 % len(levels)]
            boxes.append(mover.draw(frame, (x + 320, y + 180), (x, y, x + 640, y + 360), i))
        truth.append(boxes)
        yield frame
