"""Tests that measure time, on machines that now and then have none to give."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

TICK_S = 0.01
LATE_S = 0.05
"""An event loop so late has not had the processor."""
ATTEMPTS = 3


class Heartbeat:
    """Wakes up every 10 ms, and notes how late it was at worst.

    Attributes:
        late_s: The longest delay.
    """

    def __init__(self) -> None:
        self.late_s = 0.0

    async def beat(self) -> None:
        while True:
            due = time.monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            self.late_s = max(self.late_s, time.monotonic() - due)


def on_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Run an async test anew, twice at most, if it failed while its event loop did not run on time.

    A failure counts at once where the loop was on time, and the third counts in any case: what holds the loop up
    may be the code under test.
    """

    @functools.wraps(test)
    async def patient(*args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            heartbeat = Heartbeat()
            beating = asyncio.create_task(heartbeat.beat())
            try:
                return await test(*args, **kwargs)
            except (AssertionError, TimeoutError):
                if attempt == ATTEMPTS or heartbeat.late_s < LATE_S:
                    raise
                print(f"once more: the event loop was {heartbeat.late_s:.2f} s late")  # noqa: T201  # for the report
            finally:
                beating.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await beating
        raise AssertionError("unreachable")

    return patient
