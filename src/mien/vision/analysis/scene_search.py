"""Scene search: when a scene begins, and where in each of its frames faces are looked for."""

from collections.abc import Sequence

import numpy as np

from mien.vision.analysis.cuts import CutDetector
from mien.vision.analysis.tile_schedule import Pace, TileSchedule, moving
from mien.vision.analysis.tiles import Tile, thorough
from mien.vision.analysis.tracker import HOLD_S
from mien.vision.frame_analysis import Scene
from mien.vision.types import Box, Image


class SceneSearch:
    """Tell where a new scene begins, and which tiles of each frame the detector gets. One stream's; holds state.

    Args:
        pace: How much of each frame is searched.
        still: Every frame stands by itself, and is searched as thoroughly as can be.

    Attributes:
        since: When the scene began.
    """

    def __init__(self, pace: Pace, *, still: bool) -> None:
        self._pace, self._still = pace, still
        self._is_cut = CutDetector()
        self._schedule: TileSchedule | None = None
        self._tiles: list[Tile] = []
        self._is_sure = True
        self.since = -np.inf

    def watch(self, image: Image, *, at: float, last_at: float) -> Scene:
        """Take the next frame; return how it follows on the one before, captured at `last_at`."""
        cut = self._is_cut(image) or at - last_at > HOLD_S
        return Scene(cut=cut, resized=self._schedule is None or self._schedule.size_wh != _size_wh(image))

    def unsearched(self) -> list[Tile]:
        """Return what was not searched in the last frame; from then on it counts as searched."""
        if self._schedule is None:
            return []
        missing = [tile for tile in self._schedule.everything if tile not in self._tiles]
        self._tiles += missing
        return missing

    def begin_scene(self, at: float) -> None:
        """Take note that the frame captured at `at` begins a scene."""
        self.since = at

    def tiles(self, image: Image, scene: Scene, known: Sequence[Box]) -> list[Tile]:
        """Return where faces are to be looked for in this frame; `known` are the boxes of faces that are followed."""
        if self._schedule is None or scene.resized:
            self._schedule = moving(_size_wh(image), self._pace)
        if self._still:
            self._tiles = thorough(_size_wh(image))
        elif scene.is_new or not self._is_sure:
            # Whoever lies there when the first frame is taken must not be bare until the turned tiles come by.
            self._tiles = self._schedule.sweep(turned=scene.resized)
        else:
            self._tiles = self._schedule.tiles(self._is_cut.change, known)
        return self._tiles

    def trust(self, *, on: bool) -> None:
        """Say whether the last frame was seen well; after one that was not, everything is searched."""
        self._is_sure = on

    def restart(self) -> None:
        """Search the next frame as the first."""
        self._schedule = None

    def take_over(self, other: "SceneSearch") -> None:
        """Go on in the scene of `other`, which is not used any more."""
        self._is_cut, self.since, self._is_sure = other._is_cut, other.since, other._is_sure  # noqa: SLF001  # its own kind
        if other._schedule is not None:  # noqa: SLF001
            # The other may have searched less often: then everything is searched once, upright at first.
            same = self._pace is other._pace  # noqa: SLF001
            self._schedule = other._schedule if same else moving(other._schedule.size_wh, self._pace)  # noqa: SLF001
            self._is_sure = self._is_sure and same


def _size_wh(image: Image) -> tuple[int, int]:
    return image.shape[1], image.shape[0]
