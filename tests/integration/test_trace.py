"""`mien trace`: a second of a real broadcast, from the decoder to the socket, as a file and as a table."""

import asyncio
import json

import pytest
from click.testing import CliRunner

from mien.cli import group
from mien.errors import InputError
from support.live import Camera, publish, watching
from support.serving_workers import make, serving_with_workers

OPERATOR = "the-operators-own"
STAGES = {
    "depacketise", "decode", "frame to RGB", "treat", "RGB to I420", "encode layer 0", "packetise", "protect and send",
    "loop: RTCDtlsTransport.__run",
}  # fmt: skip


async def traced(*arguments):
    """Run the real command beside the server."""
    return await asyncio.to_thread(CliRunner().invoke, group, ["trace", *arguments])


async def test_a_trace_names_every_stage_of_a_broadcast_and_the_table_adds_up(tmp_path):
    out = tmp_path / "trace.json"
    async with serving_with_workers() as client:
        made = await make(client)
        async with watching(client, made["whep_url"]) as watcher:
            session = await publish(client, made["whip_url"], Camera(), token=made["token"])
            await watcher.until(lambda seen: len(seen.frames) > 10)
            done = await traced(made["id"], "--url", str(client.base_url), "--out", str(out))
            await session.close_peer()
    assert done.exit_code == 0, done.output
    document = json.loads(out.read_text())
    spans = [event for event in document["traceEvents"] if event["ph"] == "X"]
    assert {span["name"] for span in spans} >= STAGES
    threads = {event["tid"]: event["args"]["name"] for event in document["traceEvents"] if event["ph"] == "M"}
    assert {threads[span["tid"]] for span in spans} >= {"MainThread", "mien-decoder", "mien-vision", "mien-encoder"}
    for stage in STAGES:
        assert stage in done.output
    assert "in all" in done.output


@pytest.mark.parametrize(("query", "status"), [("seconds=0", 422), ("seconds=5.1", 422), ("seconds=nan", 422)])
async def test_a_trace_has_an_end(query, status):
    async with serving_with_workers() as client:
        made = await make(client)
        answer = await client.post(f"/api/broadcasts/{made['id']}/trace?{query}")
        assert answer.status_code == status


async def test_the_operator_alone_gets_a_trace_and_one_at_a_time():
    async with serving_with_workers(whip_token=OPERATOR) as client:
        client.headers["Authorization"] = f"Bearer {OPERATOR}"
        made = await make(client)
        path = f"/api/broadcasts/{made['id']}/trace"
        for other in ({"Authorization": f"Bearer {made['token']}"}, {"Authorization": ""}):
            assert (await client.post(path, headers=other)).status_code == 401
        answers = await asyncio.gather(*(client.post(f"{path}?seconds=0.5") for _ in range(2)))
        assert sorted(answer.status_code for answer in answers) == [200, 503]


async def test_where_nobody_is_on_air_or_nobody_answers_the_command_says_so():
    async with serving_with_workers() as client:
        nobody = await traced("--url", str(client.base_url))
        unknown = await traced("none-such", "--url", str(client.base_url))
    away = await traced("--url", "http://127.0.0.1:9")
    for ended, words in ((nobody, "nobody is on air"), (unknown, "no such broadcast"), (away, "no answer")):
        assert ended.exit_code != 0
        assert words in str(ended.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--seconds", "nan"], "seconds", id="no number"),
        pytest.param(["--url", "http://[::1"], "no URL", id="a broken address"),
        pytest.param(["--token", "한글"], "ASCII", id="a token that no header carries"),
        pytest.param(["--out", "/no-such-folder/trace.json"], "no folder", id="nowhere to write"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_anything_is_asked(arguments, words):
    ended = await traced("--url", "http://127.0.0.1:9", *arguments)
    assert isinstance(ended.exception, InputError)
    assert words in str(ended.exception)
