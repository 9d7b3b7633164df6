"""The address that `mien serve` listens on: taken before anything else, or refused in one line that says what helps."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from mien.config import Settings
from mien.errors import AddressError

_BACKLOG: Final = 2048
_OTHERS: Final = 100
"""So many ports above a taken one are tried for a free one to recommend."""
_Target = tuple[socket.AddressFamily, str, int]


def open_listeners(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on every address of `host`, all on one port.

    Args:
        host: A name or an address; an IPv6 one may stand in brackets.
        port: 0 takes any that is free.

    Raises:
        AddressError: One of them cannot be had. The message names what to do instead.
    """
    listeners: list[socket.socket] = []
    absent: list[OSError] = []
    try:
        for family, address, scope in _targets(host):
            taken = listeners[0].getsockname()[1] if listeners else port
            try:
                listeners.append(_listen(family, address, taken, scope))
            except OSError as error:
                # "localhost" is two addresses, and a machine without IPv6 has but one of them.
                if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    raise AddressError(_explain(error, host, port)) from error
                absent.append(error)
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    if not listeners:
        raise AddressError(_explain(absent[0], host, port)) from absent[0]
    return listeners


def url_of(host: str, port: int) -> str:
    """Return the address to type into a browser on this machine."""
    bare = _bare(host)
    shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(bare, bare)  # noqa: S104  # nothing is bound here
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


class Caution(NamedTuple):
    """Something that will not work on a server as it is set.

    Attributes:
        subject: In a word.
        detail: What will not work.
        mend: What helps.
        breaks: Whether nobody can go live.
    """

    subject: str
    detail: str
    mend: str
    breaks: bool


def cautions(settings: Settings) -> Iterator[Caution]:
    """Say what will not work on a server that listens beyond its own machine, and what helps."""
    if settings.is_local:
        return
    if settings.whip_token is None:
        yield Caution(
            "token",
            "this server listens to other machines and has no token, so nobody can go live or add photos (403)",
            "set one of 16 characters or more: MIEN_WHIP_TOKEN=... mien serve",
            breaks=True,
        )
    yield Caution(
        "https",
        "browsers give a camera to https pages and to localhost only; watching, and WHIP from programs, need neither",
        "put a proxy with TLS before this server to go live from another machine's browser",
        breaks=False,
    )


def _targets(host: str) -> Sequence[_Target]:
    bare = _bare(host)
    if not bare:
        raise AddressError("the host is empty; 127.0.0.1 is this machine alone, 0.0.0.0 everybody who can reach it")
    try:
        found = socket.getaddrinfo(bare, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise AddressError(
            f"{host!r} is no address of this machine and no name that leads to one; 127.0.0.1 is this machine alone, "
            "0.0.0.0 everybody who can reach it"
        ) from error
    targets = [(family, str(at[0]), int(at[3]) if len(at) > 3 else 0) for family, _, _, _, at in found]
    return list(dict.fromkeys(targets))


def _bare(host: str) -> str:
    return host.strip().removeprefix("[").removesuffix("]")


def _listen(family: socket.AddressFamily, address: str, port: int, scope: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((address, port, 0, scope))
        else:
            listener.bind((address, port))
        listener.listen(_BACKLOG)  # now, not when the server is up: two servers could bind what nobody listens on
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        other = next(_free_ports(host, port), None)
        advice = "stop that one" if other is None else f"stop that one, or take another port: --port {other}"
        return f"another program (perhaps another mien serve) listens on port {port} of {host} already; {advice}"
    if error.errno in {errno.EACCES, errno.EPERM}:
        advice = "take a port from 1024 on: --port 8000, with a proxy before it where the world shall see another"
        return f"this user may not listen on port {port} of {host}; {advice}"
    if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
        return (
            f"this machine has no address {host}; 127.0.0.1 is this machine alone, 0.0.0.0 everybody who can reach it"
        )
    return f"port {port} of {host} cannot be listened on: {error.strerror or error}"


def _free_ports(host: str, port: int) -> Iterator[int]:
    """Yield ports above `port` that can be had."""
    for other in range(port + 1, min(port + _OTHERS, 65_536)):
        with contextlib.suppress(OSError, AddressError):
            for family, address, scope in _targets(host):
                _listen(family, address, other, scope).close()
            yield other
