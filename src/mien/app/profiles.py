"""Profiles: how much a live session does for each frame, and which of them a machine can afford.

A pure module: numbers in, a step of the ladder out. How thoroughly faces are looked for is part of no profile: a slow
machine shows less, it never hides less. In a smaller frame the detector sees smaller faces, and so do viewers: they get
that very frame.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

ProfileName: TypeAlias = Literal["full", "lean", "hd", "medium", "small", "slow", "slower", "mosaic"]
ProfileSetting: TypeAlias = ProfileName | Literal["auto"]
Reason: TypeAlias = Literal["set", "measured", "unmeasured", "overload", "headroom"]
"""Why a profile is on: the operator's setting, the calibration, the want of one; or the ladder, going down or up."""
Help: TypeAlias = Literal[
    "measure", "unset", "mosaic", "send_smaller", "fewer_broadcasts", "close_programs", "more_cores"
]
"""What would bring a better profile, the easiest first."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How much a live session does for each frame.

    Attributes:
        name: As in settings, reports and metrics.
        knows_rarely: People are recognised more rarely.
        long_side: Longest side of the frame that is treated and sent, in pixels; None takes it as it comes.
        max_fps: More frames a second are not treated; None treats all.
        swaps: Personas are drawn; otherwise who would get one gets a mosaic.
    """

    name: ProfileName
    knows_rarely: bool = False
    long_side: int | None = None
    max_fps: float | None = None
    swaps: bool = True


LADDER: Final = (
    Profile("full"),
    Profile("lean", knows_rarely=True),
    Profile("hd", knows_rarely=True, long_side=1280),
    Profile("medium", knows_rarely=True, long_side=960),
    Profile("small", knows_rarely=True, long_side=640),
    Profile("slow", knows_rarely=True, long_side=640, max_fps=15.0),
    Profile("slower", knows_rarely=True, long_side=640, max_fps=10.0),
    Profile("mosaic", knows_rarely=True, long_side=640, max_fps=10.0, swaps=False),
)
"""The best first. Each gives up one thing more: quality, then size, then rate, then the swap; privacy is on no step."""
STEPS: Final[dict[ProfileName, int]] = {profile.name: step for step, profile in enumerate(LADDER)}
CAUTIOUS: Final = STEPS["medium"]
"""Where a broadcast begins while the machine is not measured. With time to spare it is at the top in half a minute."""
HELPS: Final[tuple[Help, ...]] = get_args(Help)

USUAL_LONG_SIDE: Final = 1280
"""The size at which costs are measured, 16 to 9."""
COUNTED_FPS: Final = 20.0
"""So many frames a second are counted on where a profile treats all: a browser sends as many as come out treated
(decision 100), and between fifteen and thirty nobody prefers a smaller frame (decision 131)."""
_AFFORDABLE: Final = 0.9
"""A thread may be busy for this share of the time, and all of them for this share of the cores."""
_BESIDE: Final = 2.5
"""Encoding, decoding, packets and colours take a frame's processor time, in times of its encoding alone."""
_SMALL_LONG_SIDE: Final = 640
_SMALLER: Final = 0.8
"""So much of the usual vision frames of that size take, and smaller ones."""
_LARGER: Final = 0.45
"""Above the usual size vision takes so much of what the pixels grow by: 1.56 times at 1080p, 720p being 1."""
_MUCH_LESS: Final = 0.85
"""A mosaic helps where it takes less than this share of what a swap takes."""
_MOST_MS: Final = 60_000.0


@dataclass(frozen=True, slots=True)
class Costs:
    """What a frame with one face costs on this machine, in milliseconds of one core.

    Attributes:
        mosaic_ms: The vision step at 1280 x 720, with a mosaic.
        swap_ms: The same with a built-in mask drawn.
        encode_ms: One frame of 1280 x 720.

    Raises:
        ValueError: A number is out of its range.
    """

    mosaic_ms: float
    swap_ms: float
    encode_ms: float

    def __post_init__(self) -> None:
        values = (self.mosaic_ms, self.swap_ms, self.encode_ms)
        if not all(math.isfinite(value) and 0 < value <= _MOST_MS for value in values):
            raise ValueError("a cost out of its range")

    def vision_ms(self, long_side: int, *, swaps: bool) -> float:
        """Return what the vision step takes for a frame whose longest side is so long, in pixels.

        Tiles have a least size, which the parts of 1280 x 720 reach, so that smaller frames cost hardly less.
        """
        whole = self.swap_ms if swaps else self.mosaic_ms
        if long_side <= _SMALL_LONG_SIDE:
            return whole * _SMALLER
        return whole * (1 + _LARGER * max(0.0, _pixels(long_side) - 1))

    def encoding_ms(self, long_side: int) -> float:
        """Return what encoding such a frame takes; about as its pixels."""
        return self.encode_ms * _pixels(long_side)


TYPICAL: Final = Costs(mosaic_ms=22.0, swap_ms=31.0, encode_ms=5.5)
"""Two cores of 2.1 GHz. Where nothing was measured, how much one step costs more than another is taken from here."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a broadcast may count on.

    Attributes:
        costs: What a frame costs; None while that is not measured.
        cores: That this server may use.
        others: So many broadcasts are live beside it, and get as much.
    """

    costs: Costs | None
    cores: float
    others: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cores) and self.cores > 0 and self.others >= 0):
            raise ValueError("cores or broadcasts out of their range")

    @property
    def share(self) -> float:
        """Cores for one broadcast."""
        return self.cores / (1 + self.others)


class Choice(NamedTuple):
    """Where a broadcast begins.

    Attributes:
        step: The step of the ladder.
        reason: Why there.
    """

    step: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a broadcast would be without any profile.

    Attributes:
        long_side: Longest side of the publisher's frames, in pixels; 0 while that is not known.
        swaps: Whether personas are to be drawn.
    """

    long_side: int
    swaps: bool

    def feels(self, step: int) -> bool:
        """Tell whether a step is any different from the one above it, for this broadcast."""
        better, worse = LADDER[step - 1], LADDER[step]
        if better.swaps != worse.swaps:
            return self.swaps
        if better.long_side != worse.long_side:
            return worse.long_side is not None and (self.long_side or USUAL_LONG_SIDE) > worse.long_side
        return True

    def treated_side(self, profile: Profile) -> int:
        """Return the longest side of the frames that are treated."""
        side = self.long_side or USUAL_LONG_SIDE
        return side if profile.long_side is None else min(side, profile.long_side)

    def vision_ms(self, costs: Costs, profile: Profile) -> float:
        """Return what the vision step would take for a frame."""
        return costs.vision_ms(self.treated_side(profile), swaps=self.swaps and profile.swaps)

    def encoding_ms(self, costs: Costs, profile: Profile) -> float:
        """Return what encoding would take for a frame."""
        return costs.encoding_ms(self.treated_side(profile))


def beginning(setting: ProfileSetting, means: Means | None, wanted: Wanted) -> Choice:
    """Return with which profile a broadcast begins.

    Args:
        setting: The name of a profile; "auto" finds out which one fits.
        means: What it may count on; None begins at the top.
        wanted: What it would be without.
    """
    if setting != "auto":
        return Choice(STEPS[setting], "set")
    if means is None:
        return Choice(0, "unmeasured")
    if means.costs is None:
        return Choice(CAUTIOUS, "unmeasured")
    return Choice(_affordable_step(means, means.costs, wanted), "measured")


def _affordable_step(means: Means, costs: Costs, wanted: Wanted) -> int:
    felt = list(_felt(wanted))
    return next((step for step in felt if _is_affordable(means, costs, LADDER[step], wanted)), felt[-1])


def _felt(wanted: Wanted) -> Iterator[int]:
    """Yield the steps that differ for a broadcast. To know people more rarely saves too little to begin with it."""
    yield 0
    yield from (step for step in range(STEPS["lean"] + 1, len(LADDER)) if wanted.feels(step))


def _is_affordable(means: Means, costs: Costs, profile: Profile, wanted: Wanted) -> bool:
    frames_per_ms = (profile.max_fps or COUNTED_FPS) / 1000
    vision, encoding = wanted.vision_ms(costs, profile), wanted.encoding_ms(costs, profile)
    busiest = max(vision, encoding) * frames_per_ms
    everything = (vision + _BESIDE * encoding) * frames_per_ms
    return busiest <= _AFFORDABLE and everything <= _AFFORDABLE * means.share


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """Which profile is on.

    Attributes:
        name: The profile.
        reason: Why it is that one.
        helps: What would bring a better one, or more frames; empty where nothing is given up and none are dropped.
    """

    name: ProfileName = LADDER[0].name
    reason: Reason = "unmeasured"
    helps: tuple[Help, ...] = ()


def report_of(
    step: int, reason: Reason, means: Means | None, wanted: Wanted, *, falls_behind: bool = False
) -> ProfileReport:
    """Say which profile is on and what would help.

    Args:
        step: The step of the ladder.
        reason: Why it is that one.
        means: What the broadcast may count on.
        wanted: What it would be without any profile.
        falls_behind: Frames are dropped for want of time.
    """
    given_up = any(wanted.feels(lower) for lower in range(STEPS["lean"] + 1, step + 1))
    helps = _helps(LADDER[step], reason, means, wanted) if given_up else set[Help]()
    if falls_behind:
        helps |= _time_helps(LADDER[step], means, wanted)
    return ProfileReport(LADDER[step].name, reason, _in_order(helps))


def report_beside(report: ProfileReport, others: int) -> ProfileReport:
    """Return a report that names fewer broadcasts as a help where there are others now, and else does not.

    Args:
        report: By a worker, which knows how many there were when it began.
        others: So many other broadcasts are live.
    """
    helps: set[Help] = set(report.helps) - {"fewer_broadcasts"}
    if "more_cores" in helps and others:
        helps.add("fewer_broadcasts")
    return replace(report, helps=_in_order(helps))


def _in_order(helps: set[Help]) -> tuple[Help, ...]:
    return tuple(help_ for help_ in HELPS if help_ in helps)


def _helps(profile: Profile, reason: Reason, means: Means | None, wanted: Wanted) -> set[Help]:
    if reason == "set":
        return {"unset"}
    if reason == "unmeasured":
        return {"measure"}
    helps = _time_helps(profile, means, wanted)
    if profile.long_side is None or wanted.long_side <= profile.long_side:
        helps.discard("send_smaller")  # it takes nothing from the size
    if reason == "measured":  # the calibration takes the best of its runs, so that others hardly count in it
        helps.discard("close_programs")
    return helps


def _time_helps(profile: Profile, means: Means | None, wanted: Wanted) -> set[Help]:
    """Return what would leave more time for each frame."""
    helps: set[Help] = {"more_cores", "close_programs"}
    if wanted.long_side > _SMALL_LONG_SIDE:
        helps.add("send_smaller")
    if means is not None and means.others:
        helps.add("fewer_broadcasts")
    costs = TYPICAL if means is None else means.costs or TYPICAL
    if wanted.swaps and profile.swaps and _saves_much(costs, profile, wanted):
        helps.add("mosaic")
    return helps


def _saves_much(costs: Costs, profile: Profile, wanted: Wanted) -> bool:
    mosaic = replace(wanted, swaps=False).vision_ms(costs, profile)
    return mosaic < _MUCH_LESS * wanted.vision_ms(costs, profile)


def _pixels(long_side: int) -> float:
    """Return the pixels of a frame, in those of 1280 x 720."""
    return (long_side / USUAL_LONG_SIDE) ** 2
