"""Clients that are not ours: FFmpeg's own WHIP muxer, what OBS offers, and players from other pages."""

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from aiortc.sdp import SessionDescription

from support.live import serving, sharpness, watching
from support.pipelines import SmallFactory

OFFERS = Path(__file__).parents[1] / "data" / "offers"
OPERATOR = "operator-token-0123456789"
BEARER = {"Authorization": f"Bearer {OPERATOR}"}
FFMPEG = Path(__file__).parents[1] / "support" / "ffmpeg_whip.py"


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
async def test_ffmpeg_publishes_and_ends_its_session(tmp_path, profile):
    """Its own ICE, DTLS and RTP, H.264 and Opus, a bearer token, and nothing that trickles."""
    async with serving(SmallFactory(), whip_token=OPERATOR) as client:
        ffmpeg = await asyncio.create_subprocess_exec(
            *(sys.executable, str(FFMPEG), f"{client.base_url}/whip", OPERATOR, str(tmp_path), profile),
            stdin=subprocess.PIPE,
        )
        try:
            broadcast = await first_broadcast(client)
            async with watching(client, broadcast["whep_url"]) as watcher:
                await watcher.until(
                    lambda seen: len(seen.sounds) > 5 and seen.last.shape[0] == 240 and sharpness(seen.last) < 8
                )
                (shown,) = (await client.get("/api/broadcasts")).json()
                assert shown["state"] == "live"
            ffmpeg.stdin.close()
            async with asyncio.timeout(30):
                assert await ffmpeg.wait() == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                ffmpeg.kill()
            await ffmpeg.wait()
        (left,) = (await client.get("/api/broadcasts")).json()
        assert left["state"] == "waiting", "it said goodbye, so nobody waits for it to fall silent"


async def first_broadcast(client):
    async with asyncio.timeout(30):
        while not (made := (await client.get("/api/broadcasts")).json()):  # noqa: ASYNC110  # asked over HTTP
            await asyncio.sleep(0.05)
    return made[0]


@pytest.mark.parametrize("name", sorted(path.stem for path in OFFERS.glob("*.sdp")))
async def test_what_obs_offers_is_answered(name):
    offer = (OFFERS / f"{name}.sdp").read_bytes()
    async with serving(SmallFactory(), whip_token=OPERATOR) as client:
        headers = {"Content-Type": "application/sdp", "User-Agent": "Mozilla/5.0 (OBS-Studio/31.0.0; Linux x86_64)"}
        response = await client.post("/whip", content=offer, headers=headers | BEARER)
        assert response.status_code == 201, response.text
        assert response.headers["location"].startswith("/whip/"), "OBS joins a path to the address it asked"
        answer = SessionDescription.parse(response.text)
        assert [media.kind for media in answer.media] == ["audio", "video"]
        assert {media.direction for media in answer.media} == {"recvonly"}
        assert all(media.rtcp_mux and media.port for media in answer.media)
        (bundle,) = (group for group in answer.group if group.semantic == "BUNDLE")
        assert bundle.items == ["0", "1"]
        audio, video = answer.media
        assert [(codec.mimeType, codec.payloadType) for codec in audio.rtp.codecs] == [("audio/opus", 111)]
        assert [(codec.mimeType, codec.payloadType) for codec in video.rtp.codecs] == [("video/H264", 96)]
        assert video.rtp.codecs[0].parameters["packetization-mode"] == "1"
        assert "a=candidate:" in response.text, "OBS does not trickle, so everything is in the answer"
        ended = await client.delete(response.headers["location"], headers=BEARER)
        assert ended.status_code == 200, "OBS takes any other status for a failure"


async def test_a_player_of_another_page_may_watch():
    """What a browser asks on behalf of a page of somebody else's, in that order."""
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        origin = {"Origin": "https://player.example"}
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,authorization"}
        allowed = await client.options(made["whep_url"], headers=origin | asks)
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == "*"
        assert "POST" in allowed.headers["access-control-allow-methods"]
        assert {"content-type", "authorization"} <= {
            name.strip().lower() for name in allowed.headers["access-control-allow-headers"].split(",")
        }
        client.headers.update(origin | {"Accept": "application/sdp"})
        async with watching(client, made["whep_url"]) as watcher:
            response = watcher.session.response
            assert response.headers["access-control-allow-origin"] == "*"
            exposed = response.headers["access-control-expose-headers"]
            assert {"Location", "ETag", "Link"} <= {name.strip() for name in exposed.split(",")}
            await watcher.until(lambda seen: len(seen.frames) > 1)
        asks = {"Access-Control-Request-Method": "DELETE"}
        allowed = await client.options(watcher.session.url, headers=origin | asks)
        assert {"PATCH", "DELETE"} <= set(allowed.headers["access-control-allow-methods"].split(", "))
