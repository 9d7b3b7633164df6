"""What the requests of one address may cost: who has had more than a fair share of a processor is asked to wait.

Requests are not counted, they are charged for what they took: five hundred viewers of one school, behind one address,
cost less than one client that asks for what is dear. Whoever has a valid token is neither charged nor refused.
"""

import math
import time
from collections.abc import Callable, Coroutine, Generator
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.rate_limit import WorkBudgets
from mien.server.connections import home_of
from mien.server.problems import problem

_OVERHEAD_S: Final = 0.0004
"""What a request takes before and after it is seen here, on a 2.1 GHz Xeon: its head is read, its answer is written."""


Charge: TypeAlias = Callable[[float], None]
"""Charges an address for so many seconds of the processor."""


class WorkLimit:
    """Answers 429 to requests of addresses that have cost too much, before anything is read but their head.

    Args:
        app: What answers.
        budgets: By address, in seconds of the processor.
        is_free: Whether a request is neither charged nor refused.
    """

    def __init__(self, app: ASGIApp, *, budgets: WorkBudgets, is_free: Callable[[HTTPConnection], bool]) -> None:
        self._app = app
        self._budgets = budgets
        self._is_free = is_free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  # ASGI's one verb
        if scope["type"] == "lifespan" or self._is_free(HTTPConnection(scope)):
            await self._app(scope, receive, send)
            return
        home = home_of((scope.get("client") or ("",))[0])
        wait_s = self._budgets.wait_s(home, now=time.monotonic())
        if wait_s > 0:
            detail = "this address has asked for more than its share; try again in a moment"
            # Closed: whatever else was sent along with this request is not even read.
            headers = {"Retry-After": str(math.ceil(wait_s)), "Connection": "close"}
            await problem(HTTPStatus.TOO_MANY_REQUESTS, "http.too_much_work", detail, headers=headers)(
                scope, receive, send
            )
            return

        def charge(spent_s: float) -> None:
            self._budgets.spend(home, spent_s + _OVERHEAD_S, now=time.monotonic())

        await (self._answer if scope["type"] == "http" else self._shake_hands)(scope, receive, send, charge)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, charge: Charge) -> None:
        work = Work(self._serve(scope, receive, send))
        try:
            await work
        finally:
            charge(work.spent_s)

    async def _shake_hands(self, scope: Scope, receive: Receive, send: Send, charge: Charge) -> None:
        """Charge for a WebSocket's handshake alone: who has watched for hours must not be in debt when they leave."""
        is_charged = False

        def charge_once() -> None:
            nonlocal is_charged
            if not is_charged:
                is_charged = True
                charge(work.spent_s)

        async def send_charged(message: Message) -> None:
            charge_once()
            await send(message)

        work = Work(self._serve(scope, receive, send_charged))
        try:
            await work
        finally:
            charge_once()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class Work:
    """Awaits a coroutine and adds up for how long the processor was at it; what it waits for does not count.

    Args:
        coroutine: What is awaited, once.
        clock: Tells for how long the processor was at this thread.

    Attributes:
        spent_s: Seconds of the processor so far, on this thread.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None], clock: Callable[[], float] = time.thread_time) -> None:
        self.spent_s = 0.0
        self._clock = clock
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, None]:
        """Hand on what the coroutine waits for, and what becomes of that."""
        error: BaseException | None = None
        while True:
            began = self._clock()
            try:
                awaited = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
            except StopIteration:
                return
            finally:
                self.spent_s += self._clock() - began
            try:
                yield awaited
                error = None
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as thrown:  # noqa: BLE001  # it is the coroutine's
                error = thrown
