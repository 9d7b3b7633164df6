"""Newcomers: where in a scene something has just come in that nothing hides yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.cover import cover_box
from mien.vision.types import Box

Square: TypeAlias = tuple[int, int, int, int]
"""Corners of a part of the frame, in whole pixels."""

STIR = 5.0
"""Change of a thumbnail's cell, of 255, that a newcomer may have made. In noise as strong all places are equal."""
UNUSUAL, CALMING = 2.0, 0.9
"""A newcomer changes a cell so many times more than what moved there lately, which counts so much less each frame."""
MOST, LEAST_CELLS = 0.2, 2
"""Where more of the frame changed than this share, the camera moved; what is smaller than so many cells is noise."""
ROOM, LARGEST = 1.5, 0.3
"""How much larger the square around a newcomer is, and the largest, as a share of the frame's longer side: what is
larger is left to the looks at the whole and its parts."""
WAIT_FRAMES, WAITING = 25, 8
"""For so long a place waits to be looked at, and so many do; those that changed most go first."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something came in, when, and how much it changed."""

    square: Square
    frame: int
    weight: float

    def lies_in(self, boxes: Sequence[Box]) -> bool:
        """Tell whether its middle does."""
        x, y = (self.square[0] + self.square[2]) / 2, (self.square[1] + self.square[3]) / 2
        return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in boxes)


class Newcomers:
    """Tell a newcomer from what has moved all along. One stream's; holds state.

    Whoever stands or lies somewhere sways in the same cells of the thumbnail; whoever comes in changes cells that were
    calm.

    Args:
        size_wh: Size of the frames.
    """

    def __init__(self, size_wh: tuple[int, int]) -> None:
        self._size_wh = size_wh
        self._usual: NDArray[np.float32] | None = None
        self._places: list[_Place] = []
        self._frame = 0

    def forget(self) -> None:
        """Drop everything, as after a cut."""
        self._usual, self._places = None, []

    def watch(self, change: NDArray[np.float32], known: Sequence[Box]) -> None:
        """Note the next frame.

        Args:
            change: How much each cell of its thumbnail changed, 0 to 255.
            known: Faces that are followed: what lies under their covers is hidden already.
        """
        self._frame += 1
        hidden = [cover_box(box) for box in known]
        self._places = [
            place for place in self._places if place.frame > self._frame - WAIT_FRAMES and not place.lies_in(hidden)
        ]
        if self._usual is None:
            self._usual = change.copy()
            return
        news = np.where(change > np.maximum(STIR, UNUSUAL * self._usual), change, np.float32(0))
        if np.count_nonzero(news) > MOST * news.size:
            return
        self._usual = np.maximum(change, self._usual * np.float32(CALMING))
        self._places += self._found_in(news, hidden)
        self._places = sorted(self._places, key=lambda place: -place.weight)[:WAITING]

    def next(self) -> Square | None:
        """Return the place to look at now; each is given once."""
        return self._places.pop(0).square if self._places else None

    def _found_in(self, news: NDArray[np.float32], hidden: Sequence[Box]) -> list[_Place]:
        cell = np.array([self._size_wh[0] / news.shape[1], self._size_wh[1] / news.shape[0]] * 2)
        for box in hidden:
            x0, y0, x1, y1 = (box / cell).clip(0, None)
            news[int(np.ceil(y0)) : int(y1), int(np.ceil(x0)) : int(x1)] = 0  # cells that lie wholly under it
        count, labels, spots, _middles = cv2.connectedComponentsWithStats((news > 0).astype(np.uint8))
        found = []
        for number in range(1, count):
            left, top, wide, tall, cells = (int(value) for value in spots[number])
            square = self._square_around(np.array([left, top, left + wide, top + tall]) * cell)
            if cells >= LEAST_CELLS and square is not None:
                found.append(_Place(square, self._frame, float(news[labels == number].sum())))
        return found

    def _square_around(self, box: NDArray[np.float64]) -> Square | None:
        """Return the square around a newcomer, as far as it lies in the frame; None where it is too large."""
        middle, half = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max()) / 2 * ROOM
        if 2 * half > LARGEST * max(self._size_wh):
            return None
        low, high = (middle - half).clip(0, None).astype(int), np.minimum(middle + half, self._size_wh).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])
