"""Time in which this process's event loop was awake: silence that it slept through proves nothing about anybody."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

TICK_S: Final = 0.25
"""How often the loop notes that it runs."""
MOST_S: Final = 2 * TICK_S
"""A tick counts no more than this, however long ago the last one was."""


class AwakeClock:
    """A clock that stands still while the event loop does.

    A loop that was held up for 14 s, by a parser, a paused machine or a debugger, finds all its timers due before it
    has read what came meanwhile. By this clock half a second has passed then at most, and everything is read first.

    Args:
        clock: Tells the monotonic time.

    Example:
        >>> now = [100.0]
        >>> clock = AwakeClock(lambda: now[0])
        >>> for now[0] in (100.25, 100.5, 114.5):
        ...     clock.tick()
        >>> clock.now()
        1.0
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ticked_at = clock()
        self._awake_s = 0.0
        self._limits: dict[asyncio.Timeout, float] = {}

    def now(self) -> float:
        """Return for how long the loop was awake up to its last tick, in seconds."""
        return self._awake_s

    def tick(self) -> None:
        """Note that the loop runs, and end the waits whose time has passed."""
        now = self._clock()
        self._awake_s += min(max(now - self._ticked_at, 0.0), MOST_S)
        self._ticked_at = now
        for limit in [limit for limit, until in self._limits.items() if until <= self._awake_s]:
            del self._limits[limit]
            limit.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self.tick()

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        """Like `asyncio.timeout`, by this clock.

        Raises:
            TimeoutError: The body took so long, and the loop was awake all the while.
        """
        async with asyncio.timeout(None) as limit:
            self._limits[limit] = self._awake_s + seconds
            try:
                yield
            finally:
                self._limits.pop(limit, None)
