"""The way of sound through a live session: it waits as long as the picture takes, then goes to everybody."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

import av

from mien.media.egress import AnyPacket
from mien.media.sound import OpusEncoder

_QUEUE: Final = 250
"""Five seconds of 20 ms frames; no treatment takes longer."""
LEAD_S: Final = 0.1
"""By so much sound leaves before its picture. A browser holds sound some 60 ms longer than pictures, against
jitter and for its audio device, and then makes the picture wait: for half a minute its delay grows."""


class SoundLine:
    """Delays sound by the picture's own delay less a lead, so that lips match, and encodes it once.

    Args:
        opus: The broadcast's encoder; its clock starts where the video encoder's does.
        delay_s: Tells how long a picture takes from capture to leaving, just now.
        wanted: Tells whether anybody listens.
        push: Takes the packets.
    """

    def __init__(
        self,
        opus: OpusEncoder,
        *,
        delay_s: Callable[[], float],
        wanted: Callable[[], bool],
        push: Callable[[AnyPacket], None],
    ) -> None:
        self._opus = opus
        self._delay_s = delay_s
        self._wanted = wanted
        self._push = push
        self._waiting: deque[tuple[av.AudioFrame, float]] = deque(maxlen=_QUEUE)
        self._arrived = asyncio.Event()

    async def run(self, frames: AsyncIterator[tuple[av.AudioFrame, float]]) -> None:
        """Carry `frames`, each with its capture time, until they end."""
        self._waiting.clear()
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._send())
            async for item in frames:
                self._waiting.append(item)
                self._arrived.set()
            sending.cancel()

    async def _send(self) -> None:
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            _frame, at = self._waiting[0]
            early = at + self._delay_s() - LEAD_S - time.monotonic()
            if early > 0:
                await asyncio.sleep(early)
            if not self._waiting:
                continue
            frame, at = self._waiting.popleft()
            if self._wanted():
                for packet in self._opus.encode(frame, at=at):
                    self._push(packet)
