"""One worker process as the web process sees it: started, asked, listened to, and noticed when it dies or hangs."""

import asyncio
import contextlib
import itertools
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, Self

import structlog

from mien.app.states import BroadcastState, LiveCounts, LiveReport, LiveStats, Load, PushReport, RecordingReport
from mien.errors import LiveLostError, MienError
from mien.runners.awake import AwakeClock
from mien.runners.channel import Channel, Frame
from mien.runners.spawning import spawn

log = structlog.get_logger()

_SILENT_S: Final = 10.0
"""A worker reports four times a second; one that says nothing for so long hangs."""
_QUIET_S: Final = 1.5
"""From then on nobody is told that it is live: whatever it does, no picture is known to leave."""
_CALL_S: Final = 30.0
_WARM_UP_S: Final = 120.0
_LEAVE_S: Final = 6.0


class WorkerProcess:
    """One worker process, as the web process sees it.

    Args:
        process: It.
        channel: Our end of the line.
        clock: Tells how long our own loop could have heard it.
    """

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel, clock: AwakeClock) -> None:
        self.ended_well = False
        self.gone = asyncio.Event()
        self._process = process
        self._channel = channel
        self._clock = clock
        self._numbers: Iterator[int] = itertools.count(1)
        self._ready = False
        self._reported = LiveReport()
        self._reported_at = clock.now()
        self._waiting: dict[int, asyncio.Future[tuple[Any, bytes]]] = {}

    @classmethod
    async def spawn(cls, command: Sequence[str], clock: AwakeClock) -> Self:
        """Start a process.

        Raises:
            OSError: It cannot be started.
        """
        return cls(*await spawn(command), clock)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def report(self) -> LiveReport:
        """What it last said; a worker that has fallen silent is not taken at its word that it is live."""
        quiet = self._clock.now() - self._reported_at > _QUIET_S
        if quiet and self._reported.state is BroadcastState.LIVE:
            late = replace(self._reported.stats, load=Load.OVERLOADED)
            return replace(self._reported, state=BroadcastState.PAUSED, stats=late)
        return self._reported

    @property
    def is_gone(self) -> bool:
        """Whether it has ended or died."""
        return self.gone.is_set()

    async def run(self) -> None:
        """Listen until the process is gone, and see to it that it is."""
        try:
            while True:
                async with self._clock.timeout(_SILENT_S if self._ready else _WARM_UP_S):
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

    async def call(self, verb: str, **spec: Any) -> tuple[Any, bytes]:
        """Have the worker do something; return what it answers, and the bytes that come with it.

        Raises:
            MienError: Whatever the live session raised.
            LiveLostError: The process died or does not answer.
        """
        return await self._call(verb, pickle.dumps(spec), timeout_s=_CALL_S)

    async def dismiss(self) -> None:
        """Let the process end; return when it has."""
        with contextlib.suppress(MienError):
            await self._call("end", pickle.dumps({}), timeout_s=_LEAVE_S)
        try:
            async with self._clock.timeout(_LEAVE_S):
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
            async with self._clock.timeout(timeout_s):
                await self._channel.send({"id": number, "call": verb}, body)
                return await answer
        except TimeoutError:
            raise LiveLostError(f"the live session did not answer within {timeout_s:.0f} s") from None
        finally:
            del self._waiting[number]

    def _take(self, frame: Frame) -> None:
        head = frame.head
        if "report" in head:
            self._reported, self._reported_at = _report_of(head["report"]), self._clock.now()
        if head.get("over"):
            self.ended_well = True
        waiting = self._waiting.get(head["id"]) if "id" in head else None
        if waiting is None or waiting.done():
            return
        if "error" in head:
            waiting.set_exception(error_of(str(head["error"]["code"]), str(head["error"]["text"])))
        else:
            waiting.set_result((head["result"], frame.body))

    async def _bury(self) -> None:
        """Wait for the process, whose line is closed, to end; it gets no second wait."""
        try:
            async with self._clock.timeout(_LEAVE_S):
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


def _report_of(plain: dict[str, Any]) -> LiveReport:
    stats = dict(plain["stats"])
    counts, size_wh, recording = stats.pop("counts"), stats.pop("size_wh"), stats.pop("recording")
    pushes = stats.pop("pushes")
    return LiveReport(
        state=BroadcastState(plain["state"]),
        stats=LiveStats(
            **stats | {"load": Load(stats["load"])},
            size_wh=None if size_wh is None else (int(size_wh[0]), int(size_wh[1])),
            recording=recording and RecordingReport(**recording | {"files": tuple(recording["files"])}),
            pushes={push_id: PushReport(**push) for push_id, push in pushes.items()},
            counts=LiveCounts(**counts | {"delays": tuple(counts["delays"])}),
        ),
        idle_s=float(plain["idle_s"]),
    )


def error_of(code: str, text: str) -> MienError:
    """Return the error that a worker names by its code."""
    kinds: list[type[MienError]] = [MienError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    found = next((kind for kind in reversed(kinds) if kind.code == code), MienError)
    return found(text)
