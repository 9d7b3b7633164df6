"""Who may have this server do something: pages of other sites, proxies, strangers, owners, the operator."""

import asyncio
import re

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from mien.app.policy.document import policy_of
from mien.app.policy.rules import SwapTreatment
from support.live import an_offer, serving
from support.pipelines import SmallFactory
from support.policies import hiding, personas_of, plain
from support.policies import swapping as swapping_to

OPERATOR = "operator-of-the-tests"
JPEG = b"\xff\xd8 a photo"
FORM = {"owner_agrees": "true", "declared_by": "Kim"}
EVIL = {"Origin": "https://evil.example"}
SDP = {"Content-Type": "application/sdp"}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def is_problem(answer, status, code):
    return (answer.status_code, answer.json()["code"]) == (status, code)


def address_of(client):
    return f"{client.base_url.host}:{client.base_url.port}"


async def lend(client, **headers):
    answer = await client.post("/api/references", files={"photo": ("me.jpg", JPEG)}, data=FORM, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def swapping(client, persona):
    answer = await client.post("/api/broadcasts", json={"policy": plain(swapping_to(persona))})
    assert answer.status_code == 201, answer.text
    return answer.json()


class TestPagesOfOtherSites:
    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param(EVIL, id="an origin"),
            pytest.param({"Origin": "null"}, id="a hidden origin"),
            pytest.param({"Sec-Fetch-Site": "cross-site"}, id="fetch metadata"),
            pytest.param({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, id="another port"),
            pytest.param({"Origin": "http://127.0.0.1.evil.example"}, id="a name that begins like ours"),
            pytest.param({"Origin": "http://user@[::1"}, id="nonsense"),
        ],
    )
    @pytest.mark.parametrize(
        ("verb", "path"),
        [
            ("POST", "/api/references"),
            ("POST", "/api/broadcasts"),
            ("POST", "/whip"),
            ("PATCH", "/api/broadcasts/x"),
            ("DELETE", "/api/recordings/x"),
            ("POST", "/api/broadcasts/x/end"),
        ],
    )
    async def test_nothing_unsafe_can_be_asked_for_by_them(self, verb, path, headers):
        async with serving(SmallFactory()) as client:
            assert is_problem(await client.request(verb, path, headers=headers), 403, "http.cross_site")

    @pytest.mark.parametrize("path", ["/ws/frames", "/api/broadcasts/x/events"])
    @pytest.mark.parametrize("headers", [EVIL, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
    async def test_no_websocket_opens_for_them(self, path, headers):
        async with serving(SmallFactory()) as client:
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://{address_of(client)}{path}", additional_headers=headers)
            assert refused.value.response.status_code == 403

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param({}, id="no browser"),
            pytest.param({"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"}, id="our own page"),
            pytest.param({"Sec-Fetch-Site": "none"}, id="the address bar"),
        ],
    )
    async def test_our_own_pages_and_other_clients_go_on_working(self, headers):
        async with serving(SmallFactory()) as client:
            assert (await client.post("/api/broadcasts", json={}, headers=headers)).status_code == 201

    async def test_an_old_browser_on_our_own_page_is_known_by_its_origin(self):
        async with serving(SmallFactory()) as client:
            own = {"Origin": f"http://{address_of(client)}"}
            assert (await client.post("/api/broadcasts", json={}, headers=own)).status_code == 201

    async def test_a_page_behind_a_trusted_proxy_has_the_origin_that_the_proxy_was_asked_for(self):
        async with serving(SmallFactory(), whip_token=OPERATOR) as client:
            headers = {"Origin": "https://live.example.org", "X-Forwarded-Host": "live.example.org"} | bearer(OPERATOR)
            assert (await client.post("/api/broadcasts", json={}, headers=headers)).status_code == 201
            forwarded = {"Origin": "https://live.example.org", "Forwarded": 'for=192.0.2.1;host="live.example.org"'}
            answer = await client.post("/api/broadcasts", json={}, headers=forwarded | bearer(OPERATOR))
            assert answer.status_code == 201
        strangers = {"whip_token": OPERATOR, "trusted_proxies": ["192.0.2.0/24"]}
        async with serving(SmallFactory(), **strangers) as client:
            answer = await client.post("/api/broadcasts", json={}, headers=headers)
            assert is_problem(answer, 403, "http.cross_site")

    async def test_over_tls_an_origin_without_it_is_another(self):
        async with serving(SmallFactory(), whip_token=OPERATOR) as client:
            headers = {"Origin": f"http://{address_of(client)}", "X-Forwarded-Proto": "https"} | bearer(OPERATOR)
            assert is_problem(await client.post("/api/broadcasts", json={}, headers=headers), 403, "http.cross_site")

    async def test_players_on_other_sites_may_watch_and_publishers_with_a_token_publish(self):
        async with serving(SmallFactory(), whip_token=OPERATOR) as client:
            made = (await client.post("/api/broadcasts", json={}, headers=bearer(OPERATOR))).json()
            watched = await client.post(
                made["whep_url"], content=await an_offer("video", direction="recvonly"), headers=SDP | EVIL
            )
            assert (watched.status_code, watched.headers["access-control-allow-origin"]) == (201, "*")
            assert is_problem(await client.post("/whip", headers=SDP | EVIL), 401, "live.token")
            assert is_problem(await client.post("/whip", headers=SDP | EVIL | bearer(OPERATOR)), 422, "live.sdp")

    async def test_nothing_but_whip_and_whep_answers_other_sites(self):
        async with serving(SmallFactory()) as client:
            for path in ("/api/broadcasts", "/api/personas", "/", "/whipped"):
                answer = await client.get(path, headers=EVIL)
                assert "access-control-allow-origin" not in answer.headers
                assert answer.headers["cross-origin-resource-policy"] == "same-origin"

    async def test_they_are_told_no_relay_of_a_server_without_a_token(self):
        turn = {"urls": ["turn:turn.example?transport=udp"], "secret": "relay-of-the-tests"}
        async with serving(SmallFactory(), turn=turn) as client:
            assert "link" in (await client.options("/whip")).headers
            assert "link" not in (await client.options("/whip", headers=EVIL)).headers


class TestThisMachineAlone:
    @pytest.mark.parametrize(
        "header",
        [
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "X-Real-IP",
            "Forwarded",
            "Via",
            "CF-Ray",
        ],
    )
    async def test_a_proxy_speaks_for_strangers(self, header):
        async with serving(SmallFactory()) as client:
            answer = await client.post("/api/broadcasts", json={}, headers={header: "127.0.0.1"})
            assert is_problem(answer, 403, "live.token_not_set")

    async def test_a_host_name_of_the_operators_own_means_others(self):
        async with serving(SmallFactory(), allowed_hosts=["live.example.org", "127.0.0.1"]) as client:
            assert is_problem(await client.post("/api/broadcasts", json={}), 403, "live.token_not_set")
            assert is_problem(await client.get("/metrics"), 403, "live.token_not_set")

    async def test_a_name_that_was_bound_anew_is_not_answered(self):
        async with serving(SmallFactory()) as client:
            bound_anew = f"evil.example:{client.base_url.port}"
            for path in ("/api/broadcasts", "/", "/api/health"):
                assert is_problem(await client.get(path, headers={"Host": bound_anew}), 400, "http.host")
            host, port = client.base_url.host, client.base_url.port
            with pytest.raises(InvalidStatus):
                await connect(f"ws://{bound_anew}/api/broadcasts/x/events", host=host, port=port)

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("live.example.org", 200),
            ("LIVE.example.org:8000", 200),
            ("a.tv.example.org", 200),
            ("tv.example.org", 400),
            ("evil.org", 400),
            ("live.example.org.evil.org", 400),
            ("evil.org/live.example.org", 400),
            ("[::1", 400),
            ("", 400),
        ],
    )
    async def test_only_the_hosts_that_were_named_are_answered(self, host, status):
        async with serving(SmallFactory(), allowed_hosts=["live.example.org", "*.tv.example.org"]) as client:
            assert (await client.get("/api/health", headers={"Host": host})).status_code == status

    async def test_with_a_token_a_proxy_is_welcome(self):
        async with serving(SmallFactory(), whip_token=OPERATOR) as client:
            headers = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"} | bearer(OPERATOR)
            assert (await client.post("/api/broadcasts", json={}, headers=headers)).status_code == 201


class TestHeaders:
    async def test_tls_is_insisted_on_only_where_it_was_used(self):
        async with serving(SmallFactory()) as client:
            assert "strict-transport-security" not in (await client.get("/api/health")).headers
            secure = await client.get("/api/health", headers={"X-Forwarded-Proto": "https"})
            assert secure.headers["strict-transport-security"] == "max-age=31536000"

    async def test_pages_keep_to_themselves(self):
        async with serving(SmallFactory()) as client:
            headers = (await client.get("/")).headers
            assert headers["cross-origin-opener-policy"] == "same-origin"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'self'" in headers["content-security-policy"]


class TestReferences:
    async def test_the_id_of_a_photo_is_shown_to_nobody_but_its_owner(self):
        factory = SmallFactory()
        async with serving(factory) as client:
            persona = await lend(client)
            assert re.fullmatch(r"reference:[A-Za-z0-9_-]{22}", persona)  # 128 bits
            made = await swapping(client, persona)
            at = f"/api/broadcasts/{made['id']}"
            assert personas_of((await client.get(at, headers=bearer(made["token"]))).json()) == [persona]
            changed = await client.patch(at, json={"title": "x"}, headers=bearer(made["token"]))
            assert personas_of(changed.json()) == [persona]
            async with connect(f"ws://{address_of(client)}{at}/events") as socket:
                told = str(await socket.recv())
            public = [told, (await client.get(at)).text, (await client.get("/api/broadcasts")).text]
            public.append((await client.get(at, headers=bearer("wrong"))).text)
            public.append((await client.get("/api/personas")).text)
            public.append(repr(factory.built))  # what treats strangers' frames
            for text in public:
                assert persona.removeprefix("reference:") not in text
            assert personas_of((await client.get(at)).json()) == ["reference"]
            assert personas_of((await client.get("/api/broadcasts")).json()[0]) == ["reference"]

    async def test_a_photo_in_use_outlives_its_time_and_the_style_can_still_be_changed(self):
        async with serving(SmallFactory(), references={"ttl_s": 0.2}) as client:
            used, unused = await lend(client), await lend(client)
            made = await swapping(client, used)
            await asyncio.sleep(0.3)
            gone = await client.post("/api/broadcasts", json={"policy": plain(swapping_to(unused))})
            assert is_problem(gone, 422, "persona.unknown")
            at = f"/api/broadcasts/{made['id']}"
            changed = await client.patch(
                at, json={"policy": plain(swapping_to(used, style="solid"))}, headers=bearer(made["token"])
            )
            assert (changed.status_code, personas_of(changed.json())) == (200, [used])
            await client.patch(at, json={"policy": None}, headers=bearer(made["token"]))
            await asyncio.sleep(0.3)
            again = {"policy": plain(swapping_to(used))}
            gone = await client.patch(at, json=again, headers=bearer(made["token"]))
            assert is_problem(gone, 422, "persona.unknown")

    async def test_a_photo_that_is_deleted_is_taken_off_every_face(self):
        async with serving(SmallFactory()) as client:
            persona = await lend(client)
            made = await swapping(client, persona)
            assert (await client.delete(f"/api/references/{persona}")).status_code == 204
            now = (await client.get(f"/api/broadcasts/{made['id']}")).json()
            assert now["policy"] == plain(hiding("cells", "box"))
            refused = await client.post("/api/broadcasts", json={"policy": plain(swapping_to(persona))})
            assert is_problem(refused, 422, "persona.unknown")
            assert is_problem(await client.delete(f"/api/references/{persona}"), 404, "persona.unknown")

    async def test_of_two_photos_the_one_that_is_deleted_is_taken_off_and_the_other_stays(self):
        factory = SmallFactory()
        async with serving(factory) as client:
            first, second = await lend(client), await lend(client)
            policy = policy_of(primary=SwapTreatment(persona=first), everyone=SwapTreatment(persona=second))
            made = (await client.post("/api/broadcasts", json={"policy": plain(policy)})).json()
            at, mine = f"/api/broadcasts/{made['id']}", bearer(made["token"])
            assert personas_of((await client.get(at, headers=mine)).json()) == [first, second]
            assert factory.built[-1].policy.personas == ("reference:1", "reference:2")
            assert (await client.delete(f"/api/references/{first}")).status_code == 204
            assert personas_of((await client.get(at, headers=mine)).json()) == [second]
            assert factory.built[-1].policy.personas == ("reference:1",)
            assert (await client.delete(f"/api/references/{second}")).status_code == 204
            assert (await client.get(at)).json()["policy"] == plain(hiding("cells", "box"))

    async def test_two_photos_that_are_deleted_at_once_are_both_taken_off(self):
        factory = SmallFactory()
        async with serving(factory) as client:
            first, second = await lend(client), await lend(client)
            policy = policy_of(primary=SwapTreatment(persona=first), everyone=SwapTreatment(persona=second))
            made = (await client.post("/api/broadcasts", json={"policy": plain(policy)})).json()
            factory.open_s = 0.2
            answers = await asyncio.gather(*(client.delete(f"/api/references/{one}") for one in (first, second)))
            assert [answer.status_code for answer in answers] == [204, 204]
            now = (await client.get(f"/api/broadcasts/{made['id']}")).json()
            assert now["policy"] == plain(hiding("cells", "box"))
            assert not factory.built[-1].policy.swaps

    @pytest.mark.parametrize("while_it", ["is made", "is changed"])
    async def test_a_photo_that_is_deleted_while_a_broadcast_puts_it_on_is_not_worn(self, while_it):
        factory = SmallFactory()
        async with serving(factory) as client:
            persona = await lend(client)
            swap = {"policy": plain(swapping_to(persona))}
            if while_it == "is changed":
                made = (await client.post("/api/broadcasts", json={})).json()
                at = f"/api/broadcasts/{made['id']}"
                putting_on = client.patch(at, json=swap, headers=bearer(made["token"]))
            else:
                putting_on = client.post("/api/broadcasts", json=swap)
            factory.open_s, before = 0.5, factory.opening
            wearing = asyncio.create_task(putting_on)
            while factory.opening == before:  # noqa: ASYNC110  # a counter has no event
                await asyncio.sleep(0.01)
            assert (await client.delete(f"/api/references/{persona}")).status_code == 204
            await wearing
            for broadcast in (await client.get("/api/broadcasts")).json():
                assert broadcast["policy"] == plain(hiding("cells", "box"))
            assert factory.built[-1].policy.swaps == (while_it == "is made")

    async def test_deleting_needs_the_operators_token(self):
        async with serving(SmallFactory(), whip_token=OPERATOR) as client:
            persona = await lend(client, **bearer(OPERATOR))
            assert is_problem(await client.delete(f"/api/references/{persona}"), 401, "live.token")
            assert (await client.delete(f"/api/references/{persona}", headers=bearer(OPERATOR))).status_code == 204


class TestOperator:
    async def test_ends_anybodys_broadcast_and_changes_none(self):
        async with serving(SmallFactory(), whip_token=OPERATOR) as client:
            made = (await client.post("/api/broadcasts", json={}, headers=bearer(OPERATOR))).json()
            at = f"/api/broadcasts/{made['id']}"
            assert is_problem(await client.patch(at, json={"title": "x"}, headers=bearer(OPERATOR)), 401, "live.token")
            assert is_problem(await client.delete(at, headers=bearer("wrong")), 401, "live.token")
            assert is_problem(await client.delete(at), 401, "live.token")
            assert (await client.delete(at, headers=bearer(OPERATOR))).status_code == 204
            assert is_problem(await client.get(at), 404, "live.no_such_broadcast")

    async def test_ends_none_as_a_closing_page_does_which_has_its_own_token_alone(self):
        async with serving(SmallFactory(), whip_token=OPERATOR) as client:
            made = (await client.post("/api/broadcasts", json={}, headers=bearer(OPERATOR))).json()
            at, text = f"/api/broadcasts/{made['id']}/end", {"Content-Type": "text/plain"}
            assert is_problem(
                await client.post(at, content=OPERATOR, headers=text | bearer(OPERATOR)), 401, "live.token"
            )
            assert (await client.post(at, content=made["token"], headers=text)).status_code == 204

    async def test_owns_what_was_made_by_publishing_with_their_token(self):
        async with serving(SmallFactory(), whip_token=OPERATOR) as client:
            offer = await an_offer("video")
            made = await client.post("/whip", content=offer, headers=SDP | bearer(OPERATOR))
            assert made.status_code == 201, made.text
            at = f"/api/broadcasts/{made.headers['location'].split('/')[2]}"
            assert is_problem(await client.patch(at, json={"title": "x"}), 401, "live.token")
            changed = await client.patch(at, json={"title": "x"}, headers=bearer(OPERATOR))
            assert (changed.status_code, changed.json()["title"]) == (200, "x")

    async def test_what_was_published_on_a_server_without_a_token_is_nobodys(self):
        async with serving(SmallFactory()) as client:
            made = await client.post("/whip", content=await an_offer("video"), headers=SDP)
            assert made.status_code == 201, made.text
            at = f"/api/broadcasts/{made.headers['location'].split('/')[2]}"
            assert (await client.patch(at, json={"title": "x"})).status_code == 200
            assert (await client.delete(at)).status_code == 204
