"""The order of tiles: which parts of a stream's frames the detector sees, so that the cost of a frame stays even."""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from mien.vision.analysis.detector import MULTIPLE
from mien.vision.analysis.newcomers import STIR, Newcomers
from mien.vision.analysis.tiles import Tile, near_tile, overlapping_parts, part_size
from mien.vision.types import Box

PART_ZOOM = 0.65
"""Parts of a 720p frame are seen at this scale: a face of 32 px then has 20, from which the network is sure."""
PART_SIDES = (320, 416)
"""Bounds of what a part is scaled to: a tile at 1080p takes half as long again, at 4K no longer."""
HASTE_FRAMES, TURNED_HASTE_FRAMES = 4, 60
"""A part in which something stirred is looked at as if it had waited for so much longer, upright and turned."""
TURNED_AT_FIRST = 2
"""So many turned tiles are added to each frame of a new scene, until everything was seen turned."""
NEWCOMER_SIDE, NEWCOMER_COST, LOAN = 128, 1.4, 3.0
"""Where something has just come in is seen at this size, turned each of three ways at once, which takes as long as so
many turned tiles at parts. They are saved afterwards, of the tiles due every second one; while as many as the loan are
not, newcomers wait."""


class Pace(Enum):
    """How much of each frame is looked at, most first."""

    PATIENT = "patient"  # files: nobody waits
    LIVE = "live"
    THRIFTY = "thrifty"  # beside a live swap, which needs the time


class TileSchedule:
    """Decide where the detector looks in each frame, so that the cost of a frame stays even.

    The whole picture is seen small in every second frame, and smaller still with room around it in the others (faces
    as large as the frame and larger); its parts take turns (far faces), those first in which something stirs; and now
    and then the whole or a part is seen turned by a quarter (faces that lie or stand on their head), and at once the
    place where something has come in. `sweep` is everything at once: for first frames and cuts.

    Args:
        size_wh: Size of the frames.
        whole_side: Longer side of the whole picture, as the detector sees it.
        parts: Parts along each side of the frame; they overlap by a fifth so that no face lies on every seam.
        part_side: Longer side of a part, as the detector sees it.
        parts_in_two: Parts in two frames. The whole is seen in every second frame whatever is saved: nearer
            faces must not wait.
        turned_in_six: Turned tiles in six frames.
        sweep_turned: Whether everything is seen turned, too, where it is seen at once; otherwise that follows soon.

    Attributes:
        everything: The tiles that see all of the frame.
    """

    def __init__(
        self,
        size_wh: tuple[int, int],
        *,
        whole_side: int = 320,
        parts: int = 3,
        part_side: int = 320,
        parts_in_two: int = 3,
        turned_in_six: int = 2,
        sweep_turned: bool = False,
    ) -> None:
        self.size_wh = size_wh
        self._whole = Tile((0, 0, *size_wh), whole_side)
        self._near = near_tile(size_wh)
        self._parts = [Tile(part, part_side) for part in overlapping_parts(size_wh, parts)]
        self._upright = [self._whole, self._near, *self._parts]
        self._lying = [replace(tile, quarter_turns=turns) for turns in (1, 2, 3) for tile in self._upright]
        self.everything = [*self._upright, *(self._lying if sweep_turned else [])]
        self._waits = np.arange(len(self._parts), 0.0, -1)
        self._turned = _TurnedTiles(self._whole, self._near, self._parts)
        self._parts_in_two, self._turned_in_six, self._sweep_turned = parts_in_two, turned_in_six, sweep_turned
        self._newcomers = Newcomers(size_wh)
        self._frame = self._soon = self._due = 0
        self._owed = 0.0

    def tiles(self, change: NDArray[np.float32] | None = None, known: Sequence[Box] = ()) -> list[Tile]:
        """Return what to look at in the next frame; may be nothing.

        Args:
            change: How much each cell of a thumbnail of the frame changed, 0 to 255, where that is known.
            known: Faces that are followed already: what stirs there is no newcomer.
        """
        stirs = np.array([change is not None and self._stir(tile, change) > STIR for tile in self._parts])
        self._turned.wait(stirs)
        odd = self._frame % 2
        tiles = [self._near if odd else self._whole]
        tiles += self._most_urgent((self._parts_in_two + odd) // 2, stirs)
        now, self._soon = min(self._soon, TURNED_AT_FIRST), max(0, self._soon - TURNED_AT_FIRST)
        so_far, with_this = (3 + self._turned_in_six * frame for frame in (self._frame, self._frame + 1))
        now += with_this // 6 - so_far // 6
        if change is not None:
            self._newcomers.watch(change, known)
        tiles += self._at_newcomer()
        tiles += [self._turned.next() for _ in range(now) if not self._is_saved()]
        self._frame += 1
        return tiles

    def _at_newcomer(self) -> list[Tile]:
        """Return the tiles that see the place where something came in turned each way, while that can be afforded."""
        place = self._newcomers.next() if self._owed < LOAN else None
        if place is None:
            return []
        self._owed += NEWCOMER_COST
        return [Tile(place, NEWCOMER_SIDE, quarter_turns=turns) for turns in (1, 3, 2)]

    def _is_saved(self) -> bool:
        """Tell whether a turned tile that is due was taken before, at a newcomer."""
        self._due += 1
        saved = self._due % 2 == 1 and self._owed >= 1
        self._owed -= saved
        return saved

    def _most_urgent(self, count: int, stirs: NDArray[np.bool_]) -> list[Tile]:
        """Return the parts that waited longest, and sooner those in which something stirs."""
        self._waits += 1
        chosen = np.argsort(-(self._waits + HASTE_FRAMES * stirs), kind="stable")[:count]
        self._waits[chosen] = 0
        return [self._parts[i] for i in chosen]

    def _stir(self, tile: Tile, change: NDArray[np.float32]) -> float:
        """Return the largest change inside a part."""
        scale = np.array([change.shape[1] / self.size_wh[0], change.shape[0] / self.size_wh[1]] * 2)
        x0, y0, x1, y1 = (np.array(tile.part_xyxy) * scale).astype(int)
        return float(change[y0 : y1 + 1, x0 : x1 + 1].max())

    def sweep(self, *, turned: bool = False) -> list[Tile]:
        """Return everything, for a frame about which nothing is known.

        Args:
            turned: See everything turned, too, whatever it costs.
        """
        self._frame += 1
        self._newcomers.forget()
        self._waits[:] = np.arange(len(self._parts), 0.0, -1)
        self._soon = 0 if self._sweep_turned else len(self._turned)  # who comes next is soon looked for, too
        return [*self._upright, *(self._lying if turned or self._sweep_turned else [])]


class _TurnedTiles:
    """The tiles that see a frame turned: one by one, first where something stirred since the last such tile."""

    def __init__(self, whole: Tile, near: Tile, parts: Sequence[Tile]) -> None:
        # The tile with room around the frame comes seldom: faces as near as that are seen upright, too, as they lie.
        wholes = [replace(whole, quarter_turns=turns) for turns in (1, 3, 2)]
        nears = [replace(near, quarter_turns=turns) for turns in (1, 3, 2)]
        self._whole = cycle([tile for rare in nears for tile in (*wholes, rare)])
        self._parts = [replace(part, quarter_turns=turns) for turns in (1, 3, 2) for part in parts]
        self._waits = np.zeros(len(self._parts))
        self._stirred = np.zeros(len(self._parts), bool)
        self._given = 0

    def __len__(self) -> int:
        """Return how many tiles see everything turned each way."""
        return 4 * -(-len(self._parts) // 3)

    def wait(self, stirs: NDArray[np.bool_]) -> None:
        """Note a frame, and in which parts something stirred."""
        self._waits += 1
        self._stirred |= np.tile(stirs, 3)

    def next(self) -> Tile:
        """Return the next tile; every fourth sees the whole, for nearer faces."""
        self._given += 1
        if self._given % 4 == 0:
            return next(self._whole)
        chosen = int(np.argmax(self._waits + TURNED_HASTE_FRAMES * self._stirred))
        self._waits[chosen], self._stirred[chosen] = 0, False
        return self._parts[chosen]


def moving(size_wh: tuple[int, int], pace: Pace = Pace.LIVE) -> TileSchedule:
    """Return the schedule for frames of a stream, each of which sees little."""
    long_side = max(size_wh)
    parts = 1 if long_side <= 360 else 2 if long_side <= 800 else 3
    part_side = round(max(part_size(size_wh, parts)) * PART_ZOOM / MULTIPLE) * MULTIPLE
    parts_in_two, turned_in_six = {Pace.PATIENT: (4, 12), Pace.LIVE: (3, 4), Pace.THRIFTY: (2, 3)}[pace]
    return TileSchedule(
        size_wh,
        parts=parts,
        part_side=int(np.clip(part_side, *PART_SIDES)),
        parts_in_two=parts_in_two,
        turned_in_six=turned_in_six,
        sweep_turned=pace is Pace.PATIENT,
    )
