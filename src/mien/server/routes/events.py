"""`/api/broadcasts/{id}/events`: a broadcast as it changes, over a WebSocket."""

import asyncio
import contextlib
import time
from typing import Final

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.status import WS_1013_TRY_AGAIN_LATER

from mien.app.broadcasts.broadcasts import Broadcast, Broadcasts
from mien.app.states import BroadcastState, LiveReport
from mien.errors import NoSuchBroadcastError
from mien.server.routes.broadcasts import BroadcastOut

router = APIRouter()

_LOOK_EVERY_S: Final = 0.25
"""As often as a live session reports."""
_NUMBERS_EVERY_S: Final = 1.0
_SEND_TIMEOUT_S: Final = 5.0
MAX_LISTENERS: Final = 1024
"""Every page listens, those of 64 viewers in each of 8 broadcasts too. Who is turned away asks over HTTP."""

WS_UNKNOWN_BROADCAST: Final = 4404
"""Closing codes from 4000 on are an application's own (RFC 6455, 7.4.2); ours follow HTTP."""

NUMBERS: Final = {"fps_in", "fps_out", "dropped", "vision_ms", "server_delay_ms", "vision_errors"}
"""What of a broadcast never rests, so that it can wait for its second."""


@router.websocket("/api/broadcasts/{broadcast_id}/events")
async def events(socket: WebSocket, broadcast_id: str) -> None:
    """Send the broadcast at once, then at every change, and once a second for its numbers.

    Every message is a `BroadcastOut` in JSON, whole, so a listener needs only the newest. After the state "ended" the
    server closes.
    """
    await socket.accept()
    broadcasts: Broadcasts = socket.app.state.broadcasts
    try:
        broadcast = broadcasts.get(broadcast_id)
    except NoSuchBroadcastError:
        await _refuse(socket, WS_UNKNOWN_BROADCAST, "live.no_such_broadcast")
        return
    listeners: set[WebSocket] = socket.app.state.listeners
    if len(listeners) >= MAX_LISTENERS:
        await _refuse(socket, WS_1013_TRY_AGAIN_LATER, "live.too_many")
        return
    listeners.add(socket)
    # Whatever a listener sends is ignored; reading tells when they have gone.
    gone = asyncio.create_task(_until_gone(socket))
    try:
        with contextlib.suppress(WebSocketDisconnect, TimeoutError):
            await _tell(socket, broadcast, broadcasts, gone)
    finally:
        listeners.discard(socket)
        gone.cancel()


async def _refuse(socket: WebSocket, code: int, reason: str) -> None:
    with contextlib.suppress(WebSocketDisconnect):  # the client was faster
        await socket.close(code, reason)


async def _tell(socket: WebSocket, broadcast: Broadcast, broadcasts: Broadcasts, gone: asyncio.Task[None]) -> None:
    news = News()
    while not gone.done():
        ended = not broadcasts.has(broadcast)
        now = BroadcastOut.of(broadcast, LiveReport(BroadcastState.ENDED) if ended else None)
        if news.is_new(now, at=time.monotonic()):
            async with asyncio.timeout(_SEND_TIMEOUT_S):  # who reads nothing must not hold us up for ever
                await socket.send_text(now.model_dump_json())
        if ended:
            await socket.close()
            return
        await asyncio.wait([gone], timeout=_LOOK_EVERY_S)


async def _until_gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


class News:
    """What one listener was told last."""

    def __init__(self) -> None:
        self._told: dict[str, object] | None = None
        self._told_at = 0.0

    def is_new(self, broadcast: BroadcastOut, *, at: float) -> bool:
        """Whether to tell what `broadcast` is at `at` seconds; then it counts as told."""
        facts = broadcast.model_dump(exclude=NUMBERS)
        # A little early beats a whole look late.
        is_due = at - self._told_at > _NUMBERS_EVERY_S - _LOOK_EVERY_S / 2
        if facts == self._told and not is_due:
            return False
        self._told, self._told_at = facts, at
        return True
