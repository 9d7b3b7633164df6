"""The web process's side of workers: starts them, keeps a warm one at hand, lets go of those that died."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Final, Self

import structlog

from mien.app.face_photos import LentFor
from mien.app.people.file import PackedPerson
from mien.app.personas.file import PackedReference
from mien.app.ports import RunnerHealth, StreamSpec
from mien.app.profiles import Means
from mien.app.states import BroadcastState, LiveLimits
from mien.errors import LiveLostError, MienError, ModelError, PolicyError
from mien.media.files.frame_codec import FrameFormat
from mien.media.webrtc.ice.network import DEFAULT_ICE_NETWORK, IceNetworkSettings
from mien.media.webrtc.peer import IceServer
from mien.priority import give_way
from mien.runners.awake_clock import AwakeClock
from mien.runners.messages import Calibrate, Calibrated, Configure, Message, Start, StartFrames
from mien.runners.photo_worker_pool import PhotoWorkerPool
from mien.runners.remote import RemoteFrames, RemoteLive
from mien.runners.spawning import starting_thread
from mien.runners.wire_forms import IceNetworkForm, StreamForm
from mien.runners.worker_process import WorkerProcess

log = structlog.get_logger()

_SPARE_AFTER_S: Final = 5.0
"""The next warm worker is not started while the one before goes live: it costs a second of CPU."""
_LONGEST_PAUSE_S: Final = 60.0
"""Waiting workers that are lost soon after each other double the pause, up to this: what kills them may not pass."""
_SOON_S: Final = 2 * _LONGEST_PAUSE_S
_CALIBRATIONS: Final = 3
"""So often the machine is measured in vain. Where no face was seen or a worker died, the next will fare no better."""


class ProcessRunner:
    """Runs every live session in a process of its own (the port `Runner`). Use as `async with`.

    Args:
        command: Starts a worker; the number of its socket's file descriptor is appended.
        limits: For each live session.
        ice_servers: For all peer connections.
        ice_network: Where they can be reached.
        spares: So many workers wait, models loaded, for the next broadcast.
        photos: Has photos read; None takes none.
        means: What broadcasts may count on. A worker that waits measures what it lacks, while nobody is live.
        steps_back: Whether the thread that opens this gives way to the workers, for good.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        limits: LiveLimits,
        ice_servers: Sequence[IceServer] = (),
        ice_network: IceNetworkSettings = DEFAULT_ICE_NETWORK,
        spares: int = 1,
        photos: PhotoWorkerPool | None = None,
        means: Means | None = None,
        steps_back: bool = False,
    ) -> None:
        self._command = tuple(command)
        self._settings = Configure(limits, tuple(ice_servers), IceNetworkForm.of(ice_network))
        self._spares_wanted = spares
        self._photos = photos
        self._means = means
        self._calibrations_left = _CALIBRATIONS
        self._steps_back = steps_back
        self._open = contextlib.ExitStack()
        self._starter: Executor
        self._spares: list[asyncio.Task[WorkerProcess | None]] = []
        self._pause_s = _SPARE_AFTER_S
        self._lost_at = -math.inf
        self._workers: set[WorkerProcess] = set()
        self._clock = AwakeClock()
        self._health: tuple[RunnerHealth, str | None] = ("warming", None) if spares else ("ok", None)
        self._group = asyncio.TaskGroup()
        self._changed = asyncio.Event()
        self._changed.set()
        self._keeper: asyncio.Task[None]
        self._ticker: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._starter = self._open.enter_context(starting_thread())
        if self._steps_back:
            give_way()
        # Not of the group: deadlines of workers that are being let go count on it to the very end.
        self._ticker = asyncio.create_task(self._clock.run())
        self._keeper = self._group.create_task(self._keep_spares())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for task in (self._keeper, *self._spares):
                task.cancel()
            await asyncio.gather(*(worker.dismiss() for worker in tuple(self._workers)))
            await self._group.__aexit__(kind, error, trace)
        finally:
            self._ticker.cancel()
            self._open.close()

    @property
    def health(self) -> tuple[RunnerHealth, str | None]:
        """Whether workers can be started, and if not, why."""
        return self._health

    @property
    def means(self) -> Means | None:
        """What a further broadcast may count on, beside those that are live."""
        if self._means is None:
            return None
        return replace(self._means, others=self._live_beside(None))

    def _live_beside(self, one: WorkerProcess | None) -> int:
        """Return how many workers carry a live broadcast, but for one."""
        live = {BroadcastState.LIVE, BroadcastState.PAUSED}
        return sum(worker.report.state in live for worker in self._workers if worker is not one)

    async def start(self, spec: StreamSpec, *, name: str) -> RemoteLive:
        """Return a session in a worker that was waiting, or in a new one.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
            LiveLostError: The worker died.
        """
        worker = await self._worker_that(spec, partial(Start, name=name, means=self.means))
        log.info("worker_took_over", worker_pid=worker.pid, broadcast=name)
        return RemoteLive(worker, self._group, others=partial(self._live_beside, worker))

    async def read_reference(self, photos: Sequence[bytes], *, use: LentFor) -> PackedReference | PackedPerson:
        """Have photo files of one face read, as a persona or to know somebody by, in a process of their own.

        Raises:
            BusyError: As many are being read as may.
            MediaError: A file is no photo that can be used, or takes more memory or time than it may.
            FacePhotoError: A photo cannot serve as a face; it carries what was found in every one.
            ModelError: A model cannot be had.
        """
        if self._photos is None:
            raise PolicyError("this server takes no photos")
        return await self._photos.read(photos, use=use)

    async def start_frames(self, spec: StreamSpec, *, form: FrameFormat, name: str) -> RemoteFrames:
        """Return a session that treats single frames, in a process of its own.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
            LiveLostError: The worker died.
        """
        worker = await self._worker_that(spec, partial(StartFrames, form=form, name=name))
        log.info("worker_took_over", worker_pid=worker.pid, frames=name)
        return RemoteFrames(worker, self._group)

    async def _worker_that(self, spec: StreamSpec, ask: Callable[[StreamForm], Message]) -> WorkerProcess:
        worker = await self._ready_worker()
        try:
            await worker.call_with_spec(spec, ask)
        except BaseException:
            await worker.dismiss()
            raise
        return worker

    async def _ready_worker(self) -> WorkerProcess:
        self._changed.set()
        while self._spares:
            spare = self._spares.pop(0)
            try:
                worker = await asyncio.shield(spare)
            except asyncio.CancelledError:
                self._spares.insert(0, spare)  # whoever asked left; the next one may have it
                raise
            if worker is not None and not worker.is_gone:
                return worker
        return await self._new_worker()

    async def _keep_spares(self) -> None:
        await self._changed.wait()
        while True:
            self._changed.clear()
            for _ in range(self._spares_wanted - len(self._spares)):
                spare = self._group.create_task(self._spare())
                self._spares.append(spare)  # who wants one meanwhile waits for it
                await asyncio.wait([spare])
                if spare.result() is None:
                    self._lose(spare)
                    break
            await self._calibrate()
            await self._changed.wait()
            await asyncio.sleep(self._pause_s)

    def _lose(self, spare: asyncio.Task[WorkerProcess | None]) -> None:
        """Have a spare made anew that is none any more; the pause before that is longer where others were lost soon."""
        if spare in self._spares:
            self._spares.remove(spare)
        now = self._clock.now()
        is_soon, self._lost_at = now - self._lost_at < _SOON_S, now
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S) if is_soon else _SPARE_AFTER_S
        if self._health[0] != "broken" and not self._waiting:
            self._health = ("broken", "processes for live sessions die") if is_soon else ("warming", None)
        self._changed.set()

    async def _calibrate(self) -> None:
        """Have a worker that waits measure what a frame costs here, unless that is known or a session goes on."""
        means = self._means
        waiting = self._waiting
        if means is None or means.costs is not None or not waiting or self._workers.difference(waiting):
            return
        if not self._calibrations_left:
            return
        worker, costs = waiting[0], None
        with contextlib.suppress(MienError):  # it died, or takes too long: the next one is asked
            costs = (await worker.call(Calibrate(), Calibrated)).costs
        if costs is not None:
            self._means = replace(means, costs=costs)
            log.info("calibrated", costs=costs)
        elif worker in self._waiting or worker.is_gone:  # else somebody went live, and it is made up for
            self._calibrations_left -= 1

    @property
    def _waiting(self) -> list[WorkerProcess]:
        return [worker for spare in self._spares if (worker := _made(spare)) is not None]

    async def _spare(self) -> WorkerProcess | None:
        try:
            return await self._new_worker()
        except MienError:
            return None

    async def _new_worker(self) -> WorkerProcess:
        try:
            worker = await WorkerProcess.spawn(self._command, self._clock, self._starter)
        except OSError as error:
            self._health = "broken", "processes for live sessions cannot be started"
            log.warning("worker_not_started", reason=str(error))
            raise LiveLostError("a process for the live session could not be started") from error
        self._workers.add(worker)
        self._group.create_task(self._watch_over(worker))
        try:
            await worker.configure(self._settings)
        except MienError as error:
            known = isinstance(error, ModelError)
            self._health = "broken", str(error) if known else "live sessions cannot be started; the log says why"
            log.warning("worker_not_started", code=error.code, reason=str(error))
            worker.kill()
            raise
        except BaseException:
            worker.kill()
            raise
        self._health = "ok", None
        return worker

    async def _watch_over(self, worker: WorkerProcess) -> None:
        try:
            await worker.run()
        finally:
            self._workers.discard(worker)
            for spare in [spare for spare in self._spares if _made(spare) is worker]:
                self._lose(spare)
            self._changed.set()  # with nobody live, what a frame costs can be measured


def _made(spare: asyncio.Task[WorkerProcess | None]) -> WorkerProcess | None:
    return spare.result() if spare.done() and not spare.cancelled() else None
