"""A siege: everything hostile that the tests know, for every route there is, over plain sockets.

Strangers without a token attack everything; somebody who was let in attacks what is his, never what is measured, which
he might end by right.
"""

import contextlib
import random
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from support import hostile_wire as wire
from support.every_route import Place
from support.hostile import (
    Hostile,
    form_bombs,
    fragment_bombs,
    json_bombs,
    mutated,
    offer_bombs,
    path_bombs,
    photo_bombs,
)

ODD_VERBS: Final = ("TRACE", "BREW", "CONNECT", "PROPFIND", "get", "G\x00T")
VERBS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", *ODD_VERBS)
NEVER: Final = frozenset({500, 501, 502, 504})
MOST_PICTURE_BYTES: Final = 2 * 2**20
BROKEN: Final = 1011
"""The closing code of a server that broke (RFC 6455, 7.4.1)."""
_KNOWN_PERSONA: Final = "mask:volto"
_CHUNK: Final = 1 << 16
_MOST_KEPT: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class World:
    """What the besiegers know of a server.

    Attributes:
        port: Where it listens on this machine.
        watched: The broadcast that shall not notice; strangers know its id.
        own: The broadcast of somebody who was let in.
        own_token: That one's token.
        operator: The operator's token.
        offer: A viewer's that would be taken.
    """

    port: int
    watched: str
    own: str
    own_token: str
    operator: str
    offer: str


@dataclass(frozen=True, slots=True)
class Attack:
    """What goes over one connection.

    Attributes:
        name: Where it goes, and what it tries.
        data: Is written as fast as it is taken.
        opening: A handshake that must be answered before.
        reads: Whether the answer is read.
    """

    name: str
    data: bytes
    opening: bytes = b""
    reads: bool = True


@dataclass
class Outcome:
    """What came of an attack.

    Attributes:
        status: The HTTP status; 0 where the connection ended without one.
        closed: The closing code of a WebSocket, if it came.
        location: Where something was made.
    """

    status: int = 0
    closed: int | None = None
    location: str | None = None


# What is sent -----------------------------------------------------------------------------------------------------


def request(method: str, path: str, body: Hostile | None = None, token: str | None = None) -> bytes:
    """Return a whole request."""
    lines = [] if token is None else [b"Authorization: Bearer " + token.encode()]
    if body is None:
        return wire.head(method, path, *lines, b"Connection: close")
    lines += [f"{name}: {value}".encode() for name, value in body.headers.items()]
    lines += [b"Content-Type: " + body.kind.encode(), b"Content-Length: %d" % len(body.body), b"Connection: close"]
    return wire.head(method, path, *lines) + body.body


def sweep(places: Sequence[Place], world: World) -> Iterator[Attack]:
    """Yield every verb for every path, as a stranger and as somebody who was let in, with odd names in it."""
    for place in places:
        for verb in VERBS:
            for path in dict.fromkeys(_paths(place, world.watched)):
                yield Attack(f"{verb} {path[:60]}", request(verb, path))
            for token in (world.own_token, world.operator):
                if verb == "DELETE" and place.path == "/api/broadcasts/{broadcast_id}":
                    continue  # he may
                path = next(_paths(place, world.own))
                yield Attack(f"{verb} {path[:60]} let in", request(verb, path, token=token))


def bombs(places: Sequence[Place], world: World) -> Iterator[Attack]:
    """Yield for every path what is made for it."""
    for place in places:
        if place.is_socket:
            yield from _socket_bombs(place, world)
            continue
        path = next(_paths(place, world.watched))
        for bomb in wire.head_bombs(path):
            yield Attack(f"GET {path[:60]} {bomb.name}", bomb.data)
        for verb in sorted(place.verbs - {"GET", "HEAD", "OPTIONS"}):
            for who, token in (("", None), ("own ", world.own_token), ("operator ", world.operator)):
                mine = next(_paths(place, world.own if token else world.watched))
                if token and verb == "DELETE":
                    continue
                for body in _bodies(verb, place.path):
                    yield Attack(f"{who}{verb} {mine[:60]} {body.name}", request(verb, mine, body, token))
                kind, size = _kind_of(verb, place.path), 65_536 if place.path.startswith("/wh") else 16_384
                lines = (b"Authorization: Bearer " + token.encode(),) if token else ()
                for bomb in wire.body_bombs(verb, mine, kind, size=size, lines=lines):
                    yield Attack(f"{who}{verb} {mine[:60]} {bomb.name}", bomb.data)
    for path in path_bombs():
        yield Attack(f"GET {path[:60]}", request("GET", path))


def at_random(known: list[Attack], world: World, rng: random.Random) -> Iterator[Attack]:
    """Yield for ever: any of the known, in any order, among offers changed at random."""
    while True:
        rng.shuffle(known)
        for attack in known:
            yield attack
            body = mutated(world.offer, rng)
            yield Attack("POST /whep, mutated", request("POST", f"/whep/{world.watched}", body))
            yield Attack("POST /whip, mutated", request("POST", f"/whip/{world.own}", body, world.own_token))


def _paths(place: Place, broadcast: str) -> Iterator[str]:
    """Yield a place's path with good names first, then with odd ones."""
    good = {
        "broadcast_id": broadcast,
        "session_id": "nobody",
        "persona_id": _KNOWN_PERSONA,
        "name": "20260101T000000Z.mp4",
    }
    names: list[str] = re.findall(r"{(\w+)", place.path)
    plain = re.sub(r"{(\w+)[^}]*}", lambda found: good.get(found[1], "x"), place.path)
    yield plain
    if not names:
        yield from (
            f"{plain}/",
            f"{plain}?a=%00&a=b",
            f"/{plain}",
            f"{plain}/..%2f..%2fetc%2fpasswd",
            f"{plain}/../../x",
        )
        return
    for odd in (
        "%00",
        "..",
        "..%2f..%2fetc%2fpasswd",
        "%ff%fe",
        "a" * 4000,
        "%F0%9F%98%80",
        "%0d%0aX-A:%20b",
        "*",
        "%25",
    ):
        for name in names:
            filled = {**good, name: odd}
            yield re.sub(r"{(\w+)[^}]*}", lambda found, filled=filled: filled.get(found[1], "x"), place.path)  # type: ignore[misc]  # a lambda's own default


def _kind_of(verb: str, path: str) -> str:
    if path.startswith(("/whip", "/whep")):
        return "application/trickle-ice-sdpfrag" if verb == "PATCH" else "application/sdp"
    if path == "/api/references":
        return "multipart/form-data; boundary=B"
    return "text/plain" if path.endswith("/end") else "application/json"


def _bodies(verb: str, path: str) -> Iterator[Hostile]:
    """Yield bodies made for a route, and one of each of the wrong kinds."""
    if path.startswith(("/whip", "/whep")):
        yield from fragment_bombs() if verb == "PATCH" else offer_bombs("sendonly" if "whip" in path else "recvonly")
    elif path == "/api/references":
        yield from form_bombs()
        yield from photo_bombs()
    else:
        yield from json_bombs()
    kind = _kind_of(verb, path)
    yield Hostile("text as JSON", b"{}", kind)
    yield Hostile("another type", b"<a/>", "application/xml")
    yield Hostile("an odd type", b"{}", "\xe9/;=;;;charset=\xff")
    yield Hostile("a charset of its own", b"\xff\xfe{\0}\0", "application/json; charset=utf-16")
    yield Hostile("a packed one", b"\x1f\x8b" + bytes(100), kind, {"Content-Encoding": "gzip"})
    yield Hostile("zeros", bytes(16_000), kind)
    yield Hostile("a size just right", b" " * 16_384, kind)
    yield Hostile("too much", b" " * 200_000, kind)


def _socket_bombs(place: Place, world: World) -> Iterator[Attack]:
    path = next(_paths(place, world.watched))
    yield Attack(f"{path[:60]} plain", request("GET", path))
    for bomb in (*wire.handshake_bombs(path), *wire.head_bombs(path)):
        yield Attack(f"{path[:60]} {bomb.name}", bomb.data)
    opening = wire.handshake(path)
    for reads in (True, False):
        for bomb in wire.frame_bombs(most=MOST_PICTURE_BYTES):
            yield Attack(f"{path[:60]} {bomb.name}", bomb.data, opening, reads)
    for odd in _paths(place, world.watched):
        yield Attack(f"{odd[:60]} nothing more", b"", wire.handshake(odd))
    if "broadcast_id" in place.path:
        return
    spec = b'{"token":"%s"}' % world.operator.encode()
    for bomb in (*wire.wish_bombs(most=MOST_PICTURE_BYTES), *wire.wish_bombs(most=16_000)):
        yield Attack(f"{path[:60]} {bomb.name}", bomb.data, opening)
    for bomb in wire.picture_bombs(spec, most=MOST_PICTURE_BYTES):
        yield Attack(f"{path[:60]} {bomb.name}", bomb.data, opening)


# How it is sent ---------------------------------------------------------------------------------------------------


def send(attack: Attack, port: int, *, patience_s: float = 0.5, most_s: float = 5.0) -> Outcome:
    """Carry out an attack, until nothing has come for `patience_s` or all has taken `most_s`."""
    until = time.monotonic() + most_s
    got = bytearray()
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=most_s) as line:
        if not attack.reads:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened = _open(line, attack.opening) if attack.opening else b""
        got += opened
        if not attack.opening or b" 101 " in opened[:20]:
            _pour(line, attack, got, patience_s, until)
    return _outcome(bytes(got), is_socket=bool(attack.opening))


def _open(line: socket.socket, opening: bytes) -> bytes:
    line.sendall(opening)
    answer = b""
    while b"\r\n\r\n" not in answer and (more := line.recv(_CHUNK)):
        answer += more
    return answer


def _pour(line: socket.socket, attack: Attack, got: bytearray, patience_s: float, until: float) -> None:
    """Write and, if the attacker reads at all, read at the same time."""
    line.setblocking(False)
    left = memoryview(attack.data)
    silent_since = time.monotonic()
    while (now := time.monotonic()) < until and now - silent_since < patience_s:
        moved = False
        if left:
            with contextlib.suppress(BlockingIOError):
                left, moved = left[line.send(left[:_CHUNK]) :], True
        if attack.reads:
            with contextlib.suppress(BlockingIOError):
                more = line.recv(_CHUNK)
                if not more:
                    return
                if len(got) < _MOST_KEPT:
                    got += more
                moved = True
        if moved:
            silent_since = now
        else:
            time.sleep(0.005)


def _outcome(got: bytes, *, is_socket: bool) -> Outcome:
    start, _, rest = got.partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1\.1 (\d{3})", start)
    where = re.search(rb"(?im)^location: (\S+)", start)
    outcome = Outcome(int(found[1]) if found else 0, location=where[1].decode() if where else None)
    if is_socket and outcome.status == 101:
        outcome.closed = _closing_code(rest)
    return outcome


def _closing_code(frames: bytes) -> int | None:
    """Return the code of the closing frame in what a server sent, if there is one."""
    at = 0
    while at + 2 <= len(frames):
        kind, length = frames[at] & 0xF, frames[at + 1] & 0x7F
        at += 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(frames[at : at + size], "big")
            at += size
        if kind == wire.CLOSE:
            return int.from_bytes(frames[at : at + 2], "big") if length >= 2 else 1005
        at += length
    return None


# Who stays --------------------------------------------------------------------------------------------------------


@dataclass
class Lingering:
    """Connections that never finish what they began, so many at any time; the oldest is given up for a new one."""

    world: World
    most: int = 100
    known: list[socket.socket] = field(default_factory=list)
    _turn: int = 0

    def add(self) -> None:
        """Begin one more."""
        beginnings = (
            b"POST /whip HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
            b"",
            wire.handshake(f"/api/broadcasts/{self.world.watched}/events"),
            wire.handshake("/ws/frames"),
            wire.head("GET", "/openapi.json") * 20,
            wire.head(
                "POST", f"/whep/{self.world.watched}", b"Content-Type: application/sdp", b"Transfer-Encoding: chunked"
            )
            + b"5\r\nv=0\r\n",
            wire.head("GET", f"/api/broadcasts/{self.world.watched}/thumbnail.jpg") * 50,
        )
        self._turn += 1
        with contextlib.suppress(OSError):
            new = socket.create_connection(("127.0.0.1", self.world.port), timeout=1)
            new.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            new.sendall(beginnings[self._turn % len(beginnings)])
            self.known.append(new)
        while len(self.known) > self.most:
            self.known.pop(0).close()

    def close(self) -> None:
        """Give up all."""
        while self.known:
            self.known.pop().close()
