"""Viewers that never connect, by the dozen: those who do must not notice."""

from support.live import an_offer, serving, watching
from support.pipelines import SmallFactory

SDP = {"Content-Type": "application/sdp"}


OFFERS = 70


async def test_offers_that_never_connect_lock_neither_viewers_nor_the_broadcaster_out():
    async with serving(SmallFactory(), live={"max_viewers": 2}) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        dead = await an_offer("video", direction="recvonly")
        statuses = {(await client.post(made["whep_url"], content=dead, headers=SDP)).status_code for _ in range(OFFERS)}
        assert statuses == {201}
        async with watching(client, made["whep_url"]) as first, watching(client, made["whep_url"]) as second:
            await first.until(lambda seen: len(seen.frames) > 1)
            await second.until(lambda seen: len(seen.frames) > 1)
            own = SDP | {"Authorization": f"Bearer {made['token']}"}
            assert (await client.post(made["whep_url"], content=dead, headers=own)).status_code == 201
            refused = await client.post(made["whep_url"], content=dead, headers=SDP)
            assert (refused.status_code, refused.json()["code"]) == (503, "live.too_many")
            assert refused.headers["retry-after"]
            assert (await client.get(f"/api/broadcasts/{made['id']}")).json()["viewers"] == 2
