"""A broadcast pushed to a second, real server, and what happens when that server is not kind."""

import asyncio
import contextlib
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mien.errors import PushRefusedError, TargetError
from mien.media.address_policy import Targets
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.egress.fan_out import FanOut
from mien.media.webrtc.egress.whip_client import PushState, WhipPush
from support.live import serving, watching
from support.pipelines import SmallFactory
from support.push import Source, listening

KEY = "a key of the far end"
HOME = Targets(allowed=("127.0.0.0/8", "192.0.2.0/24", "fd00::/8", "::1/128"))


@contextlib.asynccontextmanager
async def pushing(url, *, token=None, codec=VideoCodec.VP8, **more):
    """Push a source's pictures and sound to `url` while the block runs."""
    source, fan_out = Source(codec), FanOut(codec)
    push = WhipPush(
        url,
        token,
        fan_out=fan_out,
        codec=codec,
        bit_rates=(500_000, 100_000),
        want_keyframe=source.want_keyframe,
        epoch=source.epoch,
        **({"targets": HOME, "first_pause_s": 0.1} | more),
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(push.run())
        feeding = group.create_task(source.feed(fan_out))
        try:
            yield push, source
        finally:
            push.leave()
            feeding.cancel()


async def until(true, timeout_s=30.0):
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110  # numbers have no event
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("codec", VideoCodec)
async def test_a_pushed_picture_arrives_at_the_viewers_of_another_server(codec):
    async with serving(SmallFactory()) as far:
        made = (await far.post("/api/broadcasts", json={})).json()
        url = f"{far.base_url}{made['whip_url']}"
        async with (
            pushing(url, token=made["token"], codec=codec) as (push, _),
            watching(far, made["whep_url"]) as watcher,
        ):
            await watcher.until(lambda seen: len(seen.sounds) > 10 and seen.last.std() > 20)
            assert push.stats.state is PushState.LIVE
            assert push.stats.attempts == 1
            assert push.stats.packets > 5
        await until_idle(far, made["id"])
        assert push.stats.state is PushState.ENDED


async def until_idle(far, broadcast_id):
    """Wait until nobody publishes there any more: the push ended its session."""
    async with asyncio.timeout(30):
        while (await far.get(f"/api/broadcasts/{broadcast_id}")).json()["state"] != "waiting":  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.05)


async def test_a_far_end_that_hangs_up_gets_the_broadcast_again():
    async with serving(SmallFactory()) as far, pushing(f"{far.base_url}/whip") as (push, _):
        await until(lambda: push.stats.packets > 3)
        (first,) = (await far.get("/api/broadcasts")).json()
        await far.delete(f"/api/broadcasts/{first['id']}")
        await until(lambda: push.stats.state is PushState.RETRYING)
        assert push.stats.connected_s == 0
        assert "broke" in push.stats.trouble
        sent = push.stats.packets
        await until(lambda: push.stats.packets > sent + 3)
        assert push.stats.trouble is None
        (second,) = (await far.get("/api/broadcasts")).json()
        assert second["id"] != first["id"]


class FarEnd:
    """A server that answers offers as a test says, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def answer(self, request):
        self.asked.append((request.method, request.url.path, request.headers, await request.body()))
        if request.method == "DELETE":
            return Response(status_code=200)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextlib.asynccontextmanager
async def far_end(*answers):
    end = FarEnd(*answers)
    app = Starlette(routes=[Route("/{path:path}", end.answer, methods=["POST", "DELETE"])])
    async with listening(app) as address:
        yield end, address


async def refusal(url, **more):
    with pytest.raises(ExceptionGroup) as raised:
        async with pushing(url, **more):
            await asyncio.sleep(30)  # the refusal ends it
    (error,) = raised.value.exceptions
    return error


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(Response(status_code=401), "401", id="a wrong token"),
        pytest.param(Response(status_code=201), "names no session", id="no Location"),
        pytest.param(Response("v=1", 201, {"Location": "/s"}), "begin with v=0", id="no SDP"),
        pytest.param(Response("v=0\r\n" * 20_000, 201, {"Location": "/s"}), "65536", id="too much SDP"),
        pytest.param(
            Response("v=0\r\na=candidate:1\t1\tudp\t1\t127.0.0.1\t5000 typ host\r\n", 201, {"Location": "/s"}),
            "control character",
            id="a candidate with tabs",
        ),
        pytest.param(Response(status_code=307, headers={"Location": "/"}), "redirects", id="a circle"),
    ],
)
async def test_a_far_end_that_will_not_have_the_broadcast_is_asked_once(answer, says):
    async with far_end(answer) as (end, address):
        error = await refusal(f"{address}/whip", token=KEY)
        assert isinstance(error, PushRefusedError)
        assert says in str(error)
        posts = [asked for asked in end.asked if asked[0] == "POST"]
        assert len(posts) == (4 if says == "redirects" else 1)


async def test_an_answer_that_cannot_be_used_is_not_left_lying_at_the_far_end():
    async with far_end(Response("v=1", 201, {"Location": "/sessions/7"})) as (end, address):
        await refusal(f"{address}/whip", token=KEY)
        assert [(verb, path) for verb, path, *_ in end.asked] == [("POST", "/whip"), ("DELETE", "/sessions/7")]
        assert {headers["authorization"] for _, _, headers, _ in end.asked} == {f"Bearer {KEY}"}
        (_, _, headers, offer), *_ = end.asked
        assert headers["content-type"] == "application/sdp"
        assert offer.count(b"a=sendonly") == 2
        assert b"a=candidate:" in offer, "nothing trickles, so the offer is whole"


async def test_a_busy_far_end_is_asked_again_later_and_later():
    async with far_end(Response(status_code=503)) as (end, address):
        async with pushing(f"{address}/whip") as (push, _):
            await until(lambda: len(end.asked) >= 4)
            assert push.stats.state is PushState.RETRYING
            assert "503" in push.stats.trouble
        assert push.stats.state is PushState.ENDED


async def test_a_wish_to_be_left_alone_is_respected():
    async with far_end(Response(status_code=503, headers={"Retry-After": "60"})) as (end, address):
        async with pushing(f"{address}/whip") as (push, _):
            await until(lambda: push.stats.state is PushState.RETRYING)
            await asyncio.sleep(0.5)
            assert len(end.asked) == 1
            began = time.monotonic()
        assert time.monotonic() - began < 20, "leaving does not wait for the pause"


async def test_a_redirect_leads_to_the_server_that_takes_the_broadcast():
    async with serving(SmallFactory()) as far:
        made = (await far.post("/api/broadcasts", json={})).json()
        there = RedirectResponse(f"{far.base_url}{made['whip_url']}", 307)
        async with far_end(there) as (_, address):
            async with pushing(f"{address}/whip", token=made["token"]) as (push, _):
                await until(lambda: push.stats.state is PushState.LIVE)
            await until_idle(far, made["id"])


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://{}/whip", id="an address of this machine"),
        pytest.param("http://localhost:{port}/whip", id="a name of this machine"),
        pytest.param("http://[::ffff:127.0.0.1]:{port}/whip", id="a mapped address"),
        pytest.param("http://169.254.169.254/latest", id="a cloud's metadata"),
        pytest.param("http://0x7f000001:{port}/whip", id="an address in disguise"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("https://user:secret@example.org/whip", id="a password in the URL"),
        pytest.param("http://a.example/\r\nX: y", id="a header in the URL"),
        pytest.param("https://no-such-host.invalid/whip", id="a host that is not there"),
    ],
)
async def test_a_url_that_leads_inwards_or_nowhere_is_not_even_asked(url):
    async with far_end(Response(status_code=201)) as (end, address):
        host = httpx.URL(address).netloc.decode()
        error = await refusal(url.format(host, port=httpx.URL(address).port), targets=Targets())
        assert isinstance(error, TargetError), error
        assert end.asked == []


async def test_a_redirect_that_leads_inwards_is_not_followed():
    inwards = Response(status_code=307, headers={"Location": "http://10.0.0.1/admin"})
    async with far_end(inwards) as (end, address):
        error = await refusal(f"{address}/whip", token=KEY)
        assert isinstance(error, TargetError)
        assert len(end.asked) == 1
