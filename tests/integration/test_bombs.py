"""Hostile offers and bodies to a real server: refused, and other broadcasts do not notice."""

import asyncio
import contextlib
import socket
import threading

import pytest
from aioice import stun

from mien.errors import SdpError
from mien.media.webrtc.aiortc_internals.checks import FACTOR
from mien.media.webrtc.sdp.parse import MAX_CANDIDATES, read_off_loop
from mien.runners import ProcessRunner
from support.bombs import BOMBS, GOOD, dearest
from support.live import Camera, publish, serving, watching
from support.pipelines import SmallFactory
from support.worker import COMMAND, worker_pids

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
JSON = {"Content-Type": "application/json"}


def open_runner(limits, ice_servers):
    return ProcessRunner(COMMAND, limits=limits, ice_servers=ice_servers, spares=0)


async def test_bombs_are_refused_and_a_broadcast_beside_them_goes_on():
    """Every one of them, at once, by strangers, to a broadcast that they may watch."""
    async with serving(SmallFactory(), open_runner=open_runner) as client:
        bombed, beside = [(await client.post("/api/broadcasts", json={})).json() for _ in range(2)]
        pids = worker_pids()
        session = await publish(client, beside["whip_url"], Camera(), token=beside["token"])
        async with watching(client, beside["whep_url"], audio=False) as watcher:
            await watcher.until(lambda seen: len(seen.frames) > 5)
            answers = await asyncio.gather(
                *(
                    client.post(bombed["whep_url"], content=text.encode()[:65_536], headers=SDP)
                    for text in BOMBS.values()
                )
            )
            assert {answer.status_code for answer in answers} <= {422}
            assert {answer.json()["code"] for answer in answers} <= {"live.sdp", "live.sdp_limit"}
            seen_before = len(watcher.frames)
            await watcher.until(lambda seen: len(seen.frames) > seen_before + 10)
        listed = (await client.get("/api/broadcasts")).json()
        assert [each["restarts"] for each in listed] == [0, 0]
        assert worker_pids() == pids, "nobody was taken for dead"
        await session.close_peer()


async def test_the_dearest_offer_that_is_taken_is_answered_in_a_worker():
    async with serving(SmallFactory(), open_runner=open_runner) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        text = dearest().replace("H264/90000", "VP8/90000")
        answer = await client.post(made["whep_url"], content=text, headers=SDP)
        assert answer.status_code == 201, answer.text
        assert answer.text.count("m=video ") == 16
        assert answer.text.count("m=video 0 ") == 15


async def test_readers_run_beside_the_event_loop():
    name = await read_off_loop(lambda _text: threading.current_thread().name, "")
    assert name.startswith("sdp-reader")
    assert threading.current_thread() is threading.main_thread()

    def refuse(_text):
        raise SdpError("no")

    with pytest.raises(SdpError, match="no"):
        await read_off_loop(refuse, "")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 60_000, id="brackets"),
        pytest.param(b'{"a":' * 12_000, id="braces"),
        pytest.param(b'{"title":' + b"9" * 60_000 + b"}", id="digits"),
        pytest.param(b'{"title":1e' + b"9" * 60_000 + b"}", id="an exponent"),
        pytest.param(b'{"title":"' + b"\\ud800" * 9_000 + b'"}', id="half letters"),
        pytest.param(b"{" + b",".join(b'"%d":0' % number for number in range(7_000)) + b"}", id="names"),
        pytest.param(b'{"title":NaN}', id="no number"),
        pytest.param(b"\xff" * 60_000, id="no text"),
        pytest.param(b"\0" * 60_000, id="NULs"),
        pytest.param(b" " * 60_000, id="blanks"),
    ],
)
async def test_json_that_is_made_to_cost_much_is_the_caller_s_fault(body):
    async with serving(SmallFactory()) as client:
        for path in ("/api/broadcasts", "/api/broadcasts/x/pushes"):
            answer = await client.post(path, content=body, headers=JSON)
            assert 400 <= answer.status_code < 500, answer.text
            assert len(answer.content) < 200_000


class Victims:
    """Sockets of a third party on the loopback, whose datagrams are counted."""

    def __init__(self, number):
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(number)]
        for each in self.sockets:
            each.bind(("127.0.0.1", 0))
            each.setblocking(False)

    def lines(self):
        return [
            f"a=candidate:{number} 1 udp {2_000_000_000 - number} 127.0.0.1 {each.getsockname()[1]} typ host\r\n"
            for number, each in enumerate(self.sockets)
        ]

    def heard(self):
        found = []
        for each in self.sockets:
            with contextlib.suppress(BlockingIOError):
                while True:
                    found.append(each.recv(65_536))
        return found

    def close(self):
        for each in self.sockets:
            each.close()


@pytest.fixture
def victims(monkeypatch):
    monkeypatch.setattr(stun, "RETRY_RTO", 0.02)  # retransmissions follow each other 25 times faster
    victims = Victims(40)
    yield victims
    victims.close()


async def sent_when_it_is_over(victims):
    """Return the datagrams that came until none came for a while."""
    found = []
    while True:
        await asyncio.sleep(1.0)
        more = victims.heard()
        found += more
        if not more:
            return found


@pytest.mark.parametrize("ufrag", ["abcd", "a" * 256])
async def test_who_is_named_by_a_stranger_gets_three_times_what_the_stranger_sent_at_most(victims, ufrag):
    async with serving(SmallFactory(), live={"bind_to": ["lo"]}) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        text = GOOD.replace("a=ice-ufrag:abcd", f"a=ice-ufrag:{ufrag}") + "".join(victims.lines())
        answer = await client.post(made["whep_url"], content=text, headers=SDP)
        assert answer.status_code == 201, answer.text
        datagrams = await sent_when_it_is_over(victims)
        assert datagrams, "the loopback is where this server listens"
        assert sum(map(len, datagrams)) <= FACTOR * len(text)


async def test_nobody_is_asked_where_the_server_does_not_listen(victims):
    """By default media listen on every address but the loopback, where a machine has others."""
    async with serving(SmallFactory(), live={"public_addresses": ["203.0.113.7", "2606:4700::1"]}) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        text = GOOD + "".join(victims.lines())
        answer = await client.post(made["whep_url"], content=text, headers=SDP)
        assert answer.status_code == 201, answer.text
        assert await sent_when_it_is_over(victims) == []


async def test_a_session_takes_so_many_candidates_however_they_come():
    async with serving(SmallFactory(), live={"bind_to": ["lo"]}) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        lines = [f"a=candidate:{n} 1 udp 1 127.0.0.1 {20_000 + n} typ host\r\n" for n in range(200)]
        answer = await client.post(made["whep_url"], content=GOOD + "".join(lines[:32]), headers=SDP)
        assert answer.status_code == 201, answer.text
        headers = FRAGMENT | {"If-Match": answer.headers["etag"]}
        codes = []
        for at in range(0, len(lines), 16):
            taken = await client.patch(
                answer.headers["location"], content="".join(lines[at : at + 16]), headers=headers
            )
            codes.append(taken.status_code)
        assert codes == [204] * (MAX_CANDIDATES // 16) + [422] * (len(codes) - MAX_CANDIDATES // 16)
        assert taken.json()["code"] == "live.sdp_limit"
        again = await client.patch(answer.headers["location"], content=lines[0], headers=headers)
        assert again.status_code == 204, "what it has already costs nothing"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("1 2 udp 1 127.0.0.1 5000 typ host", id="another component"),
        pytest.param("1 1 tcp 1 127.0.0.1 9 typ host tcptype active", id="TCP"),
        pytest.param("1 1 udp 1 host.example.invalid 5000 typ host", id="a name"),
        pytest.param("1 1 udp 1 5d3c.local 5000 typ host", id="a multicast name"),
        pytest.param("1 1 udp 1 fe80::1%eth0 5000 typ host", id="a zone"),
        pytest.param("1 1 udp 1 127.0.0.1 0 typ host", id="port 0"),
        pytest.param("1 1 udp 1 10.255.255.1 5000 typ host", id="somebody else's network"),
        pytest.param("", id="none any more"),
    ],
)
async def test_a_candidate_of_no_use_is_no_fault_of_the_client_s(line):
    async with serving(SmallFactory(), live={"bind_to": ["lo"]}) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        answer = await client.post(made["whep_url"], content=f"{GOOD}a=candidate:{line}\r\n", headers=SDP)
        assert answer.status_code == 201, answer.text
        headers = FRAGMENT | {"If-Match": answer.headers["etag"]}
        for fragment in (f"a=candidate:{line}\r\n", f"m=video 9 RTP/AVP 0\r\na=mid:9\r\na=candidate:{line}\r\n"):
            taken = await client.patch(answer.headers["location"], content=fragment, headers=headers)
            assert taken.status_code == 204, taken.text
