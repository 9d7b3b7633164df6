"""WHIP, the way in (RFC 9725)."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from mien.app.access import Action, Owner, may
from mien.app.broadcasts.broadcast import BroadcastSpec
from mien.media.webrtc.sdp.parse import read_off_loop, read_offer
from mien.server.dependencies import (
    BroadcastDep,
    BroadcastsDep,
    IntroductionsDep,
    PrincipalDep,
    ServerDep,
    SettingsDep,
)
from mien.server.guards import GuardedRoute, requires
from mien.server.schemas import completed
from mien.server.signalling import SDP, created, introduce, preflight, read_text, trickle

router = APIRouter(tags=["whip"], route_class=GuardedRoute)


@router.post("/whip", status_code=HTTPStatus.CREATED, response_class=Response)
@requires(Action.MAKE_BROADCASTS)
async def publish_anew(
    request: Request, server: ServerDep, broadcasts: BroadcastsDep, settings: SettingsDep
) -> Response:
    """Make a broadcast in which every face is a mosaic, and publish in it: for OBS and its like."""
    offer = await read_off_loop(read_offer, await read_text(request, SDP), direction="sendonly")
    broadcast = await broadcasts.create(
        BroadcastSpec(policy=completed(None, settings)),
        owner=Owner.OPERATOR if server.has_token else Owner.NOBODY,
        ephemeral=True,
    )
    try:
        connected = await broadcast.live.publish(offer)
    except BaseException:
        broadcasts.end(broadcast)
        raise
    response = created(connected, f"/whip/{broadcast.id}/{connected.session_id}", settings)
    response.headers.append("Link", f'</whep/{broadcast.id}>; rel="alternate"')
    return response


@router.post("/whip/{broadcast_id}", status_code=HTTPStatus.CREATED, response_class=Response)
@requires(Action.PUBLISH)
async def publish(
    request: Request, broadcasts: BroadcastsDep, broadcast: BroadcastDep, settings: SettingsDep
) -> Response:
    """Publish in a broadcast, with its own bearer token."""
    offer = await read_off_loop(read_offer, await read_text(request, SDP), direction="sendonly")
    connected = await broadcasts.publish(broadcast, offer)
    return created(connected, f"/whip/{broadcast.id}/{connected.session_id}", settings)


@router.patch("/whip/{broadcast_id}/{session_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
@requires(Action.PUBLISH)
async def add_candidates(request: Request, broadcast: BroadcastDep, session_id: str) -> Response:
    """Add late ICE candidates of the publisher."""
    await broadcast.live.check(session_id, "publisher")
    return await trickle(request, broadcast.live, session_id)


@router.delete("/whip/{broadcast_id}/{session_id}", response_class=Response)
@requires(Action.PUBLISH)
async def stop_publishing(broadcast: BroadcastDep, session_id: str) -> Response:
    """End the publisher's session; a broadcast made by plain `POST /whip` ends with it."""
    await broadcast.live.check(session_id, "publisher")
    await broadcast.live.close_peer(session_id)
    return Response(status_code=HTTPStatus.OK)


@router.options("/whip", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
@requires(Action.ASK_SIGNALLING)
async def introduce_anew(
    request: Request,
    principal: PrincipalDep,
    server: ServerDep,
    introductions: IntroductionsDep,
    settings: SettingsDep,
) -> Response:
    """Say what is taken here; to who may publish, name the ICE servers."""
    may_connect = may(principal, Action.MAKE_BROADCASTS, server)
    return introduce(request, settings, introductions, may_connect=may_connect)


@router.options("/whip/{broadcast_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
@requires(Action.ASK_SIGNALLING)
async def introduce_broadcast(
    request: Request,
    broadcast_id: str,
    principal: PrincipalDep,
    broadcasts: BroadcastsDep,
    introductions: IntroductionsDep,
    settings: SettingsDep,
) -> Response:
    """Say what is taken here; to who may publish, name the ICE servers."""
    found = broadcasts.find(broadcast_id)
    may_connect = found is not None and may(principal, Action.PUBLISH, found)
    return introduce(request, settings, introductions, may_connect=may_connect)


@router.options("/whip/{broadcast_id}/{session_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
@requires(Action.ASK_SIGNALLING)
async def introduce_session(broadcast_id: str, session_id: str) -> Response:  # noqa: ARG001  # parts of the path
    """Say what a publisher's session takes."""
    return preflight("PATCH", "DELETE")
