"""Who may do what: bearer tokens of broadcasts, and the operator's."""

import hmac
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi.requests import HTTPConnection

from mien.config import Settings
from mien.errors import TokenError
from mien.server.problems import HttpError


def bearer_token(request: HTTPConnection) -> str | None:
    """Return the token of the `Authorization` header, or None (RFC 6750, 2.1)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def check_operator(request: HTTPConnection) -> None:
    """Let through who may make broadcasts and add photos.

    On a server that listens to its own machine alone that is everybody, unless a token is set.

    Raises:
        TokenError: The operator's token is missing or wrong.
        HttpError: The server listens to others and has no token set.
    """
    check_operator_token(request.app.state.settings, bearer_token(request))


def check_operator_token(settings: Settings, token: str | None) -> None:
    """Let `token` through where it is the operator's, or none is needed.

    Raises:
        TokenError: The operator's token is missing or wrong.
        HttpError: The server listens to others and has no token set.
    """
    if settings.whip_token is None:
        if settings.is_local:
            return
        raise HttpError(
            HTTPStatus.FORBIDDEN,
            "this server listens beyond its own machine, so it needs MIEN_WHIP_TOKEN to be set",
            code="live.token_not_set",
        )
    if not hmac.compare_digest((token or "").encode(), settings.whip_token.get_secret_value().encode()):
        raise TokenError("this needs the operator's bearer token")


def is_from_elsewhere(request: HTTPConnection) -> bool:
    """Tell whether another site's page makes this request. A WebSocket asks for no permission of ours beforehand."""
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")
