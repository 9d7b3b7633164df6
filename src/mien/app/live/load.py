"""Shedding load: which step of the ladder of profiles a live session is on, by the headroom that is measured."""

import math
from collections import deque
from typing import Final, NamedTuple

from mien.app.profiles import COUNTED_FPS, LADDER, TYPICAL, Choice, Costs, Profile, Reason, Wanted
from mien.app.states import Load

_ENOUGH_FPS: Final = 12.0
"""Whoever gets so many a second sees a video; then a frame in full size is worth more than all of them."""
_LEAST_FPS: Final = 5.0
"""Above so many a persona is worth more than the frames that a mosaic would bring, and the video does not stop."""
_KEEPS_UP: Final = 0.85
"""Less than this share of what arrives (or may be treated) is short of time."""
_FALLS_BEHIND: Final = 0.8
"""Below this share of what arrives it is said that frames are dropped, until `_KEEPS_UP` of it leaves again."""
_RARE: Final = 1 / 3
"""Below this share of what is enough, several steps are taken at once, whatever they bring."""
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
_FITS: Final = 0.75
"""A step back up is tried when frames would take no more than this share of the time there, going by what they take
now and by how much more a frame of that step costs. Below where a broadcast begins, lest it flutters."""
_CALM_S: Final = 8.0
_LONGEST_CALM_S: Final = 128.0
_IN_VAIN_S: Final = 20.0
"""A step up that is taken back so soon was in vain: the next one waits twice as long."""


class _Sample(NamedTuple):
    at: float
    arrived: int
    left: int
    vision_s: float
    encoding_s: float


class _Rates(NamedTuple):
    """What a window shows: frames a second that were to be treated and that left, and how busy both threads were."""

    wanted: float
    leaving: float
    vision: float
    encoding: float

    @classmethod
    def between(cls, first: _Sample, last: _Sample) -> "_Rates":
        window_s = last.at - first.at
        return cls(*((later - earlier) / window_s for earlier, later in zip(first[1:], last[1:], strict=True)))


class LoadShedder:
    """Goes down the ladder while treatment cannot keep up, quickly, and up again when there is time to spare, slowly.

    Knows no clock: `observe` is told the time, some times a second.

    Args:
        costs: What a frame costs on this machine; only by how much one step costs more than another counts.

    Attributes:
        step: The present step of the ladder.
        reason: Why it is that one; see `profiles.Reason`.
        wanted: What the broadcast would be without any profile.
        falls_behind: Frames are dropped for want of time, whether or not a step is due for that.
    """

    def __init__(self, costs: Costs = TYPICAL) -> None:
        self.step = 0
        self.reason: Reason = "unmeasured"
        self.wanted = Wanted(0, swaps=False)
        self.falls_behind = False
        self._costs = costs
        self._top = 0
        self._is_exhausted = False
        self._samples: deque[_Sample] = deque()
        self._calm_s = _CALM_S
        self._calm_since: float | None = None
        self._raised_at = -math.inf
        self._settled_at: float | None = None

    def begin(self, choice: Choice) -> None:
        """Be on the step where the broadcast begins; one that was set is never left upwards."""
        self.step, self.reason = choice
        self._top = choice.step if choice.reason == "set" else 0
        self.begin_anew()

    @property
    def profile(self) -> Profile:
        """What may be done for each frame now."""
        return LADDER[self.step]

    @property
    def is_where_it_began(self) -> bool:
        """Whether no step was taken yet for what was measured on air."""
        return self.reason not in {"overload", "headroom"}

    @property
    def load(self) -> Load:
        """What is given up of this broadcast, beyond what the operator's profile gives up."""
        profile = self.profile
        if self._is_exhausted:
            return Load.OVERLOADED
        if self.step == self._top:
            return Load.REDUCED_QUALITY if self.falls_behind else Load.OK
        if self.wanted.swaps and not profile.swaps:
            return Load.NO_SWAP
        smaller = profile.long_side is not None and self.wanted.long_side > profile.long_side
        reduced = smaller or profile.max_fps is not None or self.falls_behind
        return Load.REDUCED_QUALITY if reduced else Load.OK

    def observe(self, now: float, *, arrived: int, left: int, vision_s: float, encoding_s: float) -> None:
        """Take in the counts so far, and take a step if one is due.

        Args:
            now: Seconds.
            arrived: Frames to be treated.
            left: Treated frames that went out.
            vision_s: Seconds that were spent on treating.
            encoding_s: Seconds that were spent on encoding.
        """
        if self._settled_at is None:
            self._settled_at = now + _FIRST_S
        if now < self._settled_at:
            return
        self._samples.append(_Sample(now, arrived, left, vision_s, encoding_s))
        while now - self._samples[0].at > _WINDOW_S:
            self._samples.popleft()
        if now - self._samples[0].at < _FULL * _WINDOW_S:
            return
        rates = _Rates.between(self._samples[0], self._samples[-1])
        self.falls_behind = self._is_behind(rates)
        if rates.wanted < 1:  # nobody publishes: there is nothing to learn
            self._calm_since = None
        elif rates.leaving >= min(_KEEPS_UP * rates.wanted, self._enough_fps):
            self._is_exhausted = False
            self._recover(now, rates)
        else:
            self._calm_since = None
            if max(rates.vision, rates.encoding) >= _BUSY:
                self.shed(now, steps=self._steps_down(now, rates))

    def _is_behind(self, rates: _Rates) -> bool:
        share = _KEEPS_UP if self.falls_behind else _FALLS_BEHIND
        return max(rates.vision, rates.encoding) >= _BUSY and rates.leaving < share * rates.wanted

    def begin_anew(self) -> None:
        """Learn nothing from the counts so far: they are another publisher's, or another thread's."""
        self._samples.clear()
        self._calm_since = self._settled_at = None
        self.falls_behind = False

    def shed(self, now: float, *, steps: int) -> None:
        """Go down by as many steps as make a difference to this broadcast."""
        below = self._below()
        if not below:
            self._is_exhausted = True
            return
        self._calm_s = min(2 * self._calm_s, _LONGEST_CALM_S) if self._is_in_vain(now) else _CALM_S
        self._raised_at = -math.inf
        self._go_to(below[min(steps, len(below)) - 1], now, reason="overload")

    def _is_in_vain(self, now: float) -> bool:
        """Tell whether a step down now takes back a step up."""
        return now - self._raised_at < _IN_VAIN_S

    def _steps_down(self, now: float, rates: _Rates) -> int:
        """Return how many steps down bring enough frames, by what these would cost there. The swap is its own step."""
        enough = min(_KEEPS_UP * rates.wanted, self._enough_fps)
        least = STEPS_AT_ONCE if rates.leaving < _RARE * min(rates.wanted, self._enough_fps) else 1
        # Of next to no frames nothing can be foreseen, and below a step up in vain lies one that was seen to do.
        if rates.leaving < 1 or self._is_in_vain(now):
            return least
        for steps, step in enumerate(self._below(), 1):
            profile = LADDER[step]
            if profile.swaps != self.profile.swaps:
                return max(least, steps - 1)
            if 1 / self._frame_s(step, rates) >= min(enough, _KEEPS_UP * (profile.max_fps or math.inf)):
                return max(least, steps)
        return max(least, len(self._below()))

    def _recover(self, now: float, rates: _Rates) -> None:
        # Up over the steps that make no difference, and one that does.
        better = next((step for step in range(self.step, self._top, -1) if self.wanted.feels(step)), self._top + 1) - 1
        if self.step == self._top or not self._fits(better, rates):
            self._calm_since = None
            return
        if self._calm_since is None:
            self._calm_since = now
        if now - self._calm_since >= self._calm_s:
            self._go_to(better, now, reason="headroom")
            self._raised_at = now

    def _fits(self, step: int, rates: _Rates) -> bool:
        """Tell whether both threads would have time for the frames of a better step."""
        # Where frames are held back now, how many the publisher sends is not known.
        uncapped = COUNTED_FPS if self.profile.max_fps else min(COUNTED_FPS, rates.wanted)
        return self._frame_s(step, rates) * (LADDER[step].max_fps or uncapped) <= _FITS

    def _frame_s(self, step: int, rates: _Rates) -> float:
        """Return what a frame would take on another step: the longer of what it takes both threads."""
        there, here = LADDER[step], self.profile
        wanted, costs = self.wanted, self._costs
        vision = rates.vision * wanted.vision_ms(costs, there) / wanted.vision_ms(costs, here)
        encoding = rates.encoding * wanted.encoding_ms(costs, there) / wanted.encoding_ms(costs, here)
        return max(vision, encoding) / rates.leaving

    def _go_to(self, step: int, now: float, *, reason: Reason) -> None:
        self.step, self.reason = step, reason
        self.begin_anew()
        self._settled_at = now + _SETTLE_S

    @property
    def _enough_fps(self) -> float:
        """With how many frames a second nothing more is given up."""
        return _ENOUGH_FPS if any(LADDER[step].swaps for step in self._below()) else _LEAST_FPS

    def _below(self) -> list[int]:
        """Return the steps that would give up more of this broadcast."""
        return [step for step in range(self.step + 1, len(LADDER)) if self.wanted.feels(step)]
