"""What goes between the web process and a worker: frames of a JSON head and bytes, over a socket pair.

The web process sends its arguments pickled, since it may trust itself; what a worker sends back is JSON and
plain bytes only, since a worker reads what strangers send and must not be able to run code on the other side.
"""

import asyncio
import contextlib
import json
import socket
import struct
from typing import Any, Final, NamedTuple, Self

from mien.errors import LiveLostError

_LENGTHS: Final = struct.Struct("!II")
MAX_FRAME_BYTES: Final = 72 * 2**20
"""The largest photo that a setting allows, and its head."""


class Frame(NamedTuple):
    """One message.

    Attributes:
        head: What it is, JSON values only.
        body: Bytes that go with it.
    """

    head: dict[str, Any]
    body: bytes


class Channel:
    """One end of the line.

    Args:
        reader: What the other end sends.
        writer: Where to send.
        max_frame_bytes: Longer messages of the other end are refused.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, max_frame_bytes: int = MAX_FRAME_BYTES
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._max_frame_bytes = max_frame_bytes

    @classmethod
    async def over(cls, connected: socket.socket, *, max_frame_bytes: int | None = None) -> Self:
        """Return a channel over a connected stream socket, which it closes in the end."""
        reader, writer = await asyncio.open_unix_connection(sock=connected)
        return cls(reader, writer, max_frame_bytes=max_frame_bytes or MAX_FRAME_BYTES)

    async def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Send one message.

        Raises:
            LiveLostError: The other end is gone.
        """
        text = json.dumps(head, allow_nan=False, separators=(",", ":")).encode()
        try:
            self._writer.write(_LENGTHS.pack(len(text), len(body)) + text + body)
            await self._writer.drain()
        except OSError as error:
            raise LiveLostError("the process at the other end is gone") from error

    async def receive(self) -> Frame:
        """Return the next message.

        Raises:
            LiveLostError: The other end is gone, or does not speak our language.
        """
        try:
            head_bytes, body_bytes = _LENGTHS.unpack(await self._reader.readexactly(_LENGTHS.size))
            if head_bytes + body_bytes > self._max_frame_bytes:
                raise LiveLostError(f"a message may have {self._max_frame_bytes} bytes, got {head_bytes + body_bytes}")
            head = json.loads(await self._reader.readexactly(head_bytes))
            body = await self._reader.readexactly(body_bytes)
        except (asyncio.IncompleteReadError, OSError, ValueError, RecursionError) as error:
            raise LiveLostError("the process at the other end is gone") from error
        if not isinstance(head, dict):
            raise LiveLostError(f"a message's head must be an object, got {type(head).__name__}")
        return Frame(head, body)

    async def close(self) -> None:
        """Close the line; the other end notices."""
        self._writer.close()
        with contextlib.suppress(OSError):  # the other end was faster
            await self._writer.wait_closed()
