"""The way of audio through a live session: it waits as long as the frame takes, then goes to everybody."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

from mien.media.codecs.encoded import AUDIO_CLOCK_RATE, EncodedAudio
from mien.media.webrtc.ingest.audio import AudioClock, CapturedAudio

_QUEUE: Final = 250
"""Five seconds of 20 ms packets; no treatment takes longer."""
LEAD_S: Final = 0.1
"""By so much audio leaves before its frame. A browser holds audio some 60 ms longer than frames, against
jitter and for its audio device, and then makes the frame wait: for half a minute its delay grows."""


class AudioLine:
    """Delays audio by the frame's own delay less a lead, so that lips match; the packets stay as they are.

    Args:
        epoch: The capture time, in seconds, that becomes presentation time zero; the frames' too.
        delay_s: Tells how long a frame takes from capture to leaving, just now.
        wanted: Tells whether anybody listens.
        push: Takes the packets.
    """

    def __init__(
        self,
        *,
        epoch: float,
        delay_s: Callable[[], float],
        wanted: Callable[[], bool],
        push: Callable[[EncodedAudio], None],
    ) -> None:
        self._epoch = epoch
        self._clock = AudioClock(epoch)
        self._delay_s = delay_s
        self._wanted = wanted
        self._push = push
        self._waiting: deque[EncodedAudio] = deque(maxlen=_QUEUE)
        self._arrived = asyncio.Event()

    async def run(self, captured: AsyncIterator[CapturedAudio]) -> None:
        """Carry one publisher's `captured` until they end."""
        self._waiting.clear()
        self._clock.restart()
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._send())
            async for audio in captured:
                pts = self._clock.pts(audio)
                if pts is not None:
                    self._waiting.append(EncodedAudio(audio.data, pts))
                    self._arrived.set()
            sending.cancel()

    async def _send(self) -> None:
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            captured_at = self._epoch + self._waiting[0].pts / AUDIO_CLOCK_RATE
            early = captured_at + self._delay_s() - LEAD_S - time.monotonic()
            if early > 0:
                await asyncio.sleep(early)
            if self._waiting:
                audio = self._waiting.popleft()
                if self._wanted():
                    self._push(audio)
