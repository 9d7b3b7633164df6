"""aioice's gathering of candidates, with the settings it lacks."""

import asyncio
import socket
from ipaddress import ip_address
from typing import Final

import aioice.ice

from mien.media.webrtc.aiortc_internals.checks import bound_checks
from mien.media.webrtc.ice.candidates import Neighbours
from mien.media.webrtc.ice.network import (
    DEFAULT_ICE_NETWORK,
    IceNetworkSettings,
    bind_udp,
    own_addresses,
    own_interfaces,
)

_GATHER_S: Final = 5
_STOCK_GATHER: Final = aioice.ice.Connection.get_component_candidates
_settings: Final[list[IceNetworkSettings]] = [DEFAULT_ICE_NETWORK]
"""The one that counts is the last."""


def neighbours() -> Neighbours:
    """Return which addresses the peers of this process may have, as `gather_within` says."""
    return Neighbours(_settings[-1].networks(own_interfaces()))


def gather_within(network: IceNetworkSettings) -> None:
    """Let all peers of this process use and announce what `network` says; aioice has no settings for that.

    The last call counts.

    Raises:
        SettingsError: This machine has no address that `network` allows.
    """
    network.choose(own_addresses())
    _settings[:] = [network]
    bound_checks()

    def host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:  # noqa: FBT001  # aioice's own signature
        families = {4: use_ipv4, 6: use_ipv6}
        return network.choose((name, address) for name, address in own_addresses() if families[address.version])

    async def gather(
        connection: aioice.ice.Connection,
        component: int,
        addresses: list[str],
        timeout: int = _GATHER_S,  # noqa: ASYNC109  # aioice's own signature
    ) -> list[aioice.Candidate]:
        hosts = [
            host
            for address in addresses
            if (host := await _open_host(connection, component, address, network)) is not None
        ]
        relayed, reflexive = await asyncio.gather(
            _STOCK_GATHER(connection, component, [], timeout),
            asyncio.gather(*(_ask_stun(connection, host, timeout) for host in hosts)),
        )
        return [host.local_candidate for host in hosts] + [found for found in reflexive if found is not None] + relayed

    aioice.ice.get_host_addresses = host_addresses
    aioice.ice.Connection.get_component_candidates = gather  # type: ignore[method-assign,assignment]  # as above


async def _open_host(
    connection: aioice.ice.Connection, component: int, address: str, network: IceNetworkSettings
) -> aioice.ice.StunProtocol | None:
    """Open a socket on `address` and make it a host candidate; None where it cannot be bound.

    Raises:
        NoPortError: Every port that media may use is taken.
    """
    try:
        bound = bind_udp(address, network.ports())
    except OSError:
        return None  # an address that is going or not yet ready; the others may do
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, aioice.turn.UDP_SOCKET_BUFFER_SIZE)
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: aioice.ice.StunProtocol(connection), sock=bound
    )
    protocol.local_candidate = aioice.Candidate(
        foundation=aioice.candidate.candidate_foundation("host", "udp", address),
        component=component,
        transport="udp",
        priority=aioice.candidate.candidate_priority(component, "host"),
        host=network.announced(address),
        port=bound.getsockname()[1],
        type="host",
    )
    connection._protocols.append(protocol)  # noqa: SLF001  # as above; closing the connection closes it
    return protocol


async def _ask_stun(
    connection: aioice.ice.Connection, host: aioice.ice.StunProtocol, timeout_s: float
) -> aioice.Candidate | None:
    """Return under which address a STUN server sees `host`; None without an answer, or without a server."""
    if connection.stun_server is None or ip_address(host.local_candidate.host).version != 4:
        return None
    try:
        async with asyncio.timeout(timeout_s):
            candidate, _ = await aioice.ice.server_reflexive_candidate(host, connection.stun_server)
    except (OSError, TimeoutError, aioice.stun.TransactionError):
        return None
    return candidate
