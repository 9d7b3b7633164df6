"""WHIP, WHEP and the API over a real socket: right verbs, right headers, every error a problem document."""

import base64
import hmac
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest
from aiortc import RTCSessionDescription
from aiortc.sdp import SessionDescription

from mien.app.photos.advice import ADVICE
from mien.errors import FacePhotoError
from mien.media.webrtc.peer import IceServer
from mien.server.signalling import link_of
from mien.vision.photos.quality import PhotoIssue
from support.live import Camera, ListLedger, Microphone, an_offer, publish, serving, watching
from support.pipelines import SMALL, SmallFactory
from support.policies import plain, swapping

JPEG = b"\xff\xd8 a photo"
SILENCE = np.zeros(960, np.int16)
OPERATOR = "operator-token-0123456789"
TURN = {
    "urls": ("turn:turn.example.net?transport=udp", "turns:turn.example.net:443?transport=tcp"),
    "secret": "a secret that two servers share",
    "ttl_s": 600,
}
LINK = re.compile(
    r'<(?P<url>[^>]+)>; rel="(?P<rel>[^"]+)"; username="(?P<username>[^"]+)"; credential="(?P<credential>[^"]+)"; '
    r'credential-type="(?P<credential_type>[^"]+)"'
)


@pytest.fixture
async def client():
    async with serving(SmallFactory()) as client:
        yield client


@pytest.fixture
async def made(client):
    return (await client.post("/api/broadcasts", json={})).json()


def is_problem(response, status, code):
    body = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert body["type"] == f"urn:mien:problem:{code}"
    assert body["title"]
    assert body["detail"]
    return True


async def publish_and_leave(client, made):
    """Return the ICE servers that a publisher was told."""
    session = await publish(client, made["whip_url"], Camera(), token=made["token"])
    links = [link for link in session.response.headers.get_list("link") if "ice-server" in link]
    await session.close_peer()
    return [SimpleNamespace(**LINK.fullmatch(link).groupdict()) for link in links]


class TestOffers:
    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            pytest.param({"content": b""}, 422, "live.sdp", id="empty"),
            pytest.param({"content": b"v=0\r\nm=video x"}, 422, "live.sdp", id="broken"),
            pytest.param({"content": b"v=0\r\n" + b"\xff\xfe"}, 422, "live.sdp", id="not text"),
            pytest.param({"content": b"v=0\r\n" + b"a" * 100_000}, 413, "http.too_large", id="too large"),
            pytest.param({"type": "application/json"}, 415, "http.unsupported_media_type", id="wrong type"),
            pytest.param({"accept": "text/html"}, 406, "http.not_acceptable", id="wants another answer"),
            pytest.param({"token": "wrong"}, 401, "live.token", id="wrong token"),
            pytest.param({"token": None}, 401, "live.token", id="no token"),
        ],
    )
    async def test_an_offer_that_cannot_be_taken_is_refused_in_the_right_words(
        self, client, made, change, status, code
    ):
        token = change.get("token", made["token"])
        headers = {"Content-Type": change.get("type", "application/sdp"), "Accept": change.get("accept", "*/*")}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        content = change.get("content") or (b"" if "content" in change else (await an_offer("video")).encode())
        assert is_problem(await client.post(made["whip_url"], content=content, headers=headers), status, code)
        listed = (await client.get(f"/api/broadcasts/{made['id']}")).json()
        assert listed["state"] == "waiting"

    @pytest.mark.parametrize(
        ("kinds", "direction"),
        [
            pytest.param(("audio",), "sendonly", id="sound alone"),
            pytest.param(("video",), "recvonly", id="wants to watch"),
        ],
    )
    async def test_media_that_are_not_for_us_are_refused(self, client, made, kinds, direction):
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {made['token']}"}
        offer = await an_offer(*kinds, direction=direction)
        assert is_problem(await client.post(made["whip_url"], content=offer, headers=headers), 422, "live.sdp")

    @pytest.mark.parametrize(
        "kinds",
        [pytest.param(("video", "video"), id="a second video"), pytest.param(("video", "audio"), id="sound")],
    )
    async def test_what_cannot_be_taken_is_refused_alone(self, client, made, kinds):
        """RFC 3264, 6: with port 0, under its own name, in its own place."""
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {made['token']}"}
        offer = (await an_offer(*kinds)).replace("opus", "speex")
        answer = await client.post(made["whip_url"], content=offer, headers=headers)
        assert answer.status_code == 201, answer.text
        video, other = SessionDescription.parse(answer.text).media
        assert (video.rtp.muxId, video.direction, video.port > 0) == ("0", "recvonly", True)
        assert (other.kind, other.rtp.muxId, other.port) == (kinds[1], "1", 0)
        assert "a=group:BUNDLE 0\r\n" in answer.text

    async def test_a_codec_that_we_do_not_speak_is_refused_and_leaves_the_place_free(self, client, made):
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {made['token']}"}
        offer = (await an_offer("video")).replace("VP8", "VP7").replace("H264", "H263")
        assert is_problem(await client.post(made["whip_url"], content=offer, headers=headers), 422, "live.sdp")
        session = await publish(client, made["whip_url"], Camera(), token=made["token"])
        await session.close_peer()

    async def test_too_much_body_is_refused_even_when_no_length_is_declared(self, client, made):
        async def chunks():
            for _ in range(17):
                yield b"v" * 4096

        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {made['token']}"}
        answer = await client.post(made["whip_url"], content=chunks(), headers=headers)
        assert is_problem(answer, 413, "http.too_large")


class TestAnswers:
    async def test_a_publisher_gets_its_session_and_the_hint_to_begin_at_full_quality(self, client, made):
        session = await publish(
            client, made["whip_url"], Camera(), Microphone(lambda _: SILENCE, began=0), token=made["token"]
        )
        response = session.response
        assert response.headers["content-type"] == "application/sdp"
        assert response.headers["location"].startswith(made["whip_url"] + "/")
        assert response.headers["etag"].startswith('"')
        assert response.headers["accept-patch"] == "application/trickle-ice-sdpfrag"
        assert response.headers["access-control-allow-origin"] == "*"
        assert "Location" in response.headers["access-control-expose-headers"]
        assert "x-google-start-bitrate=2000" in response.text
        assert RTCSessionDescription(response.text, "answer")
        assert (await client.delete(session.url)).status_code == 401
        assert (await session.close_peer()).status_code == 200
        gone = await client.delete(session.url, headers=session.headers)
        assert is_problem(gone, 404, "live.no_such_session")

    def test_ice_servers_are_named_to_clients_as_the_rfc_spells_it(self):
        servers = [
            IceServer("stun:stun.example.net:3478"),
            IceServer("turn:turn.example.net?transport=udp", "u", 'p"w'),
        ]
        links = [link_of(server) for server in servers]
        turn = '<turn:turn.example.net?transport=udp>; rel="ice-server"'
        key = 'username="u"; credential="p\\"w"; credential-type="password"'
        assert links == ['<stun:stun.example.net:3478>; rel="ice-server"', f"{turn}; {key}"]

    async def test_every_session_gets_turn_credentials_of_its_own(self):
        async with serving(SmallFactory(), turn=TURN) as client:
            made = (await client.post("/api/broadcasts", json={})).json()
            first, second = [await publish_and_leave(client, made) for _ in range(2)]
        assert tuple(link.url for link in first) == TURN["urls"]
        assert {link.rel for link in first} == {"ice-server"}
        assert {link.credential_type for link in first} == {"password"}
        assert first[0].username != second[0].username
        for link in (*first, *second):
            ends_at = int(link.username.partition(":")[0])
            assert 500 < ends_at - time.time() <= 600
            wanted = hmac.new(TURN["secret"].encode(), link.username.encode(), "sha1").digest()
            assert base64.b64decode(link.credential) == wanted

    @pytest.mark.parametrize(
        ("path", "token", "cors", "named"),
        [
            pytest.param("/whip/{id}", "right", False, True, id="a publisher"),
            pytest.param("/whip/{id}", "wrong", False, False, id="a wrong token"),
            pytest.param("/whip/{id}", None, False, False, id="no token"),
            pytest.param("/whip/nothing", "right", False, False, id="no broadcast to publish in"),
            pytest.param("/whip", "operator", False, True, id="the operator"),
            pytest.param("/whip", None, False, False, id="not the operator"),
            pytest.param("/whep/{id}", None, False, True, id="a viewer"),
            pytest.param("/whep/nothing", None, False, False, id="nothing to watch"),
            pytest.param("/whep/{id}", None, True, False, id="a browser that asks for its page"),
        ],
    )
    async def test_who_may_connect_can_ask_for_the_ice_servers_before(self, path, token, cors, named):
        async with serving(SmallFactory(), turn=TURN, whip_token=OPERATOR) as client:
            bearer = {"Authorization": f"Bearer {OPERATOR}"}
            made = (await client.post("/api/broadcasts", json={}, headers=bearer)).json()
            tokens = {"right": made["token"], "wrong": "wrong", "operator": OPERATOR}
            headers = {"Authorization": f"Bearer {tokens[token]}"} if token else {}
            headers |= {"Origin": "http://a.example", "Access-Control-Request-Method": "POST"} if cors else {}
            response = await client.options(path.format(id=made["id"]), headers=headers)
        assert response.status_code == 204
        assert ("turn:" in response.headers.get("link", "")) is named
        assert TURN["secret"] not in str(response.headers)

    async def test_who_would_find_no_place_gets_no_credentials(self):
        async with serving(SmallFactory(), turn=TURN, live={"max_viewers": 1}) as client:
            made = (await client.post("/api/broadcasts", json={})).json()
            own = {"Authorization": f"Bearer {made['token']}"}
            assert "link" in (await client.options(made["whep_url"])).headers
            async with watching(client, made["whep_url"], audio=False) as watcher:
                await watcher.until(lambda seen: len(seen.frames) > 1)
                assert "link" not in (await client.options(made["whep_url"])).headers
                assert "link" in (await client.options(made["whep_url"], headers=own)).headers

    async def test_credentials_that_nobody_may_ever_use_are_few(self):
        async with serving(SmallFactory(), turn=TURN) as client:
            made = (await client.post("/api/broadcasts", json={})).json()
            responses = [await client.options(made["whep_url"]) for _ in range(40)]
        assert {response.status_code for response in responses} == {204}
        named = [response for response in responses if "link" in response.headers]
        assert 20 <= len(named) < 35

    async def test_a_stranger_who_asks_for_many_credentials_takes_none_from_others(self):
        proxied = {"trusted_proxies": ["127.0.0.0/8"], "whip_token": OPERATOR}
        async with serving(SmallFactory(), turn=TURN, **proxied) as client:
            bearer = {"Authorization": f"Bearer {OPERATOR}"}
            made = (await client.post("/api/broadcasts", json={}, headers=bearer)).json()
            greedy, other = ({"X-Forwarded-For": address} for address in ("192.0.2.7", "192.0.2.8"))
            answers = [await client.options(made["whep_url"], headers=greedy) for _ in range(60)]
            assert "link" not in answers[-1].headers
            assert "link" in (await client.options(made["whep_url"], headers=other)).headers

    @pytest.mark.parametrize(
        ("path", "allow"),
        [("/whip", "POST"), ("/whip/x", "POST"), ("/whip/x/y", "PATCH"), ("/whep/x", "POST"), ("/whep/x/y", "DELETE")],
    )
    async def test_browsers_may_ask_before_they_send(self, client, path, allow):
        response = await client.options(path)
        assert response.status_code == 204
        assert allow in response.headers["access-control-allow-methods"]
        assert "Authorization" in response.headers["access-control-allow-headers"]
        assert response.headers["access-control-allow-origin"] == "*"

    @pytest.mark.parametrize("path", ["/whip", "/whip/x", "/whip/x/y", "/whep/x", "/whep/x/y"])
    @pytest.mark.parametrize("verb", ["GET", "PUT"])
    async def test_other_verbs_are_refused(self, client, path, verb):
        response = await client.request(verb, path)
        assert is_problem(response, 405, "http.method_not_allowed")
        assert response.headers["allow"]

    async def test_what_is_not_there_is_a_problem_too(self, client):
        assert is_problem(await client.get("/nowhere"), 404, "http.not_found")
        as_a_browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        for path in ("/api/nowhere", "/whip/a/b/c", "/ws/nowhere", "/assets/nothing.js"):
            assert is_problem(await client.get(path, headers=as_a_browser), 404, "http.not_found")
        assert is_problem(await client.post("/nowhere", headers=as_a_browser), 404, "http.not_found")
        assert is_problem(await client.get("/api/broadcasts/nothing"), 404, "live.no_such_broadcast")
        headers = {"Content-Type": "application/sdp"}
        offer = await an_offer("video", direction="recvonly")
        assert is_problem(
            await client.post("/whep/nothing", content=offer, headers=headers), 404, "live.no_such_broadcast"
        )


ANN, EVERYONE = {"kind": "person", "id": "ann"}, {"kind": "everyone"}


def to_all(treatment, *, subject=EVERYONE, version=1, twice=False):
    rules = [{"subject": subject, "treatment": treatment}] * (2 if twice else 1)
    return {"policy": {"version": version, "rules": rules}}


class TestBroadcasts:
    @pytest.mark.parametrize(
        ("spec", "code"),
        [
            pytest.param(to_all({"kind": "show"}), "policy.show", id="nobody is ever shown on request"),
            pytest.param(to_all({"kind": "swap"}), "policy.format", id="a swap into nothing"),
            pytest.param(to_all({"kind": "swap", "persona": "/etc/passwd"}), "policy.format", id="a path"),
            pytest.param(to_all({"kind": "hide"}), "policy.format", id="an unknown treatment"),
            pytest.param(to_all({"kind": "mosaic"}, version=2), "policy.version", id="a later version"),
            pytest.param(to_all({"kind": "mosaic"}, twice=True), "policy.duplicate", id="a rule twice"),
            pytest.param({"policy": plain(swapping("mask:nobody"))}, "persona.unknown", id="no such mask"),
            pytest.param({"policy": plain(swapping("reference:x"))}, "persona.unknown", id="no such photo"),
            pytest.param({"policy": plain(swapping("reference"))}, "persona.unknown", id="a photo that is withheld"),
            pytest.param(
                to_all({"kind": "mosaic"}, subject=ANN),
                "policy.unknown_person",
                id="a person",
            ),
            pytest.param({"treatment": "mosaic"}, "input.invalid", id="a field that there was once"),
            pytest.param({"titel": "x"}, "input.invalid", id="a typo"),
            pytest.param({"title": "x" * 121}, "input.invalid", id="a long title"),
            pytest.param({"title": "a\x00b"}, "input", id="an unprintable title"),
        ],
    )
    async def test_a_wish_that_makes_no_sense_is_refused(self, client, spec, code):
        assert is_problem(await client.post("/api/broadcasts", json=spec), 422, code)
        assert (await client.get("/api/broadcasts")).json() == []

    async def test_there_is_an_end_to_how_many_there_may_be(self):
        async with serving(SmallFactory(), live={"max_broadcasts": 1}) as client:
            first = (await client.post("/api/broadcasts", json={})).json()
            refused = await client.post("/api/broadcasts", json={})
            assert is_problem(refused, 503, "live.too_many")
            assert refused.headers["retry-after"]
            headers = {"Authorization": f"Bearer {first['token']}"}
            await client.delete(f"/api/broadcasts/{first['id']}", headers=headers)
            assert (await client.post("/api/broadcasts", json={})).status_code == 201

    async def test_a_title_changes_without_a_new_pipeline(self):
        factory = SmallFactory()
        async with serving(factory) as client:
            made = (await client.post("/api/broadcasts", json={"title": "a"})).json()
            headers = {"Authorization": f"Bearer {made['token']}"}
            url = f"/api/broadcasts/{made['id']}"
            assert (await client.patch(url, json={"title": "b"}, headers=headers)).json()["title"] == "b"
            assert len(factory.built) == 1
            assert is_problem(await client.patch(url, json={"title": "c"}), 401, "live.token")

    async def test_a_foreign_name_for_this_machine_is_refused(self, client):
        assert (await client.get("/api/health", headers={"Host": "evil.example"})).status_code == 400


class TestReferences:
    async def test_a_photo_with_the_declaration_becomes_a_persona(self):
        ledger = ListLedger()
        async with serving(SmallFactory(), ledger=ledger) as client:
            answer = await client.post(
                "/api/references",
                files={"photo": ("me.jpg", JPEG, "image/jpeg")},
                data={"owner_agrees": "true", "declared_by": "Kim"},
            )
            assert answer.status_code == 201, answer.text
            assert answer.json()["notes"] == [ADVICE[PhotoIssue.FACE_SMALL]["en"]]
            (declaration,) = ledger.declarations
            assert (declaration.declared_by, declaration.use) == ("Kim", "swap")
            spec = {"policy": plain(swapping(answer.json()["id"]))}
            assert (await client.post("/api/broadcasts", json=spec)).status_code == 201

    async def test_several_photos_of_a_face_are_one_persona_with_findings_for_each(self):
        ledger = ListLedger()
        async with serving(SmallFactory(), ledger=ledger) as client:
            answer = await client.post(
                "/api/references",
                files=[("photo", (f"{n}.jpg", JPEG + bytes([n]), "image/jpeg")) for n in range(5)],
                data={"owner_agrees": "true", "declared_by": "Kim", "language": "ko"},
            )
        assert answer.status_code == 201, answer.text
        texts = ADVICE[PhotoIssue.FACE_SMALL]
        assert answer.json()["notes"] == [texts["ko"]]
        assert [[finding["advice"] for finding in photo["findings"]] for photo in answer.json()["photos"]] == [
            [texts]
        ] * 5
        assert len({declaration.photo_sha256 for declaration in ledger.declarations}) == 5

    async def test_refused_photos_are_told_with_what_was_found_in_each(self):
        class Strict(SmallFactory):
            def read_reference(self, photos):
                raise FacePhotoError("photo 2", findings=((), (SMALL,) * (len(photos) - 1)))

        ledger = ListLedger()
        async with serving(Strict(), ledger=ledger) as client:
            answer = await client.post(
                "/api/references",
                files=[("photo", ("a.jpg", JPEG)), ("photo", ("b.jpg", JPEG))],
                data={"owner_agrees": "true", "declared_by": "Kim"},
            )
        assert is_problem(answer, 422, "photo.unusable")
        good, small = answer.json()["photos"]
        assert (good["findings"], [finding["code"] for finding in small["findings"]]) == ([], ["face_small"])
        assert ledger.declarations == []

    async def test_more_photos_than_are_combined_are_refused(self):
        ledger = ListLedger()
        async with serving(SmallFactory(), ledger=ledger) as client:
            answer = await client.post(
                "/api/references",
                files=[("photo", (f"{n}.jpg", JPEG, "image/jpeg")) for n in range(6)],
                data={"owner_agrees": "true", "declared_by": "Kim"},
            )
        assert is_problem(answer, 422, "photo.too_many")
        assert ledger.declarations == []

    @pytest.mark.parametrize(
        ("form", "photo", "status", "code"),
        [
            pytest.param({}, JPEG, 403, "consent.missing", id="no declaration"),
            pytest.param({"owner_agrees": "false", "declared_by": "Kim"}, JPEG, 403, "consent.missing", id="a no"),
            pytest.param({"owner_agrees": "true"}, JPEG, 403, "consent.missing", id="by nobody"),
            pytest.param({"owner_agrees": "true", "declared_by": "a\nb"}, JPEG, 422, "input", id="two lines"),
            pytest.param(
                {"owner_agrees": "true", "declared_by": "Kim"}, b"GIF", 422, "media.unreadable", id="no photo"
            ),
            pytest.param(
                {"owner_agrees": "true", "declared_by": "Kim"}, JPEG * 1000, 413, "media.too_large", id="large"
            ),
            pytest.param(
                {"owner_agrees": "true", "declared_by": "Kim"}, JPEG * 60_000, 413, "http.too_large", id="huge"
            ),
        ],
    )
    async def test_without_consent_or_a_usable_photo_nothing_is_kept(self, form, photo, status, code):
        ledger = ListLedger()
        async with serving(SmallFactory(), ledger=ledger, references={"max_bytes": 4096}) as client:
            answer = await client.post("/api/references", files={"photo": ("x.jpg", photo)}, data=form)
            assert is_problem(answer, status, code)
        assert ledger.declarations == []

    async def test_the_built_in_personas_are_listed_with_a_preview(self, client):
        (persona,) = (await client.get("/api/personas")).json()
        assert persona["title"] == {"en": "Volto", "ko": "볼토"}
        preview = await client.get(persona["preview_url"])
        assert (preview.headers["content-type"], preview.content[:2]) == ("image/jpeg", b"\xff\xd8")
        assert is_problem(await client.get("/api/personas/mask:x/preview.jpg"), 422, "persona.unknown")


class TestAccess:
    @pytest.mark.parametrize("path", ["/whip", "/api/broadcasts", "/api/references"])
    async def test_with_an_operators_token_nothing_is_made_without_it(self, path):
        async with serving(SmallFactory(), whip_token=OPERATOR) as client:
            assert is_problem(await client.post(path), 401, "live.token")
            wrong = {"Authorization": "Bearer wrong"}
            assert is_problem(await client.post(path, headers=wrong), 401, "live.token")
            right = {"Authorization": f"Bearer {OPERATOR}"}
            assert (await client.post(path, headers=right)).status_code in {415, 422}  # past the door

    @pytest.mark.parametrize("path", ["/whip", "/api/broadcasts", "/api/references"])
    async def test_a_server_open_to_others_needs_an_operators_token(self, path):
        async with serving(SmallFactory(), host="0.0.0.0") as client:  # noqa: S104  # it only is said, not done
            assert is_problem(await client.post(path), 403, "live.token_not_set")

    async def test_obs_uses_the_operators_token_to_the_end(self):
        async with serving(SmallFactory(), whip_token=OPERATOR) as client:
            session = await publish(client, "/whip", Camera(), token=OPERATOR)
            assert (await client.delete(session.url)).status_code == 401
            assert (await session.close_peer()).status_code == 200


class TestPages:
    async def test_unbuilt_pages_say_how_to_build_them(self, client):
        for path in ("/", "/live", "/watch/x"):
            page = await client.get(path)
            assert page.status_code == 503
            assert "make web" in page.text

    async def test_built_pages_are_served(self, tmp_path):
        (tmp_path / "assets").mkdir()
        (tmp_path / "index.html").write_text("home")
        (tmp_path / "live.html").write_text("go live")
        (tmp_path / "assets" / "app.js").write_text("1")
        async with serving(SmallFactory(), web_dir=tmp_path) as client:
            texts = [(await client.get(path)).text for path in ("/", "/live", "/watch/x", "/assets/app.js")]
            assert texts == ["home", "go live", "home", "1"]
            assert (await client.get("/")).headers["x-content-type-options"] == "nosniff"

    async def test_health_and_openapi_answer(self, client):
        health = (await client.get("/api/health")).json()
        assert (health["status"] in {"ok", "warming"}, health["broadcasts"]) == (True, 0)
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert {"/api/broadcasts", "/api/references", "/whip/{broadcast_id}", "/whep/{broadcast_id}"} <= set(paths)


@pytest.mark.parametrize("token", ["", "two words", "\x9a", "line\nbreak", "한글"])
async def test_a_push_with_a_token_that_no_header_can_carry_is_refused(client, made, token):
    headers = {"Authorization": f"Bearer {made['token']}"}
    body = {"url": "https://example.com/whip", "token": token}
    refused = await client.post(f"/api/broadcasts/{made['id']}/pushes", json=body, headers=headers)
    assert is_problem(refused, 422, "input.invalid")
