"""The share of a processor that requests of one address may have."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

from mien.rate_limit import WorkBudgets
from mien.server.work import Work, WorkLimit


class Processor:
    """A processor whose time a test spends."""

    def __init__(self):
        self.spent = 0.0

    def __call__(self):
        return self.spent


async def test_what_a_request_waits_for_is_not_charged():
    processor = Processor()

    async def serve():
        processor.spent += 1.0
        await asyncio.sleep(0)
        processor.spent += 2.0

    work = Work(serve(), processor)
    task = asyncio.create_task(_await(work))
    await asyncio.sleep(0)
    processor.spent += 100.0  # somebody else's
    await task
    assert work.spent_s == 3.0


async def test_what_is_raised_inside_comes_out_and_was_work():
    processor = Processor()

    async def serve():
        await asyncio.sleep(0)
        processor.spent += 1.0
        raise ValueError("broken")

    work = Work(serve(), processor)
    with pytest.raises(ValueError, match="broken"):
        await work
    assert work.spent_s == 1.0


async def test_who_is_cancelled_may_clean_up_and_a_deadline_inside_holds():
    done = []

    async def serve():
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(3600)
        except TimeoutError:
            done.append("late")
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            done.append("cleaned")

    task = asyncio.create_task(_await(Work(serve())))
    while not done:  # noqa: ASYNC110  # its own deadline
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["late", "cleaned"]


async def _await(work):
    await work


def client_of(budgets, *, served, address="192.0.2.1"):
    async def serve(_request):
        served.append(address)
        return PlainTextResponse("here")

    inner = Starlette(routes=[Route("/", serve)])
    app = WorkLimit(inner, budgets=budgets, is_free=lambda request: "authorization" in request.headers)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=(address, 1)), base_url="http://here")


async def test_who_has_had_too_much_is_told_when_to_come_back_and_nobody_else_is():
    budgets, served = WorkBudgets(rate=1e-6, burst=1e-9), []
    async with client_of(budgets, served=served) as client:
        assert (await client.get("/")).status_code == 200
        refused = await client.get("/")
        assert (refused.status_code, refused.json()["code"]) == (429, "http.too_much_work")
        assert int(refused.headers["retry-after"]) > 0
        assert refused.headers["connection"] == "close"
        assert served == ["192.0.2.1"]
        assert (await client.get("/", headers={"Authorization": "Bearer valid"})).status_code == 200
    async with client_of(budgets, served=served, address="192.0.2.2") as other:
        assert (await other.get("/")).status_code == 200


async def test_who_has_a_token_pays_nothing():
    budgets, served = WorkBudgets(rate=1e-6, burst=1e-9), []
    async with client_of(budgets, served=served) as client:
        for _ in range(3):
            assert (await client.get("/", headers={"Authorization": "Bearer valid"})).status_code == 200
        assert (await client.get("/")).status_code == 200


async def test_neighbours_of_one_home_network_share_what_there_is():
    budgets, served = WorkBudgets(rate=1e-6, burst=1e-9), []
    async with client_of(budgets, served=served, address="2001:db8::1") as client:
        assert (await client.get("/")).status_code == 200
    async with client_of(budgets, served=served, address="2001:db8::2") as client:
        assert (await client.get("/")).status_code == 429


async def _echo(socket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)


async def test_a_websocket_is_charged_for_its_handshake_alone_and_refused_to_who_is_in_debt(monkeypatch):
    budgets, spent, sent = WorkBudgets(rate=1e-6, burst=1e-9), [], []
    inner = Starlette(routes=[WebSocketRoute("/", _echo)])
    app = WorkLimit(inner, budgets=budgets, is_free=lambda _: False)
    scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b"", "client": ("192.0.2.1", 1)}
    scope["extensions"] = {"websocket.http.response": {}}
    spend = budgets.spend

    def spy(key, amount, *, now):
        spent.append((key, len(sent)))
        spend(key, amount, now=now)

    async def send(message):
        sent.append(message)

    def receiver(*texts):
        said = [{"type": "websocket.connect"}, *({"type": "websocket.receive", "text": text} for text in texts)]
        coming = iter([*said, {"type": "websocket.disconnect", "code": 1000}])

        async def receive():
            return next(coming)

        return receive

    monkeypatch.setattr(budgets, "spend", spy)
    await app(scope, receiver("one", "two"), send)
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.send"]
    assert spent == [("192.0.2.1", 0)], "once, before it was accepted"
    sent.clear()
    await app(scope, receiver("three"), send)
    assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 429)
