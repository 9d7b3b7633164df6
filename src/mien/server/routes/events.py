"""`/api/broadcasts/{id}/events`: a broadcast as it changes, over a WebSocket."""

import asyncio
import contextlib
import time
from typing import Final

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.status import WS_1008_POLICY_VIOLATION, WS_1013_TRY_AGAIN_LATER

from mien.app.access import Action, authorize
from mien.app.broadcasts.broadcast import Broadcast
from mien.app.broadcasts.broadcasts import Broadcasts
from mien.errors import LiveError, NoSuchBroadcastError
from mien.server.dependencies import BroadcastsDep, ListenersDep, PrincipalDep
from mien.server.guards import requires
from mien.server.listeners import News, Views

router = APIRouter()

_SEND_TIMEOUT_S: Final = 5.0
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
    server closes.
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
    # Whatever a listener sends is ignored; reading tells when they have gone.
    gone = asyncio.create_task(_until_gone(socket))
    try:
        with listeners.listening(broadcast) as views, contextlib.suppress(WebSocketDisconnect, TimeoutError):
            await _tell(socket, broadcast, broadcasts, views, gone)
    finally:
        gone.cancel()


async def _refuse(socket: WebSocket, code: int, reason: str) -> None:
    with contextlib.suppress(WebSocketDisconnect):  # the client was faster
        await socket.close(code, reason)


async def _tell(
    socket: WebSocket, broadcast: Broadcast, broadcasts: Broadcasts, views: Views, gone: asyncio.Task[None]
) -> None:
    news = News()
    while not gone.done():
        now = time.monotonic()
        ended = not broadcasts.has(broadcast)
        view = views.ended() if ended else views.at(now)
        if news.is_new(view, at=now):
            async with asyncio.timeout(_SEND_TIMEOUT_S):  # who reads nothing must not hold us up for ever
                await socket.send_text(view.text)
        if ended:
            await socket.close()
            return
        await asyncio.wait([gone], timeout=views.until_next_s(time.monotonic()))


async def _until_gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
