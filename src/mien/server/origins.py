"""Pages of other sites: what they may have a visitor's browser ask of this server, which is next to nothing.

A browser says who makes a request (`Sec-Fetch-Site`, `Origin`) and pages cannot change that. Clients that are no
browser say neither, and nobody can make them ask for something unknowingly.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import structlog
from fastapi.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from mien.server.problems import problem
from mien.server.proxies import FORWARDED_HOST

log = structlog.get_logger()

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PORTS: Final = {"http": 80, "https": 443}


def route_path(scope: Scope) -> str:
    """Return the path below the prefix that the server is mounted at."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path.removeprefix(root) if root and path.startswith(root + "/") else path


def is_below(path: str, top: str) -> bool:
    """Tell whether a path is `top` or lies below it.

    Example:
        >>> is_below("/whip/x", "/whip"), is_below("/whip", "/whip"), is_below("/whipped", "/whip")
        (True, True, False)
    """
    return path == top or path.startswith(top + "/")


def is_cross_site(connection: HTTPConnection) -> bool:
    """Tell whether a page of another origin makes this request, as far as its browser says."""
    site = connection.headers.get("sec-fetch-site")
    if site == "same-origin":
        return False
    if site not in {None, "none"}:
        return True
    origin = connection.headers.get("origin")
    return origin is not None and not _is_own(origin, connection)


def _is_own(origin: str, connection: HTTPConnection) -> bool:
    scheme, host, port = _split(origin)
    if scheme not in _PORTS or host is None:
        return False
    if connection.scope["scheme"] in {"https", "wss"} and scheme != "https":
        return False
    # Neither header can be set by a page: one is the browser's own, the other would need our permission first.
    names = (connection.headers.get("host"), connection.scope.get(FORWARDED_HOST))
    return any(_split(f"{scheme}://{name}") == (scheme, host, port) for name in names if name)


def _split(origin: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(origin)
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", None, None


class KnownHosts:
    """Refuses requests for other hosts than this server's: a page elsewhere can bind its own name to our address.

    Args:
        app: What answers.
        hosts: Names and addresses; "*.example.org" stands for all below a domain, "*" for any at all.
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)
        self._domains = tuple(host[1:] for host in self._hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  # ASGI's one verb
        if scope["type"] not in {"http", "websocket"} or "*" in self._hosts or self._knows(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before the handshake is done, this is a 403
        else:
            detail = "this server does not answer to that host name; MIEN_ALLOWED_HOSTS names those that it does"
            await problem(HTTPStatus.BAD_REQUEST, "http.host", detail)(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        named = [value for name, value in scope["headers"] if name == b"host"]
        if len(named) != 1:
            return False
        _, host, _ = _split(f"http://{named[0].decode('latin-1')}")
        return host is not None and (host in self._hosts or host.endswith(self._domains or ("\0",)))


class SameOrigin:
    """Refuses what a page of another site asks for: every unsafe request, and every WebSocket.

    WHEP is there for players on other sites. So is WHIP where publishing needs a token, which such a page has to know.

    Args:
        app: What answers.
        needs_token: Whether publishing needs a token.
    """

    def __init__(self, app: ASGIApp, *, needs_token: bool) -> None:
        self._app = app
        self._open = ("/whep", "/whip") if needs_token else ("/whep",)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  # ASGI's one verb
        if scope["type"] == "websocket" and is_cross_site(HTTPConnection(scope)):
            log.info("cross_site_refused", kind="websocket")
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before the handshake is done, this is a 403
            return
        if scope["type"] == "http" and self._is_refused(scope):
            log.info("cross_site_refused", kind="http")
            detail = "a page of another site must not ask for this"
            await problem(HTTPStatus.FORBIDDEN, "http.cross_site", detail)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_refused(self, scope: Scope) -> bool:
        if scope["method"] in _SAFE or any(is_below(route_path(scope), top) for top in self._open):
            return False
        return is_cross_site(HTTPConnection(scope))
