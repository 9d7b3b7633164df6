"""Which profile fits a machine, by simulated costs; and that hiding is on no step of the ladder."""

import math
from dataclasses import fields, replace
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.app.profiles import (
    CAUTIOUS,
    LADDER,
    STEPS,
    TYPICAL,
    Costs,
    Help,
    Means,
    Profile,
    ProfileName,
    Reason,
    Wanted,
    beginning,
    report_beside,
    report_of,
)
from mien.config import LiveSettings

HD, FULL_HD = Wanted(1280, swaps=True), Wanted(1920, swaps=True)


def slower(times: float) -> Costs:
    """Return the costs of a machine that is so many times slower than the usual one."""
    return Costs(*(times * getattr(TYPICAL, each.name) for each in fields(Costs)))


def begun(costs: Costs | None, wanted: Wanted = HD, *, cores: float = 2, others: int = 0) -> str:
    return LADDER[beginning("auto", Means(costs, cores, others), wanted).step].name


costs = st.builds(Costs, *[st.floats(0.01, 2000)] * 3)
sizes = st.integers(16, 4096)


def test_no_profile_touches_how_faces_are_looked_for_or_how_long_frames_wait():
    assert {each.name for each in fields(Profile)} == {"name", "knows_rarely", "long_side", "max_fps", "swaps"}
    for better, worse in pairwise(LADDER):  # each step only takes away
        assert worse.knows_rarely >= better.knows_rarely
        assert (worse.long_side or math.inf) <= (better.long_side or math.inf)
        assert (worse.max_fps or math.inf) <= (better.max_fps or math.inf)
        assert worse.swaps <= better.swaps  # a swap becomes a mosaic, and a mosaic never becomes anything


def test_quality_goes_before_size_and_size_before_rate_and_the_swap_last():
    first = [
        next(step for step, profile in enumerate(LADDER) if getattr(profile, name) != getattr(LADDER[0], name))
        for name in ("knows_rarely", "long_side", "max_fps", "swaps")
    ]
    assert first == sorted(set(first))


def test_every_name_is_a_setting():
    wanted = ["auto", *(profile.name for profile in LADDER)]
    assert list(get_args(LiveSettings.model_fields["profile"].annotation)) == wanted
    assert wanted[1:] == list(get_args(ProfileName))


@pytest.mark.parametrize(
    ("times", "name"), [(0.1, "full"), (1.0, "full"), (1.7, "small"), (2.2, "slow"), (3.2, "slower"), (9.0, "mosaic")]
)
def test_the_slower_the_machine_the_less_is_done_for_each_frame(times, name):
    assert begun(slower(times)) == name


def test_what_a_broadcast_begins_with_can_be_afforded():
    """Simulate the two threads: at the profile's own rate the busier one has time left, down to the last step."""
    for tenths in range(1, 60):
        costs = slower(tenths / 10)
        profile = LADDER[STEPS[begun(costs)]]
        spent_ms = max(HD.vision_ms(costs, profile), HD.encoding_ms(costs, profile))
        assert profile is LADDER[-1] or spent_ms * (profile.max_fps or 20) <= 950


def test_a_larger_picture_begins_with_less_and_a_smaller_one_with_nothing_taken():
    costs = slower(1.3)
    assert begun(costs, HD) == "full"
    assert begun(costs, FULL_HD) == "hd"
    assert begun(slower(1.7), HD) == "small"
    assert begun(slower(1.7), Wanted(640, swaps=True)) == "full"


def test_a_mosaic_begins_with_more_than_a_swap():
    costs = slower(1.7)
    assert STEPS[begun(costs, replace(HD, swaps=False))] < STEPS[begun(costs, HD)]


def test_cores_are_shared_with_those_who_are_live():
    assert begun(TYPICAL, cores=2) == "full"
    assert STEPS[begun(TYPICAL, cores=0.5)] > STEPS["full"]
    assert begun(TYPICAL, cores=2, others=3) == begun(TYPICAL, cores=0.5)
    assert begun(TYPICAL, cores=64, others=3) == "full"


def test_an_encoder_that_is_slow_is_seen_too():
    assert begun(Costs(5.0, 6.0, 200.0)) == "slower"  # a frame of 640 pixels takes 50 ms


def test_without_a_measurement_it_is_careful_and_says_so():
    choice = beginning("auto", Means(None, 2), HD)
    assert choice == (CAUTIOUS, "unmeasured")
    assert report_of(*choice, Means(None, 2), HD).helps == ("measure",)


def test_whoever_asks_for_nothing_gets_everything():
    assert beginning("auto", None, HD) == (0, "unmeasured")
    assert report_of(0, "unmeasured", None, HD).helps == ()


@pytest.mark.parametrize("name", STEPS)
def test_a_profile_that_is_set_is_taken_whatever_was_measured(name):
    choice = beginning(name, Means(slower(9), 2), HD)
    assert (LADDER[choice.step].name, choice.reason) == (name, "set")
    report = report_of(*choice, None, HD)
    assert report.helps == (() if name in {"full", "lean", "hd"} else ("unset",))  # those take nothing from 720p


def test_what_would_help_is_said_the_easiest_first():
    means = Means(slower(2.2), 2, others=2)
    assert report_of(STEPS["slow"], "overload", means, FULL_HD).helps == (
        "mosaic", "send_smaller", "fewer_broadcasts", "close_programs", "more_cores",
    )  # fmt: skip
    small = Wanted(640, swaps=False)
    assert report_of(STEPS["slow"], "measured", Means(slower(2.2), 2), small).helps == ("more_cores",)


@pytest.mark.parametrize("reason", ["measured", "set", "unmeasured"])
def test_where_frames_are_dropped_although_nothing_is_given_up_it_is_said_what_brings_more(reason):
    report = report_of(0, reason, Means(TYPICAL, 2, others=1), HD, falls_behind=True)
    assert report.helps == ("mosaic", "send_smaller", "fewer_broadcasts", "close_programs", "more_cores")
    assert report_of(0, reason, Means(TYPICAL, 2), Wanted(640, swaps=False), falls_behind=True).helps == (
        "close_programs", "more_cores",
    )  # fmt: skip


def test_how_many_others_there_are_is_what_is_known_now():
    first = report_of(STEPS["slow"], "overload", Means(slower(2.2), 2), HD)
    assert "fewer_broadcasts" not in first.helps
    later = report_beside(first, 2)
    assert later.helps == ("mosaic", "send_smaller", "fewer_broadcasts", "close_programs", "more_cores")
    assert report_beside(later, 0) == first
    for told in (report_of(0, "measured", None, HD), report_of(STEPS["slow"], "set", None, HD)):
        assert report_beside(told, 2) == told  # fewer broadcasts bring nothing there


@given(costs, costs, sizes, st.booleans(), st.floats(0.1, 128), st.integers(0, 100))
def test_whatever_is_measured_a_better_machine_never_begins_with_less(one, other, long_side, swaps, cores, others):
    better = Costs(*(min(getattr(one, each.name), getattr(other, each.name)) for each in fields(Costs)))
    wanted = Wanted(long_side, swaps=swaps)
    assert STEPS[begun(better, wanted, cores=cores, others=others)] <= STEPS[
        begun(one, wanted, cores=cores, others=others)
    ]  # fmt: skip


@given(costs, sizes, st.booleans(), st.floats(0.1, 128), st.integers(0, 100), st.sampled_from(get_args(Reason)))
def test_what_is_said_fits_the_words_there_are(measured, long_side, swaps, cores, others, reason):
    means, wanted = Means(measured, cores, others), Wanted(long_side, swaps=swaps)
    for step in range(len(LADDER)):
        report = report_of(step, reason, means, wanted)
        assert set(report.helps) <= set(get_args(Help))
        if step == 0:
            assert report.helps == ()


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, 1e9])
def test_costs_that_cannot_be_are_refused(value):
    for each in fields(Costs):
        with pytest.raises(ValueError, match="out of its range"):
            replace(TYPICAL, **{each.name: value})


@pytest.mark.parametrize(("cores", "others"), [(0.0, 0), (-1.0, 0), (math.nan, 0), (math.inf, 0), (1.0, -1)])
def test_means_that_cannot_be_are_refused(cores, others):
    with pytest.raises(ValueError, match="out of their range"):
        Means(None, cores, others)
