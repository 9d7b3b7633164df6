"""Where this machine's peers can be reached: on which addresses and ports, and under which names."""

import errno
import random
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

import ifaddr

from mien.errors import NoPortError, SettingsError

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Reach:
    """What peers use and announce.

    Attributes:
        bind_to: Addresses, networks or names of interfaces. Empty means every address but the loopback, or that
            alone where there is no other.
        public_addresses: What is announced instead of the machine's own addresses of the same family:
            "PUBLIC", or "PUBLIC/LOCAL" for a single one.
        udp_ports: What media may use, in one range; None lets the system choose.
    """

    bind_to: tuple[str, ...] = ()
    public_addresses: tuple[str, ...] = ()
    udp_ports: range | None = None

    def choose(self, own: Iterable[tuple[str, Address]]) -> list[str]:
        """Return which of a machine's addresses to use.

        Args:
            own: Names of interfaces with their addresses.

        Raises:
            SettingsError: None of them is meant by `bind_to`.

        Example:
            >>> own = [("lo", ip_address("127.0.0.1")), ("eth0", ip_address("10.0.0.5"))]
            >>> Reach(bind_to=("10.0.0.0/8",)).choose(own), Reach().choose(own), Reach().choose(own[:1])
            (['10.0.0.5'], ['10.0.0.5'], ['127.0.0.1'])
        """
        own = list(own)
        if self.bind_to:
            chosen = [str(address) for name, address in own if self._means(name, address)]
            if not chosen:
                raise SettingsError(f"this machine has no address that {', '.join(self.bind_to)} means")
            return chosen
        others = [str(address) for _, address in own if not address.is_loopback]
        return others or [str(address) for _, address in own]

    def announced(self, address: str) -> str:
        """Return under which address peers elsewhere reach `address`.

        Example:
            >>> Reach(public_addresses=("203.0.113.7",)).announced("10.0.0.5")
            '203.0.113.7'
        """
        local = ip_address(address)
        for entry in self.public_addresses:
            public, _, only = entry.partition("/")
            if ip_address(public).version == local.version and (not only or ip_address(only) == local):
                return public
        return address

    def ports(self) -> Iterator[int]:
        """Yield every port to try, once, beginning anywhere; 0 where the system may choose."""
        if self.udp_ports is None:
            yield 0
            return
        # Not always from the first: a packet that comes late for a session that is over then meets nobody.
        start = random.randrange(len(self.udp_ports))  # noqa: S311  # no secret
        for step in range(len(self.udp_ports)):
            yield self.udp_ports[(start + step) % len(self.udp_ports)]

    def _means(self, name: str, address: Address) -> bool:
        return any(wanted == name or _holds(wanted, address) for wanted in self.bind_to)


DEFAULT_REACH: Final = Reach()
"""Every address but the loopback, as it is, on any port."""


def bind_udp(address: str, ports: Iterable[int]) -> socket.socket:
    """Return a UDP socket on the first of `ports` that is free.

    Raises:
        NoPortError: None is.
        OSError: The address cannot be used.
    """
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    bound.setblocking(False)
    tried = 0
    for port in ports:
        try:
            bound.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                bound.close()
                raise
            tried += 1
        else:
            return bound
    bound.close()
    raise NoPortError(f"all {tried} UDP ports that media may use are taken; widen MIEN_LIVE__UDP_PORTS")


def own_addresses(adapters: Sequence[ifaddr.Adapter] | None = None) -> Iterator[tuple[str, Address]]:
    """Yield this machine's interfaces and addresses; link-local IPv6 is left out, since it needs a zone."""
    for adapter in ifaddr.get_adapters() if adapters is None else adapters:
        for ip in adapter.ips:
            address = ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
            if not (address.version == 6 and address.is_link_local):
                yield adapter.name, address


def _holds(wanted: str, address: Address) -> bool:
    try:
        return address in ip_network(wanted, strict=False)
    except ValueError:
        return False  # the name of an interface
