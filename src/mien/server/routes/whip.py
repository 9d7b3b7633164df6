"""WHIP, the way in (RFC 9725)."""

from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from mien.app.broadcasts.broadcasts import Broadcast, Broadcasts, BroadcastSpec
from mien.errors import LiveError
from mien.media.webrtc.sdp.parse import read_off_loop, read_offer
from mien.server.auth import bearer_token, check_operator
from mien.server.problems import HttpError
from mien.server.schemas import completed
from mien.server.signalling import SDP, created, introduce, preflight, read_text, trickle

router = APIRouter(tags=["whip"])


@router.post("/whip", status_code=HTTPStatus.CREATED, response_class=Response)
async def publish_anew(request: Request) -> Response:
    """Make a broadcast in which every face is a mosaic, and publish in it: for OBS and its like."""
    check_operator(request)
    offer = await read_off_loop(read_offer, await read_text(request, SDP), direction="sendonly")
    state = request.app.state
    broadcasts: Broadcasts = state.broadcasts
    operator = state.settings.whip_token
    broadcast = await broadcasts.create(
        BroadcastSpec(policy=completed(None, state.settings)),
        ephemeral=True,
        token=operator.get_secret_value() if operator else None,
        open_to_all=operator is None,
    )
    try:
        connected = await broadcast.live.publish(offer)
    except BaseException:
        broadcasts.end(broadcast)
        raise
    response = created(connected, f"/whip/{broadcast.id}/{connected.session_id}", state.settings)
    response.headers.append("Link", f'</whep/{broadcast.id}>; rel="alternate"')
    return response


@router.post("/whip/{broadcast_id}", status_code=HTTPStatus.CREATED, response_class=Response)
async def publish(request: Request, broadcast_id: str) -> Response:
    """Publish in a broadcast, with its own bearer token."""
    broadcast = _owned(request, broadcast_id)
    offer = await read_off_loop(read_offer, await read_text(request, SDP), direction="sendonly")
    connected = await broadcast.live.publish(offer)
    return created(connected, f"/whip/{broadcast.id}/{connected.session_id}", request.app.state.settings)


@router.patch("/whip/{broadcast_id}/{session_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
async def add_candidates(request: Request, broadcast_id: str, session_id: str) -> Response:
    """Add late ICE candidates of the publisher."""
    broadcast = _owned(request, broadcast_id)
    await broadcast.live.check(session_id, "publisher")
    return await trickle(request, broadcast.live, session_id)


@router.delete("/whip/{broadcast_id}/{session_id}", response_class=Response)
async def stop_publishing(request: Request, broadcast_id: str, session_id: str) -> Response:
    """End the publisher's session; a broadcast made by plain `POST /whip` ends with it."""
    broadcast = _owned(request, broadcast_id)
    await broadcast.live.check(session_id, "publisher")
    await broadcast.live.close_peer(session_id)
    return Response(status_code=HTTPStatus.OK)


@router.options("/whip", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
async def introduce_anew(request: Request) -> Response:
    """Say what is taken here; to who may publish, name the ICE servers."""
    return introduce(request, may_connect=_lets_through(check_operator, request))


@router.options("/whip/{broadcast_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
async def introduce_broadcast(request: Request, broadcast_id: str) -> Response:
    """Say what is taken here; to who may publish, name the ICE servers."""
    return introduce(request, may_connect=_lets_through(_owned, request, broadcast_id))


@router.options("/whip/{broadcast_id}/{session_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
async def introduce_session(broadcast_id: str, session_id: str) -> Response:  # noqa: ARG001  # parts of the path
    """Say what a publisher's session takes."""
    return preflight("PATCH", "DELETE")


def _lets_through(check: Callable[..., object], *what: object) -> bool:
    try:
        check(*what)
    except (LiveError, HttpError):
        return False
    return True


def _owned(request: Request, broadcast_id: str) -> Broadcast:
    broadcasts: Broadcasts = request.app.state.broadcasts
    broadcast = broadcasts.get(broadcast_id)
    broadcast.check_token(bearer_token(request))
    return broadcast
