"""The inside of a worker process: one live session, told what to do over a socket by the web process."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final, TypeAlias

import structlog

from mien.app.live.session import LiveSession
from mien.app.ports import FrameSession, PipelineFactory, Rehearses, StreamSpec
from mien.app.profiles import Costs
from mien.app.states import BroadcastState, LiveReport
from mien.errors import LiveError, LiveLostError, MessageError, MienError
from mien.media.webrtc.aiortc_internals import gather_within, prepare_dtls
from mien.memory import settle
from mien.priority import give_way
from mien.runners.channel import NO_CALL, Channel, Said, prepare
from mien.runners.local import LocalRunner
from mien.runners.messages import Configure, Failed, Message, Over, Report, Start, StartFrames
from mien.runners.verbs import FROM_WORKER, TO_WORKER, VERBS
from mien.runners.wire_forms import StreamForm, digest_of, unpack_stream

log = structlog.get_logger()

REPORT_EVERY_S: Final = 0.25
"""So often a worker tells how it is; one that falls silent is taken for dead."""
_REHEARSE_AFTER_S: Final = 10.0
"""A rehearsal takes a second of the processor. A worker that is wanted sooner does without: it was started for a
session that is being made, or sessions come and go as fast as workers do."""
_MAX_ASSETS: Final = 64
"""Two policies, the old and the new one, refer to fewer."""


Calibrator: TypeAlias = Callable[[PipelineFactory, Callable[[], bool]], Costs | None]
"""Measures what a frame costs by pipelines of a factory; gives up, and returns None, once the other returns True."""


def run_worker(
    connected: socket.socket, load_models: Callable[[], PipelineFactory], calibrator: Calibrator | None = None
) -> None:
    """Serve one live session until the web process ends it or is gone itself.

    Args:
        connected: The worker's end of the line.
        load_models: Returns the pipeline factory; may take seconds.
        calibrator: Measures the machine; without, that is not done.

    Raises:
        LiveLostError: The session broke.
    """
    asyncio.run(_Worker(load_models, calibrator=calibrator).serve(connected))


class _Worker:
    """Carries out what it is asked (the port `Host` of `verbs`)."""

    def __init__(
        self,
        load_models: Callable[[], PipelineFactory],
        *,
        calibrator: Calibrator | None = None,
        rehearse_after_s: float = _REHEARSE_AFTER_S,
    ) -> None:
        self._load_models = load_models
        self._calibrator = calibrator
        self._factory: PipelineFactory | None = None
        self._live: LiveSession | None = None
        self._frames: FrameSession | None = None
        self._assets: dict[str, bytes] = {}
        self._rehearse_after_s = rehearse_after_s
        self._dismissed = False
        self._taken = asyncio.Event()
        self._channel: Channel
        self._runner: LocalRunner
        self._group: asyncio.TaskGroup

    async def serve(self, connected: socket.socket) -> None:
        self._channel = await Channel.over(connected, hears=TO_WORKER)
        try:
            first = await self._channel.receive()
            if not isinstance(first.message, Configure):
                raise MessageError(f"the first message must be {Configure.kind}, got {first.message.kind}")  # noqa: TRY301  # ends as every broken line does
            gather_within(first.message.ice_network.settings)
            prepare_dtls()
            async with (
                LocalRunner(
                    self._loaded_factory, limits=first.message.limits, ice_servers=first.message.ice_servers
                ) as self._runner,
                asyncio.TaskGroup() as self._group,
            ):
                await self._answer(first)
                rehearsing = self._group.create_task(self._rehearse())
                listening = self._group.create_task(self._listen())
                while not self._is_over:
                    await asyncio.wait([listening], timeout=REPORT_EVERY_S)
                    await self._channel.send((NO_CALL, Report(self._report)))
                listening.cancel()
                rehearsing.cancel()
            if self._live is not None:
                await self._live.wait()
            await self._channel.send((NO_CALL, Over()))
        except* MessageError as errors:
            log.warning("web_process_protocol_error", reason=str(errors.exceptions[0]))
        except* LiveLostError:
            log.info("web_process_gone")  # the web process went away, or the session broke: nothing is left to do
        finally:
            self._dismissed = True  # what measures or rehearses on a thread of its own ends with the line
            await self._channel.close()

    async def _listen(self) -> None:
        while True:
            self._group.create_task(self._answer(await self._channel.receive()))

    async def _answer(self, said: Said) -> None:
        answer = await self._carry_out(said.message)
        if said.call != NO_CALL:
            await self._channel.send((NO_CALL, Report(self._report)), (said.call, answer))

    async def _rehearse(self) -> None:
        """Prepare, while no session has begun, what swaps need. What is left then is prepared when it is needed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._rehearse_after_s):
                await self._taken.wait()
        factory = self._factory
        if not isinstance(factory, Rehearses):
            return
        try:
            while not self._taken.is_set() and await asyncio.to_thread(factory.rehearse):
                pass
        except MienError as error:
            log.warning("rehearsal_failed", code=error.code, reason=str(error))  # whoever needs it is told again
        except Exception:
            log.exception("rehearsal_failed")
        if not self._taken.is_set():
            settle()

    async def _carry_out(self, asked: Message) -> Message:
        try:
            return await VERBS[type(asked)](self, asked)
        except MienError as error:
            return Failed.of(error)
        except Exception:
            log.exception("worker_call_failed", call=asked.kind)
            return Failed.of(LiveError("something broke in the live session"))

    # Host ---------------------------------------------------------------------------------------------------

    @property
    def live(self) -> LiveSession:
        if self._live is None:
            raise LiveError("the session has not begun")
        return self._live

    @property
    def frames(self) -> FrameSession:
        if self._frames is None:
            raise LiveError("the session has not begun")
        return self._frames

    @property
    def session(self) -> LiveSession | FrameSession:
        return self.live if self._frames is None else self._frames

    async def configure(self, _asked: Configure) -> None:
        prepare(TO_WORKER, FROM_WORKER)
        self._factory = await asyncio.to_thread(self._load_models)

    async def calibrate(self) -> Costs | None:
        if self._calibrator is None or self._taken.is_set():
            return None
        costs = await asyncio.to_thread(self._calibrator, self._loaded_factory(), self._is_wanted)
        if not self._is_wanted():
            settle()
        return costs

    def _is_wanted(self) -> bool:
        return self._taken.is_set() or self._dismissed

    def keep(self, asset: bytes) -> None:
        if len(self._assets) == _MAX_ASSETS:
            raise LiveError(f"at most {_MAX_ASSETS} assets are kept")
        self._assets[digest_of(asset)] = asset

    def stream_of(self, form: StreamForm) -> StreamSpec:
        spec, self._assets = unpack_stream(form, self._assets)
        return spec

    async def start(self, spec: StreamSpec, asked: Start) -> None:
        self._taken.set()
        self._runner.means = asked.means
        self._live = await self._runner.start(spec, name=asked.name)

    async def start_frames(self, spec: StreamSpec, asked: StartFrames) -> None:
        self._taken.set()
        give_way(all_threads=True)  # single pictures come after broadcasts
        self._frames = await self._runner.start_frames(spec, form=asked.form, name=asked.name)

    def end(self) -> None:
        self._dismissed = True
        if self._live is not None:
            self._live.end()

    # State --------------------------------------------------------------------------------------------------

    def _loaded_factory(self) -> PipelineFactory:
        if self._factory is None:
            self._factory = self._load_models()
        return self._factory

    @property
    def _report(self) -> LiveReport:
        return self._live.report if self._live is not None else LiveReport()

    @property
    def _is_over(self) -> bool:
        return self._dismissed if self._live is None else self._live.report.state is BroadcastState.ENDED
