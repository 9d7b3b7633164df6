"""Hostile bytes below the level of requests: heads, bodies in pieces, WebSocket handshakes and frames."""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

TEXT, BINARY, CONTINUED, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA
HEAD_BYTES: Final = 60_000
"""Near what uvicorn waits for of a head that does not end."""
_FIN: Final = 0x80
_MASKED: Final = 0x80
_JPEG: Final = b"\xff\xd8\xff\xe0" + bytes(60)


@dataclass(frozen=True, slots=True)
class Wire:
    """What is written to one connection.

    Attributes:
        name: What it tries.
        data: The bytes, as fast as they are taken.
    """

    name: str
    data: bytes


def head(method: str, path: str, *lines: bytes) -> bytes:
    """Return a request's head with these further lines, as a client of this machine would send it."""
    return b"\r\n".join(
        (f"{method} {path} HTTP/1.1".encode("utf-8", "surrogatepass"), b"Host: 127.0.0.1", *lines, b"", b"")
    )


def head_bombs(path: str) -> Iterator[Wire]:
    """Yield requests for `path` whose head is the bomb. Each is whole, or ends before it is."""
    many = HEAD_BYTES // 8
    lines = {
        "many headers": [b"a%d:" % (n % 1000) for n in range(many)],
        "one header often": [b"accept:a"] * (HEAD_BYTES // 10),
        "many cookies": [b"cookie: " + b"a=;" * (HEAD_BYTES // 3)],
        "a long header": [b"x: " + b"a" * HEAD_BYTES],
        "a long name": [b"a" * HEAD_BYTES + b": x"],
        "blanks": [b"x:" + b" " * HEAD_BYTES + b"x"],
        "many types": [b"accept: " + b"a/b;q=0," * (HEAD_BYTES // 8)],
        "a type of many parameters": [b"content-type: a/b" + b";a=b" * (HEAD_BYTES // 4)],
        "a type of quotes": [b"content-type: multipart/form-data; boundary=" + b'"\\' * (HEAD_BYTES // 2)],
        "many proxies": [b"x-forwarded-for: " + b"1.2.3.4," * (HEAD_BYTES // 8)],
        "forwarded": [b"forwarded: " + b'for="[::1]";host=a;proto=https,' * (HEAD_BYTES // 31)],
        "a deep prefix": [b"x-forwarded-prefix: " + b"/a" * (HEAD_BYTES // 2)],
        "a long origin": [b"origin: http://" + b"a." * (HEAD_BYTES // 2)],
        "a bracketed origin": [b"origin: http://[" + b":" * (HEAD_BYTES // 2)],
        "a port of digits": [b"origin: http://a:" + b"9" * HEAD_BYTES],
        "a long token": [b"authorization: Bearer " + b"a" * HEAD_BYTES],
        "a token of odd letters": [b"authorization: Bearer " + b"\xff" * 300],
        "a token of blanks": [b"authorization: Bearer" + b" " * HEAD_BYTES],
        "many tags": [b"if-match: " + b'"a",' * (HEAD_BYTES // 4)],
        "tags of a file": [b"if-none-match: " + b'W/"a",' * (HEAD_BYTES // 6)],
        "many ranges": [b"range: bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(0, 12_000, 2))],
        "ranges that overlap": [b"range: bytes=" + b"0-," * (HEAD_BYTES // 3)],
        "a range of digits": [b"range: bytes=" + b"9" * 30_000 + b"-"],
        "two hosts": [b"Host: elsewhere.example"],
        "an odd date": [b"if-modified-since: " + b"9" * HEAD_BYTES],
        "a length of digits": [b"content-length: " + b"9" * 5000],
        "a negative length": [b"content-length: -1"],
        "a length and chunks": [b"content-length: 3", b"transfer-encoding: chunked"],
        "expects": [b"expect: 100-continue", b"content-length: 3"],
        "upgrades to nothing": [b"connection: upgrade", b"upgrade: h2c"],
        "folded lines": [b"a: b"] + [b" c"] * (HEAD_BYTES // 4),
        "zeros": [b"a: " + bytes(300)],
    }
    for name, more in lines.items():
        yield Wire(f"head: {name}", head("GET", path, *more))
    joint = "&" if "?" in path else "?"
    for name, query in {
        "many fields": "a&" * (HEAD_BYTES // 2),
        "many values": "a=%41&" * (HEAD_BYTES // 6),
        "escapes": "a=" + "%ff" * (HEAD_BYTES // 3),
        "brackets": "a" + "[]" * (HEAD_BYTES // 2),
    }.items():
        yield Wire(f"query: {name}", head("GET", path + joint + query))
    yield Wire("head: no end", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 40_000)
    yield Wire("head: no line", b"G" * 200_000)
    yield Wire("head: many requests at once", head("GET", path) * 200)
    yield Wire("head: blank lines", b"\r\n" * 100_000)
    yield Wire("head: noise", random.Random(1).randbytes(60_000))  # noqa: S311  # nothing is secret


def body_bombs(method: str, path: str, kind: str, *, size: int, lines: tuple[bytes, ...] = ()) -> Iterator[Wire]:
    """Yield requests whose body, of at most `size` bytes, comes in pieces that nobody would cut."""
    chunked = head(method, path, b"content-type: " + kind.encode(), b"transfer-encoding: chunked", *lines)
    yield Wire("body: chunks of one byte", chunked + b"1\r\n \r\n" * size)
    yield Wire("body: long extensions", chunked + (b"1;" + b"a" * 8000 + b"\r\n \r\n") * 30)
    yield Wire("body: a chunk of digits", chunked + b"0" * 16_000 + b"1\r\n \r\n")
    yield Wire("body: a negative chunk", chunked + b"-1\r\n")
    yield Wire("body: many trailers", chunked + b"1\r\n \r\n0\r\n" + b"a: b\r\n" * 8000 + b"\r\n")
    yield Wire("body: no end", chunked + b"1000\r\n" + b" " * 1000)
    long = head(method, path, b"content-type: " + kind.encode(), b"content-length: %d" % size, *lines)
    yield Wire("body: less than it says", long + b" " * (size // 2))
    yield Wire("body: more than it says", long + b" " * (size + 100_000))


def handshake(path: str, *lines: bytes) -> bytes:
    """Return a WebSocket's handshake (RFC 6455, 4.1)."""
    wanted = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
    return head("GET", path, *wanted, b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", *lines)


def handshake_bombs(path: str) -> Iterator[Wire]:
    """Yield handshakes that ask for too much."""
    deflate = b"permessage-deflate; client_max_window_bits=15,"
    for name, line in {
        "many extensions": b"sec-websocket-extensions: " + deflate * 1200,
        "an extension of many parameters": b"sec-websocket-extensions: permessage-deflate" + b";a=b" * 14_000,
        "an extension of quotes": b'sec-websocket-extensions: a; b="' + b"\\a" * 30_000,
        "many protocols": b"sec-websocket-protocol: " + b"a," * 30_000,
        "another version": b"sec-websocket-version: 99",
        "another key": b"sec-websocket-key: " + b"A" * 20_000,
    }.items():
        yield Wire(f"handshake: {name}", handshake(path, line))
    yield Wire("handshake: many headers", handshake(path, *[b"a: b"] * 9000))
    yield Wire("handshake: by POST", handshake(path).replace(b"GET", b"POST", 1))


def frame(opcode: int, data: bytes = b"", *, fin: bool = True, says: int | None = None, first: int = 0) -> bytes:
    """Return one masked frame (RFC 6455, 5.2); `says` is the length that it claims, `first` more bits at the start."""
    length = len(data) if says is None else says
    start = struct.pack("!B", (_FIN if fin else 0) | opcode | first)
    if length < 126:
        start += struct.pack("!B", _MASKED | length)
    elif length < 1 << 16:
        start += struct.pack("!BH", _MASKED | 126, length)
    else:
        start += struct.pack("!BQ", _MASKED | 127, length)
    return start + bytes(4) + data  # a mask of zeros leaves the data as they are


def frame_bombs(*, most: int) -> Iterator[Wire]:
    """Yield what may follow a handshake; `most` is the size of the largest message that is sent."""
    count = 100_000
    yield Wire("frames: pings", frame(PING, b"a" * 125) * (count // 4))
    yield Wire("frames: empty pings", frame(PING) * count)
    yield Wire("frames: pongs", frame(PONG) * count)
    yield Wire("frames: empty texts", frame(TEXT) * count)
    yield Wire("frames: empty pieces", frame(TEXT, fin=False) + frame(CONTINUED, fin=False) * count)
    yield Wire("frames: pieces of one byte", frame(BINARY, fin=False) + frame(CONTINUED, b"a", fin=False) * count)
    yield Wire("frames: pieces and pings", (frame(TEXT, fin=False) + frame(PING) * 10) * (count // 10))
    yield Wire("frames: a large text", frame(TEXT, b" " * most))
    yield Wire("frames: a large binary", frame(BINARY, bytes(most)))
    yield Wire("frames: larger than may be", frame(BINARY, bytes(100), says=1 << 40))
    yield Wire("frames: a length below zero", frame(BINARY, bytes(100), says=(1 << 64) - 1))
    yield Wire("frames: no end", frame(BINARY, bytes(most // 2), says=most))
    yield Wire("frames: no UTF-8", frame(TEXT, b"\xff\xfe" * 1000))
    yield Wire("frames: a lone surrogate", frame(TEXT, b"\xed\xa0\x80"))
    yield Wire("frames: compressed without leave", frame(TEXT, b"\x00" * 100, first=0x40))
    yield Wire("frames: reserved bits", frame(TEXT, b"a", first=0x30))
    yield Wire("frames: an unknown kind", frame(0xF, b"a"))
    yield Wire("frames: a long ping", frame(PING, bytes(4000)))
    yield Wire("frames: a ping in pieces", frame(PING, fin=False))
    yield Wire("frames: unmasked", b"\x81\x05hello")
    yield Wire("frames: a piece of nothing", frame(CONTINUED, b"a"))
    yield Wire("frames: closes", frame(CLOSE, struct.pack("!H", 1000)) * 1000)
    yield Wire("frames: an odd close", frame(CLOSE, struct.pack("!H", 999)))
    yield Wire("frames: a short close", frame(CLOSE, b"a"))
    yield Wire("frames: noise", random.Random(2).randbytes(100_000))  # noqa: S311  # nothing is secret


_SWAP = b'{"policy":{"version":1,"rules":[{"subject":{"kind":"primary"},"treatment":{"kind":"swap","persona":"mask:'


def wish_bombs(*, most: int) -> Iterator[Wire]:
    """Yield first messages to `/ws/frames` that are wishes, or nearly."""
    for name, text in {
        "many fields": b"{" + b",".join(b'"a%d":1' % n for n in range(most // 12)) + b"}",
        "one field often": b"{" + b",".join([b'"token":"a"'] * (most // 13)) + b"}",
        "a long token": b'{"token":"' + b"a" * most + b'"}',
        "deep": b"[" * most,
        "deep objects": b'{"a":' * (most // 5),
        "a long number": b'{"delay_frames":' + b"9" * (most // 2) + b"}",
        "a long persona": _SWAP + b"a" * most + b'"}}]}}',
        "many rules": b'{"policy":{"version":1,"rules":[' + b'{"subject":1},' * (most // 14) + b"1]}}",
        "escapes": b'{"token":"' + b"\\u0000" * (most // 6) + b'"}',
        "a list": b"[" + b"1," * (most // 2) + b"1]",
        "a null": b"null",
    }.items():
        yield Wire(f"wish: {name}", frame(TEXT, text[:most]))


def picture_bombs(spec: bytes, *, most: int) -> Iterator[Wire]:
    """Yield what a client that was let in sends after `spec`."""
    begun, number = frame(TEXT, spec), bytes(8)
    yield Wire("pictures: none", begun + frame(BINARY) * 1000)
    yield Wire("pictures: a number alone", begun + frame(BINARY, number))
    yield Wire("pictures: rubbish", begun + frame(BINARY, number + random.Random(3).randbytes(1000)) * 300)  # noqa: S311  # nothing is secret
    yield Wire("pictures: many", begun + frame(BINARY, number + _JPEG) * 20_000)
    yield Wire("pictures: segments", begun + frame(BINARY, number + b"\xff\xd8" + b"\xff\xe1\x00\x02" * (most // 5)))
    yield Wire("pictures: filled", begun + frame(BINARY, number + b"\xff\xd8" + b"\xff" * (most - 20)))
    riff = b"RIFF" + struct.pack("<I", most) + b"WEBP"
    yield Wire("pictures: WebP chunks", begun + frame(BINARY, number + riff + b"ABCD\0\0\0\0" * (most // 9)))
    yield Wire("pictures: a large one", begun + frame(BINARY, bytes(most)))
    yield Wire("pictures: wishes", begun + frame(TEXT, spec) * 2000)
    yield Wire("pictures: a wish that is none", begun + frame(TEXT, b"[" * 1000))
