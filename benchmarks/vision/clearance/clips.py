"""Composed clips: everybody, enrolled or a stranger, sways before the camera in each condition."""

from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.vision.clearance.heads import Mover, background
from benchmarks.vision.clearance.people import Bench
from benchmarks.vision.clearance.tally import Row, Tally, attributed, summary
from benchmarks.vision.portraits import View
from mien.vision.analysis.landmarks import yaw_of_mesh
from mien.vision.types import Box, Embedding, Image

FPS: Final = 12
SECONDS: Final = 2.25
FRONTAL: Final = 0.25
"""Largest `yaw_of_mesh` of a photo of somebody who looks ahead: about ten degrees."""

CONDITIONS: Final = {
    "frontal 64 px": View(face_px=64, noise=2, jpeg=75),
    "frontal 40 px": View(face_px=40, noise=2, jpeg=75),
    "frontal 28 px": View(face_px=28, noise=2, jpeg=75),
    "frontal 140 px": View(face_px=140, noise=2, jpeg=75),
    "turns to 35 degrees, 80 px": View(face_px=80, yaw=35, noise=2, jpeg=75),
    "dark, 80 px": View(face_px=80, light=2.8, noise=5, jpeg=75),
    "blurred, 80 px": View(face_px=80, blur_px=7, noise=2, jpeg=75),
}


def clips(bench: Bench, only: Sequence[str] = (), *, people: int | None = None) -> Iterator[Row]:
    """Let everybody sway before the camera, four at a time, in each condition.

    A head cut out of a photo is seen as it stood there, and sways by ten degrees to each side of that: they who look
    ahead in their photo are told of apart.
    """
    enrolled, strangers = bench.enrolled_and_strangers()
    gallery = bench.gallery_of(enrolled)
    everybody = [name for pair in zip(enrolled, strangers, strict=False) for name in pair]
    everybody += enrolled[len(strangers) :] + strangers[len(enrolled) :]
    everybody = everybody[:people]
    for title, look in CONDITIONS.items():
        if only and title not in only:
            continue
        tallies = {name: Tally() for name in everybody}
        per_clip = 4 if look.face_px <= 100 else 3
        for start in range(0, len(everybody), per_clip):
            _one_clip(bench, gallery, everybody[start : start + per_clip], look, tallies)
        aside = {name for name in everybody if yaw_of_mesh(bench.people[name].portrait.mesh) > FRONTAL}
        yield {"part": "clips", "what": title} | summary(tallies, set(enrolled))
        ahead = {name: tally for name, tally in tallies.items() if name not in aside}
        yield {"part": "clips", "what": f"{title}, who looks ahead in the photo"} | summary(ahead, set(enrolled))


def _one_clip(
    bench: Bench, gallery: dict[str, list[Embedding]], names: Sequence[str], look: View, tallies: dict[str, Tally]
) -> None:
    movers = [Mover(bench.people[name].portrait, look, seed=len(name) + 31 * k) for k, name in enumerate(names)]
    truth: list[list[Box]] = []
    for i, shown in enumerate(bench.watch(_scene(movers, look, truth), gallery, fps=FPS)):
        who = attributed(dict(zip(names, truth[i], strict=True)), shown)
        for name in names:
            tallies[name].add(i / FPS, who.get(name), name)


def _scene(movers: Sequence[Mover], look: View, truth: list[list[Box]]) -> Iterator[Image]:
    columns, rows = (2, 2) if look.face_px <= 100 else (3, 1)
    width, height = 1280 // columns, 720 // rows
    for i in range(round(FPS * SECONDS)):
        frame, boxes = background().copy(), []
        for k, mover in enumerate(movers):
            x, y = k % columns * width, k // columns * height
            boxes.append(mover.draw(frame, (x + width / 2, y + height / 2), (x, y, x + width, y + height), i))
        truth.append(boxes)
        yield frame
