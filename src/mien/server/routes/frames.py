"""`/ws/frames`: single frames in, treated frames out, for clients that cannot do WebRTC.

The client sends JSON once (`FramesIn`), then binary messages: eight bytes of a number of its own, big-endian, and a
JPEG or WebP frame. For each frame that was treated it gets a binary message back: the number of the frame it
was made of, and the treated frame. Frames that nobody had time for are dropped and counted. Further JSON
messages change the policy.
"""

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette import status
from starlette.websockets import WebSocketState

from mien.app.access import Action, authorize
from mien.app.broadcasts.broadcast import stream_of
from mien.app.frames.exchange import FrameSlot, Waiting
from mien.app.personas.store import Hold
from mien.app.policy.document import PolicyDocument
from mien.app.ports import FrameSession, StreamSpec
from mien.errors import (
    InputError,
    LiveError,
    LiveLostError,
    MediaTooLargeError,
    MienError,
    PersonaError,
    TooManySessionsError,
)
from mien.media.files.frame_codec import FRAME_FORMATS, FrameFormat
from mien.media.files.image_header import check_photo_header
from mien.media.meters import DurationMeter, RateMeter
from mien.server.auth import bearer_token
from mien.server.dependencies import Services, ServicesDep, principal_of
from mien.server.guards import requires
from mien.server.problems import HttpError
from mien.server.schemas import DelayFrames, WantedPolicy, completed

log = structlog.get_logger()
router = APIRouter()

PATH: Final = "/ws/frames"
_NUMBER: Final = struct.Struct("!Q")
_MAX_POLICY_LETTERS: Final = 16 * 1024
"""A message may be as large as a frame, but JSON of that size would take the event loop a second."""
_STATS_EVERY_S: Final = 1.0
_SEND_TIMEOUT_S: Final = 5.0
_CLOSE_CODES: Final[dict[type[Exception], int]] = {
    TooManySessionsError: status.WS_1013_TRY_AGAIN_LATER,
    LiveLostError: status.WS_1011_INTERNAL_ERROR,
}


class FramesIn(BaseModel):
    """What a client wants done with its frames."""

    model_config = ConfigDict(extra="forbid")

    policy: WantedPolicy = None
    delay_frames: DelayFrames = None
    format: FrameFormat = Field(default=FrameFormat.JPEG, description="In which form frames come back.")
    token: str | None = Field(default=None, max_length=512, description="The operator's, for who cannot set headers.")


@router.websocket(PATH)
@requires(Action.TREAT_FRAMES, token_follows=True)
async def frames(socket: WebSocket, services: ServicesDep) -> None:
    """Carry one client's exchange of frames."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as group:
            await _Exchange(socket, services, group).run()
    except* _HungUpError:
        pass
    except* (MienError, HttpError, ValidationError) as errors:
        error = _first(errors)
        code = _CLOSE_CODES.get(type(error), status.WS_1008_POLICY_VIOLATION)
        if socket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the client was faster
                await socket.send_json(_problem(error))
                await socket.close(code, _problem(error)["code"])


class _HungUpError(Exception):
    """The client is gone."""


class _Exchange:
    def __init__(self, socket: WebSocket, services: Services, group: asyncio.TaskGroup) -> None:
        self._socket = socket
        self._services = services
        self._settings = services.settings
        self._group = group
        self._slot = FrameSlot(max_fps=self._settings.frames.max_fps)
        self._arrived = asyncio.Event()
        self._numbers: dict[float, int] = {}
        self._out = RateMeter()
        self._delays = DurationMeter()
        self._hold = Hold(services.personas)

    async def run(self) -> None:
        """Serve the client until it hangs up."""
        spec = await self._read_spec(await self._receive())
        principal = principal_of(self._socket, spec.token or bearer_token(self._socket))
        authorize(principal, Action.TREAT_FRAMES, self._services.server)
        async with self._session(spec) as session:
            await self._send({"kind": "ready"})
            workers = [self._group.create_task(self._treat(session)), self._group.create_task(self._tell())]
            try:
                while True:
                    await self._take(await self._receive(), session)
            finally:
                for worker in workers:
                    worker.cancel()

    @contextlib.asynccontextmanager
    async def _session(self, spec: FramesIn) -> AsyncIterator[FrameSession]:
        with self._services.exchanges.entered(self), self._holding_nothing_afterwards():
            policy = completed(spec.policy, self._settings)
            self._hold.move_to(policy.lent)
            stream = self._stream(policy, spec)
            session = await self._services.runner.start_frames(stream, form=spec.format, name="frames")
            log.info("frame_session_begun", treatments=policy.treatments)
            try:
                yield session
            finally:
                session.end()
                log.info("frame_session_ended", frames=self._out.total, dropped=self._slot.dropped)

    @contextlib.contextmanager
    def _holding_nothing_afterwards(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._hold.move_to(())

    def take_off(self, persona_id: str) -> None:
        """End the exchange if it wears a photo, or knows a person, that was taken back."""
        if persona_id in self._hold.held:
            self._group.create_task(_refuse_withdrawn())

    def _stream(self, policy: PolicyDocument, spec: FramesIn) -> StreamSpec:
        return stream_of(policy, self._services.personas, delay_frames=spec.delay_frames)

    # In -----------------------------------------------------------------------------------------------------

    async def _receive(self) -> str | bytes:
        try:
            async with asyncio.timeout(self._settings.frames.idle_timeout_s):
                message = await self._socket.receive()
        except TimeoutError:
            raise InputError("nothing came for too long") from None
        if message["type"] == "websocket.disconnect":
            raise _HungUpError
        data: str | bytes | None = message.get("bytes")
        return data if data is not None else str(message["text"])

    async def _read_spec(self, message: str | bytes) -> FramesIn:
        if isinstance(message, bytes):
            raise InputError("the first message must be JSON that says what to do with the pictures")
        if len(message) > _MAX_POLICY_LETTERS:
            raise InputError(
                f"what to do with the pictures is said in {_MAX_POLICY_LETTERS} letters, got {len(message)}"
            )
        return FramesIn.model_validate_json(message)

    async def _take(self, message: str | bytes, session: FrameSession) -> None:
        if isinstance(message, str):
            spec = await self._read_spec(message)
            policy = completed(spec.policy, self._settings)
            await session.set_policy(self._stream(policy, spec))
            self._hold.move_to(policy.lent)
            await self._send({"kind": "ready"})
            return
        if len(message) <= _NUMBER.size:
            raise InputError(f"a picture comes after a number of {_NUMBER.size} bytes, got {len(message)} in all")
        if len(message) > self._settings.frames.max_bytes + _NUMBER.size:
            raise MediaTooLargeError(f"a picture may have {self._settings.frames.max_bytes} bytes, got {len(message)}")
        (number,) = _NUMBER.unpack_from(message)
        self._slot.put(number, message[_NUMBER.size :])
        self._arrived.set()

    # Out ----------------------------------------------------------------------------------------------------

    async def _treat(self, session: FrameSession) -> None:
        while True:
            await asyncio.sleep(self._slot.pause_s)
            waiting = self._slot.take()
            if waiting is None:
                await self._arrived.wait()
                self._arrived.clear()
            else:
                await self._treat_one(session, waiting)

    async def _treat_one(self, session: FrameSession, waiting: Waiting) -> None:
        self._numbers[waiting.at] = waiting.number
        try:
            # The worker decodes; what its header gives away need not even get there.
            check_photo_header(
                waiting.frame, name="frame", max_pixels=self._settings.live.max_pixels, formats=FRAME_FORMATS
            )
            async with asyncio.timeout(self._settings.live.hang_after_s):
                treated = await session.treat(waiting.frame, at=waiting.at)
        except TimeoutError:
            raise LiveLostError("a picture took too long") from None
        except LiveLostError:
            raise
        except (InputError, LiveError) as error:
            self._numbers.pop(waiting.at)
            await self._send(_problem(error) | {"number": waiting.number})
            return
        if treated is not None:
            await self._give(treated.data, treated.at)

    async def _give(self, data: bytes, at: float) -> None:
        number = self._numbers.pop(at)
        for older in [known for known in self._numbers if known < at]:
            del self._numbers[older]  # a change of policy empties the delay line
        async with _hanging_up_when_stuck():
            await self._socket.send_bytes(_NUMBER.pack(number) + data)
        now = time.monotonic()
        self._out.tick(now)
        self._delays.add(now - at)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_STATS_EVERY_S)
            now = time.monotonic()
            await self._send(
                {
                    "kind": "stats",
                    "fps_in": round(self._slot.incoming.rate(now), 1),
                    "fps_out": round(self._out.rate(now), 1),
                    "dropped": self._slot.dropped,
                    "delay_ms": self._delays.median_ms,
                }
            )

    async def _send(self, message: dict[str, Any]) -> None:
        async with _hanging_up_when_stuck():
            await self._socket.send_json(message)


async def _refuse_withdrawn() -> None:
    raise PersonaError("the reference photo was taken back")


@contextlib.asynccontextmanager
async def _hanging_up_when_stuck() -> AsyncIterator[None]:
    """Take a client that reads nothing, or has gone, for one that has hung up."""
    try:
        async with asyncio.timeout(_SEND_TIMEOUT_S):
            yield
    except (TimeoutError, WebSocketDisconnect, RuntimeError) as error:
        raise _HungUpError from error


def _problem(error: Exception) -> dict[str, Any]:
    """Return what to tell a client of an error."""
    if isinstance(error, ValidationError):
        # Without the values: they may be secrets.
        faults = [{"at": ".".join(map(str, fault["loc"])), "fault": fault["msg"]} for fault in error.errors()]
        return {"kind": "error", "code": "input.invalid", "detail": "the message does not fit", "faults": faults[:20]}
    code = error.code if isinstance(error, MienError | HttpError) else "internal"
    return {"kind": "error", "code": code, "detail": str(error)}


def _first(errors: BaseExceptionGroup[Any]) -> Exception:
    error: Any = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error  # type: ignore[no-any-return]  # the group holds nothing else
