"""What becomes of a broadcast whose live session breaks: another one, soon, and not for ever."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from mien.app.broadcasts.broadcast import Broadcast
from mien.app.ports import Live, Runner
from mien.app.states import LiveCounts
from mien.errors import LiveLostError, OutputError
from mien.rate_limit import Backoff

log = structlog.get_logger()

_BACKOFF: Final = Backoff(first_s=0.1, longest_s=5.0, spread=(0.5, 1.5))
"""Spread, so that the sessions of a machine that ran short of memory do not come back all at once."""
_RESTARTS, _RESTARTS_WITHIN_S = 6, 120.0
"""A session that breaks more often than this will break again; its broadcast ends."""


class Supervisor:
    """Sees broadcasts through, and adds up what their live sessions count.

    Args:
        runner: Starts live sessions.
        is_on: Tells whether a broadcast is not over yet.

    Attributes:
        lost: So many live sessions have broken.
    """

    def __init__(self, runner: Runner, *, is_on: Callable[[Broadcast], bool]) -> None:
        self._runner = runner
        self._is_on = is_on
        self._counting: set[Live] = set()
        self._counted = LiveCounts()
        self.lost = 0

    @property
    def counts(self) -> LiveCounts:
        """Everything that all live sessions have counted, those that are over too."""
        return sum((live.report.stats.counts for live in self._counting), self._counted)

    async def see_through(self, broadcast: Broadcast) -> None:
        """Return when the broadcast is over; a session that breaks is followed by a new one.

        Raises:
            LiveLostError: Its sessions broke too often.
        """
        broke: deque[float] = deque(maxlen=_RESTARTS)
        while True:
            try:
                await self._count(broadcast.live)
            except LiveLostError:
                broadcast.restarting = True
                broadcast.restarts += 1
            else:
                return
            while broadcast.restarting and self._is_on(broadcast):
                await self._restart(broadcast, broke)
            if broadcast.restarting:
                return
            if not self._is_on(broadcast):
                broadcast.live.end()  # somebody ended it while it was started

    async def _restart(self, broadcast: Broadcast, broke: deque[float]) -> None:
        """Wait a little and try to give `broadcast` a new session.

        Raises:
            LiveLostError: It broke too often.
        """
        now = time.monotonic()
        if len(broke) == _RESTARTS and now - broke[0] < _RESTARTS_WITHIN_S:
            raise LiveLostError(f"its session broke {_RESTARTS} times in {now - broke[0]:.0f} s")
        broke.append(now)
        times = sum(now - at < _RESTARTS_WITHIN_S for at in broke)
        self.lost += 1
        log.warning("live_session_lost", times=times)
        await asyncio.sleep(_BACKOFF.pause_s(times, chance=random.random()))  # noqa: S311  # no secret
        async with broadcast.changing:
            try:
                broadcast.live = await self._runner.start(broadcast.stream, name=broadcast.id)
                await self._resume(broadcast)
            except LiveLostError:
                return
        broadcast.restarting = False

    async def _resume(self, broadcast: Broadcast) -> None:
        """Let a new session do what the old one did beside serving viewers."""
        try:
            await broadcast.live.record(on=broadcast.spec.record)
        except OutputError as error:
            log.warning("recording_not_resumed", reason=str(error))
        pushes, broadcast.pushes = broadcast.pushes, {}
        for url, token in pushes.values():
            broadcast.pushes[await broadcast.live.push(url, token)] = url, token

    async def _count(self, live: Live) -> None:
        """Return when `live` is over; its counts stay."""
        self._counting.add(live)
        try:
            await live.wait()
        finally:
            self._counting.discard(live)
            self._counted += live.report.stats.counts
