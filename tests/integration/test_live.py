"""The live plane through real peers: WHIP in, treatment, WHEP out. What breaks is in `test_faults.py`."""

import asyncio
import re
import threading
import time

import numpy as np
from aioice.mdns import MDnsProtocol

from mien.vision.render.slate import slate
from support.busy import must_hide
from support.live import Camera, Watcher, publish, serving, sharpness, stripes, watching
from support.pipelines import Faulty, Pixelate, SmallFactory
from support.policies import hiding, personas_of, plain, swapping

STARS = {"kind": "mosaic", "style": "stars"}

BLUE = (30, 60, 200)
QUICK = {"slate_after_s": 0.6, "hang_after_s": 1.0, "publisher_timeout_s": 1.5, "viewer_grace_s": 1.0}


def shows(watcher: Watcher, rgb: tuple[int, int, int]) -> bool:
    return bool(np.abs(watcher.last.reshape(-1, 3).mean(axis=0) - rgb).max() < 12)


def shows_slate(watcher: Watcher) -> bool:
    height, width = watcher.last.shape[:2]
    return bool(np.abs(watcher.last.astype(int) - slate((width, height), at=0.0).image).mean() < 6)


def worst_sharpness(watcher: Watcher) -> float:
    return max(sharpness(frame.to_ndarray(format="rgb24")) for _, frame in watcher.frames)


async def make(client, **spec):
    response = await client.post("/api/broadcasts", json=spec)
    assert response.status_code == 201, response.text
    return response.json()


async def show(client, made):
    return (await client.get(f"/api/broadcasts/{made['id']}")).json()


async def test_a_viewer_gets_the_treated_picture_and_never_the_camera():
    assert sharpness(stripes((320, 240), 0)) > 30  # what must not arrive is easy to tell
    async with serving(SmallFactory()) as client:
        made = await make(client, title="hello")
        async with watching(client, made["whep_url"]) as watcher:
            session = await publish(client, made["whip_url"], Camera(), token=made["token"])
            await watcher.until(lambda seen: seen.last.shape == (240, 320, 3) and len(seen.frames) > 25)
            now = await show(client, made)
            assert (now["state"], now["title"], now["size"], now["viewers"]) == (
                "live",
                "hello",
                [320, 240],
                1,
            )
            assert now["faces"] == {"mosaic": 1}
            assert now["fps_in"] > 5
            assert now["fps_out"] > 5
            assert 0 < now["server_delay_ms"] < 1000
            must_hide(hidden=worst_sharpness(watcher) < 8)
            assert (await session.close_peer()).status_code == 200


async def test_before_anything_comes_a_viewer_sees_the_slate_at_once():
    async with serving(SmallFactory()) as client:
        made = await make(client)
        async with watching(client, made["whep_url"]) as watcher:
            await watcher.until(lambda seen: len(seen.frames) > 0)
            assert shows_slate(watcher)
            assert (await show(client, made))["state"] == "waiting"


async def test_a_browser_that_hides_its_addresses_has_a_picture_and_its_names_are_not_looked_up(monkeypatch):
    async def resolve(_self, name, timeout=1.0):  # noqa: ARG001, ASYNC109  # as aioice's
        asked.append(name)

    asked = []
    monkeypatch.setattr(MDnsProtocol, "resolve", resolve)

    def hide(offer: str) -> str:
        return re.sub(r"(a=candidate:(?:\S+ ){4})\S+", r"\g<1>0a1b2c3d-0000-4000-8000-000000000000.local", offer)

    async with serving(SmallFactory()) as client:
        made = await make(client)
        async with watching(client, made["whep_url"], rewrite=hide) as watcher:
            assert ".local" in hide(watcher.session.connection.localDescription.sdp)
            await watcher.until(lambda seen: len(seen.frames) > 0)
        assert asked == [], "a name that nobody knows takes seconds"


async def test_a_viewer_who_joins_late_is_given_a_picture_to_begin_with():
    async with serving(SmallFactory()) as client:
        made = await make(client, policy=plain(swapping()))
        session = await publish(client, made["whip_url"], Camera(), token=made["token"])
        async with watching(client, made["whep_url"]) as first:
            await first.until(lambda seen: shows(seen, BLUE))
            before = len(first.frames)
            async with watching(client, made["whep_url"]) as second:
                await second.until(lambda seen: shows(seen, BLUE))
                # Counted in pictures of a camera of 20 a second: a busy machine makes fewer of them, too.
                assert len(first.frames) - before < 100
                assert shows(first, BLUE)
        await session.close_peer()


async def test_the_treatment_changes_on_air_and_a_failed_change_changes_nothing():
    async with serving(SmallFactory()) as client:
        made = await make(client)
        mine = {"Authorization": f"Bearer {made['token']}"}
        url = f"/api/broadcasts/{made['id']}"
        async with watching(client, made["whep_url"]) as watcher:
            session = await publish(client, made["whip_url"], Camera(), token=made["token"])
            await watcher.until(lambda seen: len(seen.frames) > 10 and not shows_slate(seen))
            swap = {"policy": plain(swapping())}
            changed = await client.patch(url, json=swap, headers=mine)
            assert (changed.status_code, personas_of(changed.json())) == (200, ["mask:volto"])
            await watcher.until(lambda seen: shows(seen, BLUE))

            refused = await client.patch(url, json={"policy": plain(swapping("mask:nobody"))}, headers=mine)
            assert (refused.status_code, refused.json()["code"]) == (422, "persona.unknown")
            count = len(watcher.frames)
            await watcher.until(lambda seen: len(seen.frames) > count + 10)
            assert shows(watcher, BLUE)
            assert personas_of(await show(client, made)) == ["mask:volto"]
            must_hide(hidden=worst_sharpness(watcher) < 8)
        await session.close_peer()


async def test_style_and_shape_of_a_mosaic_come_from_the_wish_or_the_settings_and_change_on_air():
    factory = SmallFactory()
    async with serving(factory, mosaic={"style": "blur", "shape": "head"}) as client:
        made = await make(client, policy=plain(hiding(shape="box")))
        assert (await show(client, made))["policy"] == plain(hiding("blur", "box"))
        headers = {"Authorization": f"Bearer {made['token']}"}
        url = f"/api/broadcasts/{made['id']}"
        session = await publish(client, made["whip_url"], Camera(), token=made["token"])
        changed = await client.patch(url, json={"policy": plain(hiding("solid"))}, headers=headers)
        assert changed.json()["policy"] == plain(hiding("solid", "head"))  # the whole policy is replaced
        assert factory.built[-1].policy == hiding("solid", "head")
        stars = plain(hiding()) | {"rules": [{"subject": {"kind": "everyone"}, "treatment": STARS}]}
        refused = await client.patch(url, json={"policy": stars}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (422, "policy.format")
        assert (await show(client, made))["policy"] == plain(hiding("solid", "head"))
        await session.close_peer()


def hangs() -> object:
    return threading.Event().wait(3)


async def test_a_change_of_treatment_does_not_wait_for_a_pipeline_that_hangs():
    broken = Faulty(Pixelate(), hangs)
    async with serving(SmallFactory(pipelines=[broken]), live=QUICK | {"hang_after_s": 60}) as client:
        made = await make(client)
        mine = {"Authorization": f"Bearer {made['token']}"}
        async with watching(client, made["whep_url"]) as watcher:
            session = await publish(client, made["whip_url"], Camera(), token=made["token"])
            await watcher.until(lambda seen: len(seen.frames) > 10 and not shows_slate(seen))
            broken.broken.set()
            await watcher.until(shows_slate)
            swap = {"policy": plain(swapping())}
            await client.patch(f"/api/broadcasts/{made['id']}", json=swap, headers=mine)
            await watcher.until(lambda seen: shows(seen, BLUE))
        await session.close_peer()


async def test_when_the_broadcaster_vanishes_viewers_see_the_slate_and_are_then_closed():
    async with serving(SmallFactory(), live=QUICK) as client:
        made = await make(client)
        async with watching(client, made["whep_url"]) as watcher:
            session = await publish(client, made["whip_url"], Camera(), token=made["token"])
            await watcher.until(lambda seen: len(seen.frames) > 10 and not shows_slate(seen))
            for sender in session.connection.getSenders():
                sender.replaceTrack(None)  # the line stays up, but nothing comes
            await watcher.until(shows_slate)
            async with asyncio.timeout(30):
                await watcher.ended.wait()
            assert (await show(client, made))["state"] == "waiting"
        await session.connection.close()
        again = await publish(client, made["whip_url"], Camera(), token=made["token"])
        await again.close_peer()


async def test_a_second_publisher_is_refused_while_the_first_is_live():
    async with serving(SmallFactory()) as client:
        made = await make(client)
        session = await publish(client, made["whip_url"], Camera(), token=made["token"])
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {made['token']}"}
        offer = session.connection.localDescription.sdp
        refused = await client.post(made["whip_url"], content=offer, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "live.taken")
        await session.close_peer()


async def test_deleting_a_broadcast_closes_everybody_and_leaves_no_thread_or_task_behind():
    async with serving(SmallFactory()) as client:
        await client.get("/api/health")
        threads, tasks = threading.active_count(), len(asyncio.all_tasks())
        made = await make(client)
        async with watching(client, made["whep_url"]) as watcher:
            session = await publish(client, made["whip_url"], Camera(), token=made["token"])
            await watcher.until(lambda seen: len(seen.frames) > 5)
            mine = {"Authorization": f"Bearer {made['token']}"}
            url = f"/api/broadcasts/{made['id']}"
            elsewhere = mine | {"Origin": "https://elsewhere.example"}
            assert (await client.delete(url, headers=elsewhere)).status_code == 403
            assert (await client.delete(url, headers=mine)).status_code == 204
            assert (await client.get(url)).status_code == 404
            async with asyncio.timeout(30):
                await watcher.ended.wait()
        await session.connection.close()
        assert await settles(lambda: live_threads() == set() and len(asyncio.all_tasks()) <= tasks)
        assert threading.active_count() <= threads + 4  # the pool of asyncio.to_thread stays


def live_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("mien-")}


async def settles(true, *, timeout_s: float = 30.0) -> bool:
    until = time.monotonic() + timeout_s
    while not true() and time.monotonic() < until:  # noqa: ASYNC110  # threads and tasks end without an event
        await asyncio.sleep(0.05)
    return true()


async def test_a_server_that_stops_leaves_no_thread_behind():
    async with serving(SmallFactory()) as client:
        made = await make(client)
        session = await publish(client, made["whip_url"], Camera(), token=made["token"])
        assert live_threads() == {"mien-decoder", "mien-vision", "mien-encoder"}
    await session.connection.close()
    assert await settles(lambda: live_threads() == set())


async def test_obs_publishes_without_making_a_broadcast_first():
    async with serving(SmallFactory()) as client:
        session = await publish(client, "/whip", Camera())
        (listed,) = (await client.get("/api/broadcasts")).json()
        assert (personas_of(listed), listed["state"] in {"live", "paused"}) == ([], True)
        async with watching(client, listed["whep_url"]) as watcher:
            await watcher.until(lambda seen: not shows_slate(seen))
            must_hide(hidden=worst_sharpness(watcher) < 8)
        await session.close_peer()


async def test_late_candidates_are_taken_and_restarts_are_not():
    async with serving(SmallFactory()) as client:
        made = await make(client)
        session = await publish(client, made["whip_url"], Camera(), token=made["token"])
        headers = session.headers | {"Content-Type": "application/trickle-ice-sdpfrag"}
        etag = session.response.headers["etag"]
        lines = session.connection.localDescription.sdp.splitlines()
        ufrag = next(line for line in lines if line.startswith("a=ice-ufrag:"))
        fragment = (
            f"{ufrag}\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
            "a=candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host\r\n"
        )

        async def patch(body: str, **more: str) -> tuple[int, str | None]:
            answer = await client.patch(session.url, content=body, headers=headers | more)
            code = answer.json()["code"] if answer.content else None
            return answer.status_code, code

        assert await patch(fragment) == (428, "http.precondition_required")
        assert await patch(fragment, **{"If-Match": '"other"'}) == (412, "http.precondition_failed")
        assert await patch(fragment, **{"If-Match": etag}) == (204, None)
        assert await patch("a=end-of-candidates\r\n", **{"If-Match": etag}) == (204, None)
        assert await patch(fragment, **{"If-Match": etag}) == (204, None)  # too late, and no harm
        assert await patch(fragment, **{"If-Match": "*"}) == (204, None), "its own ICE credentials: no restart"
        restart = "a=ice-ufrag:anew\r\na=ice-pwd:0123456789012345678901\r\n"
        assert await patch(restart, **{"If-Match": "*"}) == (422, "live.no_ice_restart")
        assert await patch(restart, **{"If-Match": etag}) == (422, "live.no_ice_restart")
        assert await patch("a=ice-ufrag:new\r\n", **{"If-Match": etag}) == (422, "live.sdp")
        assert await patch("nothing", **{"If-Match": etag}) == (422, "live.sdp")
        assert await patch(fragment, **{"If-Match": etag, "Content-Type": "text/plain"}) == (
            415,
            "http.unsupported_media_type",
        )
        await session.close_peer()
