"""What a request shows of who makes it."""

import pytest
from starlette.requests import Request

from mien.app.access import Principal
from mien.app.broadcasts.repository import InMemoryBroadcasts
from mien.config import Settings
from mien.server.auth import bearer_token, identify
from mien.server.proxies import PROXIED

OPERATOR = "operator-of-the-tests"


class Kept:
    id = "mine"
    token = "token-of-the-broadcast"  # noqa: S105  # nothing is secret


def request(*, address="127.0.0.1", proxied=False, **headers) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "scheme": "http", "headers": raw, "client": (address, 1), PROXIED: proxied}
    return Request(scope)


def seen(asked: Request, token: str | None = None, **settings) -> Principal:
    broadcasts = InMemoryBroadcasts()
    broadcasts.add(Kept())
    return identify(asked, token, settings=Settings.model_validate(settings), by_token=broadcasts.by_token)


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", None), ("Bearer ", None), ("", None)],
)
def test_the_token_of_a_header(header, token):
    assert bearer_token(request(authorization=header)) == token


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        pytest.param(OPERATOR, Principal(is_operator=True), id="the operator's"),
        pytest.param(Kept.token, Principal(broadcast_id="mine"), id="a broadcast's"),
        pytest.param("wrong", Principal(), id="nobody's"),
        pytest.param("ü" * 20, Principal(), id="no ASCII"),
        pytest.param("", Principal(), id="empty"),
        pytest.param(None, Principal(), id="none"),
    ],
)
def test_whose_token_it_is(token, shown):
    assert seen(request(), token, whip_token=OPERATOR) == shown


@pytest.mark.parametrize("token", [None, "", "whatever"])
def test_whoever_asks_from_this_machine_is_the_operator_of_a_server_without_a_token(token):
    assert seen(request(), token) == Principal(is_operator=True)
    assert seen(request(), token, whip_token=OPERATOR) == Principal()


@pytest.mark.parametrize(
    ("asked", "settings"),
    [
        pytest.param(request(address="192.0.2.1"), {}, id="another machine"),
        pytest.param(request(proxied=True), {}, id="a proxy"),
        pytest.param(request(origin="https://evil.example"), {}, id="a page of another site"),
        pytest.param(request(), {"allowed_hosts": ["mien.example"]}, id="a host name of the operator's"),
        pytest.param(request(), {"host": "0.0.0.0"}, id="a server that others can reach"),  # noqa: S104  # never bound
        pytest.param(Request({"type": "http", "scheme": "http", "headers": []}), {}, id="nobody knows from where"),
    ],
)
def test_what_may_come_from_elsewhere_is_not_the_operators(asked, settings):
    assert seen(asked, **settings) == Principal()
