"""TCP connections of strangers: how long a request's head may take, and how many connections one address may hold.

uvicorn waits for a request's head as long as it takes, so a few hundred half-sent ones would hold as many connections
for ever. Bodies have deadlines of their own, see `middleware`; what a connection carries once it is a WebSocket has
bounds of its own, see `sockets`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import Any, Final

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

log = structlog.get_logger()

_LINGER_S: Final = 3.0
"""So long we take, and forget, the rest of a body that was answered before it had come: closing at once resets the
connection, and the client might never read why."""
_PIECE_BYTES: Final = 8192
"""So much is read at a time. By itself asyncio hands over 256 kB at once, and everything in it is taken apart before
anybody else gets a turn: 40,000 chunks or frames of a byte each hold the event loop for a third of a second."""
_SWEEP_AT: Final = 1024
_HOME_OF_IPV6: Final = 64
"""Bits of an IPv6 address that its owner does not choose freely."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What strangers' connections may take.

    Attributes:
        head_timeout_s: A request's head must be there so long after the connection was made, or after its first byte
            on a connection that carried one before.
        max_per_address: Further connections of an address are closed.
        max_waiting: How many connections of an address may wait for a first head; the oldest goes.
        write_pause_s: A client that takes nothing of its answer for so long is gone.
    """

    head_timeout_s: float = 10.0
    max_per_address: int = 512
    max_waiting: int = 64
    write_pause_s: float = 30.0


def home_of(address: str) -> str:
    """Return what stands for whoever has an address: itself, or the network that IPv6 gives to one customer.

    Example:
        >>> home_of("192.0.2.7"), home_of("2001:db8::1:2"), home_of("::ffff:192.0.2.7")
        ('192.0.2.7', '2001:db8::', '192.0.2.7')
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((found, _HOME_OF_IPV6), strict=False).network_address)


class ConnectionGuard:
    """Counts the connections of one server by address."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: dict[str, set[asyncio.BaseTransport]] = {}
        self._waiting: dict[str, dict[GuardedConnection, None]] = {}
        self._sweep_at = _SWEEP_AT

    def enter(self, home: str, connection: "GuardedConnection") -> bool:
        """Count a new connection; return whether it may stay."""
        if len(self._open) >= self._sweep_at:
            self._sweep()
        known = self._open.setdefault(home, set())
        known -= {transport for transport in known if transport.is_closing()}
        if len(known) >= self.limits.max_per_address:
            return False
        known.add(connection.transport)
        waiting = self._waiting.setdefault(home, {})
        while len(waiting) >= self.limits.max_waiting:
            oldest = next(iter(waiting))
            del waiting[oldest]
            oldest.transport.abort()
        waiting[connection] = None
        return True

    def begun(self, home: str, connection: "GuardedConnection") -> None:
        """Take a connection for one that requests something."""
        self._forget(self._waiting, home, connection)

    def leave(self, home: str, connection: "GuardedConnection") -> None:
        """Forget a connection that has ended."""
        self._forget(self._waiting, home, connection)
        known = self._open.get(home, set())
        known.discard(connection.transport)
        if not known:
            self._open.pop(home, None)

    def _sweep(self) -> None:
        """Forget what has ended: a connection that became a WebSocket tells nobody here."""
        for home, known in tuple(self._open.items()):
            known -= {transport for transport in known if transport.is_closing()}
            if not known:
                del self._open[home]
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._open))

    @staticmethod
    def _forget(
        waiting: "dict[str, dict[GuardedConnection, None]]", home: str, connection: "GuardedConnection"
    ) -> None:
        mine = waiting.get(home)
        if mine is not None:
            mine.pop(connection, None)
            if not mine:
                del waiting[home]


class ReadInPieces(asyncio.BufferedProtocol):
    """Hands what comes to `data_received` in small pieces; between two of them others get their turn."""

    _piece = bytearray()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002  # however much there is
        """Return where the next bytes go."""
        self._piece = bytearray(_PIECE_BYTES)
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        """Take the bytes."""
        piece, self._piece = self._piece, bytearray()
        self.data_received(bytes(piece[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Take some bytes."""
        raise NotImplementedError


class GuardedConnection(H11Protocol, ReadInPieces):
    """uvicorn's HTTP/1.1 connection, with deadlines, and read in pieces.

    Args:
        guard: Counts the connections of this server.
        config: uvicorn's.
        server_state: uvicorn's.
        app_state: uvicorn's.
    """

    def __init__(self, *, guard: ConnectionGuard, config: Any, server_state: Any, app_state: Any, **more: Any) -> None:
        super().__init__(config=config, server_state=server_state, app_state=app_state, **more)
        self._guard = guard
        self._home = ""
        self._heard = False
        self._lingers = False
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Count the connection and begin to wait for a head."""
        super().connection_made(transport)
        self._home = home_of(self.client[0] if self.client else "")
        if not self._guard.enter(self._home, self):
            log.debug("connection_refused")
            transport.abort()
            return
        self._expect(self._guard.limits.head_timeout_s, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._relax()
        self._flows_again()
        self._guard.leave(self._home, self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes, and wait no longer for the rest of it than may be."""
        self._heard = True
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.conn.their_state is h11.IDLE:
            # The first bytes of a head; those that follow do not win time.
            if self._deadline is None or self._lingers:
                self._relax()
                self._expect(self._guard.limits.head_timeout_s, self._head_is_late)
            return
        if self.conn.our_state is not h11.DONE:
            self._relax()
        self._guard.begun(self._home, self)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, unless it comes behind a request that has its answer already; then it is over."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.close()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:  # its body is what broke
            cycle.disconnected = True
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Give a body that was answered already a moment to end."""
        super().on_response_complete()
        if not self.transport.is_closing() and self.conn.their_state is h11.SEND_BODY:
            self._relax()
            self._expect(_LINGER_S, self._body_is_late)
            self._lingers = True

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand the connection over."""
        self._relax()
        self._flows_again()
        self._guard.begun(self._home, self)
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        """Wait for a client that reads slowly, as long as it reads at all."""
        super().pause_writing()
        self._flows_again()
        self._stalled = self.loop.call_later(self._guard.limits.write_pause_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._flows_again()

    def _flows_again(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _expect(self, within_s: float, late: Callable[[], None]) -> None:
        self._deadline = self.loop.call_later(within_s, late)

    def _relax(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._lingers = False

    def _head_is_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            return
        if self._heard and self.conn.our_state is h11.IDLE:
            head = h11.Response(
                status_code=HTTPStatus.REQUEST_TIMEOUT, headers=[("Connection", "close"), ("Content-Length", "0")]
            )
            self.transport.write(self.conn.send(head) or b"")
        self.transport.close()

    def _body_is_late(self) -> None:
        self._deadline = None
        if not self.transport.is_closing() and self.conn.their_state is h11.SEND_BODY:
            self.transport.close()
