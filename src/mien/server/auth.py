"""What a request shows of who makes it: bearer tokens, and whether it comes from this machine.

What that allows is decided in `app/access.py`.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from ipaddress import ip_network
from typing import Final

from fastapi.requests import HTTPConnection

from mien.app.access import Principal
from mien.app.broadcasts.broadcast import Broadcast
from mien.config import LOOPBACK_NAMES, Settings
from mien.server.connections import home_of
from mien.server.origins import is_cross_site
from mien.server.proxies import PROXIED, is_within

_SOURCE_KEY: Final = secrets.token_bytes(32)
_LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def bearer_token(request: HTTPConnection) -> str | None:
    """Return the token of the `Authorization` header, or None (RFC 6750, 2.1)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def identify(
    request: HTTPConnection, token: str | None, *, settings: Settings, by_token: Callable[[str], Broadcast | None]
) -> Principal:
    """Return who makes a request.

    Args:
        request: It, or the handshake of a WebSocket.
        token: The one that it shows: of its header, or of what follows.
        settings: The server's own.
        by_token: Returns the broadcast whose own token it is, or None.
    """
    broadcast = by_token(token) if token else None
    return Principal(
        is_operator=_is_operators(token, settings) if settings.whip_token is not None else _is_local(request, settings),
        broadcast_id=broadcast.id if broadcast else None,
    )


def source_of(request: HTTPConnection) -> str:
    """Return what stands for the address of a request's sender while this server runs, and tells it to nobody."""
    home = home_of(request.client.host if request.client else "")
    return hashlib.blake2s(home.encode(), key=_SOURCE_KEY, digest_size=8).hexdigest()


def _is_operators(token: str | None, settings: Settings) -> bool:
    if settings.whip_token is None or token is None:
        return False
    return hmac.compare_digest(token.encode(), settings.whip_token.get_secret_value().encode())


def _is_local(request: HTTPConnection, settings: Settings) -> bool:
    """Tell whether a request surely comes from this machine and from nobody's page elsewhere.

    A proxy on this machine speaks for the whole world from a loopback address. It shows by the headers that it adds, or
    by a host name of the operator's own.
    """
    if not settings.is_local or {host.strip("[]") for host in settings.allowed_hosts} - LOOPBACK_NAMES:
        return False
    if request.scope.get(PROXIED, False) or is_cross_site(request):
        return False
    return request.client is not None and is_within(request.client.host, _LOOPBACK)
