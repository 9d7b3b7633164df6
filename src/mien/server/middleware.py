"""What holds for every request: a body has a size and a deadline, an answer has its headers."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.server.origins import route_path
from mien.server.problems import problem

_DRAIN_BYTES: Final = 4 * 2**20
_DRAIN_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """What a request's body may take.

    Attributes:
        max_bytes: Its size.
        timeout_s: From the head to its last byte.
        pause_s: Without a byte.
    """

    max_bytes: int
    timeout_s: float
    pause_s: float


class _TooLargeError(Exception):
    pass


class _TooSlowError(Exception):
    pass


class _GoneError(Exception):
    """The client left before its body was whole."""


_Fault: TypeAlias = type[_TooLargeError | _TooSlowError | _GoneError]


class _Body:
    """One request's body on its way in."""

    def __init__(self, receive: Receive, bounds: BodyBounds) -> None:
        self.fault: _Fault | None = None
        self._receive = receive
        self._bounds = bounds
        self._read = 0
        self._is_whole = False
        self._until = time.monotonic() + bounds.timeout_s

    async def receive(self) -> Message:
        if self._is_whole:
            return await self._receive()  # waits for the client to leave, which may take as long as the answer
        left_s = min(self._bounds.pause_s, self._until - time.monotonic())
        try:
            async with asyncio.timeout(left_s):
                message = await self._receive()
        except TimeoutError:
            raise self._failed(_TooSlowError) from None
        if message["type"] == "http.disconnect":
            raise self._failed(_GoneError)
        self._read += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._read > self._bounds.max_bytes:
            raise self._failed(_TooLargeError)
        return message

    def _failed(self, kind: _Fault) -> Exception:
        self.fault = kind
        return kind()


class BodyLimit:
    """Answers 413 to a body above the bounds of its path, whatever its headers claim, and 408 to one that is late.

    Args:
        app: What it protects.
        bounds_of: Returns the bounds of a path.
    """

    def __init__(self, app: ASGIApp, *, bounds_of: Callable[[str], BodyBounds]) -> None:
        self._app = app
        self._bounds_of = bounds_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  # ASGI's one verb
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        bounds = self._bounds_of(route_path(scope))
        body = _Body(receive, bounds)
        answered = False

        async def watched(message: Message) -> None:
            nonlocal answered
            if body.fault is None:
                answered = True
                await send(message)  # else the framework answers our own error; what follows below is the truth

        if _is_ambiguous(scope):
            detail = "a body has a length or is chunked, not both"
            answer = problem(HTTPStatus.BAD_REQUEST, "http.bad_request", detail, headers={"Connection": "close"})
            await answer(scope, receive, send)
            return
        if _declared_length(scope) > bounds.max_bytes:
            body.fault = _TooLargeError
        else:
            try:
                await self._app(scope, body.receive, watched)
            except (_TooLargeError, _TooSlowError):
                if answered:
                    raise
            except _GoneError:  # nobody's fault, and nobody is there to be answered
                return
        if body.fault in {None, _GoneError} or answered:
            return
        headers = {"Connection": "close"}
        if body.fault is _TooLargeError:
            await _drain(receive)
            detail = f"the body may have {bounds.max_bytes} bytes"
            answer = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "http.too_large", detail, headers=headers)
        else:
            detail = f"the body must be here within {bounds.timeout_s:.0f} s, without a pause of {bounds.pause_s:.0f} s"
            answer = problem(HTTPStatus.REQUEST_TIMEOUT, "http.request_timeout", detail, headers=headers)
        await answer(scope, receive, send)


class AnswerHeaders:
    """Adds headers to every answer that does not have them.

    Args:
        app: What answers.
        headers_of: Returns the headers for a request's scope.
    """

    def __init__(self, app: ASGIApp, *, headers_of: Callable[[Scope], Mapping[str, str]]) -> None:
        self._app = app
        self._headers_of = headers_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  # ASGI's one verb
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers_of(scope).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


async def _drain(receive: Receive) -> None:
    """Read on for a while: who is still sending when we hang up sees a reset, not our answer."""
    read = 0
    more = True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            while more and read < _DRAIN_BYTES:
                message = await receive()
                read += len(message.get("body", b""))
                more = message.get("more_body", False)


def _is_ambiguous(scope: Scope) -> bool:
    """Tell whether a proxy might see another end of the body than we do (RFC 9112, 6.1)."""
    return {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}


def _declared_length(scope: Scope) -> int:
    """Return what the head says; more than any limit where nobody would write such a number in earnest."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0
