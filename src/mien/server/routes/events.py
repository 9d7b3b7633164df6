"""`/api/broadcasts/{id}/events`: a broadcast as it changes, over a WebSocket."""

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import Final, Literal

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.status import WS_1008_POLICY_VIOLATION, WS_1013_TRY_AGAIN_LATER

from mien.app.access import Action, authorize, may
from mien.app.broadcasts.broadcast import Broadcast
from mien.app.broadcasts.broadcasts import Broadcasts
from mien.errors import LiveError, NoSuchBroadcastError
from mien.server.auth import bearer_token
from mien.server.dependencies import BroadcastsDep, ListenersDep, PrincipalDep, principal_of, services_of
from mien.server.guards import requires
from mien.server.listeners import PUBLIC, Listeners, News, Sees

router = APIRouter()

_SEND_TIMEOUT_S: Final = 5.0
_MAX_LETTERS: Final = 2048
"""A listener's message that is longer is ignored, as everything is that means nothing."""
MAX_LISTENERS: Final = 1024
"""Every page listens, those of 64 viewers in each of 8 broadcasts too. Who is turned away asks over HTTP."""

WS_UNKNOWN_BROADCAST: Final = 4404
"""Closing codes from 4000 on are an application's own (RFC 6455, 7.4.2); ours follow HTTP."""


@router.websocket("/api/broadcasts/{broadcast_id}/events")
@requires(Action.WATCH)
async def events(
    socket: WebSocket, broadcast_id: str, principal: PrincipalDep, broadcasts: BroadcastsDep, listeners: ListenersDep
) -> None:
    """Send the broadcast at once, then at every change, and once a second for its numbers.

    Every message is a `BroadcastOut` in JSON, whole, so a listener needs only the newest. After the state "ended" the
    server closes. Who sends an `OwnerIn` is told of the faces from then on.
    """
    await socket.accept()
    try:
        broadcast = broadcasts.get(broadcast_id)
        authorize(principal, Action.WATCH, broadcast)
    except LiveError as error:
        is_unknown = isinstance(error, NoSuchBroadcastError)
        await _refuse(socket, WS_UNKNOWN_BROADCAST if is_unknown else WS_1008_POLICY_VIOLATION, error.code)
        return
    if len(listeners) >= MAX_LISTENERS:
        await _refuse(socket, WS_1013_TRY_AGAIN_LATER, "live.too_many")
        return
    listener = _Listener(socket, broadcast)
    # Reading tells when they have gone, and who they are.
    reading = asyncio.create_task(listener.read())
    try:
        with contextlib.suppress(WebSocketDisconnect, TimeoutError):
            await listener.tell(broadcasts, listeners, reading)
    finally:
        reading.cancel()


class OwnerIn(BaseModel):
    """Who listens says that the broadcast is theirs."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["owner"]
    token: str | None = Field(
        default=None, max_length=512, description="The broadcast's or the operator's, for who cannot set headers."
    )


class _Listener:
    """Somebody who listens to a broadcast."""

    def __init__(self, socket: WebSocket, broadcast: Broadcast) -> None:
        self._socket = socket
        self._broadcast = broadcast
        self._sees = PUBLIC
        self._refused: LiveError | None = None
        self._changed = asyncio.Event()

    async def read(self) -> None:
        """Return when they have gone; note who they say they are, once: all that follows means nothing."""
        is_told = False
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            text = message.get("text") or ""
            if is_told or not text or len(text) > _MAX_LETTERS:
                continue
            with contextlib.suppress(ValidationError):
                self._identify(OwnerIn.model_validate_json(text))
                is_told = True

    def _identify(self, owner: OwnerIn) -> None:
        token = bearer_token(self._socket) if owner.token is None else owner.token
        principal = principal_of(self._socket, token)
        if token is not None and not services_of(self._socket).server.has_token:
            principal = replace(principal, is_operator=False)  # who shows a token shows the broadcast's, or a wrong one
        try:
            authorize(principal, Action.SEE_FACES, self._broadcast)
        except LiveError as error:
            self._refused = error
        else:
            self._sees = Sees(ids=may(principal, Action.SEE_REFERENCES, self._broadcast), faces=True)
        self._changed.set()

    async def tell(self, broadcasts: Broadcasts, listeners: Listeners, reading: asyncio.Task[None]) -> None:
        """Send what they may see until they have gone or the broadcast is over."""
        news = News()
        while not reading.done():
            self._changed.clear()
            with listeners.listening(self._broadcast, self._sees) as views:
                while not (reading.done() or self._changed.is_set()):
                    now = time.monotonic()
                    ended = not broadcasts.has(self._broadcast)
                    view = views.ended() if ended else views.at(now)
                    if news.is_new(view, at=now):
                        async with asyncio.timeout(_SEND_TIMEOUT_S):  # who reads nothing must not hold us up for ever
                            await self._socket.send_text(view.text)
                    if ended:
                        await self._socket.close()
                        return
                    await self._wait(reading, views.until_next_s(time.monotonic()))
            if self._refused is not None:
                await _refuse(self._socket, WS_1008_POLICY_VIOLATION, self._refused.code)
                return

    async def _wait(self, reading: asyncio.Task[None], seconds: float) -> None:
        changed = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait([reading, changed], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()


async def _refuse(socket: WebSocket, code: int, reason: str) -> None:
    with contextlib.suppress(WebSocketDisconnect):  # the client was faster
        await socket.close(code, reason)
