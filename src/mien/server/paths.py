"""Where requests point: below the path prefix of a proxy, with or without a slash at the end, by HEAD as by GET."""

import re
from contextvars import ContextVar
from typing import Annotated, Final

from pydantic import PlainSerializer
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FORWARDED_PREFIX: Final = re.compile(r"(?:/(?=[^/]*[A-Za-z0-9])[A-Za-z0-9._~-]{1,64}){1,8}/?")
"""Path segments and nothing that a browser reads as a host, a scheme or a step upwards."""
_LINKED: Final = re.compile(r"<(?=/(?!/))")
_prefix: ContextVar[str] = ContextVar("prefix", default="")
_SIGNALLING: Final = ("/whip", "/whep")

OwnPath = Annotated[str, PlainSerializer(lambda path: _prefix.get() + path, return_type=str)]
"""A path of this server in a JSON answer, written as the client reaches it."""


class Paths:
    """Gives every request the path that the routes know, and every answer the paths that the client knows.

    A proxy either strips its prefix or passes it on; both are understood. What the client sees of our paths, in
    `Location`, in `Link`, in `OwnPath` and in pages, has the prefix.

    Args:
        app: What answers.
        root_path: The prefix, as in "/mien"; empty for none.
        trusts_header: Whether `X-Forwarded-Prefix` may name another one. It changes what answers say, never what
            a request reaches: a client must not walk around what a proxy forbids.
    """

    def __init__(self, app: ASGIApp, *, root_path: str, trusts_header: bool) -> None:
        self._app = app
        self._root_path = root_path
        self._trusts_header = trusts_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  # ASGI's one verb
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        prefix = self._prefix_of(scope)
        path = self._below(scope["path"])
        changes = {"path": path.removesuffix("/") or "/", "mien.home": f"{prefix}/" if prefix else _up(path)}
        if scope.get("method") == "HEAD" and not path.startswith(_SIGNALLING):  # RFC 9725, 4.2: 405 there
            changes["method"] = "GET"  # the server still knows that it was HEAD, and sends no body

        async def with_prefix(message: Message) -> None:
            if message["type"] == "http.response.start":
                _lead_below(prefix, MutableHeaders(scope=message))
            await send(message)

        token = _prefix.set(prefix)
        try:
            await self._app({**scope, **changes}, receive, with_prefix if prefix else send)
        finally:
            _prefix.reset(token)

    def _prefix_of(self, scope: Scope) -> str:
        named = Headers(scope=scope).get("x-forwarded-prefix", "") if self._trusts_header else ""
        return named.rstrip("/") if _FORWARDED_PREFIX.fullmatch(named) else self._root_path

    def _below(self, path: str) -> str:
        if self._root_path and (path == self._root_path or path.startswith(f"{self._root_path}/")):
            return path[len(self._root_path) :]
        return path


def home_of(request: HTTPConnection) -> str:
    """Return where this server's paths begin for the client: absolute below a known prefix, else relative.

    A relative one is right below any prefix, also below one that nobody told us of.
    """
    home: str = request.scope.get("mien.home", "/")
    return home


def _up(path: str) -> str:
    return "../" * (path.count("/") - 1) or "./"


def _lead_below(prefix: str, headers: MutableHeaders) -> None:
    location = headers.get("location", "")
    if location.startswith("/") and not location.startswith("//"):
        headers["location"] = prefix + location
    links = headers.getlist("link")
    if links:
        del headers["link"]
        for link in links:
            headers.append("link", _LINKED.sub(f"<{prefix}", link))
