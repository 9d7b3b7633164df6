"""Every route whose action is not everybody's turns strangers away, by the head of their request alone."""

import asyncio
import contextlib

import pytest

from mien.app.access import RULES, About, Who
from mien.server.guards import requirement_of
from support.every_route import Found, every_route
from support.live import serving, unopened_app
from support.pipelines import SmallFactory

OPERATOR = "operator-of-the-tests"


def is_guarded(route: Found) -> bool:
    """Tell whether the route's head must show who asks. Two routes learn it later, and have tests of their own."""
    needed = requirement_of(route.endpoint)
    return not route.place.is_socket and not needed.token_follows and RULES[needed.action].who is not Who.EVERYBODY


def about(route: Found) -> About:
    return RULES[requirement_of(route.endpoint).action].about


GUARDED = [
    pytest.param(verb, route.place.path, about(route), id=f"{verb} {route.place.path}")
    for route in every_route(unopened_app())
    if is_guarded(route)
    for verb in sorted(route.place.verbs)
]
ON_SERVER = [case for case in GUARDED if case.values[2] is About.SERVER]


async def status_of(client, verb: str, path: str, *headers: str) -> int:
    """Return the status that a head is answered with whose body never comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
    lines = [f"{verb} {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Length: 900", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    try:
        async with asyncio.timeout(20):
            return int((await reader.readline()).split()[1])
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def two_broadcasts(**settings):
    async with serving(SmallFactory(), **settings) as client:
        headers = {"Authorization": f"Bearer {OPERATOR}"}
        made = [(await client.post("/api/broadcasts", json={}, headers=headers)).json() for _ in range(2)]
        yield client, made


def of(path: str, broadcast: dict[str, str]) -> str:
    return path.replace("{broadcast_id}", broadcast["id"])


async def test_who_shows_no_token_or_anothers_is_told_so_before_a_byte_of_the_body():
    async with two_broadcasts(whip_token=OPERATOR) as (client, (mine, other)):
        for verb, path, _ in (case.values for case in GUARDED):
            for shown in ((), ("Authorization: Bearer wrong",), (f"Authorization: Bearer {other['token']}",)):
                assert await status_of(client, verb, of(path, mine), *shown) == 401, (verb, path, shown)


async def test_a_server_that_others_reach_needs_a_token_before_a_byte_of_the_body():
    async with serving(SmallFactory()) as client:
        for verb, path, _ in (case.values for case in ON_SERVER):
            assert await status_of(client, verb, path, "Via: 1.1 proxy") == 403, (verb, path)


async def test_the_operator_and_the_owner_get_past_the_door():
    async with two_broadcasts(whip_token=OPERATOR) as (client, (mine, _)):
        for verb, path, subject in (case.values for case in GUARDED):
            if path == "/api/broadcasts/{broadcast_id}" and verb == "DELETE":
                continue  # it would end the broadcast
            token = OPERATOR if subject is About.SERVER else mine["token"]
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.request(verb, of(path, mine), headers=headers)
            assert answer.status_code not in {401, 403}, (verb, path, answer.text)
