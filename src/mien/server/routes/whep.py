"""WHEP, the way out (draft-ietf-wish-whep)."""

import math
import time
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from mien.app.access import Action, Principal, may
from mien.app.broadcasts.broadcast import Broadcast
from mien.app.ports import Live
from mien.media.webrtc.sdp.parse import read_off_loop, read_offer
from mien.rate_limit import TokenBuckets
from mien.server.auth import source_of
from mien.server.dependencies import (
    BroadcastDep,
    BroadcastsDep,
    IntroductionsDep,
    PrincipalDep,
    SettingsDep,
    ViewerOffersDep,
)
from mien.server.guards import GuardedRoute, requires
from mien.server.problems import HttpError
from mien.server.signalling import SDP, created, introduce, preflight, read_text, trickle

router = APIRouter(tags=["whep"], route_class=GuardedRoute)


@router.post("/whep/{broadcast_id}", status_code=HTTPStatus.CREATED, response_class=Response)
@requires(Action.WATCH)
async def watch(
    request: Request,
    broadcast: BroadcastDep,
    principal: PrincipalDep,
    viewer_offers: ViewerOffersDep,
    settings: SettingsDep,
) -> Response:
    """Watch a broadcast; before it begins there is the slate.

    With the broadcast's own token it is the broadcaster who watches, and does not count as a viewer.
    """
    is_audience = not may(principal, Action.PREVIEW, broadcast)
    if is_audience:
        _check_rate(request, viewer_offers)
    offer = await read_off_loop(read_offer, await read_text(request, SDP), direction="recvonly")
    connected = await broadcast.live.watch(offer, is_audience=is_audience, source=source_of(request))
    return created(connected, f"/whep/{broadcast.id}/{connected.session_id}", settings)


@router.patch("/whep/{broadcast_id}/{session_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
@requires(Action.WATCH)
async def add_candidates(request: Request, broadcast: BroadcastDep, session_id: str) -> Response:
    """Add late ICE candidates of a viewer."""
    return await trickle(request, await _live(broadcast, session_id), session_id)


@router.delete("/whep/{broadcast_id}/{session_id}", response_class=Response)
@requires(Action.WATCH)
async def stop_watching(broadcast: BroadcastDep, session_id: str) -> Response:
    """End a viewer's session; its unguessable URL is its key."""
    await (await _live(broadcast, session_id)).close_peer(session_id)
    return Response(status_code=HTTPStatus.OK)


@router.options("/whep/{broadcast_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
@requires(Action.ASK_SIGNALLING)
async def introduce_broadcast(
    request: Request,
    broadcast_id: str,
    principal: PrincipalDep,
    broadcasts: BroadcastsDep,
    introductions: IntroductionsDep,
    settings: SettingsDep,
) -> Response:
    """Say what is taken here, and name the ICE servers to who may watch: something is there, and a place is free."""
    found = broadcasts.find(broadcast_id)
    may_connect = found is not None and _would_be_taken(principal, found, max_viewers=settings.live.max_viewers)
    return introduce(request, settings, introductions, may_connect=may_connect)


@router.options("/whep/{broadcast_id}/{session_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
@requires(Action.ASK_SIGNALLING)
async def introduce_session(broadcast_id: str, session_id: str) -> Response:  # noqa: ARG001  # parts of the path
    """Say what a viewer's session takes."""
    return preflight("PATCH", "DELETE")


def _check_rate(request: Request, viewer_offers: TokenBuckets) -> None:
    """Turn away who makes offers faster than people come: each costs a peer connection, whatever becomes of it.

    Raises:
        HttpError: The sender's address has made too many.
    """
    wait_s = viewer_offers.wait_s(source_of(request), now=time.monotonic())
    if wait_s:
        raise HttpError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too many offers came from this address; try again in a moment",
            code="live.too_many_offers",
            headers={"Retry-After": str(math.ceil(wait_s))},
        )


def _would_be_taken(principal: Principal, broadcast: Broadcast, *, max_viewers: int) -> bool:
    """Tell whether an offer of `principal` would be taken."""
    if may(principal, Action.PREVIEW, broadcast):
        return True
    return may(principal, Action.WATCH, broadcast) and broadcast.report.stats.viewers < max_viewers


async def _live(broadcast: Broadcast, session_id: str) -> Live:
    live = broadcast.live
    await live.check(session_id, "viewer")
    return live
