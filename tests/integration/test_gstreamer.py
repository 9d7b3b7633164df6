"""GStreamer's webrtcbin publishes and plays: its own ICE, DTLS with an RSA certificate, and RTP."""

import pytest
from structlog.testing import capture_logs

from support.busy import must_hide
from support.gstreamer import check_installed, gst_peer
from support.live import serving, sharpness, watching
from support.pipelines import SmallFactory


@pytest.fixture(scope="module", autouse=True)
def _gstreamer():
    check_installed()


@pytest.mark.parametrize(
    ("video", "codec"),
    [
        pytest.param("vp8", "VP8", id="vp8"),
        pytest.param("h264", "H264", id="h264"),
        pytest.param("h264-sprop", "H264", id="h264-with-its-parameter-sets-in-the-offer"),
    ],
)
async def test_gstreamer_publishes_and_plays_treated_pictures_and_sound(video, codec):
    async with serving(SmallFactory(), live={"codecs": [codec]}) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        whip, whep = (f"{client.base_url}{made[name]}" for name in ("whip_url", "whep_url"))
        with capture_logs() as logs:
            async with gst_peer("publish", whip, made["token"], video, "sound") as publisher:
                await publisher.until(lambda peer: "connected" in peer.of("connection"))
                async with gst_peer("play", whep, "", codec.lower(), "sound") as player:
                    await player.until(
                        lambda peer: peer.of("video").count([320, 240]) >= 20 and len(peer.of("audio")) >= 20
                    )
                    async with watching(client, made["whep_url"]) as watcher:
                        await watcher.until(lambda seen: len(seen.frames) > 5 and seen.last.shape == (240, 320, 3))
                        must_hide(hidden=sharpness(watcher.last) < 8)
                    assert await player.end() == 0
                assert await publisher.end() == 0
        shown = (await client.get(f"/api/broadcasts/{made['id']}")).json()
        assert shown["state"] == "waiting", "it deleted its session"
        assert not [line for line in logs if line["event"] in {"dtls_failed", "decoding_failed"}]
