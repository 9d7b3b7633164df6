"""A server whose live sessions run in processes of their own, those of `support.worker`."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx

from mien.app.states import LiveLimits
from mien.media.webrtc.peer import IceServer
from mien.runners import ProcessRunner
from support.live import serving
from support.pipelines import SmallFactory
from support.worker import COMMAND


@contextlib.asynccontextmanager
async def serving_with_workers(
    *, spares: int = 0, command: Sequence[str] = COMMAND, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve with a process for each live session."""

    def open_runner(limits: LiveLimits, ice_servers: Sequence[IceServer]) -> ProcessRunner:
        return ProcessRunner(command, limits=limits, ice_servers=ice_servers, spares=spares)

    async with serving(SmallFactory(), open_runner=open_runner, **settings) as client:
        yield client


async def make(client: httpx.AsyncClient, **spec: object) -> dict[str, Any]:
    """Make a broadcast; return what the server says of it."""
    response = await client.post("/api/broadcasts", json=spec)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made
