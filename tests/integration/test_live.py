"""The live plane through real peers: WHIP in, treatment, WHEP out."""

from support.live import Camera, publish, serving, sharpness, stripes, watching
from support.pipelines import SmallFactory


async def test_a_viewer_gets_the_treated_picture_and_never_the_camera():
    assert sharpness(stripes((320, 240), 0)) > 30
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        async with watching(client, made["whep_url"]) as watcher:
            session = await publish(client, made["whip_url"], Camera(), token=made["token"])
            await watcher.until(lambda seen: seen.last.shape == (240, 320, 3) and len(seen.pictures) > 20)
            assert max(sharpness(frame.to_ndarray(format="rgb24")) for _, frame in watcher.pictures) < 8
            await session.hang_up()
