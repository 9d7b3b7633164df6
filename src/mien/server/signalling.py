"""What WHIP and WHEP share: bodies, headers, trickle, CORS."""

import secrets
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from mien.app.ports import Connected, Live
from mien.config import Settings
from mien.errors import SdpError
from mien.media.webrtc.ice.turn import turn_credentials
from mien.media.webrtc.peer import IceServer
from mien.media.webrtc.sdp.parse import Fragment, read_fragment, read_off_loop
from mien.rate_limit import TokenBuckets
from mien.server.auth import source_of
from mien.server.problems import HttpError

SDP: Final = "application/sdp"
FRAGMENT: Final = "application/trickle-ice-sdpfrag"

CORS: Final = {
    # Tokens travel in a header that only the page itself can set, so any origin may ask.
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, ETag, Link, Accept-Patch, Retry-After",
}
_PREFLIGHT: Final = {
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Max-Age": "86400",
}


async def read_text(request: Request, wanted: str) -> str:
    """Return the body, which must be of the type `wanted`.

    Raises:
        HttpError: It is of another type (415), or no answer of ours would be accepted (406).
        SdpError: It is not text.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != wanted:
        name = "Accept-Post" if wanted == SDP else "Accept-Patch"
        raise HttpError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body must be {wanted}, got {kind or 'nothing'}",
            headers={name: wanted},
        )
    if wanted == SDP and not _accepts_sdp(request.headers.get("accept", "")):
        raise HttpError(HTTPStatus.NOT_ACCEPTABLE, f"the answer is {SDP}, which the request does not accept")
    try:
        return (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise SdpError("SDP must be UTF-8") from error


def created(connected: Connected, location: str, settings: Settings) -> Response:
    """Answer an offer (RFC 9725, 4.2): 201 with the session's URL, the SDP and the ICE servers."""
    response = Response(connected.answer, HTTPStatus.CREATED, media_type=SDP)
    response.headers["Location"] = location
    response.headers["ETag"] = etag_of(connected.session_id)
    response.headers["Accept-Patch"] = FRAGMENT
    for server in ice_servers(settings, connected.session_id):
        response.headers.append("Link", link_of(server))
    return response


def configured_ice_servers(settings: Settings) -> list[IceServer]:
    """Return the ICE servers that the operator names."""
    return [
        IceServer(server.url, server.username, server.credential.get_secret_value() if server.credential else None)
        for server in settings.ice_servers
    ]


def ice_servers(settings: Settings, session_id: str) -> Iterator[IceServer]:
    """Yield what a client may use to reach us: what is configured, and TURN with credentials of its own."""
    yield from configured_ice_servers(settings)
    turn = settings.turn
    if turn.secret is not None:
        mine = turn_credentials(turn.secret.get_secret_value(), session_id, now=time.time(), ttl_s=turn.ttl_s)
        for url in turn.urls:
            yield IceServer(url, mine.username, mine.password)


def etag_of(session_id: str) -> str:
    """Return the entity tag of a session's ICE credentials; they never change."""
    return f'"{session_id[:8]}"'


async def trickle(request: Request, live: Live, session_id: str) -> Response:
    """Take late ICE candidates (RFC 9725, 4.3).

    Raises:
        HttpError: The `If-Match` header is missing (428) or stale (412).
        IceRestartError: The fragment has other ICE credentials than the session.
        SdpError: The fragment cannot be used.
    """
    etag = etag_of(session_id)
    fragment: Fragment = await read_off_loop(read_fragment, await read_text(request, FRAGMENT))
    matches = request.headers.get("if-match")
    if matches is None:
        raise HttpError(HTTPStatus.PRECONDITION_REQUIRED, f"If-Match is missing; the session's ETag is {etag}")
    # "*" comes with an ICE restart, and from clients that trickle without minding tags (RFC 9725, 4.3.3): whether it
    # is the one or the other, the user fragment tells.
    if matches.strip() != "*" and etag not in [tag.strip() for tag in matches.split(",")]:
        raise HttpError(HTTPStatus.PRECONDITION_FAILED, f"If-Match names other ICE credentials than {etag}")
    await live.trickle(session_id, fragment)
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"ETag": etag})


def introduce(request: Request, settings: Settings, introductions: TokenBuckets, *, may_connect: bool) -> Response:
    """Answer OPTIONS of an endpoint, and name the ICE servers to whom an offer from would be taken.

    RFC 9725, 4.6 wants that for clients that must know the servers before they make an offer. A browser's CORS
    preflight goes without: it shows no token, and its answer never reaches the page.

    Args:
        request: It.
        settings: Name the ICE servers.
        introductions: Bounds how often an address is told.
        may_connect: An offer of this sender would be taken.
    """
    response = preflight("POST")
    is_cors = "access-control-request-method" in request.headers
    if may_connect and not is_cors and not introductions.wait_s(source_of(request), now=time.monotonic()):
        for server in ice_servers(settings, secrets.token_urlsafe(16)):
            response.headers.append("Link", link_of(server))
        response.headers["Cache-Control"] = "no-store"
    return response


def preflight(*verbs: str) -> Response:
    """Answer OPTIONS: what may be sent here (RFC 9725, 4.2 and the Fetch standard's CORS)."""
    allow = ", ".join((*verbs, "OPTIONS"))
    headers = {"Allow": allow, "Access-Control-Allow-Methods": allow} | _PREFLIGHT
    headers |= {"Accept-Post": SDP} if "POST" in verbs else {"Accept-Patch": FRAGMENT}
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)


def _accepts_sdp(accept: str) -> bool:
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return accept == "" or any(kind in {SDP, "application/*", "*/*"} for kind in kinds)


def link_of(server: IceServer) -> str:
    """Return the `Link` header that names an ICE server to a client (RFC 9725, 4.6)."""
    link = f'<{server.url}>; rel="ice-server"'
    if server.username is not None and server.credential is not None:
        name, credential = _quoted(server.username), _quoted(server.credential)
        link += f'; username="{name}"; credential="{credential}"; credential-type="password"'
    return link


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
