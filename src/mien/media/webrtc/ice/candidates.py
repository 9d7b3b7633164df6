"""Remote ICE candidates: which addresses a stranger may have us send connectivity checks to.

Whoever makes an offer names addresses, and the server sends to them before it knows who is there. A candidate that is
left out costs no connection: the far end's own checks show us where it is (RFC 8445, 7.3.1.3).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from aiortc import RTCIceCandidate

from mien.errors import SdpError, SdpLimitError
from mien.media.address_policy import Address, is_public, meant

Network = IPv4Network | IPv6Network

MAX_CANDIDATES: Final = 64
"""Usable candidates of a session, trickled ones included. Browsers send fewer than twenty."""
MAX_CANDIDATE_LENGTH: Final = 512
TYPES: Final = ("host", "srflx", "prflx", "relay")
_CANDIDATE: Final = re.compile(
    r"[!-~]{1,64} +([0-9]{1,5}) +([!-~]{1,16}) +([0-9]{1,10}) +([!-~]{1,253}) +([0-9]{1,5}) +typ +([!-~]{1,16})(?: .*)?"
)
_WEB_PORTS: Final = frozenset({80, 443})
_FIRST_USER_PORT: Final = 1024


@dataclass(frozen=True, slots=True)
class Candidate:
    """A remote candidate that checks could be sent to.

    Attributes:
        priority: As the far end computed it, 32 bits.
        address: In its canonical form.
        port: Not 0.
        kind: "host", "srflx" or "relay".
    """

    priority: int
    address: str
    port: int
    kind: str

    def for_aiortc(self, mid: str | None, *, number: int) -> RTCIceCandidate:
        """Return the same as aiortc takes it; `number` tells it from others of the media section `mid`."""
        return RTCIceCandidate(
            component=1,
            foundation=str(number),
            ip=self.address,
            port=self.port,
            priority=self.priority,
            protocol="udp",
            type=self.kind,
            sdpMid=mid,
        )


def read_candidate(value: str) -> Candidate | None:
    """Read the value of an `a=candidate` attribute (RFC 8839, 5.1).

    Returns:
        The candidate, or None where no check can be sent to it: TCP, another component than the one that RTP and
        RTCP share, or a name. Names are never looked up: with multicast DNS that takes up to a second, and with the
        other kind it would make the server ask the network whatever a stranger wants.

    Raises:
        SdpLimitError: It is longer than any that is used.
        SdpError: It is no candidate.

    Example:
        >>> read_candidate("1 1 udp 2130706431 192.0.2.7 50000 typ host").address
        '192.0.2.7'
        >>> read_candidate("1 1 tcp 2130706431 192.0.2.7 9 typ host tcptype active") is None
        True
    """
    if len(value) > MAX_CANDIDATE_LENGTH:
        raise SdpLimitError(f"a=candidate may have {MAX_CANDIDATE_LENGTH} characters, got {len(value)}")
    match = _CANDIDATE.fullmatch(value)
    if match is None:
        raise SdpError("a candidate cannot be read")
    component, transport, priority, host, port, kind = match.groups()
    if int(port) > 65_535 or int(priority) >= 1 << 32 or kind not in TYPES:
        raise SdpError("a candidate cannot be read: its port, priority or type is none")
    if component != "1" or transport.lower() != "udp" or kind == "prflx":
        return None
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if getattr(address, "scope_id", None) or port == "0":
        return None
    return Candidate(int(priority), str(address), int(port), kind)


def is_fit(candidate: Candidate, may_reach: Callable[[str], bool]) -> bool:
    """Tell whether checks may be sent to a candidate.

    Ports below 1024 belong to services; web ports on public addresses are used by media servers and relays behind
    firewalls, as in libwebrtc.
    """
    is_user_port = candidate.port >= _FIRST_USER_PORT
    if not is_user_port and not (candidate.port in _WEB_PORTS and is_public(meant(ip_address(candidate.address)))):
        return False
    return may_reach(candidate.address)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Which addresses peers of a live session may have: public ones, and those beside our own.

    Attributes:
        networks: Networks that are not public but may be reached.
    """

    networks: tuple[Network, ...] = ()

    def may_reach(self, address: str) -> bool:
        """Tell whether checks may be sent to `address`.

        Example:
            >>> from ipaddress import ip_network
            >>> home = Neighbours((ip_network("192.168.1.0/24"),))
            >>> [home.may_reach(each) for each in ("1.1.1.1", "192.168.1.7", "192.168.1.255", "192.168.2.7", "::1")]
            [True, True, False, False, False]
        """
        found = meant(ip_address(address))
        if is_public(found):
            return True
        if found.is_multicast or found.is_unspecified or _is_reserved(found):
            return False
        return any(found in network and not _is_edge(found, network) for network in self.networks)


def _is_reserved(address: Address) -> bool:
    return address.version == 4 and (address.is_reserved or str(address).startswith("0."))


def _is_edge(address: Address, network: Network) -> bool:
    """Tell whether an address is its network's own name or its broadcast address."""
    if network.version == 6 or network.prefixlen > 30:
        return False
    return address in {network.network_address, network.broadcast_address}
