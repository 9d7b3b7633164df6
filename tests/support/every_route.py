"""Every route of the application, found by walking it, so that a new one is in every test that asks them all."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from starlette.routing import BaseRoute

_VERBS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Place:
    """A path of the application.

    Attributes:
        path: As in `/api/broadcasts/{broadcast_id}`; of files, the folder.
        verbs: What it takes; none for a WebSocket.
    """

    path: str
    verbs: frozenset[str]

    @property
    def is_socket(self) -> bool:
        return not self.verbs


@dataclass(frozen=True, slots=True)
class Found:
    """A route of the application.

    Attributes:
        place: Where it is, and what it takes.
        kind: The name of its class.
        endpoint: What serves it; of files, the application that does.
    """

    place: Place
    kind: str
    endpoint: Callable[..., Any]


def every_place(app: FastAPI) -> list[Place]:
    """Return every path once, with all that it takes."""
    found: dict[str, set[str]] = {}
    for route in every_route(app):
        found.setdefault(route.place.path, set()).update(route.place.verbs)
    return [Place(path, frozenset(verbs)) for path, verbs in found.items()]


def every_route(app: FastAPI) -> list[Found]:
    """Return every route; a path that takes several verbs may have several."""
    return list(_walk(app.routes))


def _walk(routes: Iterable[BaseRoute]) -> Iterator[Found]:
    for route in routes:
        inner: Any = getattr(route, "original_router", None)
        if inner is not None:  # FastAPI keeps an included router as it is
            yield from _walk(inner.routes)
        else:
            path: str = getattr(route, "path", "")
            is_socket = type(route).__name__.endswith("WebSocketRoute")
            verbs: set[str] | None = getattr(route, "methods", None)
            taken = frozenset() if is_socket else frozenset(verbs or {"GET"}) & _VERBS
            endpoint: Any = getattr(route, "endpoint", None) or route.app  # type: ignore[attr-defined]  # a mount has one
            yield Found(Place(path, taken), type(route).__name__, endpoint)
