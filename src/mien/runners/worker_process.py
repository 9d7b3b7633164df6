"""The parent side of one worker process: started, asked, listened to, and noticed when it dies or hangs."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Final, Self, TypeVar

import structlog

from mien.app.ports import StreamSpec
from mien.app.states import BroadcastState, LiveReport, Load
from mien.errors import LiveLostError, MessageError, MienError
from mien.runners.awake_clock import AwakeClock
from mien.runners.channel import NO_CALL, Channel, Said
from mien.runners.messages import Asset, Configure, Done, End, Failed, Message, Over, Report
from mien.runners.spawning import Child, spawn
from mien.runners.verbs import FROM_WORKER
from mien.runners.wire_forms import StreamForm, pack_stream

log = structlog.get_logger()

_SILENT_S: Final = 10.0
"""A worker reports four times a second; one that says nothing for so long hangs."""
_QUIET_S: Final = 1.5
"""From then on nobody is told that it is live: whatever it does, no frame is known to leave."""
_CALL_S: Final = 30.0
_WARM_UP_S: Final = 120.0
_LEAVE_S: Final = 6.0
_BROKE: Final = "the live session broke; it is being started again"

Answer = TypeVar("Answer", bound=Message)


class WorkerProcess:
    """One worker process, as the web process sees it.

    Args:
        process: It.
        channel: Our end of the line.
        clock: Tells how long our own loop could have heard it.
    """

    def __init__(self, process: Child, channel: Channel, clock: AwakeClock) -> None:
        self.ended_well = False
        self.gone = asyncio.Event()
        self._process = process
        self._channel = channel
        self._clock = clock
        self._numbers: Iterator[int] = itertools.count(1)
        self._ready = False
        self._is_let_go = False
        self._reported = LiveReport()
        self._reported_at = clock.now()
        self._waiting: dict[int, tuple[type[Message], asyncio.Future[Message]]] = {}
        self._assets: set[str] = set()

    @classmethod
    async def spawn(cls, command: Sequence[str], clock: AwakeClock, starter: Executor) -> Self:
        """Start a process on the thread of `starter`.

        Raises:
            OSError: It cannot be started.
        """
        return cls(*await spawn(command, hears=FROM_WORKER, starter=starter), clock)

    @property
    def pid(self) -> int:
        """The process id."""
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
                    said = await self._channel.receive()
                self._take(said)
        except MessageError as error:
            log.warning("worker_protocol_error", worker_pid=self.pid, reason=str(error))
            self.kill()  # whoever speaks there, it is not what was started
        except LiveLostError:
            pass
        except TimeoutError:
            log.warning("worker_fell_silent", worker_pid=self.pid)
            self.kill()
        finally:
            self.gone.set()
            for _, waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(LiveLostError(_BROKE))
            await self._channel.close()
            await self._bury()

    async def configure(self, settings: Configure) -> None:
        """Hand over the settings and wait until the models are loaded.

        Raises:
            ModelError: A model cannot be had.
            LiveLostError: The process died.
        """
        await self._call([], settings, Done, timeout_s=_WARM_UP_S)
        self._ready = True

    async def call(self, asked: Message, answer: type[Answer]) -> Answer:
        """Have the worker do something; return what it answers, which must be an `answer`.

        Raises:
            MienError: Whatever the live session raised.
            LiveLostError: The process died or does not answer.
        """
        return await self._call([], asked, answer, timeout_s=_CALL_S)

    async def call_with_spec(self, spec: StreamSpec, ask: Callable[[StreamForm], Message]) -> None:
        """Have the worker do something with a spec. The assets that it lacks go first.

        Args:
            spec: What the stream is to get.
            ask: Returns the message for its form.

        Raises:
            MienError: Whatever the live session raised.
            LiveLostError: The process died or does not answer.
        """
        form, assets = pack_stream(spec)
        new = [Asset(data) for digest, data in assets.items() if digest not in self._assets]
        self._assets = set(assets)  # a worker forgets what its last policy does not refer to
        await self._call(new, ask(form), Done, timeout_s=_CALL_S)

    async def dismiss(self) -> None:
        """Let the process end; return when it has."""
        self._is_let_go = True
        with contextlib.suppress(MienError):
            await self._call([], End(), Done, timeout_s=_LEAVE_S)
        try:
            async with self._clock.timeout(_LEAVE_S):
                await self.gone.wait()
        except TimeoutError:
            self.kill()

    async def _call(self, assets: Sequence[Asset], asked: Message, answer: type[Answer], *, timeout_s: float) -> Answer:
        if self.is_gone:
            raise LiveLostError(_BROKE)
        number = next(self._numbers)
        waiting: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer, waiting
        try:
            async with self._clock.timeout(timeout_s):
                await self._channel.send(*((NO_CALL, asset) for asset in assets), (number, asked))
                answered = await waiting
        except TimeoutError:
            raise LiveLostError(f"the live session did not answer within {timeout_s:.0f} s") from None
        finally:
            del self._waiting[number]
        assert isinstance(answered, answer)  # noqa: S101  # `_take` lets no other pass
        return answered

    def _take(self, said: Said) -> None:
        match said.message:
            case Report(report):
                self._reported, self._reported_at = report, self._clock.now()
            case Over():
                self.ended_well = True
            case answered if said.call in self._waiting:
                answer, waiting = self._waiting[said.call]
                if not isinstance(answered, answer | Failed):
                    raise MessageError(f"a call was answered by {answered.kind}, which is no {answer.kind}")
                if waiting.done():
                    return
                if isinstance(answered, Failed):
                    waiting.set_exception(answered.error)
                else:
                    waiting.set_result(answered)
            case _:
                pass  # who asked has given up

    async def _bury(self) -> None:
        """Wait for the process, whose line is closed, to end; it gets no second wait."""
        try:
            async with self._clock.timeout(_LEAVE_S):
                code = await self._process.wait()
        except TimeoutError:
            self.kill()
            code = await self._process.wait()
        if not (self.ended_well or self._is_let_go):
            log.warning("worker_died", worker_pid=self.pid, exit_code=code)

    def kill(self) -> None:
        """End the process at once."""
        self._is_let_go = True
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
