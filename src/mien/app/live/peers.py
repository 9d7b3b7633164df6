"""The peer connections of a live session, each served by a task of its own."""

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

import structlog

from mien.app.broadcasts.seats import CONNECT_WITHIN_S
from mien.app.ports import Connected, Role
from mien.errors import NoSuchSessionError
from mien.media.webrtc.egress.fan_out import Viewer
from mien.media.webrtc.ingest.publisher import Ingest
from mien.media.webrtc.peer import CONNECT_TIMEOUT_S, Peer

log = structlog.get_logger()

_GONE: Final = "there is no such session; it may have ended"

Body: TypeAlias = Callable[[], Coroutine[Any, Any, object]]
"""Serves a peer from the moment it is connected; returns or is cut off when it is gone."""


class Peers:
    """Connects peers, serves each until it is gone, and finds them by the ids of their sessions.

    Args:
        see_off: Called with a peer that is gone, before its connection is closed.
        check_open: Raises where the live session takes nobody any more.
    """

    def __init__(self, *, see_off: Callable[[Peer], None], check_open: Callable[[], None]) -> None:
        self._see_off = see_off
        self._check_open = check_open
        self._peers: dict[str, Peer] = {}
        self._group: asyncio.TaskGroup

    def start(self, group: asyncio.TaskGroup) -> None:
        """Serve peers by tasks of `group` from now on."""
        self._group = group

    def leave(self) -> None:
        """Have every peer go."""
        for peer in self._peers.values():
            peer.leave()

    def get(self, session_id: str) -> Peer:
        """Return a peer.

        Raises:
            NoSuchSessionError: There is no such session.
        """
        if session_id not in self._peers:
            raise NoSuchSessionError(_GONE)
        return self._peers[session_id]

    def check(self, session_id: str, role: Role) -> None:
        """Let pass who names a session that is there.

        Raises:
            NoSuchSessionError: There is no such session of that role.
        """
        if not isinstance(self.get(session_id), Ingest if role == "publisher" else Viewer):
            raise NoSuchSessionError(_GONE)

    async def connect(self, peer: Peer, body: Body) -> Connected:
        """Answer a peer's offer and serve it.

        Raises:
            SdpError: The offer cannot be answered.
            LiveError: The session ended meanwhile.
        """
        answer = await peer.answer()
        try:
            self._check_open()
        except BaseException:
            await peer.close()
            raise
        session_id = secrets.token_urlsafe(16)
        self._peers[session_id] = peer
        self._group.create_task(self._serve(session_id, peer, body))
        return Connected(session_id, answer)

    async def _serve(self, session_id: str, peer: Peer, body: Body) -> None:
        """See one peer through to its end. Nothing that goes wrong here concerns the others."""
        role = "publisher" if isinstance(peer, Ingest) else "viewer"
        began = time.monotonic()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S if role == "publisher" else CONNECT_WITHIN_S):
                await peer.settled.wait()
            if not peer.gone.is_set():
                log.info("peer_connected", role=role, setup_ms=round((time.monotonic() - began) * 1000))
                await body()
        except TimeoutError:
            log.info("peer_never_connected", role=role)
        except Exception:
            log.exception("peer_failed", role=role)
        finally:
            self._peers.pop(session_id, None)
            self._see_off(peer)
            await peer.close()
            log.info("peer_left", role=role, lasted_s=round(time.monotonic() - began, 1))
