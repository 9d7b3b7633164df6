"""Where media can be reached: ports, addresses, families, with real peers on real sockets."""

import asyncio
import contextlib
import re
import socket

import aioice.ice
import pytest
from aiortc import RTCSessionDescription

from mien.config import LiveSettings
from mien.media.webrtc.aiortc_internals import gather_within
from mien.media.webrtc.ice.network import IceNetworkSettings, bind_udp
from mien.runners import ProcessRunner
from mien.server.app import ice_network_of
from support.live import Camera, peer, publish, serving, sharpness, watching
from support.pipelines import SmallFactory
from support.worker import COMMAND


@pytest.fixture(autouse=True)
def default_ice_network():
    yield
    gather_within(IceNetworkSettings())


def candidates(sdp):
    return re.findall(r"^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", sdp, re.MULTILINE)


def free_ports(count):
    """Return the first of `count` ports in a row of which none is taken."""
    for first in range(41_000, 60_000, count):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(bind_udp("127.0.0.1", [port]))
            return first
    raise AssertionError("this machine has no free ports")


async def frame_arrives(client):
    """Publish and watch; return both answers."""
    made = (await client.post("/api/broadcasts", json={})).json()
    session = await publish(client, made["whip_url"], Camera(), token=made["token"])
    async with watching(client, made["whep_url"], audio=False) as watcher:
        await watcher.until(lambda seen: seen.last.std() > 20 and sharpness(seen.last) < 8)
        answers = session.response.text, watcher.session.response.text
    await session.close_peer()
    return answers


async def test_media_stay_within_their_ports():
    first = free_ports(8)
    async with serving(SmallFactory(), live={"udp_ports": f"{first}-{first + 7}", "bind_to": ["127.0.0.1"]}) as client:
        for answer in await frame_arrives(client):
            ((address, port),) = candidates(answer)
            assert address == "127.0.0.1"
            assert first <= int(port) < first + 8


async def test_who_comes_when_every_port_is_taken_is_told_so_and_leaves_no_socket_behind():
    first = free_ports(2)
    offer = await an_offer()
    live = {"udp_ports": f"{first}-{first + 1}", "bind_to": ["127.0.0.1", "::1"]}
    with bind_udp("::1", [first]), bind_udp("::1", [first + 1]):
        async with serving(SmallFactory(), live=live) as client:
            made = (await client.post("/api/broadcasts", json={})).json()
            headers = {"Authorization": f"Bearer {made['token']}", "Content-Type": "application/sdp"}
            refused = await client.post(made["whip_url"], content=offer, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (503, "live.no_port"), refused.text
            assert "retry-after" in refused.headers
            for port in (first, first + 1):
                bind_udp("127.0.0.1", [port]).close()


async def an_offer():
    connection = peer()
    connection.addTransceiver("video", direction="sendonly")
    await connection.setLocalDescription(await connection.createOffer())
    sdp = connection.localDescription.sdp
    await connection.close()
    return sdp


async def test_the_public_address_is_announced_and_the_private_one_is_not():
    live = {"bind_to": ["127.0.0.1"], "public_addresses": ["203.0.113.7"]}
    async with serving(SmallFactory(), live=live) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        session = await publish(client, made["whip_url"], Camera(), token=made["token"])
        ((address, _port),) = candidates(session.response.text)
        assert address == "203.0.113.7"
        assert "127.0.0.1" not in session.response.text
        await session.close_peer()


async def test_a_peer_connects_through_the_mapping_of_a_cloud():
    """The mapping is made by giving the peer the announced port on the address behind it."""
    live = {"bind_to": ["127.0.0.1"], "public_addresses": ["203.0.113.7"]}
    async with serving(SmallFactory(), live=live) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        connection = peer()
        connection.addTransceiver("video", direction="recvonly")
        await connection.setLocalDescription(await connection.createOffer())
        headers = {"Content-Type": "application/sdp"}
        answer = await client.post(made["whep_url"], content=connection.localDescription.sdp, headers=headers)
        behind = answer.text.replace("203.0.113.7", "127.0.0.1")
        await connection.setRemoteDescription(RTCSessionDescription(behind, "answer"))
        async with asyncio.timeout(30):
            assert await connection.getReceivers()[0].track.recv()
        await connection.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_pictures_travel_over_ipv6():
    async with serving(SmallFactory(), live={"bind_to": ["::1"]}) as client:
        for answer in await frame_arrives(client):
            assert {address for address, _ in candidates(answer)} == {"::1"}


async def test_a_worker_process_is_reached_there_too():
    first = free_ports(8)
    live = {"udp_ports": f"{first}-{first + 7}", "bind_to": ["127.0.0.1"], "public_addresses": ["203.0.113.7"]}
    reach = ice_network_of(LiveSettings.model_validate(live))

    def open_runner(limits, ice_servers):
        return ProcessRunner(COMMAND, limits=limits, ice_servers=ice_servers, ice_network=reach, spares=0)

    async with serving(SmallFactory(), open_runner=open_runner) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        session = await publish(client, made["whip_url"], Camera(), token=made["token"])
        ((address, port),) = candidates(session.response.text)
        assert address == "203.0.113.7"
        assert first <= int(port) < first + 8
        await session.close_peer()


async def test_aioice_still_gathers_the_way_we_lean_on():
    first = free_ports(4)
    gather_within(
        IceNetworkSettings(bind_to=("127.0.0.1",), public_addresses=("203.0.113.7",), udp_ports=range(first, first + 4))
    )
    connection = aioice.ice.Connection(ice_controlling=True)
    await connection.gather_candidates()
    (candidate,) = connection.local_candidates
    assert (candidate.host, candidate.type) == ("203.0.113.7", "host")
    with pytest.raises(OSError, match="in use"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", candidate.port))
    await connection.close()
    await asyncio.sleep(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", candidate.port))
