"""Reverse proxies: whom they speak for, and that they are there at all."""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

PROXIED: Final = "mien.proxied"
"""In a scope: whether some header says that the request was handed on."""
FORWARDED_HOST: Final = "mien.forwarded_host"
"""In a scope: the `Host` that a trusted proxy was asked for."""

_TELLS: Final = frozenset(
    {
        *(b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port"),
        *(b"x-forwarded-server", b"x-forwarded", b"forwarded-for", b"x-real-ip", b"x-client-ip"),
        *(b"x-original-host", b"x-original-forwarded-for", b"x-cluster-client-ip", b"true-client-ip"),
        *(b"cf-connecting-ip", b"cf-ray", b"fly-client-ip", b"fastly-client-ip", b"x-envoy-external-address"),
        *(b"x-appengine-user-ip", b"x-azure-clientip", b"cdn-loop", b"x-amzn-trace-id"),
    }
)
"""Headers that proxies add for whom they speak, and that nobody sends who speaks to us directly. `X-Forwarded-Prefix`
says where pages lie, and a proxy that says no more than that may well serve this machine alone."""
_PAIR: Final = re.compile(r'(for|host|proto)=("[^"]*"|[^;,\s]*)', re.IGNORECASE)
_SECURE: Final = {"http": ("http", "ws"), "https": ("https", "wss")}
Network = IPv4Network | IPv6Network


class Proxies:
    """Notes that a request came through a proxy; believes what trusted ones say of its sender.

    Args:
        app: What answers.
        trusted: Addresses and networks of proxies whose headers are believed.
    """

    def __init__(self, app: ASGIApp, *, trusted: Sequence[str]) -> None:
        self._app = app
        self._trusted: list[Network] = [ip_network(network) for network in trusted]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  # ASGI's one verb
        if scope["type"] in {"http", "websocket"}:
            scope[PROXIED] = any(name in _TELLS for name, _ in scope["headers"])
            if scope[PROXIED] and is_within((scope.get("client") or ("",))[0], self._trusted):
                self._believe(scope)
        await self._app(scope, receive, send)

    def _believe(self, scope: Scope) -> None:
        said: dict[str, list[str]] = {"for": [], "host": [], "proto": []}
        for name, value in scope["headers"]:
            text = value.decode("latin-1")
            if name == b"forwarded":
                for kind, what in _PAIR.findall(text):
                    said[kind.lower()].append(what.strip('"'))
            elif name in {b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}:
                said[name.decode().removeprefix("x-forwarded-")] += [part.strip() for part in text.split(",")]
        # Each proxy appends, so the last one that is no proxy of ours is the sender; all before may be invented.
        sender = next((who for who in map(_bare, reversed(said["for"])) if not is_within(who, self._trusted)), None)
        if sender is not None and _is_address(sender):
            scope["client"] = (sender, 0)
        if said["proto"] and said["proto"][-1].lower() in _SECURE:
            http, ws = _SECURE[said["proto"][-1].lower()]
            scope["scheme"] = ws if scope["type"] == "websocket" else http
        if said["host"]:
            scope[FORWARDED_HOST] = said["host"][-1]


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Tell whether an address lies in one of some networks.

    Example:
        >>> is_within("::ffff:10.0.0.1", [ip_network("10.0.0.0/8")]), is_within("nonsense", [ip_network("::/0")])
        (True, False)
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if found.version == 6 and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _bare(node: str) -> str:
    """Return the address of a node as proxies write it, without port and brackets (RFC 7239, 6)."""
    if node.startswith("["):
        return node[1:].partition("]")[0]
    return node.partition(":")[0] if node.count(":") == 1 else node
