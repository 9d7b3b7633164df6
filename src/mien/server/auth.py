"""Who may do what: bearer tokens of broadcasts, and the operator's."""

import hashlib
import hmac
import secrets
from http import HTTPStatus
from ipaddress import ip_network
from typing import Final

from fastapi.requests import HTTPConnection

from mien.app.broadcasts.broadcasts import Broadcasts
from mien.config import LOOPBACK_NAMES, Settings
from mien.errors import TokenError
from mien.server.connections import home_of
from mien.server.origins import is_cross_site
from mien.server.problems import HttpError
from mien.server.proxies import PROXIED, is_within

_SOURCE_KEY: Final = secrets.token_bytes(32)
_LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def bearer_token(request: HTTPConnection) -> str | None:
    """Return the token of the `Authorization` header, or None (RFC 6750, 2.1)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def check_operator(request: HTTPConnection) -> None:
    """Let through who may make broadcasts and add photos.

    On a server that is reached from its own machine alone that is everybody, unless a token is set.

    Raises:
        TokenError: The operator's token is missing or wrong.
        HttpError: No token is set, and the request may come from elsewhere than this machine.
    """
    check_operator_token(request, bearer_token(request))


def check_operator_token(request: HTTPConnection, token: str | None) -> None:
    """Let `token` through where it is the operator's, or none is needed.

    Raises:
        TokenError: The operator's token is missing or wrong.
        HttpError: No token is set, and the request may come from elsewhere than this machine.
    """
    settings: Settings = request.app.state.settings
    if settings.whip_token is None:
        if not _is_at_home(request, settings):
            raise HttpError(
                HTTPStatus.FORBIDDEN,
                "this server can be reached from beyond its own machine, so it needs MIEN_WHIP_TOKEN to be set",
                code="live.token_not_set",
            )
        return
    if not knows_operator_token(request, token):
        raise TokenError("this needs the operator's bearer token")


def knows_operator_token(request: HTTPConnection, token: str | None) -> bool:
    """Tell whether `token` is the operator's; never, where none is set."""
    settings: Settings = request.app.state.settings
    if settings.whip_token is None or token is None:
        return False
    return hmac.compare_digest(token.encode(), settings.whip_token.get_secret_value().encode())


def is_known(request: HTTPConnection) -> bool:
    """Tell whether a request carries the operator's token or that of a broadcast, or needs none."""
    settings: Settings = request.app.state.settings
    if settings.whip_token is None and _is_at_home(request, settings):
        return True
    token = bearer_token(request)
    if token is None:
        return False
    broadcasts: Broadcasts = request.app.state.broadcasts
    return knows_operator_token(request, token) or any(broadcast.knows(token) for broadcast in broadcasts)


def source_of(request: HTTPConnection) -> str:
    """Return what stands for the address of a request's sender while this server runs, and tells it to nobody."""
    home = home_of(request.client.host if request.client else "")
    return hashlib.blake2s(home.encode(), key=_SOURCE_KEY, digest_size=8).hexdigest()


def _is_at_home(request: HTTPConnection, settings: Settings) -> bool:
    """Tell whether a request surely comes from this machine and from nobody's page elsewhere.

    A proxy on this machine speaks for the whole world from a loopback address. It shows by the headers that it adds, or
    by a host name of the operator's own.
    """
    if not settings.is_local or {host.strip("[]") for host in settings.allowed_hosts} - LOOPBACK_NAMES:
        return False
    if request.scope.get(PROXIED, False) or is_cross_site(request):
        return False
    return request.client is not None and is_within(request.client.host, _LOOPBACK)
