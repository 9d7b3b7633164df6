"""`/api/broadcasts/{id}/events`: a broadcast as it changes, over a WebSocket."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple, Self

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
    listeners: Listeners = socket.app.state.listeners
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
    socket: WebSocket, broadcast: Broadcast, broadcasts: Broadcasts, views: "Views", gone: asyncio.Task[None]
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


class View(NamedTuple):
    """What a broadcast is at one moment.

    Attributes:
        facts: All but the numbers that never rest.
        text: The message.
    """

    facts: dict[str, object]
    text: str

    @classmethod
    def of(cls, broadcast: Broadcast, report: LiveReport | None = None) -> Self:
        """Look at a broadcast."""
        model = BroadcastOut.of(broadcast, report)
        return cls(model.model_dump(exclude=NUMBERS), model.model_dump_json())


class Views:
    """Looks at one broadcast for all who listen to it: once in each interval, however many they are.

    Everybody looks when an interval begins, so whoever is first looks for the others, and nobody sees what is old.

    Args:
        look: Returns the broadcast as it is, or as a report says.
    """

    def __init__(self, look: Callable[[LiveReport | None], View]) -> None:
        self._look = look
        self._interval: int | None = None
        self._view: View
        self._ended: View | None = None

    def at(self, now: float) -> View:
        """Return the view of the interval that `now` is in."""
        interval = int(now / _LOOK_EVERY_S)
        if interval != self._interval:
            self._interval, self._view = interval, self._look(None)
        return self._view

    def ended(self) -> View:
        """Return the last view of all."""
        if self._ended is None:
            self._ended = self._look(LiveReport(BroadcastState.ENDED))
        return self._ended

    def forget(self) -> None:
        """Look anew: who just came is told what is, and what has just changed is in it."""
        self._interval = None

    @staticmethod
    def until_next_s(now: float) -> float:
        """Return the time to the next interval."""
        return (int(now / _LOOK_EVERY_S) + 1) * _LOOK_EVERY_S - now


class Listeners:
    """Everybody who listens, and what they share."""

    def __init__(self) -> None:
        self._views: dict[Broadcast, Views] = {}
        self._counts: Counter[Broadcast] = Counter()

    def __len__(self) -> int:
        return self._counts.total()

    @contextlib.contextmanager
    def listening(self, broadcast: Broadcast) -> Iterator[Views]:
        """Listen to a broadcast."""
        views = self._views.setdefault(broadcast, Views(partial(View.of, broadcast)))
        views.forget()
        self._counts[broadcast] += 1
        try:
            yield views
        finally:
            self._counts[broadcast] -= 1
            if not self._counts[broadcast]:
                del self._counts[broadcast], self._views[broadcast]


class News:
    """What one listener was told last."""

    def __init__(self) -> None:
        self._told: dict[str, object] | None = None
        self._told_at = 0.0

    def is_new(self, view: View, *, at: float) -> bool:
        """Whether to tell `view` at `at` seconds; then it counts as told."""
        # A little early beats a whole look late.
        is_due = at - self._told_at > _NUMBERS_EVERY_S - _LOOK_EVERY_S / 2
        if view.facts == self._told and not is_due:
            return False
        self._told, self._told_at = view.facts, at
        return True
