"""Shedding load: what a live session gives up, in which order, when the machine cannot treat what comes."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from mien.app.states import Load


@dataclass(frozen=True, slots=True)
class Quality:
    """How much a live session does for each frame.

    How thoroughly faces are looked for is no part of it: a slow machine shows less, it never hides less. In a smaller
    frame the detector sees smaller faces, and so do viewers: they get that very frame.

    Attributes:
        knows_rarely: People are recognised more rarely.
        long_side: Longest side of the frame that is treated and sent, in pixels; None takes it as it comes.
        max_fps: More frames a second are not treated; None treats all.
        swaps: Personas are drawn; otherwise who would get one gets a mosaic.
    """

    knows_rarely: bool = False
    long_side: int | None = None
    max_fps: float | None = None
    swaps: bool = True


LADDER: Final = (
    Quality(),
    Quality(knows_rarely=True),
    Quality(knows_rarely=True, long_side=960),
    Quality(knows_rarely=True, long_side=640),
    Quality(knows_rarely=True, long_side=640, max_fps=15.0),
    Quality(knows_rarely=True, long_side=640, max_fps=10.0),
    Quality(knows_rarely=True, long_side=640, max_fps=10.0, swaps=False),
)
"""The best first. A browser has been told to send fewer frames, down to 15 a second, before the second is needed."""

_ENOUGH_FPS: Final = 12.0
"""Whoever gets so many a second sees a video; then a frame in full size is worth more than all of them."""
_LEAST_FPS: Final = 5.0
"""Above so many a persona is worth more than the frames that a mosaic would bring, and the video does not stop."""
_KEEPS_UP: Final = 0.85
"""Less than this share of what arrives (or may be treated) is short of time."""
_RARE: Final = 1 / 3
"""Below this share of what is enough, several steps are taken at once."""
STEPS_AT_ONCE: Final = 3
"""To the smallest frame without the one between: each size that a frame gets is searched all over once."""
_WINDOW_S: Final = 2.0
_FULL: Final = 0.8
"""A window is judged when so much of it is known."""
_FIRST_S: Final = 5.0
"""In its first seconds a broadcast is short of time for reasons that pass: pages load, everything is searched once."""
_SETTLE_S: Final = 1.0
"""A step is not judged by what it costs itself: a frame of another size is searched all over."""
_BUSY: Final = 0.6
"""Below this share of the time it is not work that holds frames up, but the network or an error."""
_SPARE: Final = 0.5
"""A step back up is tried when treatment needs no more than this share of the time."""
_CALM_S: Final = 8.0
_LONGEST_CALM_S: Final = 128.0
_IN_VAIN_S: Final = 20.0
"""A step up that is taken back so soon was in vain: the next one waits twice as long."""


class _Sample(NamedTuple):
    at: float
    arrived: int
    left: int
    busy_s: float


class LoadShedder:
    """Goes down the ladder while treatment cannot keep up, quickly, and up again when there is time to spare, slowly.

    Knows no clock: `observe` is told the time, some times a second.

    Attributes:
        step: The present step of the ladder.
        long_side: Longest side of the publisher's frames, in pixels; 0 while that is not known.
        swaps: Whether the broadcast wants personas drawn.
    """

    def __init__(self) -> None:
        self.step = 0
        self.long_side = 0
        self.swaps = False
        self._is_exhausted = False
        self._samples: deque[_Sample] = deque()
        self._calm_s = _CALM_S
        self._calm_since: float | None = None
        self._raised_at = -math.inf
        self._settled_at: float | None = None

    @property
    def quality(self) -> Quality:
        """What may be done for each frame now."""
        return LADDER[self.step]

    @property
    def load(self) -> Load:
        """What is given up of this broadcast."""
        quality = self.quality
        if self._is_exhausted:
            return Load.OVERLOADED
        if self.swaps and not quality.swaps:
            return Load.NO_SWAP
        smaller = quality.long_side is not None and self.long_side > quality.long_side
        return Load.REDUCED_QUALITY if smaller or quality.max_fps is not None else Load.OK

    def observe(self, now: float, *, arrived: int, left: int, busy_s: float) -> None:
        """Take in the counts so far, and take a step if one is due.

        Args:
            now: Seconds.
            arrived: Frames to be treated.
            left: Treated frames that went out.
            busy_s: Seconds that were spent on treating, or on encoding where that took longer.
        """
        if self._settled_at is None:
            self._settled_at = now + _FIRST_S
        if now < self._settled_at:
            return
        self._samples.append(_Sample(now, arrived, left, busy_s))
        while now - self._samples[0].at > _WINDOW_S:
            self._samples.popleft()
        first = self._samples[0]
        window_s = now - first.at
        if window_s < _FULL * _WINDOW_S:
            return
        wanted, leaving = (arrived - first.arrived) / window_s, (left - first.left) / window_s
        busy = (busy_s - first.busy_s) / window_s
        if wanted < 1:  # nobody publishes: there is nothing to learn
            self._calm_since = None
        elif leaving >= min(_KEEPS_UP * wanted, self._enough_fps):
            self._is_exhausted = False
            self._recover(now, busy=busy)
        else:
            self._calm_since = None
            if busy >= _BUSY:
                self.shed(now, steps=STEPS_AT_ONCE if leaving < _RARE * min(wanted, self._enough_fps) else 1)

    def begin_anew(self) -> None:
        """Learn nothing from the counts so far: they are another publisher's, or another thread's."""
        self._samples.clear()
        self._calm_since = self._settled_at = None

    def shed(self, now: float, *, steps: int) -> None:
        """Go down by as many steps as make a difference to this broadcast."""
        below = self._below()
        if not below:
            self._is_exhausted = True
            return
        in_vain = now - self._raised_at < _IN_VAIN_S
        self._calm_s = min(2 * self._calm_s, _LONGEST_CALM_S) if in_vain else _CALM_S
        self._raised_at = -math.inf
        self._go_to(below[min(steps, len(below)) - 1], now)

    def _recover(self, now: float, *, busy: float) -> None:
        if self.step == 0 or busy > _SPARE:
            self._calm_since = None
            return
        if self._calm_since is None:
            self._calm_since = now
        if now - self._calm_since >= self._calm_s:
            # Up over the steps that make no difference, and one that does.
            top = next((step for step in range(self.step, 0, -1) if self._matters(step)), 1)
            self._go_to(top - 1, now)
            self._raised_at = now

    def _go_to(self, step: int, now: float) -> None:
        self.step = step
        self.begin_anew()
        self._settled_at = now + _SETTLE_S

    @property
    def _enough_fps(self) -> float:
        """With how many frames a second nothing more is given up."""
        return _ENOUGH_FPS if any(LADDER[step].swaps for step in self._below()) else _LEAST_FPS

    def _below(self) -> list[int]:
        """Return the steps that would give up more of this broadcast."""
        return [step for step in range(self.step + 1, len(LADDER)) if self._matters(step)]

    def _matters(self, step: int) -> bool:
        """Tell whether a step is any different from the one above it, for this broadcast."""
        better, worse = LADDER[step - 1], LADDER[step]
        if better.swaps != worse.swaps:
            return self.swaps
        if better.long_side != worse.long_side:
            return worse.long_side is not None and self.long_side > worse.long_side
        return True
