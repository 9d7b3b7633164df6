"""Who may, before what they send: guards look at the head of a request before any of its body is read.

FastAPI reads and parses a body before it solves a route's dependencies, so a dependency comes too late for a route that
has a body.
"""

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias, TypeVar

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

Guard: TypeAlias = Callable[[Request], AbstractContextManager[None] | None]
"""Raises where a request may not pass; what it returns is held while the request is served."""
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])


def guarded(*guards: Guard) -> Callable[[_Endpoint], _Endpoint]:
    """Let a route's requests through these guards, one after the other. The router's routes are `GuardedRoute`s."""

    def mark(endpoint: _Endpoint) -> _Endpoint:
        endpoint.guards = guards  # type: ignore[attr-defined]  # read by GuardedRoute alone
        return endpoint

    return mark


class GuardedRoute(APIRoute):
    """A route whose guards, if it has any, come before its body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what serves a request."""
        serve = super().get_route_handler()
        guards: tuple[Guard, ...] = getattr(self.endpoint, "guards", ())

        async def guarded_serve(request: Request) -> Response:
            return await _through(guards, request, serve)

        return guarded_serve


async def _through(
    guards: tuple[Guard, ...], request: Request, serve: Callable[[Request], Coroutine[Any, Any, Response]]
) -> Response:
    if not guards:
        return await serve(request)
    with guards[0](request) or nullcontext():
        return await _through(guards[1:], request, serve)
