"""WebSockets of strangers: how much a message may be, in how many pieces, and what is kept for who reads nothing.

uvicorn leaves a message's pieces uncounted, so one that never ends grows for ever, and answers pings of a client that
never reads its answers. Everything here holds before the application has seen a message.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from mien.server.connections import ReadInPieces

log = structlog.get_logger()

_MAX_PIECES: Final = 1024
"""Browsers send a message in one piece, or cut it at 64 kB and more."""
_CONTROL: Final = frozenset({Opcode.CLOSE, Opcode.PING, Opcode.PONG})


@dataclass(frozen=True, slots=True)
class MessageBounds:
    """What the messages of one WebSocket may take.

    Attributes:
        first_bytes: Size of the first one, with which a client says who it is.
        max_bytes: Size of any other.
    """

    first_bytes: int
    max_bytes: int


class _Messages(ServerProtocol):
    """Reads messages, and refuses with 1009 what is more than may be (RFC 6455, 7.4.1)."""

    bounds: MessageBounds
    _pieces = 0

    def keep_to(self, bounds: MessageBounds) -> None:
        """Hold from now on to what is allowed."""
        self.bounds = bounds
        self.max_message_size = bounds.first_bytes

    def recv_frame(self, frame: Frame) -> None:
        """Take one frame."""
        super().recv_frame(frame)
        if frame.opcode in _CONTROL:
            return
        if frame.fin:
            self._pieces = 0
            self.max_message_size = self.bounds.max_bytes
            return
        self._pieces += 1
        if self._pieces > _MAX_PIECES:
            raise PayloadTooBig(None, self.max_message_size)


class GuardedSocket(WebSocketsSansIOProtocol, ReadInPieces):
    """uvicorn's WebSocket, with bounds, and read in pieces.

    A client that takes nothing is not listened to until it does, and is gone after a while.

    Args:
        bounds_of: Returns the bounds of a path, as the client wrote it.
        write_pause_s: A client that takes nothing for so long is gone.
        more: uvicorn's.
    """

    conn: _Messages

    def __init__(self, *, bounds_of: Callable[[str], MessageBounds], write_pause_s: float, **more: Any) -> None:
        super().__init__(**more)
        self.conn = _Messages(max_size=self.config.ws_max_size, logger=self.conn.logger)
        self._bounds_of = bounds_of
        self._write_pause_s = write_pause_s
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        # Whatever is not taken at once counts as waiting: a little of it would else keep a closed connection for ever.
        self.transport.set_write_buffer_limits(high=0)

    def handle_connect(self, event: Any) -> None:
        """Let a client in whose handshake is whole."""
        self.conn.keep_to(self._bounds_of(event.path.partition("?")[0]))
        super().handle_connect(event)

    def send_receive_event_to_app(self) -> None:
        """Hand over a message; what is no text is refused in good form (RFC 6455, 8.1)."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_text(b"".join(self.frames)):
            self.frames = []
            self.conn.fail(1007)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    async def receive(self) -> Any:
        """Return the next message; uvicorn then listens again."""
        message = await super().receive()
        if not self.writable.is_set():
            self.transport.pause_reading()
        return message

    def pause_writing(self) -> None:
        """Take nothing more of a client that takes nothing: each of its pings would be one more answer to keep."""
        super().pause_writing()
        self.transport.pause_reading()
        self._flows_again()
        self._stalled = self.loop.call_later(self._write_pause_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._flows_again()
        if not self.read_paused:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._flows_again()
        super().connection_lost(exc)

    def _flows_again(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
