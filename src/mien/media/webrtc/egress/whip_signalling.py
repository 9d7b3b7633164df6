"""WHIP's HTTP, the client's side: an offer sent, an answer taken, the session deleted (RFC 9725)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from mien.errors import PushLostError, PushRefusedError, TargetError
from mien.media.address_policy import Target, Targets
from mien.media.webrtc.sdp.parse import MAX_SDP_BYTES

_HTTP_TIMEOUT_S: Final = 10.0
_MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}
_HOPELESS: Final = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.GONE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Asking again would get the same answer. 404 is not among them: the far end may not have begun yet."""


@asynccontextmanager
async def signalled(url: str, token: str | None, offer: str, targets: Targets) -> AsyncIterator[str]:
    """Make a session at the far end; yield its answer; delete the session in the end.

    Raises:
        TargetError: A URL on the way may not be reached.
        PushRefusedError: The far end will not have us.
        PushLostError: It cannot be reached, or has no room just now.
    """
    headers = {"User-Agent": f"mien/{version('mien')}", "Accept": "application/sdp"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    # No proxy of the environment: it would look the name up once more, and elsewhere.
    async with httpx.AsyncClient(timeout=_HTTP_TIMEOUT_S, headers=headers, trust_env=False) as client:
        location, answer = await _post(client, url, offer, targets)
        try:
            yield answer
        finally:
            # A server that cannot be told any more notices by itself.
            with contextlib.suppress(TargetError, PushLostError, PushRefusedError):
                await _ask(client, "DELETE", await targets.look_up(location))


async def _post(client: httpx.AsyncClient, url: str, offer: str, targets: Targets) -> tuple[str, str]:
    """Return the session's URL and the answer."""
    for _ in range(_MAX_REDIRECTS + 1):
        response, text = await _ask(client, "POST", await targets.look_up(url), offer)
        status = response.status_code
        location = response.headers.get("location", "")
        if status in _REDIRECTS and location:
            url = _joined(url, location)
            continue
        if status in _HOPELESS:
            raise PushRefusedError(f"the far end refuses the broadcast: it answers {status}")
        if status != HTTPStatus.CREATED:
            raise PushLostError(f"the far end answers {status}", retry_after_s=_retry_after_s(response))
        if not location:
            raise PushRefusedError("the far end names no session in its answer")
        return _joined(url, location), text
    raise PushRefusedError(f"the far end redirects more than {_MAX_REDIRECTS} times")


async def _ask(
    client: httpx.AsyncClient, verb: str, target: Target, body: str | None = None
) -> tuple[httpx.Response, str]:
    """Ask the very address that was looked up, under the name it was asked for."""
    # Not compressed: what is small on the line must not become large here.
    headers = {"Host": target.authority, "Accept-Encoding": "identity"}
    headers |= {"Content-Type": "application/sdp"} if body is not None else {}
    read = bytearray()
    try:
        async with (
            asyncio.timeout(_HTTP_TIMEOUT_S),
            client.stream(
                verb, target.pinned, content=body, headers=headers, extensions={"sni_hostname": target.host}
            ) as response,
        ):
            async for chunk in response.aiter_raw():
                read += chunk
                if len(read) > MAX_SDP_BYTES:
                    raise PushRefusedError(f"the far end's answer has more than {MAX_SDP_BYTES} bytes")
    except (httpx.HTTPError, TimeoutError) as error:
        raise PushLostError(f"the far end cannot be reached: {type(error).__name__}") from error
    return response, read.decode(errors="replace")


def _joined(url: str, location: str) -> str:
    joined = urljoin(url, location)
    if urlsplit(url).scheme == "https" and urlsplit(joined).scheme != "https":
        raise PushRefusedError("the far end leads from https to http, where the token could be read")
    return joined


def _retry_after_s(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
