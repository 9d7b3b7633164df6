"""Going down the ladder when a machine is too slow, and up again: with a simulated machine and a clock of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from itertools import pairwise

import pytest

from mien.app.live.load import LoadShedder
from mien.app.profiles import LADDER, STEPS, Choice, Costs, Profile, Wanted
from mien.app.states import Load

TICK_S = 0.25


@dataclass
class Machine:
    """Treats what a camera sends; a picture takes `cost_s`, less of it where less is done.

    Attributes:
        cost_s: Of one whole picture with a swap.
        fps: Of the camera.
        lost: Share of the pictures that the network loses.
        wide: Longest side of the picture.
        swaps: Whether a persona is wanted.
        cost_of: What a picture takes by a profile, in seconds; by default from `cost_s`.
    """

    cost_s: float
    fps: float = 30.0
    lost: float = 0.0
    wide: int = 1280
    swaps: bool = True
    cost_of: Callable[[Profile], float] | None = None
    shedder: LoadShedder = field(default_factory=LoadShedder)
    now: float = 1000.0
    steps: list[tuple[float, int]] = field(default_factory=list)
    arrived: float = 0.0
    left: float = 0.0
    busy_s: float = 0.0

    def __post_init__(self):
        self.shedder.wanted = Wanted(self.wide, swaps=self.swaps)

    def costs(self, quality: Profile) -> float:
        if self.cost_of is not None:
            return self.cost_of(quality)
        side = min(self.wide, quality.long_side or self.wide) / self.wide
        return self.cost_s * (0.3 + 0.7 * side) * (1.0 if quality.swaps or not self.swaps else 0.6)

    def run(self, seconds: float) -> "Machine":
        for _ in range(round(seconds / TICK_S)):
            quality = self.shedder.profile
            fed = min(self.fps, quality.max_fps or self.fps)
            treated = min(fed * (1 - self.lost), 1 / self.costs(quality))
            self.now += TICK_S
            self.arrived += fed * TICK_S
            self.left += treated * TICK_S
            self.busy_s += min(treated * self.costs(quality), 1.0) * TICK_S
            self.shedder.observe(
                self.now, arrived=int(self.arrived), left=int(self.left), vision_s=self.busy_s, encoding_s=0
            )
            if not self.steps or self.steps[-1][1] != self.shedder.step:
                self.steps.append((self.now, self.shedder.step))
        return self

    @property
    def fps_out(self) -> float:
        quality = self.shedder.profile
        return min(self.fps, quality.max_fps or self.fps, 1 / self.costs(quality))


def test_the_ladder_gives_up_one_thing_after_the_other_and_never_how_faces_are_looked_for():
    assert LADDER[0] == Profile("full")
    given_up = {name.name for name in fields(Profile)} - {"name"}
    assert given_up == {"knows_rarely", "long_side", "max_fps", "swaps"}
    for better, worse in pairwise(LADDER):
        assert len([name for name in given_up if getattr(better, name) != getattr(worse, name)]) == 1
    first = [next(i for i, q in enumerate(LADDER) if getattr(q, name) != getattr(LADDER[0], name)) for name in (
        "knows_rarely", "long_side", "max_fps", "swaps")]  # fmt: skip
    assert first == sorted(first)


@pytest.mark.parametrize("cost_s", [0.01, 0.03, 0.06])
def test_a_machine_that_shows_a_video_gives_up_nothing(cost_s):
    machine = Machine(cost_s).run(120)
    assert machine.shedder.step == 0
    assert machine.shedder.load is (Load.OK if cost_s < 0.04 else Load.REDUCED_QUALITY)  # of 30, 17 are left


def test_a_machine_that_is_somewhat_slow_sends_a_smaller_picture_and_goes_on():
    machine = Machine(0.09).run(30)
    assert machine.shedder.load is Load.REDUCED_QUALITY
    assert machine.shedder.profile.swaps
    assert machine.fps_out >= 12


def test_a_slow_machine_gives_up_the_swap_last():
    machine = Machine(0.25).run(40)
    assert machine.shedder.load is Load.REDUCED_QUALITY  # six pictures a second with the persona are left
    machine = Machine(0.35).run(40)
    assert machine.shedder.profile == LADDER[-1]
    assert machine.shedder.load is Load.NO_SWAP
    assert machine.fps_out > 5


def test_a_machine_that_is_too_slow_even_so_says_it_and_no_sooner():
    machine = Machine(2.0).run(8)
    assert machine.shedder.load is not Load.OVERLOADED  # there is still something to give up
    assert machine.run(20).shedder.load is Load.OVERLOADED


def test_the_worse_it_is_the_sooner_it_is_at_the_bottom():
    def seconds_to_the_bottom(cost_s):
        machine = Machine(cost_s).run(60)
        return machine.steps[-1][0] - 1000 if machine.shedder.step == len(LADDER) - 1 else 60

    assert seconds_to_the_bottom(1.0) < seconds_to_the_bottom(0.32)
    assert seconds_to_the_bottom(1.0) <= 15


def test_it_comes_back_a_step_at_a_time_once_there_is_time_to_spare():
    machine = Machine(0.5).run(30)
    assert machine.shedder.step == len(LADDER) - 1
    machine.cost_s, machine.steps = 0.012, []
    machine.run(150)
    assert machine.shedder.step == 0
    assert machine.shedder.load is Load.OK
    times = [at for at, _ in machine.steps]
    assert all(later - earlier >= 8 for earlier, later in pairwise(times[1:]))
    assert [step for _, step in machine.steps] == sorted((step for _, step in machine.steps), reverse=True)


def test_steps_up_in_vain_become_rare():
    machine = Machine(0.12)
    machine.cost_of = lambda quality: 0.012 if quality.long_side == 640 else 0.12  # spare below, too slow above
    machine.run(600)
    up = [at for (_, before), (at, step) in pairwise(machine.steps) if step < before]
    assert 2 <= len(up) <= 10  # two of them regain what the first way down gave up at once
    assert up[-1] - up[-2] > 2 * (up[1] - up[0])


def test_between_the_limits_it_stays_where_it_is():
    machine = Machine(0.09).run(30)
    settled = machine.shedder.step
    machine.steps = []
    machine.run(300)
    assert [step for _, step in machine.steps] == [settled]


def measured_going_up(machine, step=STEPS["small"]):
    """Let a machine that had to go down to a step go on for two minutes; return the steps that it took."""
    machine.shedder.begin(Choice(step, "measured"))
    machine.run(120)
    return [LADDER[step].name for _, step in machine.steps]


def test_a_step_up_goes_by_what_frames_would_cost_there_and_not_by_the_time_that_is_spare_here():
    """A machine whose frames take as long whatever their size: what 1080p would take is only foreseen."""
    machine = Machine(0.0, wide=1920, swaps=False, cost_of=lambda _profile: 0.025)
    assert measured_going_up(machine) == ["small", "medium", "hd"]  # at hd, three quarters of the time are gone
    machine = Machine(0.0, wide=1920, swaps=False, cost_of=lambda _profile: 0.02)
    assert measured_going_up(machine)[-1] == "full"


def test_a_step_down_goes_at_once_to_the_profile_that_brings_enough_frames():
    machine = Machine(0.0, swaps=False, cost_of=lambda profile: 0.094 * min(profile.long_side or 1280, 1280) / 1280)
    machine.run(30)
    assert [LADDER[step].name for _, step in machine.steps] == ["full", "small"]  # lean and medium cost as much vision


def test_a_swap_is_given_up_only_on_its_own_step_however_slow_the_machine_is():
    machine = Machine(0.0, cost_of=lambda profile: 0.15 if profile.swaps else 0.05).run(60)
    assert LADDER[machine.shedder.step].name == "slower"  # six frames a second with the persona are worth more
    machine = Machine(0.0, cost_of=lambda profile: 0.24 if profile.swaps else 0.05).run(12)
    assert [LADDER[step].swaps for _, step in machine.steps][:-1].count(False) == 0


def test_the_thread_that_encodes_counts_as_much_as_the_one_that_treats():
    shedder = LoadShedder(Costs(2.0, 3.0, 40.0))
    shedder.wanted = Wanted(1280, swaps=False)
    shedder.begin(Choice(STEPS["small"], "measured"))
    for tick in range(400):  # a frame takes 2 ms to treat and 20 ms to encode, of four times the pixels 80 ms
        frames = round(tick * TICK_S * 30)
        shedder.observe(tick * TICK_S, arrived=frames, left=frames, vision_s=frames * 0.002, encoding_s=frames * 0.02)
    assert shedder.profile.name == "small"


def test_a_profile_that_was_set_is_where_it_begins_and_what_it_never_rises_above():
    machine = Machine(0.005)
    machine.shedder.begin(Choice(STEPS["medium"], "set"))
    assert machine.run(120).shedder.profile.name == "medium"
    assert machine.shedder.reason == "set"
    machine.cost_s = 0.5
    machine.run(40)
    assert machine.shedder.step > STEPS["medium"]
    assert machine.shedder.reason == "overload"
    machine.cost_s = 0.005
    assert machine.run(200).shedder.profile.name == "medium"
    assert machine.shedder.reason == "headroom"


@pytest.mark.parametrize(("cost_s", "lost"), [(0.01, 0.5), (0.05, 0.8), (0.01, 0.9)])
def test_what_the_network_loses_is_no_load(cost_s, lost):
    assert Machine(cost_s, lost=lost).run(60).shedder.step == 0


def test_a_broadcast_without_a_swap_is_never_said_to_have_lost_one():
    machine = Machine(1.0, swaps=False).run(40)
    assert machine.shedder.profile.swaps
    assert machine.shedder.load is Load.OVERLOADED


def test_a_small_picture_is_not_made_smaller_but_the_rest_is_given_up():
    machine = Machine(0.25, wide=480).run(40)
    sizes = {STEPS[name] for name in ("hd", "medium", "small")}
    assert sizes.isdisjoint(step for _, step in machine.steps)
    assert machine.shedder.profile == LADDER[-1]
    assert {LADDER[step].max_fps for _, step in machine.steps} >= {None, 10.0}


def test_without_a_publisher_nothing_is_learnt():
    machine = Machine(0.5).run(20)
    bottom = machine.shedder.step
    machine.fps = 0
    machine.run(300)
    assert machine.shedder.step == bottom


@pytest.mark.parametrize("name", ["medium", "slower", "mosaic"])
def test_a_profile_that_the_operator_set_is_no_shortage(name):
    machine = Machine(0.001)
    machine.shedder.begin(Choice(STEPS[name], "set"))
    assert machine.run(30).shedder.load is Load.OK
    assert not machine.shedder.falls_behind


def test_what_is_given_up_beyond_it_is_one_until_it_is_taken_back():
    machine = Machine(0.2)
    machine.shedder.begin(Choice(STEPS["medium"], "set"))
    assert machine.run(30).shedder.load is Load.REDUCED_QUALITY
    machine.cost_s = 0.001
    machine.run(200)
    assert (machine.shedder.step, machine.shedder.load) == (STEPS["medium"], Load.OK)


def test_where_no_step_is_due_dropped_frames_are_told_all_the_same():
    machine = Machine(1 / 16.7).run(30)
    assert machine.steps == [(1000.25, 0)]  # sixteen a second are a video, in full size
    assert machine.shedder.falls_behind
    assert machine.shedder.load is Load.REDUCED_QUALITY
    machine.cost_s = 1 / 25
    machine.run(10)  # from 25 of 30 nothing would be said, and this is less than what takes it back
    assert machine.shedder.falls_behind
    machine.cost_s = 1 / 27
    assert machine.run(10).shedder.load is Load.OK


def test_frames_that_the_network_loses_are_not_told_as_a_want_of_time():
    machine = Machine(0.01, lost=0.5).run(30)
    assert not machine.shedder.falls_behind
    assert machine.shedder.load is Load.OK
