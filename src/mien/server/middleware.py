"""What holds for every request: a body has a size, an answer has its headers."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.server.problems import problem

_DRAIN_BYTES: Final = 4 * 2**20


class _TooLargeError(Exception):
    pass


class BodyLimit:
    """Answers 413 to a body above the limit of its path, whatever its headers claim.

    Args:
        app: What it protects.
        limit_of: Returns the limit in bytes of a path.
    """

    def __init__(self, app: ASGIApp, *, limit_of: Callable[[str], int]) -> None:
        self._app = app
        self._limit_of = limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  # ASGI's one verb
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope["path"])
        read = 0
        answered = False

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise _TooLargeError
            return message

        async def watched(message: Message) -> None:
            nonlocal answered
            if read <= limit:
                answered = True
                await send(message)  # else the framework answers our own error; the 413 below is the truth

        if _declared_length(scope) > limit:
            read = limit + 1
        else:
            try:
                await self._app(scope, counted, watched)
            except _TooLargeError:
                if answered:
                    raise
        if read > limit and not answered:
            await _drain(receive)
            detail = f"the body may have {limit} bytes"
            headers = {"Connection": "close"}
            answer = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "http.too_large", detail, headers=headers)
            await answer(scope, receive, send)


class AnswerHeaders:
    """Adds headers to every answer that does not have them.

    Args:
        app: What answers.
        headers_of: Returns the headers for a path.
    """

    def __init__(self, app: ASGIApp, *, headers_of: Callable[[str], Mapping[str, str]]) -> None:
        self._app = app
        self._headers_of = headers_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  # ASGI's one verb
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers_of(scope["path"]).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


async def _drain(receive: Receive) -> None:
    """Read on for a while: who is still sending when we hang up sees a reset, not our answer."""
    read = 0
    more = True
    while more and read < _DRAIN_BYTES:
        message = await receive()
        read += len(message.get("body", b""))
        more = message.get("more_body", False)


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
