"""Which addresses elsewhere may be asked for something: a stranger's URL must not reach into our own network."""

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

from mien.errors import TargetError

Address = IPv4Address | IPv6Address

MAX_URL_LENGTH: Final = 2048
_PORTS: Final = {"http": 80, "https": 443}
_NAT64: Final = ip_network("64:ff9b::/96")
_NEITHER: Final = tuple(map(ip_network, ("192.0.0.0/24", "64:ff9b:1::/48", "2001::/23", "fec0::/10")))
"""What the registries of special addresses hold and some releases of Python take for public."""
_RESOLVE_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Target:
    """A URL whose host was looked up and found fit, once and for all.

    Attributes:
        url: As it was given.
        address: Where to connect to. Looking the name up again could give another one.
        host: What the server is to be called.
        port: Where it listens.
    """

    url: str
    address: str
    host: str
    port: int

    @property
    def pinned(self) -> str:
        """The URL with the address in the place of the host."""
        return urlsplit(self.url)._replace(netloc=f"{_bracketed(self.address)}:{self.port}", fragment="").geturl()

    @property
    def authority(self) -> str:
        """What the `Host` header says (RFC 9110, 7.2)."""
        is_default = self.port == _PORTS[urlsplit(self.url).scheme]
        return _bracketed(self.host) if is_default else f"{_bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Targets:
    """Tells which addresses may be reached.

    Attributes:
        allowed: Networks that the operator allows although they are not public, as in "10.0.0.0/8".
    """

    allowed: tuple[str, ...] = ()

    def may_reach(self, address: str) -> bool:
        """Tell whether `address` is public, or allowed by the operator.

        Example:
            >>> [Targets().may_reach(address) for address in ("1.1.1.1", "10.0.0.1", "::ffff:127.0.0.1", "fe80::1")]
            [True, False, False, False]
            >>> Targets(allowed=("10.0.0.0/8",)).may_reach("10.0.0.1")
            True
        """
        try:
            found = ip_address(address)
        except ValueError:
            return False
        stands_for = meant(found)
        return is_public(stands_for) or any(stands_for in ip_network(network) for network in self.allowed)

    async def look_up(self, url: str) -> Target:
        """Check a URL and look up its host.

        Raises:
            TargetError: It is no plain HTTP URL, its host is unknown, or any of the host's addresses is not public.
        """
        parts, port = _parsed(url)
        host = parts.hostname or ""
        try:
            async with asyncio.timeout(_RESOLVE_TIMEOUT_S):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise TargetError("the host of the URL cannot be found") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        # Every one of them: a name with a public and a private address is a trap.
        if not addresses or not all(self.may_reach(address) for address in addresses):
            raise TargetError("the URL leads into a network that is not public; the operator may allow that")
        return Target(url, addresses[0], host, port)


def check_url(url: str) -> None:
    """Let a URL pass that can be one of a server elsewhere. Where it leads is looked up when it is needed.

    Raises:
        TargetError: It is no plain HTTP URL.
    """
    _parsed(url)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _parsed(url: str) -> tuple[SplitResult, int]:
    if len(url) > MAX_URL_LENGTH or not url.isascii() or any(sign.isspace() or not sign.isprintable() for sign in url):
        raise TargetError(f"a URL has at most {MAX_URL_LENGTH} printable ASCII characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise TargetError("the URL cannot be read") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise TargetError("the URL must begin with https:// or http:// and a host")
    if parts.username is not None or parts.password is not None:
        raise TargetError("a URL must not hold a name or password; use the token")
    return parts, port if port is not None else _PORTS[parts.scheme]


def meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the internet's, for one receiver."""
    if any(address in network for network in _NEITHER):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
