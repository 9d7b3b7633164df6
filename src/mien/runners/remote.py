"""Sessions that run in a worker process, behind the same ports as those that run in this one."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mien.app.ports import Connected, Role, StreamSpec, TreatedStill
from mien.app.profiles import report_beside
from mien.app.states import LiveReport, PrimaryChoice
from mien.errors import LiveLostError
from mien.media.webrtc.sdp.parse import Fragment, Offer
from mien.runners.messages import (
    CheckPeer,
    ClosePeer,
    Done,
    PeerAnswer,
    Publish,
    Push,
    PushBegun,
    Record,
    SetPolicy,
    Still,
    StopPush,
    TakeThumbnail,
    Thumbnail,
    Trace,
    Traced,
    Treat,
    Trickle,
    Watch,
)
from mien.runners.owner_messages import ChoosePrimary, PrimaryChosen
from mien.runners.worker_process import WorkerProcess

THUMBNAIL_EVERY_S: Final = 0.5
"""Asked of the worker no more often, however many ask: it makes a new one every 2 s, and has a broadcast to carry."""


class RemoteLive:
    """A live session in a worker process (the port `Live`).

    Args:
        worker: The process.
        group: For what goes on when nobody waits for it.
        others: Returns how many other sessions are live.
    """

    def __init__(
        self, worker: WorkerProcess, group: asyncio.TaskGroup, *, others: Callable[[], int] = lambda: 0
    ) -> None:
        self._others = others
        self._worker = worker
        self._group = group
        self._ending: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[bytes | None] | None = None
        self._thumbnail: tuple[float, bytes | None] | None = None
        self._generation = 0

    @property
    def report(self) -> LiveReport:
        """What the worker last said. How many others are live now, it does not know."""
        said = self._worker.report
        return replace(said, stats=replace(said.stats, profile=report_beside(said.stats.profile, self._others())))

    async def publish(self, offer: Offer) -> Connected:
        """Take a publisher."""
        made = await self._worker.call(Publish(offer), PeerAnswer)
        return Connected(made.session_id, made.sdp)

    async def watch(self, offer: Offer, *, is_audience: bool = True, source: str = "") -> Connected:
        """Take a viewer."""
        made = await self._worker.call(Watch(offer, is_audience, source), PeerAnswer)
        return Connected(made.session_id, made.sdp)

    async def check(self, session_id: str, role: Role) -> None:
        """Let pass who names a session that is there."""
        await self._worker.call(CheckPeer(session_id, role), Done)

    async def trickle(self, session_id: str, fragment: Fragment) -> None:
        """Add a peer's late ICE candidates."""
        await self._worker.call(Trickle(session_id, fragment), Done)

    async def close_peer(self, session_id: str) -> None:
        """End one peer's session."""
        await self._worker.call(ClosePeer(session_id), Done)

    async def set_policy(self, spec: StreamSpec) -> None:
        """Treat the next frame by `spec`."""
        self._forget_thumbnail()
        try:
            await self._worker.call_with_spec(spec, SetPolicy)
        finally:
            self._forget_thumbnail()

    async def choose_primary(self, choice: PrimaryChoice) -> int:
        """Bind the primary person to a face that viewers see; return its id."""
        return (await self._worker.call(ChoosePrimary(choice), PrimaryChosen)).face

    async def thumbnail(self) -> bytes | None:
        """Return a small JPEG of what viewers see, or have seen a moment ago by the same policy."""
        if self._thumbnail is not None and time.monotonic() - self._thumbnail[0] < THUMBNAIL_EVERY_S:
            return self._thumbnail[1]
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(self._generation))
            self._looking.add_done_callback(_heed)
        return await asyncio.shield(self._looking)  # one answer, or one failure, for all who wait

    async def _look(self, generation: int) -> bytes | None:
        asked_at = time.monotonic()
        jpeg = (await self._worker.call(TakeThumbnail(), Thumbnail)).body or None
        if generation == self._generation:
            self._thumbnail = asked_at, jpeg
        return jpeg

    def _forget_thumbnail(self) -> None:
        self._generation += 1
        self._thumbnail = self._looking = None

    async def trace(self, seconds: float) -> bytes:
        """Record what each thread of the worker does."""
        return (await self._worker.call(Trace(seconds), Traced)).body

    async def record(self, *, on: bool) -> None:
        """Begin or end the recording of what viewers get."""
        await self._worker.call(Record(on), Done)

    async def push(self, url: str, token: str | None) -> str:
        """Push the broadcast to a WHIP server elsewhere; return the push's id."""
        return (await self._worker.call(Push(url, token), PushBegun)).push_id

    async def stop_push(self, push_id: str) -> None:
        """End a push."""
        await self._worker.call(StopPush(push_id), Done)

    def end(self) -> None:
        """Close everything."""
        if self._ending is None:
            self._ending = self._group.create_task(self._worker.dismiss())

    async def wait(self) -> None:
        """Return when the session is over.

        Raises:
            LiveLostError: The worker died.
        """
        await self._worker.gone.wait()
        if not self._worker.ended_well:
            raise LiveLostError("the worker process died")


def _heed(looking: "asyncio.Task[bytes | None]") -> None:
    """Take note of a failure, also where everybody who waited for the answer has left."""
    if not looking.cancelled():
        looking.exception()


class RemoteFrames:
    """A frame session in a worker process (the port `FrameSession`)."""

    def __init__(self, worker: WorkerProcess, group: asyncio.TaskGroup) -> None:
        self._worker = worker
        self._group = group
        self._ending: asyncio.Task[None] | None = None

    async def treat(self, frame: bytes, *, at: float) -> TreatedStill | None:
        """Take a frame; return one to show, or None while the delay fills."""
        still = await self._worker.call(Treat(at, frame), Still)
        return None if still.at is None else TreatedStill(still.body, still.at)

    async def set_policy(self, spec: StreamSpec) -> None:
        """Treat the next frame by `spec`."""
        await self._worker.call_with_spec(spec, SetPolicy)

    def end(self) -> None:
        """Let the worker go."""
        if self._ending is None:
            self._ending = self._group.create_task(self._worker.dismiss())
