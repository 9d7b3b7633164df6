"""What became of everybody's face frames, counted and summed up in the rows that are printed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import SupportsFloat, TypeAlias

import numpy as np

from benchmarks.vision.clearance.people import Shown
from mien.vision.types import Box

Row: TypeAlias = dict[str, object]


@dataclass(slots=True)
class Tally:
    """What became of the face frames of one person."""

    frames: int = 0
    late: int = 0
    late_shown: int = 0
    wrong: int = 0
    shown: int = 0
    first_s: float | None = None

    def add(self, at: float, identity: str | None, name: str) -> None:
        """Count one face frame."""
        self.frames += 1
        self.late += at >= 1.0
        self.late_shown += at >= 1.0 and identity == name
        self.shown += identity is not None
        self.wrong += identity not in {None, name}
        if identity == name and self.first_s is None:
            self.first_s = at


def summary(tallies: dict[str, Tally], enrolled: set[str]) -> Row:
    """Return how often strangers were cleared, and how soon and how steadily the enrolled were."""
    mine = [tally for name, tally in tallies.items() if name in enrolled]
    theirs = [tally for name, tally in tallies.items() if name not in enrolled]
    first = [tally.first_s for tally in mine if tally.first_s is not None]
    falsely = sum(tally.shown > 0 for tally in theirs)
    late = sum(tally.late for tally in mine)
    return {
        "strangers": len(theirs),
        "cleared falsely": falsely,
        "upper bound 95 %": rounded(_upper_bound(falsely, len(theirs))),
        "their frames shown": sum(tally.shown for tally in theirs),
        "of": sum(tally.frames for tally in theirs),
        "enrolled": len(mine),
        "shown after 1 s": rounded(sum(tally.late_shown for tally in mine) / max(late, 1)),
        "never shown": sum(tally.first_s is None for tally in mine),
        "as another": sum(tally.wrong > 0 for tally in mine),
        "to clearance p50, p95 s": [rounded(np.quantile(first, q)) for q in (0.5, 0.95)] if first else None,
    }


def _upper_bound(hits: int, of: int) -> float:
    """Return the exact upper 95 % bound of a share (Clopper and Pearson), by bisection."""
    low, high = hits / max(of, 1), 1.0
    for _ in range(50):
        middle = (low + high) / 2
        ways, total = 1.0, 0.0
        for k in range(hits + 1):
            total += ways * middle**k * (1 - middle) ** (of - k)
            ways *= (of - k) / (k + 1)
        low, high = (middle, high) if total > 0.05 else (low, middle)
    return high


def attributed(faces: Mapping[str, Box], shown: Shown) -> dict[str, str]:
    """Return as whom each face was shown: a shown box belongs to the face that it overlaps most."""
    found: dict[str, str] = {}
    for seen, identity in shown:
        shares = {name: _overlap(box, seen) for name, box in faces.items()}
        best = max(shares, key=shares.__getitem__, default=None)
        if identity is not None and best is not None and shares[best] > 0.2:
            found[best] = identity
    return found


def _overlap(a: Box, b: Box) -> float:
    """Return the intersection over the union of two boxes."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = float(np.prod(np.maximum(sides, 0)))
    return both / max(float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - both, 1e-6)


def rounded(value: SupportsFloat) -> float:
    """Return a figure as a row shows it."""
    return round(float(value), 4)
