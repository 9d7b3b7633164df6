"""Every route has one action, and the reference says which."""

import re
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI

from mien.app.access import RULES, Action
from mien.server.guards import GuardedRoute, Requirement, requirement_of, requires
from support.every_route import Found, every_route
from support.live import unopened_app

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "access.md"
ASKED_WITHIN_OTHERS = {Action.PREVIEW, Action.SEE_REFERENCES, Action.SEE_FACES}
"""What a route asks besides its own action."""


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> FastAPI:
    web_dir = tmp_path_factory.mktemp("web")
    (web_dir / "assets").mkdir()
    return unopened_app(web_dir)


def without_action(app: FastAPI) -> list[str]:
    return [route.place.path for route in every_route(app) if requirement_of(route.endpoint) is None]


def requirement(route: Found) -> Requirement:
    found = requirement_of(route.endpoint)
    assert found is not None, route.place.path
    return found


def test_every_route_has_an_action(app):
    assert without_action(app) == []


@pytest.mark.parametrize("kind", ["get", "websocket"])
def test_a_new_route_without_an_action_is_found(kind):
    router = APIRouter()
    getattr(router, kind)("/new")(lambda: None)
    app = FastAPI()
    app.include_router(router)
    assert "/new" in without_action(app)


def test_a_guarded_route_without_an_action_cannot_be_made():
    with pytest.raises(TypeError, match="/new has no action"):
        APIRouter(route_class=GuardedRoute).get("/new")(lambda: None)


def test_a_route_has_one_action():
    with pytest.raises(TypeError, match="has one besides PUBLISH"):
        requires(Action.PUBLISH)(requires(Action.WATCH)(lambda: None))


def test_every_http_route_checks_its_action_before_the_body(app):
    """Files are read by a mount, and WebSockets authorize themselves."""
    guarded = {GuardedRoute.__name__}
    kinds = {route.place.path: route.kind for route in every_route(app) if not route.place.is_socket}
    assert {path for path, kind in kinds.items() if kind not in guarded} == {"/assets"}


def test_every_route_about_a_broadcast_names_it_in_its_path(app):
    for route in every_route(app):
        if RULES[requirement(route).action].about.name == "BROADCAST":
            assert "{broadcast_id}" in route.place.path


def test_every_action_is_some_routes(app):
    assert {requirement(route).action for route in every_route(app)} == set(Action) - ASKED_WITHIN_OTHERS


def test_the_reference_lists_every_route_with_its_action(app):
    rows = re.findall(r"^\| `([A-Z, ]+) (/\S*)` \| (.+) \|$", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {(path, frozenset(verbs.split(", ")), action) for verbs, path, action in rows}
    routes = {(r.place.path, r.place.verbs or frozenset({"WS"}), requirement(r).action.value) for r in every_route(app)}
    assert listed == routes
    assert len(rows) == len(every_route(app))


def test_the_reference_says_who_may():
    rows = re.findall(
        r"^\| ([a-z][^|]+) \| ([^|]+) \| ([^|]+) \|$", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {row[0]: row[1:] for row in rows[1:]} == {
        action.value: (rule.about.value, rule.who.value) for action, rule in RULES.items()
    }
