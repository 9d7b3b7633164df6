"""WebSockets of strangers: what a message may be, and what becomes of who reads nothing."""

import asyncio
import contextlib
import logging
import socket
import struct

import pytest

from support import hostile_wire as wire
from support.live import serving
from support.pipelines import SmallFactory
from support.siege import Attack, send

FRAMES = "/ws/frames"


@contextlib.asynccontextmanager
async def a_broadcast(**settings):
    async with serving(SmallFactory(), **settings) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        yield client.base_url.port, f"/api/broadcasts/{made['id']}/events"


async def sent(port: int, path: str, data: bytes) -> int | None:
    """Return the code with which the server closed."""
    outcome = await asyncio.to_thread(send, Attack("", data, wire.handshake(path)), port, patience_s=1)
    assert outcome.status == 101
    return outcome.closed


@pytest.mark.parametrize("data", [b"", b"a"])
async def test_a_message_in_endless_pieces_is_refused(data):
    piece = wire.frame(wire.CONTINUED, data, fin=False)
    async with a_broadcast() as (port, events):
        for path in (events, FRAMES):
            assert await sent(port, path, wire.frame(wire.TEXT, data, fin=False) + piece * 1023) is None
            assert await sent(port, path, wire.frame(wire.TEXT, data, fin=False) + piece * 1024) == 1009


async def test_a_message_in_some_pieces_is_taken():
    cut = wire.frame(wire.TEXT, b"[", fin=False) + wire.frame(wire.CONTINUED, fin=False) * 900
    async with a_broadcast() as (port, _):
        assert await sent(port, FRAMES, cut + wire.frame(wire.CONTINUED, b"]")) == 1008  # read, and no wish


async def test_who_has_not_said_who_he_is_may_send_little_and_a_listener_never_more():
    async with a_broadcast() as (port, events):
        large, small = wire.frame(wire.TEXT, b" ", says=20_000), wire.frame(wire.TEXT, b" " * 15_000)
        assert await sent(port, FRAMES, large) == 1009
        assert await sent(port, events, small + large) == 1009


async def test_who_was_let_in_may_send_a_picture_at_once_but_no_long_wish():
    picture = wire.frame(wire.BINARY, struct.pack("!Q", 1) + bytes(500_000))
    async with a_broadcast() as (port, _):
        # Both are taken; the second is no picture, which ends nothing, so that the text that is too long does.
        assert (
            await sent(port, FRAMES, wire.frame(wire.TEXT, b"{}") + picture + wire.frame(wire.TEXT, b" " * 20_000))
            == 1008
        )


async def test_text_that_is_none_is_refused_and_not_logged(caplog):
    async with a_broadcast() as (port, events):
        for text in (b"\xff\xfe", b"\xed\xa0\x80"):
            assert await sent(port, events, wire.frame(wire.TEXT, text)) == 1007
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


async def test_messages_are_not_compressed():
    """A kilobyte of a stranger's could become a megabyte here."""
    async with a_broadcast() as (port, events):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            asked = wire.handshake(events, b"Sec-WebSocket-Extensions: permessage-deflate")
            answer = await asyncio.to_thread(lambda: (line.sendall(asked), line.recv(4096))[1])
    assert b" 101 " in answer
    assert b"permessage-deflate" not in answer


async def test_who_pings_and_reads_nothing_is_not_listened_to_and_gone_after_a_while():
    """Every answer to a ping would have to be kept for him."""
    pings = wire.frame(wire.PING, b"a" * 125) * 1000
    most = 64_000_000  # what the kernel keeps on both ways is some megabytes; the server keeps next to nothing
    async with a_broadcast(http={"write_pause_s": 1.0}) as (port, events):

        def flood() -> int:
            taken = 0
            with socket.socket() as line:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                line.settimeout(30)
                line.connect(("127.0.0.1", port))
                line.sendall(wire.handshake(events))
                with contextlib.suppress(ConnectionError):
                    while taken < most:
                        taken += line.send(pings)
            return taken

        assert await asyncio.to_thread(flood) < most
