"""The web process's side of workers: starts them, keeps a warm one at hand, notices when one dies."""

import asyncio
import contextlib
import itertools
import pickle
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

import structlog

from mien.errors import LiveLostError, MienError, ModelError
from mien.media.frame_codec import FrameFormat
from mien.media.peer import IceServer
from mien.media.reach import DEFAULT_REACH, Reach
from mien.media.sdp import Fragment, Offer
from mien.sessions.ports import Connected, LivePolicy, Role, RunnerHealth, TreatedPicture
from mien.sessions.states import (
    BroadcastState,
    LiveCounts,
    LiveLimits,
    LiveReport,
    LiveStats,
    PushReport,
    RecordingReport,
)
from mien.workers.wire import Channel, Frame

log = structlog.get_logger()

_SILENT_S: Final = 10.0
"""A worker reports four times a second; one that says nothing for so long hangs."""
_QUIET_S: Final = 1.5
"""From then on nobody is told that it is live: whatever it does, no picture is known to leave."""
_CALL_S: Final = 30.0
_WARM_UP_S: Final = 120.0
_LEAVE_S: Final = 6.0
_SPARE_AFTER_S: Final = 5.0
"""The next warm worker is not started while the one before goes live: it costs a second of CPU."""


class ProcessRunner:
    """Runs every live session in a process of its own (the port `Runner`). Use as `async with`.

    Args:
        command: Starts a worker; the number of its socket's file descriptor is appended.
        limits: For each live session.
        ice_servers: For all peer connections.
        reach: Where they can be reached.
        spares: So many workers wait, models loaded, for the next broadcast.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        limits: LiveLimits,
        ice_servers: Sequence[IceServer] = (),
        reach: Reach = DEFAULT_REACH,
        spares: int = 1,
    ) -> None:
        self._command = tuple(command)
        self._settings = pickle.dumps((limits, tuple(ice_servers), reach))
        self._spares_wanted = spares
        self._spares: list[asyncio.Task[_Worker | None]] = []
        self._workers: set[_Worker] = set()
        self._health: tuple[RunnerHealth, str | None] = ("warming", None) if spares else ("ok", None)
        self._group = asyncio.TaskGroup()
        self._taken = asyncio.Event()
        self._taken.set()
        self._keeper: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._keeper = self._group.create_task(self._keep_spares())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (self._keeper, *self._spares):
            task.cancel()
        await asyncio.gather(*(worker.dismiss() for worker in tuple(self._workers)))
        await self._group.__aexit__(kind, error, trace)

    @property
    def health(self) -> tuple[RunnerHealth, str | None]:
        """Whether workers can be started, and if not, why."""
        return self._health

    async def start(self, policy: LivePolicy, *, name: str) -> "RemoteLive":
        """Return a session in a worker that was waiting, or in a new one.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy contradicts itself.
            ModelError: A model cannot be had.
            LiveLostError: The worker died.
        """
        worker = await self._worker_that("start", policy=policy, name=name)
        log.info("worker_took_over", worker_pid=worker.pid, broadcast=name)
        return RemoteLive(worker, self._group)

    async def start_frames(self, policy: LivePolicy, *, form: FrameFormat, name: str) -> "RemoteFrames":
        """Return a session that treats single pictures, in a process of its own.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy contradicts itself.
            ModelError: A model cannot be had.
            LiveLostError: The worker died.
        """
        worker = await self._worker_that("start_frames", policy=policy, form=form, name=name)
        log.info("worker_took_over", worker_pid=worker.pid, frames=name)
        return RemoteFrames(worker, self._group)

    async def _worker_that(self, verb: str, **wish: Any) -> "_Worker":
        worker = await self._ready_worker()
        try:
            await worker.call(verb, **wish)
        except BaseException:
            await worker.dismiss()
            raise
        return worker

    async def _ready_worker(self) -> "_Worker":
        self._taken.set()
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
        pause_s = 0.0
        while True:
            await self._taken.wait()
            self._taken.clear()
            await asyncio.sleep(pause_s)
            pause_s = _SPARE_AFTER_S
            for _ in range(self._spares_wanted - len(self._spares)):
                spare = self._group.create_task(self._spare())
                self._spares.append(spare)  # who wants one meanwhile waits for it
                await asyncio.wait([spare])

    async def _spare(self) -> "_Worker | None":
        try:
            return await self._new_worker()
        except MienError:
            return None

    async def _new_worker(self) -> "_Worker":
        try:
            worker = await _Worker.spawn(self._command)
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

    async def _watch_over(self, worker: "_Worker") -> None:
        try:
            await worker.run()
        finally:
            self._workers.discard(worker)


class _Worker:
    """One worker process, as the web process sees it."""

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self.ended_well = False
        self.gone = asyncio.Event()
        self._process = process
        self._channel = channel
        self._numbers: Iterator[int] = itertools.count(1)
        self._ready = False
        self._reported = LiveReport()
        self._reported_at = time.monotonic()
        self._waiting: dict[int, asyncio.Future[tuple[Any, bytes]]] = {}

    @classmethod
    async def spawn(cls, command: Sequence[str]) -> Self:
        """Start a process.

        Raises:
            OSError: It cannot be started.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command, str(theirs.fileno()), pass_fds=[theirs.fileno()], stdin=asyncio.subprocess.DEVNULL
                )
            except BaseException:
                ours.close()
                raise
        return cls(process, await Channel.over(ours))

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def report(self) -> LiveReport:
        """What it last said; a worker that has fallen silent is not taken at its word that it is live."""
        quiet = time.monotonic() - self._reported_at > _QUIET_S
        if quiet and self._reported.state is BroadcastState.LIVE:
            return replace(self._reported, state=BroadcastState.PAUSED)
        return self._reported

    @property
    def is_gone(self) -> bool:
        """Whether it has ended or died."""
        return self.gone.is_set()

    async def run(self) -> None:
        """Listen until the process is gone, and see to it that it is."""
        try:
            while True:
                async with asyncio.timeout(_SILENT_S if self._ready else _WARM_UP_S):
                    frame = await self._channel.receive()
                self._take(frame)
        except LiveLostError:
            pass
        except TimeoutError:
            log.warning("worker_fell_silent", worker_pid=self.pid)
            self.kill()
        except (KeyError, TypeError, ValueError) as error:
            log.warning("worker_spoke_nonsense", worker_pid=self.pid, error=type(error).__name__)
        finally:
            self.gone.set()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(LiveLostError("the live session broke; it is being started again"))
            await self._channel.close()
            await self._bury()

    async def configure(self, settings: bytes) -> None:
        """Hand over the settings and wait until the models are loaded.

        Raises:
            ModelError: A model cannot be had.
            LiveLostError: The process died.
        """
        await self._call("configure", settings, timeout_s=_WARM_UP_S)
        self._ready = True

    async def call(self, verb: str, **wish: Any) -> tuple[Any, bytes]:
        """Have the worker do something; return what it answers, and the bytes that come with it.

        Raises:
            MienError: Whatever the live session raised.
            LiveLostError: The process died or does not answer.
        """
        return await self._call(verb, pickle.dumps(wish), timeout_s=_CALL_S)

    async def dismiss(self) -> None:
        """Let the process end; return when it has."""
        with contextlib.suppress(MienError):
            await self._call("end", pickle.dumps({}), timeout_s=_LEAVE_S)
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self.gone.wait()
        except TimeoutError:
            self.kill()

    async def _call(self, verb: str, body: bytes, *, timeout_s: float) -> tuple[Any, bytes]:
        if self.is_gone:
            raise LiveLostError("the live session broke; it is being started again")
        number = next(self._numbers)
        answer: asyncio.Future[tuple[Any, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(timeout_s):
                await self._channel.send({"id": number, "call": verb}, body)
                return await answer
        except TimeoutError:
            raise LiveLostError(f"the live session did not answer within {timeout_s:.0f} s") from None
        finally:
            del self._waiting[number]

    def _take(self, frame: Frame) -> None:
        head = frame.head
        if "report" in head:
            self._reported, self._reported_at = _report_of(head["report"]), time.monotonic()
        if head.get("over"):
            self.ended_well = True
        waiting = self._waiting.get(head["id"]) if "id" in head else None
        if waiting is None or waiting.done():
            return
        if "error" in head:
            waiting.set_exception(_error_of(str(head["error"]["code"]), str(head["error"]["text"])))
        else:
            waiting.set_result((head["result"], frame.body))

    async def _bury(self) -> None:
        """Wait for the process, whose line is closed, to end; it gets no second wait."""
        try:
            async with asyncio.timeout(_LEAVE_S):
                code = await self._process.wait()
        except TimeoutError:
            self.kill()
            code = await self._process.wait()
        if not self.ended_well:
            log.warning("worker_died", worker_pid=self.pid, exit_code=code)

    def kill(self) -> None:
        """End the process at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


class RemoteLive:
    """A live session in a worker process (the port `Live`)."""

    def __init__(self, worker: _Worker, group: asyncio.TaskGroup) -> None:
        self._worker = worker
        self._group = group
        self._ending: asyncio.Task[None] | None = None

    @property
    def report(self) -> LiveReport:
        """What the worker last said."""
        return self._worker.report

    async def publish(self, offer: Offer) -> Connected:
        """Take a publisher."""
        answer, _ = await self._worker.call("publish", offer=offer)
        return Connected(**answer)

    async def watch(self, offer: Offer, *, is_audience: bool = True) -> Connected:
        """Take a viewer."""
        answer, _ = await self._worker.call("watch", offer=offer, is_audience=is_audience)
        return Connected(**answer)

    async def check(self, session_id: str, role: Role) -> None:
        """Let pass who names a session that is there."""
        await self._worker.call("check", session_id=session_id, role=role)

    async def trickle(self, session_id: str, fragment: Fragment) -> None:
        """Add a peer's late ICE candidates."""
        await self._worker.call("trickle", session_id=session_id, fragment=fragment)

    async def hang_up(self, session_id: str) -> None:
        """End one peer's session."""
        await self._worker.call("hang_up", session_id=session_id)

    async def use(self, policy: LivePolicy) -> None:
        """Treat the next picture by `policy`."""
        await self._worker.call("use", policy=policy)

    async def thumbnail(self) -> bytes | None:
        """Return a small JPEG of what viewers see."""
        _, jpeg = await self._worker.call("thumbnail")
        return jpeg or None

    async def record(self, *, on: bool) -> None:
        """Begin or end the recording of what viewers get."""
        await self._worker.call("record", on=on)

    async def push(self, url: str, token: str | None) -> str:
        """Push the broadcast to a WHIP server elsewhere; return the push's id."""
        push_id, _ = await self._worker.call("push", url=url, token=token)
        return str(push_id)

    async def stop_push(self, push_id: str) -> None:
        """End a push."""
        await self._worker.call("stop_push", push_id=push_id)

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


class RemoteFrames:
    """A frame session in a worker process (the port `FrameSession`)."""

    def __init__(self, worker: _Worker, group: asyncio.TaskGroup) -> None:
        self._worker = worker
        self._group = group
        self._ending: asyncio.Task[None] | None = None

    async def treat(self, picture: bytes, *, at: float) -> TreatedPicture | None:
        """Take a picture; return one to show, or None while the delay fills."""
        answer, data = await self._worker.call("treat", picture=picture, at=at)
        return None if answer is None else TreatedPicture(data, float(answer["at"]))

    async def use(self, policy: LivePolicy) -> None:
        """Treat the next picture by `policy`."""
        await self._worker.call("use", policy=policy)

    def end(self) -> None:
        """Let the worker go."""
        if self._ending is None:
            self._ending = self._group.create_task(self._worker.dismiss())


def _report_of(plain: dict[str, Any]) -> LiveReport:
    stats = dict(plain["stats"])
    counts, size_wh, recording = stats.pop("counts"), stats.pop("size_wh"), stats.pop("recording")
    pushes = stats.pop("pushes")
    return LiveReport(
        state=BroadcastState(plain["state"]),
        stats=LiveStats(
            **stats,
            size_wh=None if size_wh is None else (int(size_wh[0]), int(size_wh[1])),
            recording=recording and RecordingReport(**recording | {"files": tuple(recording["files"])}),
            pushes={push_id: PushReport(**push) for push_id, push in pushes.items()},
            counts=LiveCounts(**counts | {"delays": tuple(counts["delays"])}),
        ),
        idle_s=float(plain["idle_s"]),
    )


def _error_of(code: str, text: str) -> MienError:
    """Return the error that a worker names by its code."""
    kinds: list[type[MienError]] = [MienError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    found = next((kind for kind in reversed(kinds) if kind.code == code), MienError)
    return found(text)
