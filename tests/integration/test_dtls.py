"""Handshakes with peers whose keys, suites, roles and fingerprints are not ours, and what is said of failures."""

import asyncio
import re

import pytest
from structlog.testing import capture_logs

from mien.errors import SdpError
from mien.media.webrtc.sdp.parse import read_offer
from support.certificates import RSA_SUITES, foreign_peer
from support.live import Camera, an_offer, offer_to, serving
from support.pipelines import SmallFactory

ECDSA_SUITES = "ECDHE-ECDSA-AES128-GCM-SHA256"


async def state_of(connection):
    async with asyncio.timeout(30):
        while connection.connectionState in {"new", "connecting"}:  # noqa: ASYNC110  # aiortc has no such event
            await asyncio.sleep(0.02)
    return connection.connectionState


async def published(connection, rewrite=str):
    """Publish with `connection`; return how that ends, and what the server logged."""
    connection.addTransceiver(Camera(), direction="sendonly")
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        with capture_logs() as logs:
            session = await offer_to(client, made["whip_url"], connection, token=made["token"], rewrite=rewrite)
            try:
                state = await state_of(connection)
                async with asyncio.timeout(30):
                    while not any(line["event"] in {"peer_connected", "dtls_failed"} for line in logs):  # noqa: ASYNC110  # a list
                        await asyncio.sleep(0.02)
            finally:
                await session.close_peer()
    return state, logs, session


def failures(logs):
    return [line for line in logs if line["event"] == "dtls_failed"]


@pytest.mark.parametrize("setup", ["actpass", "active", "passive"])
@pytest.mark.parametrize(
    ("kind", "suites"),
    [
        pytest.param("rsa2048", RSA_SUITES, id="rsa-alone"),
        pytest.param("p384", ECDSA_SUITES, id="p384"),
    ],
)
async def test_a_peer_with_another_key_connects_in_either_role(kind, suites, setup):
    state, logs, session = await published(
        foreign_peer(kind, suites), lambda offer: offer.replace("a=setup:actpass", f"a=setup:{setup}")
    )
    assert (state, failures(logs)) == ("connected", [])
    assert ("a=setup:passive" in session.response.text) == (setup == "active")


async def test_who_insists_on_the_clients_part_gets_two_certificates_the_others_one():
    answers = {}
    for setup in ("active", "passive"):
        connection = foreign_peer("p256", ECDSA_SUITES)
        state, _, session = await published(connection, lambda sdp, s=setup: sdp.replace("setup:actpass", f"setup:{s}"))
        answers[setup] = re.findall(r"^a=fingerprint:(\S+) (\S+)", session.response.text, re.MULTILINE)
        assert state == "connected"
    assert sorted(name for name, _ in answers["passive"]) == ["sha-256", "sha-384", "sha-512"]
    assert sorted(name for name, _ in answers["active"]) == sorted(2 * ["sha-256", "sha-384", "sha-512"])


def without(*algorithms):
    pattern = "|".join(algorithms)
    return lambda offer: re.sub(rf"a=fingerprint:(?:{pattern}) .*\r\n", "", offer)


async def test_one_of_several_fingerprints_of_the_strongest_hash_is_enough():
    """A peer with two certificates names both; it shows one (RFC 8122, 5)."""

    def with_another(offer):
        line = re.search(r"a=fingerprint:sha-512 .*\r\n", offer)[0]
        return offer.replace(line, line + "a=fingerprint:sha-512 " + ":".join(["AB"] * 64) + "\r\n", 1)

    state, logs, _ = await published(foreign_peer("p256", ECDSA_SUITES), with_another)
    assert (state, failures(logs)) == ("connected", [])


@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(without("sha-384", "sha-512"), id="sha-256"),
        pytest.param(without("sha-256", "sha-512"), id="sha-384"),
        pytest.param(lambda sdp: without("sha-256", "sha-384")(sdp).replace("sha-512", "SHA-512"), id="upper-case"),
        pytest.param(
            lambda sdp: re.sub(r"(?m)^(a=fingerprint:\S+ )(.*)$", lambda m: m[1] + m[2].lower(), sdp), id="lower-case"
        ),
        pytest.param(lambda sdp: sdp.replace("a=fingerprint:sha-384", "a=fingerprint:sha-1"), id="sha-1-beside"),
    ],
)
async def test_fingerprints_of_every_hash_that_is_safe_are_taken(rewrite):
    state, logs, _ = await published(foreign_peer("p256", ECDSA_SUITES), rewrite)
    assert (state, failures(logs)) == ("connected", [])


@pytest.mark.parametrize(
    ("connection", "rewrite", "step", "reason"),
    [
        pytest.param(lambda: foreign_peer("rsa2048", "AES128-SHA"), str, "handshake", "handshake failure", id="suite"),
        pytest.param(
            lambda: foreign_peer("rsa2048", "AES128-SHA"),
            lambda sdp: sdp.replace("actpass", "active"),
            "handshake",
            "no shared cipher",
            id="suite-of-a-client",
        ),
        pytest.param(
            lambda: foreign_peer("p256", ECDSA_SUITES),
            lambda sdp: re.sub(
                r"(?m)^(a=fingerprint:\S+ )(..)", lambda m: m[1] + ("00" if m[2] != "00" else "01"), sdp
            ),
            "identity",
            "does not match",
            id="fingerprint",
        ),
    ],
)
async def test_a_failed_handshake_is_logged_with_its_reason_and_nothing_secret(connection, rewrite, step, reason):
    _, logs, session = await published(connection(), rewrite)
    (line,) = failures(logs)
    assert line["step"] == step
    assert reason in line["reason"]
    said = repr(logs)
    for secret in re.findall(r"a=(?:ice-pwd|ice-ufrag|fingerprint):(?:\S+ )?(\S+)", session.response.text):
        assert secret not in said


async def test_who_was_never_reached_has_failed_no_handshake():
    async with serving(SmallFactory()) as client:
        made = (await client.post("/api/broadcasts", json={})).json()
        offer = await an_offer("video", direction="recvonly")
        with capture_logs() as logs:
            watch = await client.post(made["whep_url"], content=offer, headers={"Content-Type": "application/sdp"})
            assert (await client.delete(watch.headers["location"])).status_code == 200
            async with asyncio.timeout(30):
                while not any(line["event"] == "peer_left" for line in logs):  # noqa: ASYNC110  # a list
                    await asyncio.sleep(0.02)
    assert failures(logs) == []


async def test_an_offer_without_a_fingerprint_that_is_safe_is_refused_before_any_handshake():
    connection = foreign_peer("p256", ECDSA_SUITES)
    connection.addTransceiver("video", direction="sendonly")
    await connection.setLocalDescription(await connection.createOffer())
    text = without("sha-384", "sha-512")(connection.localDescription.sdp).replace("sha-256", "sha-1")
    await connection.close()
    with pytest.raises(SdpError, match="fingerprint of sha-256"):
        read_offer(text, direction="sendonly")
