"""aioice's connectivity checks, with bounds: a stranger's candidates must not make us send much to who never asked.

Three things are bounded, whatever an offer, a fragment or a datagram says. An ICE agent knows at most
`MAX_REMOTE` addresses and `MAX_PAIRS` pairs. A request to an address that never answered one is repeated `RETRIES`
times. And all requests to such addresses together have at most `FACTOR` times the octets that the far end sent us by
signalling, or from that very address: QUIC's bound against amplification (RFC 9000, 8.1).
"""

import weakref
from typing import Any, Final

import aioice.ice
from aioice import stun
from aiortc import RTCPeerConnection

from mien.media.webrtc.ice.candidates import MAX_CANDIDATES

FACTOR: Final = 3
RETRIES: Final = 3
"""Requests leave after 0, 0.5, 1.5 and 3.5 s; whoever opens its way later shows itself with its own checks."""
MAX_REMOTE: Final = MAX_CANDIDATES + 16
"""Candidates that were signalled, and those that show themselves."""
MAX_PAIRS: Final = 100
"""RFC 8445, 6.1.2.5."""
_LEAST_OCTETS: Final = 2000
"""Who says nothing of how much came is granted what a short offer would be."""


class CheckBudget:
    """What one ICE agent may still send to addresses that have not answered.

    Example:
        >>> budget, request = CheckBudget(), 100
        >>> budget.grant(100)
        >>> [budget.take(request, ("192.0.2.1", 5000)) for _ in range(4)]
        [True, True, True, False]
        >>> budget.on_check_from_peer(100, ("192.0.2.1", 5000))  # its own check came from there
        >>> budget.take(request, ("192.0.2.1", 5000)), budget.take(request, ("192.0.2.2", 5000))
        (True, False)
    """

    def __init__(self) -> None:
        self._left = 0
        self._credit: dict[tuple[str, int], int] = {}
        self._answered: set[tuple[str, int]] = set()

    def grant(self, octets: int) -> None:
        """Note that the far end sent us so much by signalling."""
        self._left += FACTOR * octets

    def on_check_from_peer(self, octets: int, address: tuple[str, int]) -> None:
        """Note that a check of the far end came from `address`, which anybody can write on a datagram."""
        if address in self._credit or len(self._credit) < MAX_REMOTE:
            self._credit[address] = self._credit.get(address, 0) + FACTOR * octets

    def answered(self, address: tuple[str, int]) -> None:
        """Note that `address` answered a request of ours: it is there, and wants it."""
        self._answered.add(address)

    def knows(self, address: tuple[str, int]) -> bool:
        """Tell whether `address` ever answered."""
        return address in self._answered

    def take(self, octets: int, address: tuple[str, int]) -> bool:
        """Tell whether a request of so many octets may be sent, and count it."""
        if address in self._answered:
            return True
        if self._credit.get(address, 0) >= octets:
            self._credit[address] -= octets
            return True
        if self._left < octets:
            return False
        self._left -= octets
        return True


_budgets: "weakref.WeakKeyDictionary[aioice.ice.Connection, CheckBudget]" = weakref.WeakKeyDictionary()


def allow_checks(connection: RTCPeerConnection, octets: int) -> None:
    """Let the ICE agents of `connection` send checks in proportion to what the far end sent by signalling."""
    agents = {each.receiver.transport.transport._connection for each in connection.getTransceivers()}  # noqa: SLF001  # see the package's first line
    for agent in agents:
        if agent not in _budgets:
            _budgets[agent] = CheckBudget()
        _budgets[agent].grant(octets)


def _budget_of(agent: aioice.ice.Connection) -> CheckBudget:
    if agent not in _budgets:
        _budgets[agent] = CheckBudget()
        _budgets[agent].grant(_LEAST_OCTETS)
    return _budgets[agent]


class BoundedStun(aioice.ice.StunProtocol):
    """One socket of an ICE agent, whose requests keep within the agent's budget."""

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Count what a check brings before it may start one of ours."""
        # The first two bits tell STUN from all that follows once media flow (RFC 7983, 7).
        if len(data) >= stun.HEADER_LENGTH and isinstance(data, bytes) and data[0] < 2:
            _budget_of(self.receiver).on_check_from_peer(len(data), (addr[0], addr[1]))
        super().datagram_received(data, addr)

    async def request(
        self,
        request: stun.Message,
        addr: tuple[str, int],
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[stun.Message, tuple[str, int]]:
        """Send a request; a check of an address that never answered is repeated less often."""
        is_check = "USERNAME" in request.attributes
        if is_check and retransmissions is None and not _budget_of(self.receiver).knows(addr):
            retransmissions = RETRIES
        response, source = await super().request(request, addr, integrity_key, retransmissions)
        if is_check:
            _budget_of(self.receiver).answered(source)
        return response, source

    def send_stun(self, message: stun.Message, addr: tuple[str, int]) -> None:
        """Send a message, unless it is a check beyond the budget."""
        is_check = message.message_class is stun.Class.REQUEST and "USERNAME" in message.attributes
        if is_check and not _budget_of(self.receiver).take(len(bytes(message)), addr):
            return
        super().send_stun(message, addr)


_STOCK_PAIR: Final = aioice.ice.Connection._pair_remote_candidate  # noqa: SLF001  # as above
_STOCK_INCOMING: Final = aioice.ice.Connection.check_incoming


def bound_checks() -> None:
    """Let all ICE agents of this process keep within these bounds."""

    def pair(agent: aioice.ice.Connection, remote: aioice.Candidate) -> None:
        if len(agent._check_list) < MAX_PAIRS:  # noqa: SLF001  # as above
            _STOCK_PAIR(agent, remote)

    def incoming(
        agent: aioice.ice.Connection, message: stun.Message, address: tuple[str, int], protocol: BoundedStun
    ) -> None:
        known = any((each._network_host, each.port) == address for each in agent._remote_candidates)  # noqa: SLF001  # as above
        if known or len(agent._remote_candidates) < MAX_REMOTE:  # noqa: SLF001  # as above
            _STOCK_INCOMING(agent, message, address, protocol)

    aioice.ice.StunProtocol = BoundedStun  # type: ignore[misc]  # as above
    aioice.ice.Connection._pair_remote_candidate = pair  # type: ignore[method-assign,assignment]  # noqa: SLF001  # as above
    aioice.ice.Connection.check_incoming = incoming  # type: ignore[method-assign,assignment]  # as above
