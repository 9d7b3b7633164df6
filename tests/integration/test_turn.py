"""A real coturn from the configuration that we ship: whom it lets in, and where it sends."""

import asyncio
import contextlib
import ipaddress
import time

import pytest
from aioice import stun, turn

from mien.media.webrtc.ice.turn import turn_credentials
from support.coturn import SECRET, coturn

MEDIA_SERVER = "127.0.0.1"
PRIVATE_IPV4 = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "169.254.169.254/32",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
PRIVATE_IPV6 = [
    "::/128",
    "::1/128",
    "::ffff:0:0/96",
    "::ffff:10.0.0.1/128",
    "::ffff:127.0.0.1/128",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    with coturn(tmp_path_factory.mktemp("coturn"), allow=MEDIA_SERVER) as running:
        yield running


@pytest.fixture(scope="module")
def relay_ipv6(tmp_path_factory):
    with coturn(tmp_path_factory.mktemp("coturn"), "-A", "keep", host="::1", allow=None) as running:
        yield running


@contextlib.asynccontextmanager
async def allocation(relay, credentials, transport="udp"):
    """Open a relay; yield the client's protocol."""
    loop = asyncio.get_running_loop()
    server = (relay.host, relay.port)
    plain = {"username": credentials.username, "password": credentials.password}
    if transport == "udp":
        _, client = await loop.create_datagram_endpoint(
            lambda: turn.TurnClientUdpProtocol(server, **plain, lifetime=600, channel_refresh_time=500),
            remote_addr=server,
        )
    else:
        _, client = await loop.create_connection(
            lambda: turn.TurnClientTcpProtocol(server, **plain, lifetime=600, channel_refresh_time=500), *server
        )
    try:
        await client.connect()
        yield client
        await client.delete()
    finally:
        client.transport.close()
        await asyncio.sleep(0)  # the transport closes its socket in the loop's next turn


def fresh(ttl_s=60, secret=SECRET, now=None):
    return turn_credentials(secret, "a session", now=time.time() if now is None else now, ttl_s=ttl_s)


async def refusal(client, address, channel):
    """Return the error code with which the relay refuses to send to `address`; None if it does not."""
    try:
        await client.channel_bind(channel, (address, 9))
    except stun.TransactionFailed as error:
        return error.response.error_code
    return None


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_sessions_credentials_open_a_relay_to_the_media_server(relay, transport):
    async with allocation(relay, fresh(), transport) as client:
        assert 49_160 <= client.relayed_address[1] <= 49_960
        assert await refusal(client, MEDIA_SERVER, 0x4000) is None


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param(lambda: fresh(now=time.time() - 120), id="of yesterday"),
        pytest.param(lambda: fresh(secret=SECRET[1:]), id="made with another secret"),
        pytest.param(lambda: fresh(secret=""), id="made without a secret"),
    ],
)
async def test_other_credentials_open_nothing(relay, credentials):
    with pytest.raises(stun.TransactionFailed) as refused:
        async with allocation(relay, credentials()):
            pass
    assert refused.value.response.error_code == 401


async def test_a_relay_outlives_the_credentials_that_opened_it(relay):
    async with allocation(relay, fresh(ttl_s=1)) as client:
        await asyncio.sleep(2.1)
        refresh = stun.Message(message_method=stun.Method.REFRESH, message_class=stun.Class.REQUEST)
        refresh.attributes["LIFETIME"] = 600
        response, _ = await client.request_with_retry(refresh)
        assert response.attributes["LIFETIME"] == 600


@pytest.mark.parametrize(
    ("fixture", "others", "public"),
    [
        pytest.param("relay", PRIVATE_IPV4, "1.1.1.1", id="ipv4"),
        pytest.param("relay_ipv6", PRIVATE_IPV6, "2606:4700:4700::1111", id="ipv6"),
    ],
)
async def test_nothing_inside_a_network_is_reached_through_the_relay(fixture, others, public, request):
    ends = {str(end) for network in map(ipaddress.ip_network, others) for end in (network[0], network[-1])}
    relay = request.getfixturevalue(fixture)
    async with allocation(relay, fresh()) as client:
        refusals = {at: await refusal(client, at, 0x4000 + n) for n, at in enumerate(sorted(ends))}
        assert set(refusals.values()) == {403}, {at: code for at, code in refusals.items() if code != 403}
        assert await refusal(client, public, 0x4FFF) is None, "nothing is sent there: only a channel is opened"
