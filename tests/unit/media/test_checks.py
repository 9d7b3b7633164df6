"""How much a stranger can make us send: counted in datagrams and octets at sockets that never answer."""

import asyncio
import socket

import aioice
import pytest
from aioice import stun
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection

from mien.media.webrtc.aiortc_internals import allow_checks, gather_within
from mien.media.webrtc.aiortc_internals.checks import FACTOR, MAX_PAIRS, MAX_REMOTE, RETRIES, BoundedStun, CheckBudget
from mien.media.webrtc.ice.network import DEFAULT_ICE_NETWORK, IceNetworkSettings

HERE, THERE = ("127.0.0.1", 5000), ("127.0.0.1", 5001)


@pytest.fixture(autouse=True)
def _on_the_loopback():
    gather_within(IceNetworkSettings(bind_to=("lo",)))
    yield
    gather_within(DEFAULT_ICE_NETWORK)


def test_what_was_signalled_can_be_spent_three_times():
    budget = CheckBudget()
    assert not budget.take(1, HERE)
    budget.grant(100)
    assert sum(budget.take(10, (HERE if number % 2 else THERE)) for number in range(100)) == FACTOR * 10


def test_who_answered_has_no_bound_and_leaves_the_budget_to_others():
    budget = CheckBudget()
    budget.grant(10)
    budget.answered(HERE)
    assert all(budget.take(1000, HERE) for _ in range(100))
    assert budget.take(30, THERE)
    assert not budget.take(1, THERE)


def test_a_check_from_an_address_is_credit_for_that_address_alone():
    budget = CheckBudget()
    budget.on_check_from_peer(100, HERE)
    assert not budget.take(1, THERE)
    assert [budget.take(150, HERE) for _ in range(3)] == [True, True, False]


def test_credit_is_kept_for_so_many_addresses_and_no_more():
    budget = CheckBudget()
    for port in range(10_000):
        budget.on_check_from_peer(100, ("192.0.2.1", port))
    assert len(budget._credit) == MAX_REMOTE


class Sockets:
    """Sockets that hear and never answer."""

    def __init__(self, number):
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(number)]
        for each in self.sockets:
            each.bind(("127.0.0.1", 0))
            each.setblocking(False)

    @property
    def ports(self):
        return [each.getsockname()[1] for each in self.sockets]

    def heard(self):
        """Return the datagrams that came, one list for each socket."""
        return [list(self._drain(each)) for each in self.sockets]

    def _drain(self, each):
        while True:
            try:
                yield each.recv(65_536)
            except BlockingIOError:
                return

    def close(self):
        for each in self.sockets:
            each.close()


@pytest.fixture
def quick(monkeypatch):
    """Let aioice's retransmissions follow each other a hundred times faster."""
    monkeypatch.setattr(stun, "RETRY_RTO", 0.005)


def candidate(port, number=1):
    return aioice.Candidate("1", 1, "udp", 1000 + number, "127.0.0.1", port, "host")


async def checked(ports, *, ufrag="abcd", octets=None):
    """Run an ICE agent that is told of these ports until all its checks have failed."""
    agent = aioice.Connection(ice_controlling=False)
    agent.remote_username, agent.remote_password = ufrag, "0123456789012345678901"
    if octets is not None:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        connection.addTransceiver("video")
        transport = connection.getTransceivers()[0].receiver.transport.transport
        transport._connection = agent
        allow_checks(connection, octets)
    for number, port in enumerate(ports):
        await agent.add_remote_candidate(candidate(port, number))
    await agent.add_remote_candidate(None)
    await agent.gather_candidates()
    try:
        async with asyncio.timeout(30):
            with pytest.raises(ConnectionError):
                await agent.connect()
    finally:
        await agent.close()


@pytest.mark.usefixtures("quick")
async def test_an_address_that_never_answers_gets_a_few_requests():
    sockets = Sockets(1)
    try:
        await checked(sockets.ports)
        assert [len(each) for each in sockets.heard()] == [1 + RETRIES]
    finally:
        sockets.close()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("ufrag", ["abcd", "a" * 256])
async def test_what_goes_to_addresses_that_never_answer_is_three_times_what_came(ufrag):
    """The sum over all of them; a long user fragment, which each request repeats, gains nothing."""
    sockets = Sockets(40)
    try:
        await checked(sockets.ports, ufrag=ufrag, octets=1500)
        sent = sum(len(datagram) for each in sockets.heard() for datagram in each)
        assert 1500 < sent <= FACTOR * 1500
    finally:
        sockets.close()


async def test_an_agent_has_so_many_pairs_and_no_more():
    agent = aioice.Connection(ice_controlling=False)
    agent.remote_username, agent.remote_password = "abcd", "0123456789012345678901"
    await agent.gather_candidates()
    for port in range(2000, 3000):
        await agent.add_remote_candidate(candidate(port, port))
    assert len(agent._check_list) == MAX_PAIRS
    await agent.close()


async def test_addresses_that_show_themselves_are_counted_too():
    """Whoever has the answer can write any source on a check."""
    agent = aioice.Connection(ice_controlling=False)
    agent.remote_username, agent.remote_password = "abcd", "0123456789012345678901"
    await agent.gather_candidates()
    (protocol, *_) = agent._protocols
    agent._early_checks_done = True
    for port in range(2000, 2000 + 3 * MAX_REMOTE):
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{agent.local_username}:abcd"
        request.attributes["PRIORITY"] = 1
        request.add_message_integrity(agent.local_password.encode())
        protocol.datagram_received(bytes(request), ("127.0.0.1", port))
    assert len(agent._remote_candidates) == MAX_REMOTE
    await agent.close()


async def test_two_agents_find_each_other_within_their_budgets():
    agents = [aioice.Connection(ice_controlling=controls) for controls in (True, False)]
    for agent in agents:
        await agent.gather_candidates()
    for agent, other in (agents, agents[::-1]):
        agent.remote_username, agent.remote_password = other.local_username, other.local_password
    # The one that controls is told where the other is; the other one sees it come.
    for each in agents[1].local_candidates:
        await agents[0].add_remote_candidate(each)
    async with asyncio.timeout(30):
        await asyncio.gather(*(agent.connect() for agent in agents))
    assert all(isinstance(pair.protocol, BoundedStun) for agent in agents for pair in agent._nominated.values())
    await agents[0].send(b"hello")
    assert await agents[1].recv() == b"hello"
    for agent in agents:
        await agent.close()


async def test_a_stun_server_of_the_operator_s_is_asked_whatever_the_budget():
    asked = Sockets(1)
    server = RTCIceServer(f"stun:127.0.0.1:{asked.ports[0]}")
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[server]))
    connection.addTransceiver("video")
    allow_checks(connection, 0)
    gathering = asyncio.create_task(connection.setLocalDescription(await connection.createOffer()))
    try:
        async with asyncio.timeout(30):
            while not asked.heard()[0]:  # noqa: ASYNC110  # a plain socket
                await asyncio.sleep(0.01)
    finally:
        gathering.cancel()
        await asyncio.gather(gathering, return_exceptions=True)
        await connection.close()
        asked.close()
