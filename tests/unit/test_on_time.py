"""The helper that repeats what failed for want of time must not hide what fails for another reason."""

import asyncio
import time

import pytest

from support.on_time import on_time


def fails(times, *, stall_s):
    """Return a test that fails so often, with the loop held up for `stall_s`, and the list of its runs."""
    runs = []

    async def test(reason):
        await asyncio.sleep(0.02)
        time.sleep(stall_s)  # noqa: ASYNC251  # this is the point
        await asyncio.sleep(0.02)
        runs.append(reason)
        assert len(runs) > times, reason
        return "passed"

    return on_time(test), runs


async def test_a_failure_on_time_counts_at_once():
    test, runs = fails(1, stall_s=0)
    with pytest.raises(AssertionError, match="wrong"):
        await test("wrong")
    assert len(runs) == 1


async def test_a_failure_while_the_loop_was_late_is_tried_again():
    test, runs = fails(2, stall_s=0.1)
    assert await test("late") == "passed"
    assert len(runs) == 3


async def test_what_always_fails_fails():
    test, runs = fails(9, stall_s=0.1)
    with pytest.raises(AssertionError, match="late"):
        await test("late")
    assert len(runs) == 3
