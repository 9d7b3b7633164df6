"""`/api/broadcasts/{id}/events`: what happens in a broadcast, as it happens, over a WebSocket."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Final

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.status import WS_1013_TRY_AGAIN_LATER

from mien.errors import NoSuchBroadcastError
from mien.sessions.broadcasts import Broadcast, Broadcasts
from mien.sessions.states import BroadcastState, LiveReport

router = APIRouter()

_LOOK_EVERY_S: Final = 0.25
"""As often as a live session reports."""
_STATS_EVERY_LOOKS: Final = 4
_SEND_TIMEOUT_S: Final = 5.0
MAX_LISTENERS: Final = 256

WS_UNKNOWN_BROADCAST: Final = 4404
"""Closing codes from 4000 on are an application's own (RFC 6455, 7.4.2); ours follow HTTP."""


@router.websocket("/api/broadcasts/{broadcast_id}/events")
async def events(socket: WebSocket, broadcast_id: str) -> None:
    """Send the state at once and at every change, the faces at every change, and numbers once a second.

    Messages are JSON objects with a `kind`: "state", "faces" or "stats". After the state "ended" the server closes.
    """
    await socket.accept()
    broadcasts: Broadcasts = socket.app.state.broadcasts
    try:
        broadcast = broadcasts.get(broadcast_id)
    except NoSuchBroadcastError:
        await socket.close(WS_UNKNOWN_BROADCAST, "live.no_such_broadcast")
        return
    listeners: set[WebSocket] = socket.app.state.listeners
    if len(listeners) >= MAX_LISTENERS:
        await socket.close(WS_1013_TRY_AGAIN_LATER, "live.too_many")
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


async def _tell(socket: WebSocket, broadcast: Broadcast, broadcasts: Broadcasts, gone: asyncio.Task[None]) -> None:
    news = News()
    while not gone.done():
        ended = not broadcasts.has(broadcast)
        report = LiveReport(BroadcastState.ENDED) if ended else broadcast.report
        for message in news.of(report):
            async with asyncio.timeout(_SEND_TIMEOUT_S):  # who reads nothing must not hold us up for ever
                await socket.send_json(message)
        if ended:
            await socket.close()
            return
        await asyncio.wait([gone], timeout=_LOOK_EVERY_S)


async def _until_gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


class News:
    """What of a report is new to one listener."""

    def __init__(self) -> None:
        self._state: BroadcastState | None = None
        self._faces: dict[str, int] | None = None
        self._looks = 0

    def of(self, report: LiveReport) -> Iterator[dict[str, Any]]:
        """Yield the messages that tell what `report` changes."""
        if report.state is not self._state:
            self._state = report.state
            yield {"kind": "state", "state": report.state.value}
        if report.state is BroadcastState.ENDED:
            return
        stats = report.stats
        if stats.faces != self._faces:
            self._faces = dict(stats.faces)
            yield {"kind": "faces", "faces": self._faces}
        if self._looks % _STATS_EVERY_LOOKS == 0:
            yield {
                "kind": "stats",
                "fps_in": stats.fps_in,
                "fps_out": stats.fps_out,
                "dropped": stats.counts.dropped,
                "vision_ms": stats.vision_ms,
                "vision_errors": stats.counts.vision_errors,
                "server_delay_ms": stats.server_delay_ms,
                "viewers": stats.viewers,
                "size": stats.size_wh,
            }
        self._looks += 1
