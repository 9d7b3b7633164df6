"""WHEP, the way out (draft-ietf-wish-whep)."""

import math
import time
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from mien.app.broadcasts.broadcasts import Broadcast, Broadcasts
from mien.app.ports import Live
from mien.media.webrtc.sdp.parse import read_off_loop, read_offer
from mien.server.auth import bearer_token, source_of
from mien.server.problems import HttpError
from mien.server.signalling import SDP, created, introduce, preflight, read_text, trickle

router = APIRouter(tags=["whep"])


@router.post("/whep/{broadcast_id}", status_code=HTTPStatus.CREATED, response_class=Response)
async def watch(request: Request, broadcast_id: str) -> Response:
    """Watch a broadcast; before it begins there is the slate.

    With the broadcast's own token it is the broadcaster who watches, and does not count as a viewer.
    """
    broadcasts: Broadcasts = request.app.state.broadcasts
    broadcast = broadcasts.get(broadcast_id)
    is_audience = not broadcast.knows(bearer_token(request))
    if is_audience:
        _check_rate(request)
    offer = await read_off_loop(read_offer, await read_text(request, SDP), direction="recvonly")
    connected = await broadcast.live.watch(offer, is_audience=is_audience, source=source_of(request))
    return created(connected, f"/whep/{broadcast_id}/{connected.session_id}", request.app.state.settings)


@router.patch("/whep/{broadcast_id}/{session_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
async def add_candidates(request: Request, broadcast_id: str, session_id: str) -> Response:
    """Add late ICE candidates of a viewer."""
    return await trickle(request, await _live(request, broadcast_id, session_id), session_id)


@router.delete("/whep/{broadcast_id}/{session_id}", response_class=Response)
async def stop_watching(request: Request, broadcast_id: str, session_id: str) -> Response:
    """End a viewer's session; its unguessable URL is its key."""
    await (await _live(request, broadcast_id, session_id)).close_peer(session_id)
    return Response(status_code=HTTPStatus.OK)


@router.options("/whep/{broadcast_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
async def introduce_broadcast(request: Request, broadcast_id: str) -> Response:
    """Say what is taken here, and name the ICE servers to who may watch: something is there, and a place is free."""
    broadcasts: Broadcasts = request.app.state.broadcasts
    found = next((broadcast for broadcast in broadcasts if broadcast.id == broadcast_id), None)
    return introduce(request, may_connect=found is not None and _has_room(request, found))


@router.options("/whep/{broadcast_id}/{session_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
async def introduce_session(broadcast_id: str, session_id: str) -> Response:  # noqa: ARG001  # parts of the path
    """Say what a viewer's session takes."""
    return preflight("PATCH", "DELETE")


def _check_rate(request: Request) -> None:
    """Turn away who makes offers faster than people come: each costs a peer connection, whatever becomes of it.

    Raises:
        HttpError: The sender's address has made too many.
    """
    wait_s = request.app.state.viewer_offers.wait_s(source_of(request), now=time.monotonic())
    if wait_s:
        raise HttpError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too many offers came from this address; try again in a moment",
            code="live.too_many_offers",
            headers={"Retry-After": str(math.ceil(wait_s))},
        )


def _has_room(request: Request, broadcast: Broadcast) -> bool:
    """Tell whether an offer of this request's sender would be taken."""
    limit: int = request.app.state.settings.live.max_viewers
    return broadcast.knows(bearer_token(request)) or broadcast.report.stats.viewers < limit


async def _live(request: Request, broadcast_id: str, session_id: str) -> Live:
    broadcasts: Broadcasts = request.app.state.broadcasts
    live = broadcasts.get(broadcast_id).live
    await live.check(session_id, "viewer")
    return live
