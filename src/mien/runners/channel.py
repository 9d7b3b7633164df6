"""A line between the web process and a worker: typed messages over a socket pair, checked before anybody sees them.

    u16 version ─ u32 call ─ u8, u32, u32 lengths ─ kind: ASCII ─ fields: JSON ─ body: bytes

A version, a kind that the receiver does not listen for, a length or a field that does not fit ends the line with
`MessageError`. Lengths are checked before anything of such a length is read. Reading a message makes the classes of
`messages` and runs nothing else.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple, Self

from pydantic import TypeAdapter, ValidationError

from mien.errors import LiveLostError, MessageError
from mien.runners.messages import Message

VERSION: Final = 1
"""Both ends are of one installation, so another version is refused, not spoken."""
MAX_FIELDS_BYTES: Final = 2**20
"""The report of a broadcast with thousands of recorded files is smaller."""
NO_CALL: Final = 0
"""The call of a message that neither asks nor answers."""
_HEAD: Final = struct.Struct("!HIBII")


class Said(NamedTuple):
    """A message and the call that it belongs to: an answer has the number of its question.

    Attributes:
        call: Its number, `NO_CALL` for none.
        message: What was said.
    """

    call: int
    message: Message


Kinds = Mapping[str, type[Message]]


def kinds_of(messages: Iterable[type[Message]]) -> Kinds:
    """Return messages by their names on the wire."""
    return {message.kind: message for message in messages}


class Channel:
    """One end of the line.

    Args:
        reader: What the other end sends.
        writer: Where to send.
        hears: What the other end may say.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, hears: Kinds) -> None:
        self._reader = reader
        self._writer = writer
        self._hears = hears

    @classmethod
    async def over(cls, connected: socket.socket, *, hears: Kinds) -> Self:
        """Return a channel over a connected stream socket, which it closes in the end."""
        reader, writer = await asyncio.open_unix_connection(sock=connected)
        return cls(reader, writer, hears=hears)

    async def send(self, *said: tuple[int, Message]) -> None:
        """Send messages, each with its call, one right after the other.

        Raises:
            LiveLostError: The other end is gone.
        """
        try:
            for call, message in said:
                self._writer.writelines(encode(call, message))
            await self._writer.drain()
        except OSError as error:
            raise LiveLostError("the process at the other end is gone") from error

    async def receive(self) -> Said:
        """Return the next message.

        Raises:
            MessageError: What came is no message, or none that may come here.
            LiveLostError: The other end is gone.
        """
        try:
            version, call, *lengths = _HEAD.unpack(await self._reader.readexactly(_HEAD.size))
            _check_version(version)
            kind = self._kind(await self._reader.readexactly(lengths[0]))
            _check_lengths(kind, lengths[1], lengths[2])
            fields_json = await self._reader.readexactly(lengths[1])
            body = await self._reader.readexactly(lengths[2])
        except (asyncio.IncompleteReadError, OSError) as error:
            raise LiveLostError("the process at the other end is gone") from error
        return Said(call, _message(kind, fields_json, body))

    def _kind(self, name: bytes) -> type[Message]:
        kind = self._hears.get(name.decode("ascii", "replace"))
        if kind is None:
            raise MessageError(f"a message of the kind {name[:40]!r} may not come here")
        return kind

    async def close(self) -> None:
        """Close the line; the other end notices."""
        self._writer.close()
        with contextlib.suppress(OSError):  # the other end was faster
            await self._writer.wait_closed()


def encode(call: int, message: Message) -> tuple[bytes, bytes, bytes]:
    """Return a message as parts of bytes, in their order."""
    kind = message.kind.encode("ascii")
    fields_json = _form(type(message)).dump_json(message, exclude={"body"})
    body: bytes = getattr(message, "body", b"")
    return _HEAD.pack(VERSION, call, len(kind), len(fields_json), len(body)) + kind, fields_json, body


def _check_version(version: int) -> None:
    if version != VERSION:
        raise MessageError(f"the other end speaks version {version} of the protocol, this one {VERSION}")


def _check_lengths(kind: type[Message], fields_bytes: int, body_bytes: int) -> None:
    if fields_bytes > MAX_FIELDS_BYTES:
        raise MessageError(f"the fields of {kind.kind} may have {MAX_FIELDS_BYTES} bytes, got {fields_bytes}")
    if body_bytes > kind.max_body:
        raise MessageError(f"the body of {kind.kind} may have {kind.max_body} bytes, got {body_bytes}")


_FORMS: Final[dict[type[Message], TypeAdapter[Message]]] = {}
"""Made when first needed, or by `prepare`."""


def prepare(*every: Kinds) -> None:
    """Make what reads and writes messages now: some 30 ms, in which a first viewer would wait."""
    for kinds in every:
        for kind in kinds.values():
            _form(kind)


def _form(kind: type[Message]) -> TypeAdapter[Message]:
    if kind not in _FORMS:
        _FORMS[kind] = TypeAdapter(kind)
    return _FORMS[kind]


def _message(kind: type[Message], fields_json: bytes, body: bytes) -> Message:
    try:
        message = _form(kind).validate_json(fields_json)
        if getattr(message, "body", b""):
            raise MessageError(f"the body of {kind.kind} came among its fields")
        return replace(message, body=body) if body else message  # type: ignore[type-var]  # every kind is a dataclass
    except ValidationError as error:
        # Without the values: some are secrets.
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise MessageError(f"{kind.kind} does not fit: {where}: {fault['msg']}"[:300]) from None
    except ValueError as error:
        raise MessageError(f"{kind.kind} does not fit: {error}"[:300]) from error
