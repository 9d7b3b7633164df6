"""What knowing costs: the time that each frame's faces take to be recognised, apart from being found and followed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np

from benchmarks.vision.clearance.heads import Mover, background
from benchmarks.vision.clearance.people import Bench
from benchmarks.vision.clearance.tally import Row, rounded
from benchmarks.vision.portraits import View
from mien.vision.types import Image

FPS: Final = 30
SECONDS: Final = 6
LOOK: Final = View(face_px=100, noise=2, jpeg=80)


class Stopwatch:
    """Sums up the time of one stage (a `Span`), frame by frame."""

    def __init__(self, stage: str) -> None:
        self.ms: list[float] = []
        self._stage = stage

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time a stage."""
        began = time.thread_time()
        yield
        if name == self._stage:
            self.ms.append(1e3 * (time.thread_time() - began))


def cost(bench: Bench) -> Iterator[Row]:
    """Watch four faces: all enrolled, two of them, none of them among those who are."""
    enrolled, strangers = bench.enrolled_and_strangers()
    gallery = bench.gallery_of(enrolled)
    for title, names in (
        ("four enrolled", enrolled[:4]),
        ("two enrolled, two strangers", [*enrolled[:2], *strangers[:2]]),
        ("four strangers", strangers[:4]),
    ):
        watch = Stopwatch("know")
        movers = [Mover(bench.people[name].portrait, LOOK, seed=k) for k, name in enumerate(names)]
        shown = [
            sum(who is not None for _box, who in seen)
            for seen in bench.watch(_scene(movers), gallery, fps=FPS, span=watch)
        ]
        yield {
            "part": "cost",
            "what": title,
            "frames": len(watch.ms),
            "mean, ms of CPU": rounded(np.mean(watch.ms)),
            "p95": rounded(np.quantile(watch.ms, 0.95)),
            "max": rounded(np.max(watch.ms)),
            "shown in the last frame": shown[-1],
        }


def _scene(movers: list[Mover]) -> Iterator[Image]:
    room = background()
    for i in range(FPS * SECONDS):
        frame = room.copy()
        for k, mover in enumerate(movers):
            x, y = k % 2 * 640, k // 2 * 360
            mover.draw(frame, (x + 320, y + 180), (x, y, x + 640, y + 360), i * 2 // 5)
        yield frame
