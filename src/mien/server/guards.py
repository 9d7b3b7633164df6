"""Who may, before what they send: a route's action is authorized before any of the request's body is read.

FastAPI reads and parses a body before it solves a route's dependencies, so a dependency comes too late for a route that
has a body.
"""

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from fastapi import Request
from fastapi.requests import HTTPConnection
from fastapi.responses import Response
from fastapi.routing import APIRoute

from mien.app.access import RULES, About, Action, Resource, authorize
from mien.server.auth import bearer_token
from mien.server.dependencies import principal_of, services_of

Guard: TypeAlias = Callable[[Request], AbstractContextManager[None]]
"""Returns what is held while a request is served; raises where it cannot be had."""
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a route asks of a request.

    Attributes:
        action: What the route does.
        token_follows: The token comes with the body or a message, so the route authorizes the action itself.
        guards: What a request must get hold of once it is authorized.
    """

    action: Action
    token_follows: bool = False
    guards: tuple[Guard, ...] = ()


def requires(action: Action, *guards: Guard, token_follows: bool = False) -> Callable[[_Endpoint], _Endpoint]:
    """Say what a route does; see `Requirement`. Every route says it once, or a test fails.

    Raises:
        TypeError: It was said already.
    """

    def mark(endpoint: _Endpoint) -> _Endpoint:
        if requirement_of(endpoint) is not None:
            raise TypeError(f"a route has one action; {endpoint!r} has one besides {action.name}")
        endpoint.requirement = Requirement(action, token_follows, guards)  # type: ignore[attr-defined]  # read below alone
        return endpoint

    return mark


def requirement_of(endpoint: Callable[..., Any]) -> Requirement | None:
    """Return what `requires` said of a route's function."""
    requirement: Requirement | None = getattr(endpoint, "requirement", None)
    return requirement


def resource_of(connection: HTTPConnection, action: Action) -> Resource:
    """Return what a request wants to do `action` with: the broadcast of its path, or the server.

    Raises:
        NoSuchBroadcastError: There is none of that id.
    """
    services = services_of(connection)
    if RULES[action].about is About.SERVER:
        return services.server
    return services.broadcasts.get(connection.path_params["broadcast_id"])


class GuardedRoute(APIRoute):
    """A route that serves who may do its action, and answers everybody else before their body is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what serves a request.

        Raises:
            TypeError: Nobody said what the route does.
        """
        serve = super().get_route_handler()
        requirement = requirement_of(self.endpoint)
        if requirement is None:
            raise TypeError(f"the route {self.path} has no action; say it with @requires(Action...)")

        async def guarded_serve(request: Request) -> Response:
            check(request, requirement)
            with ExitStack() as held:
                for guard in requirement.guards:
                    held.enter_context(guard(request))
                return await serve(request)

        return guarded_serve


def check(connection: HTTPConnection, requirement: Requirement) -> None:
    """Let a request through that may do what it asks for, as far as its head tells.

    Raises:
        NoSuchBroadcastError: It names no broadcast that is there.
        TokenError: The token that this needs is missing or wrong.
        TokenNotSetError: The server needs a token first.
    """
    resource = resource_of(connection, requirement.action)
    if not requirement.token_follows:
        authorize(principal_of(connection, bearer_token(connection)), requirement.action, resource)
