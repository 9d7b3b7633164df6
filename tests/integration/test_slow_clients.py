"""Clients that send slowly, too much, or before they said who they are."""

import asyncio
import contextlib
import logging
import tempfile

import pytest

from support.live import ListLedger, serving
from support.pipelines import SmallFactory

OPERATOR = "operator-of-the-tests"
HEAD = b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
FORM_HEAD = b"POST /api/references HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=B\r\n"
PART_HEAD = b'--B\r\nContent-Disposition: form-data; name="photo"; filename="me.jpg"\r\n\r\n'


class RawConnection:
    """A connection on which every byte is ours."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def status(self):
        """Return the status of the next answer; None where the connection is closed instead."""
        try:
            line = await self.reader.readline()
        except ConnectionError:
            return None
        return int(line.split()[1]) if line else None

    async def ends(self):
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65_536):
                pass
        return True


@contextlib.asynccontextmanager
async def connected(client, count=1):
    lines = [RawConnection(*await asyncio.open_connection("127.0.0.1", client.base_url.port)) for _ in range(count)]
    try:
        async with asyncio.timeout(30):
            yield lines
    finally:
        for line in lines:
            line.writer.close()


class TestHeads:
    async def test_a_head_that_never_ends_is_answered_408_and_the_connection_closed(self):
        async with serving(SmallFactory(), http={"head_timeout_s": 0.3}) as client, connected(client) as (line,):
            await line.send(HEAD + b"X-a: ")
            assert await line.status() == 408
            assert await line.ends()

    async def test_bytes_that_drip_win_no_time(self):
        async def drip(line):
            with contextlib.suppress(ConnectionError):
                while True:
                    await line.send(b"a")
                    await asyncio.sleep(0.05)

        async with serving(SmallFactory(), http={"head_timeout_s": 0.5}) as client, connected(client) as (line,):
            await line.send(HEAD + b"X-a: ")
            dripping = asyncio.create_task(drip(line))
            assert await line.status() == 408
            dripping.cancel()

    async def test_a_connection_that_says_nothing_is_closed(self):
        async with serving(SmallFactory(), http={"head_timeout_s": 0.3}) as client, connected(client) as (line,):
            assert await line.status() is None

    async def test_the_second_head_on_a_connection_has_a_deadline_too(self):
        async with serving(SmallFactory(), http={"head_timeout_s": 0.3}) as client, connected(client) as (line,):
            await line.send(HEAD + b"\r\n")
            assert await line.status() == 200
            await line.send(HEAD + b"X-a: ")
            assert await line.ends()

    async def test_of_many_half_sent_heads_the_oldest_go_and_others_are_served(self):
        async with (
            serving(SmallFactory(), http={"max_waiting_per_address": 8}) as client,
            connected(client, 40) as lines,
        ):
            for line in lines:
                with contextlib.suppress(ConnectionError):
                    await line.send(HEAD + b"X-a: ")
            assert (await client.get("/api/health")).status_code == 200
            gone = [await line.ends() for line in lines[:32]]
            assert gone == [True] * 32
            await lines[-1].send(b"b\r\n\r\n")
            assert await lines[-1].status() == 200

    async def test_more_connections_of_an_address_than_may_be_are_closed_until_others_end(self):
        async with serving(SmallFactory(), http={"max_connections_per_address": 4}) as client:
            async with connected(client, 4) as lines:
                for line in lines:
                    await line.send(HEAD + b"\r\n")
                    assert await line.status() == 200
                async with connected(client) as (further,):
                    assert await further.status() is None
            async with connected(client) as (later,):
                await later.send(HEAD + b"\r\n")
                assert await later.status() == 200

    async def test_a_websocket_that_has_ended_no_longer_counts(self):
        upgrade = (
            b"GET /api/broadcasts/none/events HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        async with serving(SmallFactory(), http={"max_connections_per_address": 2}) as client:
            for _ in range(6):
                async with connected(client) as (line,):
                    await line.send(upgrade)
                    assert await line.status() == 101
                    line.writer.close()
                    assert await line.ends()

    @pytest.mark.parametrize(
        "head",
        [
            pytest.param(HEAD + b"X-a: " + b"a" * 200_000 + b"\r\n\r\n", id="a head of 200 kB"),
            pytest.param(HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", id="a length of 5000 digits"),
            pytest.param(HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n", id="two lengths"),
            pytest.param(
                HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="a length and chunks"
            ),
        ],
    )
    async def test_heads_that_nobody_writes_are_refused_and_the_server_lives(self, head):
        async with serving(SmallFactory()) as client:
            async with connected(client) as (line,):
                with contextlib.suppress(ConnectionError):
                    await line.send(head)
                assert await line.status() in {400, 413, None}
            assert (await client.get("/api/health")).status_code == 200


class TestAnswers:
    @pytest.mark.parametrize("reads", [True, False])
    async def test_who_reads_nothing_of_an_answer_is_let_go_and_who_reads_gets_it(self, tmp_path, reads):
        (tmp_path / "assets").mkdir()
        size = 40_000_000
        (tmp_path / "assets" / "large.js").write_bytes(bytes(size))
        settings = {"web_dir": tmp_path, "http": {"write_pause_s": 0.5}}
        async with serving(SmallFactory(), **settings) as client, connected(client) as (line,):
            await line.send(b"GET /assets/large.js HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            if not reads:
                line.reader._transport.pause_reading()
                await asyncio.sleep(1.5)
                line.reader._transport.resume_reading()
            got = 0
            with contextlib.suppress(ConnectionError):
                while data := await line.reader.read(1 << 20):
                    got += len(data)
            assert (got >= size) is reads


class TestBodies:
    @pytest.mark.parametrize(
        ("verb", "path"),
        [("POST", "/api/references"), ("POST", "/api/broadcasts"), ("POST", "/whip")],
    )
    async def test_who_has_no_token_is_told_before_a_byte_of_the_body_is_sent(self, verb, path):
        head = f"{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n"
        head += "Content-Type: application/json\r\n\r\n"
        async with serving(SmallFactory(), whip_token=OPERATOR) as client, connected(client) as (line,):
            await line.send(head.encode())
            assert await line.status() == 401

    @pytest.mark.parametrize(("verb", "path"), [("PATCH", ""), ("POST", "/pushes")])
    async def test_who_does_not_own_a_broadcast_is_told_before_a_byte_of_the_body_is_sent(self, verb, path):
        async with serving(SmallFactory()) as client:
            made = (await client.post("/api/broadcasts", json={})).json()
            head = f"{verb} /api/broadcasts/{made['id']}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            head += "Content-Type: application/json\r\nContent-Length: 900\r\n\r\n"
            async with connected(client) as (line,):
                await line.send(head.encode())
                assert await line.status() == 401

    async def test_the_rest_of_a_body_that_was_refused_is_not_waited_for(self):
        async with serving(SmallFactory(), whip_token=OPERATOR) as client, connected(client) as (line,):
            await line.send(FORM_HEAD + b"Content-Length: 60000000\r\n\r\n" + PART_HEAD)
            assert await line.status() == 401
            assert await line.ends()

    async def test_a_refused_body_that_comes_whole_leaves_the_connection_usable(self):
        async with serving(SmallFactory(), whip_token=OPERATOR) as client, connected(client) as (line,):
            await line.send(FORM_HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000)
            await line.send(HEAD + b"\r\n")
            answers = b""
            while answers.count(b"HTTP/1.1") < 2:
                answers += await line.reader.read(65_536)
            assert b" 401 " in answers
            assert b" 200 " in answers

    async def test_a_head_after_a_refused_body_has_a_deadline_again(self):
        settings = {"whip_token": OPERATOR, "http": {"head_timeout_s": 0.3}}
        async with serving(SmallFactory(), **settings) as client, connected(client) as (line,):
            await line.send(FORM_HEAD + b"Content-Length: 9000\r\n\r\n")
            assert await line.status() == 401
            await line.send(b"x" * 9000 + HEAD)
            assert await line.ends()

    async def test_a_body_that_stalls_is_answered_408(self):
        async with serving(SmallFactory(), http={"body_pause_s": 0.3}) as client, connected(client) as (line,):
            await line.send(FORM_HEAD + b"Content-Length: 6000000\r\n\r\n" + PART_HEAD)
            assert await line.status() == 408
            assert await line.ends()

    async def test_a_body_that_drips_is_answered_408_at_its_end(self):
        async def drip(line):
            with contextlib.suppress(ConnectionError):
                while True:
                    await line.send(b" ")
                    await asyncio.sleep(0.05)

        settings = {"body_timeout_s": 0.5}
        head = b"POST /api/broadcasts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        async with serving(SmallFactory(), http=settings) as client, connected(client) as (line,):
            await line.send(head + b"Content-Length: 9000\r\n\r\n")
            dripping = asyncio.create_task(drip(line))
            assert await line.status() == 408
            dripping.cancel()

    @pytest.mark.parametrize(
        ("path", "size"), [("/api/broadcasts", 16 * 1024), ("/whip", 64 * 1024), ("/api/references", 6 * 4096 + 65_536)]
    )
    async def test_a_route_takes_no_more_than_it_can_use_whatever_the_head_claims(self, path, size):
        async with serving(SmallFactory(), references={"max_bytes": 4096}) as client:
            declared = await client.post(path, content=bytes(size + 1))
            assert (declared.status_code, declared.json()["code"]) == (413, "http.too_large")

            async def chunks():
                for _ in range(size // 1024 + 1):
                    yield bytes(1024)

            kind = {"/whip": "application/sdp", "/api/broadcasts": "application/json"}.get(path)
            headers = {"Content-Type": kind or "multipart/form-data; boundary=B"}
            counted = await client.post(path, content=chunks(), headers=headers)
            assert counted.status_code in {400, 413}
            assert kind is None or counted.status_code == 413

    async def test_photos_stay_in_memory(self, monkeypatch: pytest.MonkeyPatch):
        def no_disk(*_args, **_named):
            raise OSError("a photo shall not be written")

        monkeypatch.setattr(tempfile, "TemporaryFile", no_disk)
        monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", no_disk)
        ledger = ListLedger()
        async with serving(SmallFactory(), ledger=ledger) as client:
            answer = await client.post(
                "/api/references",
                files=[("photo", (f"{n}.jpg", b"\xff\xd8" + bytes([n]) * 11_000_000)) for n in range(3)],
                data={"owner_agrees": "true", "declared_by": "Kim"},
            )
        assert answer.status_code == 201, answer.text
        assert len(ledger.declarations) == 3

    async def test_further_uploads_than_may_wait_are_turned_away_before_their_bodies(self):
        references = {"readers": 1, "waiting": 1}
        async with serving(SmallFactory(), references=references) as client, connected(client, 3) as lines:
            for line in lines[:2]:
                await line.send(FORM_HEAD + b"Content-Length: 60000\r\n\r\n" + PART_HEAD)
            await asyncio.sleep(0)
            assert (await client.get("/api/health")).status_code == 200  # the server has seen the two by now
            await lines[2].send(FORM_HEAD + b"Content-Length: 60000\r\n\r\n")
            assert await lines[2].status() == 503
            answer = await lines[2].reader.readuntil(b"\r\n\r\n")
            assert b"retry-after: " in answer.lower()


class TestWhoLeaves:
    """A client that breaks off is nobody's fault: nothing is logged as one, and nobody is answered."""

    @pytest.mark.parametrize("kind", ["application/sdp", "application/json", "multipart/form-data; boundary=B"])
    async def test_who_leaves_before_the_body_is_whole_is_forgotten(self, capsys, caplog, kind):
        async with serving(SmallFactory()) as client:
            made = (await client.post("/api/broadcasts", json={})).json()
            path = {"application/sdp": made["whep_url"], "application/json": "/api/broadcasts"}.get(kind)
            head = f"POST {path or '/api/references'} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n"
            async with connected(client) as (line,):
                await line.send(f"{head}Content-Type: {kind}\r\n\r\n".encode() + b"--B\r\n")
                assert (await client.get("/api/health")).status_code == 200
            assert (await client.get("/api/health")).status_code == 200
        assert "crashed" not in capsys.readouterr().out
        assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []

    @pytest.mark.parametrize("rest", [b"-1\r\n", b"1\r\nab\r\n", b"x\r\n"])
    async def test_a_body_that_is_no_http_is_refused_and_its_request_over(self, capsys, caplog, rest):
        head = b"POST /api/broadcasts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        async with serving(SmallFactory()) as client, connected(client) as (line,):
            await line.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + rest)
            assert await line.status() == 400
            assert await line.ends()
            assert (await client.get("/api/health")).status_code == 200
        assert "crashed" not in capsys.readouterr().out
        assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []

    async def test_what_is_no_http_behind_a_request_that_was_answered_ends_the_connection_and_no_more(self, caplog):
        async with serving(SmallFactory()) as client, connected(client) as (line,):
            await line.send(HEAD + b"Connection: close\r\nContent-Length: 0\r\n\r\n" + b"\xff" * 1000 + b"\r\n\r\n")
            assert await line.status() in {200, 400}
            assert await line.ends()
        assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []
