"""How long single callbacks hold an event loop, in CPU time, which other processes do not lengthen."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Held:
    """The longest time for which one callback held the loop.

    Attributes:
        longest_s: CPU seconds of its thread.
        by: What it was.
    """

    longest_s: float = 0.0
    by: str = ""


@contextlib.contextmanager
def noting_what_holds_the_loop() -> Iterator[Held]:
    """Measure every callback of every event loop of this process."""
    held, run = Held(), asyncio.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        took = time.thread_time() - began
        if took > held.longest_s:
            held.longest_s, held.by = took, repr(handle)[:300]

    asyncio.Handle._run = measured  # type: ignore[method-assign, assignment]
    try:
        yield held
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]
