"""Viewers that never connect, by the dozen: those who do must not notice."""

from support.live import an_offer, serving, watching
from support.pipelines import SmallFactory

SDP = {"Content-Type": "application/sdp"}
OPERATOR = "operator-token-0123456789"
BEARER = {"Authorization": f"Bearer {OPERATOR}"}


OFFERS = 70
BOUND = {"max_offers_per_address": 3, "offers_per_s_per_address": 0.01}


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


async def test_an_address_that_offers_too_fast_is_told_when_to_come_again():
    """Each offer makes a peer connection, so the pool of those that never connect bounds memory, but not work."""
    async with serving(SmallFactory(), http=BOUND, trusted_proxies=["127.0.0.0/8"], whip_token=OPERATOR) as client:
        made = (await client.post("/api/broadcasts", json={}, headers=BEARER)).json()
        dead = await an_offer("video", direction="recvonly")

        async def offer(**headers):
            return await client.post(made["whep_url"], content=dead, headers=SDP | headers)

        assert [(await offer()).status_code for _ in range(4)] == [201, 201, 201, 429]
        refused = await offer()
        assert refused.json()["code"] == "live.too_many_offers"
        assert 0 < int(refused.headers["retry-after"]) <= 100
        assert refused.headers["access-control-allow-origin"] == "*", "players of other pages must see why"
        assert (await offer(**{"X-Forwarded-For": "192.0.2.7"})).status_code == 201, "another address"
        assert (await offer(Authorization=f"Bearer {made['token']}")).status_code == 201, "the broadcaster"
