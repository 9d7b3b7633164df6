"""An ingest whose frames a test reads one after the other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import av

from mien.media.newest import Newest
from mien.media.webrtc.ingest.publisher import Ingest
from mien.media.webrtc.sdp.parse import Offer


class ShownIngest(Ingest):
    """Keeps the newest frame for one reader on the event loop."""

    def __init__(self, offer: Offer, **more: Any) -> None:
        self._newest = Newest[tuple[av.VideoFrame, float]]()
        self._came = asyncio.Event()
        super().__init__(offer, [], sink=self._show, **more)

    def _show(self, frame: av.VideoFrame, at: float) -> None:
        self._newest.put((frame, at))
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
            self._loop.call_soon_threadsafe(self._came.set)

    def leave(self) -> None:
        super().leave()
        self._came.set()

    async def video(self) -> AsyncIterator[tuple[av.VideoFrame, float]]:
        """Yield the newest frame, each time, with its capture time, until the publisher stops."""
        while not self.gone.is_set():
            await self._came.wait()
            self._came.clear()
            newest = self._newest.get(timeout_s=0)
            if newest is not None and not self.gone.is_set():
                yield newest
