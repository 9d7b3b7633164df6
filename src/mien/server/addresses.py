"""Where others can open the pages: what a broadcaster whose own address means this machine alone can pass on."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from fastapi import Request

from mien.config import Settings
from mien.media.webrtc.ice.network import Address, own_addresses
from mien.server.proxies import PROXIED

_PORTS = {"http": 80, "https": 443}


def addresses_of(request: Request, settings: Settings, *, own: Sequence[Address] | None = None) -> list[str]:
    """Return origins of this server that other machines may reach, names of the operator's first, IPv6 last.

    Whether a firewall lets them through, the server cannot know.

    Args:
        request: Tells the scheme and the port that the server is reached by.
        settings: Where it listens, and to which names it answers.
        own: The machine's own addresses; looked up by default.
    """
    if settings.is_local or request.scope.get(PROXIED, False):
        return []  # behind a proxy the page has an address of the proxy's already, which is the one to pass on
    found = [address for _, address in own_addresses()] if own is None else own
    scheme: str = request.scope["scheme"]
    port: int = (request.scope.get("server") or (None, settings.port))[1] or settings.port
    suffix = "" if _PORTS.get(scheme) == port else f":{port}"
    return [f"{scheme}://{host}{suffix}" for host in dict.fromkeys(_hosts(settings, found))]


def _hosts(settings: Settings, own: Sequence[Address]) -> Iterator[str]:
    yield from (name for name in settings.allowed_hosts if "*" not in name and not _is_loopback(name))
    if settings.allowed_hosts:
        return  # the server answers to these names alone
    if settings.host not in {"0.0.0.0", "::"}:  # noqa: S104  # compared with, not listened on
        yield _in_url(settings.host)
        return
    takes = {4} if settings.host == "0.0.0.0" else {4, 6}  # noqa: S104  # as above
    reachable = (one for one in own if one.version in takes and not (one.is_loopback or one.is_link_local))
    yield from (_in_url(str(one)) for one in sorted(reachable, key=lambda one: one.version))


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
