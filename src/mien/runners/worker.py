"""The inside of a worker process: one live session, told what to do over a socket by the web process."""

import asyncio
import pickle
import socket
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final

import structlog

from mien.app.live.session import LiveSession
from mien.app.ports import FrameSession, PipelineFactory, TreatedStill
from mien.app.states import BroadcastState, LiveReport
from mien.errors import LiveError, LiveLostError, MienError
from mien.media.webrtc.aiortc_internals import gather_within, prepare_dtls
from mien.runners.channel import Channel
from mien.runners.local import LocalRunner
from mien.runners.stream_spec import PackedSpec, unpacked

log = structlog.get_logger()

_OWN_VERBS: Final = {"start", "start_frames", "use", "end"}
REPORT_EVERY_S: Final = 0.25
"""So often a worker tells how it is; one that falls silent is taken for dead."""


def run_worker(connected: socket.socket, load_models: Callable[[], PipelineFactory]) -> None:
    """Serve one live session until the web process ends it or is gone itself.

    Args:
        connected: The worker's end of the line.
        load_models: Returns the pipeline factory; may take seconds.

    Raises:
        LiveLostError: The session broke.
    """
    asyncio.run(_Worker(load_models).serve(connected))


class _Worker:
    def __init__(self, load_models: Callable[[], PipelineFactory]) -> None:
        self._load_models = load_models
        self._eyes: PipelineFactory | None = None
        self._live: LiveSession | None = None
        self._frames: FrameSession | None = None
        self._dismissed = False
        self._channel: Channel
        self._runner: LocalRunner
        self._group: asyncio.TaskGroup

    async def serve(self, connected: socket.socket) -> None:
        self._channel = await Channel.over(connected)
        try:
            first = await self._channel.receive()
            limits, ice_servers, reach = _unpickled(first.body)
            gather_within(reach)
            prepare_dtls()
            async with (
                LocalRunner(self._eyes_of_this_process, limits=limits, ice_servers=ice_servers) as self._runner,
                asyncio.TaskGroup() as self._group,
            ):
                await self._answer(first.head["id"], "configure", self._warm_up, {})
                listening = self._group.create_task(self._listen())
                while not self._is_over:
                    await asyncio.wait([listening], timeout=REPORT_EVERY_S)
                    await self._channel.send({"report": asdict(self._report)})
                listening.cancel()
            if self._live is not None:
                await self._live.wait()
            await self._channel.send({"over": True})
        except* LiveLostError:
            log.info("worker_alone")  # the web process went away, or the session broke: nothing is left to do
        finally:
            await self._channel.close()

    async def _listen(self) -> None:
        while True:
            frame = await self._channel.receive()
            verb = str(frame.head["call"])
            method = getattr(self, f"_{verb}") if verb in _OWN_VERBS else self._verb_of_session(verb)
            self._group.create_task(self._answer(frame.head["id"], verb, method, _unpickled(frame.body)))

    async def _answer(
        self, number: int, verb: str, method: Callable[..., Awaitable[Any]], spec: dict[str, Any]
    ) -> None:
        reply: dict[str, Any] = {"id": number, "result": None}
        body = b""
        try:
            result = await method(**spec)
            if isinstance(result, TreatedStill):
                reply["result"], body = {"at": result.at}, result.data
            elif isinstance(result, bytes):
                body = result
            elif isinstance(result, str):
                reply["result"] = result
            elif result is not None:
                reply["result"] = asdict(result)
        except MienError as error:
            reply["error"] = {"code": error.code, "text": str(error)}
        except Exception:
            log.exception("worker_call_failed", call=verb)
            reply["error"] = {"code": LiveError.code, "text": "something broke in the live session"}
        reply["report"] = asdict(self._report)
        await self._channel.send(reply, body)

    # Verbs --------------------------------------------------------------------------------------------------

    async def _warm_up(self) -> None:
        self._eyes = await asyncio.to_thread(self._load_models)

    async def _start(self, *, spec: PackedSpec, **more: Any) -> None:
        self._live = await self._runner.start(unpacked(spec), **more)

    async def _start_frames(self, *, spec: PackedSpec, **more: Any) -> None:
        self._frames = await self._runner.start_frames(unpacked(spec), **more)

    async def _use(self, *, spec: PackedSpec) -> None:
        await self._session.use(unpacked(spec))

    async def _end(self) -> None:
        self._dismissed = True
        if self._live is not None:
            self._live.end()

    def _verb_of_session(self, verb: str) -> Callable[..., Awaitable[Any]]:
        async def call(**spec: Any) -> Any:
            return await getattr(self._session, verb)(**spec)

        return call

    @property
    def _session(self) -> LiveSession | FrameSession:
        session = self._live or self._frames
        if session is None:
            raise LiveError("the session has not begun")
        return session

    # State --------------------------------------------------------------------------------------------------

    def _eyes_of_this_process(self) -> PipelineFactory:
        if self._eyes is None:
            self._eyes = self._load_models()
        return self._eyes

    @property
    def _report(self) -> LiveReport:
        return self._live.report if self._live is not None else LiveReport()

    @property
    def _is_over(self) -> bool:
        return self._dismissed if self._live is None else self._live.report.state is BroadcastState.ENDED


def _unpickled(body: bytes) -> Any:
    # Only the process that started this one holds the other end of the line.
    return pickle.loads(body)  # noqa: S301  # see the line above
