"""Where this machine's peers can be reached: on which addresses and ports, and under which names."""

import errno
import random
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Final

import ifaddr

from mien.errors import NoPortError, SettingsError

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class IceNetworkSettings:
    """What peers use and announce.

    Attributes:
        bind_to: Addresses, networks or names of interfaces. Empty means every address but the loopback, or that
            alone where there is no other.
        public_addresses: What is announced instead of the machine's own addresses of the same family:
            "PUBLIC", or "PUBLIC/LOCAL" for a single one.
        udp_ports: What media may use, in one range; None lets the system choose.
        peer_networks: Networks that are neither public nor beside the addresses above, and that peers may have
            addresses in nevertheless.
    """

    bind_to: tuple[str, ...] = ()
    public_addresses: tuple[str, ...] = ()
    udp_ports: range | None = None
    peer_networks: tuple[str, ...] = ()

    def choose(self, own: Iterable[tuple[str, Address]]) -> list[str]:
        """Return which of a machine's addresses to use.

        Args:
            own: Names of interfaces with their addresses.

        Raises:
            SettingsError: None of them is meant by `bind_to`.

        Example:
            >>> own = [("lo", ip_address("127.0.0.1")), ("eth0", ip_address("10.0.0.5"))]
            >>> everywhere, private = IceNetworkSettings(), IceNetworkSettings(bind_to=("10.0.0.0/8",))
            >>> private.choose(own), everywhere.choose(own), everywhere.choose(own[:1])
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
            >>> IceNetworkSettings(public_addresses=("203.0.113.7",)).announced("10.0.0.5")
            '203.0.113.7'
        """
        local = ip_address(address)
        for entry in self.public_addresses:
            public, _, only = entry.partition("/")
            if ip_address(public).version == local.version and (not only or ip_address(only) == local):
                return public
        return address

    def networks(self, own: Iterable[tuple[str, Interface]]) -> tuple[Network, ...]:
        """Return the networks, public or not, that peers may have addresses in.

        An address that is announced as a public one is not in it for its neighbours' sake: clouds put their own
        services there.

        Args:
            own: Names of a machine's interfaces, with their addresses and the networks these are in.

        Example:
            >>> own = [("lo", ip_interface("127.0.0.1/8")), ("eth0", ip_interface("10.0.0.5/24"))]
            >>> IceNetworkSettings().networks(own)
            (IPv4Network('10.0.0.0/24'),)
            >>> IceNetworkSettings(public_addresses=("203.0.113.7",), peer_networks=("172.16.0.0/12",)).networks(own)
            (IPv4Network('172.16.0.0/12'),)
        """
        own = list(own)
        used = set(self.choose((name, interface.ip) for name, interface in own))
        beside = [
            interface.network
            for _, interface in own
            if str(interface.ip) in used and self.announced(str(interface.ip)) == str(interface.ip)
        ]
        return (*dict.fromkeys(beside), *(ip_network(network, strict=False) for network in self.peer_networks))

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


DEFAULT_ICE_NETWORK: Final = IceNetworkSettings()
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
    for name, interface in own_interfaces(adapters):
        yield name, interface.ip


def own_interfaces(adapters: Sequence[ifaddr.Adapter] | None = None) -> Iterator[tuple[str, Interface]]:
    """Yield the same with the network that each address is in."""
    for adapter in ifaddr.get_adapters() if adapters is None else adapters:
        for ip in adapter.ips:
            interface = ip_interface((ip.ip if isinstance(ip.ip, str) else ip.ip[0], ip.network_prefix))
            if not (interface.version == 6 and interface.ip.is_link_local):
                yield adapter.name, interface


def _holds(wanted: str, address: Address) -> bool:
    try:
        return address in ip_network(wanted, strict=False)
    except ValueError:
        return False  # the name of an interface
