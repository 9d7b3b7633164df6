"""`/api/broadcasts`: make, list, change on air, end."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from mien.app.broadcasts.broadcasts import Broadcast, Broadcasts, BroadcastSpec
from mien.app.states import PushReport
from mien.server.auth import bearer_token, check_operator, knows_operator_token
from mien.server.guards import GuardedRoute, guarded
from mien.server.problems import HttpError
from mien.server.schemas import BroadcastIn, BroadcastOut, BroadcastPatch, CreatedOut, PushIn, PushOut, completed

router = APIRouter(prefix="/api/broadcasts", tags=["broadcasts"], route_class=GuardedRoute)


def _check_owner(request: Request) -> None:
    """Let the owner of the broadcast through that the path names."""
    _owned(request, request.path_params["broadcast_id"])


def _check_known(request: Request) -> None:
    """Let through who names a broadcast that is there."""
    _all(request).get(request.path_params["broadcast_id"])


_PLAIN_TEXT: Final = "text/plain"
_MAX_TOKEN_BYTES: Final = 1024


@router.post("", status_code=HTTPStatus.CREATED)
@guarded(check_operator)
async def create_broadcast(request: Request, body: BroadcastIn, response: Response) -> CreatedOut:
    """Make a broadcast that waits for its publisher."""
    spec = BroadcastSpec(
        title=(body.title or "").strip(),
        policy=completed(body.policy, request.app.state.settings),
        delay_frames=body.delay_frames,
        record=body.record,
    )
    broadcast = await _all(request).create(spec)
    response.headers["Location"] = f"/api/broadcasts/{broadcast.id}"
    return CreatedOut(
        id=broadcast.id,
        token=broadcast.token or "",
        whip_url=f"/whip/{broadcast.id}",
        whep_url=f"/whep/{broadcast.id}",
        watch_url=f"/watch/{broadcast.id}",
    )


@router.get("")
async def list_broadcasts(request: Request) -> list[BroadcastOut]:
    """List the broadcasts, the newest first."""
    newest_first = sorted(_all(request), key=lambda broadcast: -broadcast.created_at)
    return [BroadcastOut.of(broadcast) for broadcast in newest_first]


@router.get("/{broadcast_id}")
async def get_broadcast(request: Request, broadcast_id: str) -> BroadcastOut:
    """Show one broadcast and its numbers."""
    broadcast = _all(request).get(broadcast_id)
    return BroadcastOut.of(broadcast, to_owner=broadcast.knows(bearer_token(request)))


@router.patch("/{broadcast_id}")
@guarded(_check_owner)
async def change_broadcast(request: Request, broadcast_id: str, body: BroadcastPatch) -> BroadcastOut:
    """Change a broadcast on air, with its own bearer token."""
    broadcast = _owned(request, broadcast_id)
    await _all(request).change(broadcast, body.changes(request.app.state.settings))
    return BroadcastOut.of(broadcast, to_owner=broadcast.knows(bearer_token(request)))


@router.delete("/{broadcast_id}", status_code=HTTPStatus.NO_CONTENT)
async def end_broadcast(request: Request, broadcast_id: str) -> None:
    """End a broadcast, with its own bearer token or the operator's."""
    if knows_operator_token(request, bearer_token(request)):
        _all(request).end(_all(request).get(broadcast_id))
    else:
        _all(request).end(_owned(request, broadcast_id))


@router.post(
    "/{broadcast_id}/end",
    status_code=HTTPStatus.NO_CONTENT,
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The broadcast's own token and nothing else.",
            "content": {_PLAIN_TEXT: {"schema": {"type": "string", "maxLength": _MAX_TOKEN_BYTES}}},
        }
    },
)
@guarded(_check_known)
async def end_broadcast_from_a_closing_page(request: Request, broadcast_id: str) -> None:
    """End a broadcast, with its own token as the body: all that a page can send for sure while it is being closed."""
    broadcast = _all(request).get(broadcast_id)
    broadcast.check_token(await _read_token(request))
    _all(request).end(broadcast)


@router.get("/{broadcast_id}/thumbnail.jpg", response_class=Response)
async def thumbnail(request: Request, broadcast_id: str) -> Response:
    """Show a small JPEG of what viewers see just now."""
    jpeg = await _all(request).get(broadcast_id).live.thumbnail()
    if jpeg is None:
        raise HttpError(HTTPStatus.NOT_FOUND, "there is nothing to see yet", code="live.no_picture")
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@router.post("/{broadcast_id}/pushes", status_code=HTTPStatus.CREATED)
@guarded(_check_owner)
async def push(request: Request, broadcast_id: str, body: PushIn) -> PushOut:
    """Push a broadcast, treated as it is, to a WHIP server elsewhere, with its own bearer token."""
    token = body.token.get_secret_value() if body.token else None
    push_id = await _all(request).push(_owned(request, broadcast_id), body.url, token)
    return PushOut(id=push_id, **asdict(PushReport("connecting")))


@router.get("/{broadcast_id}/pushes")
async def list_pushes(request: Request, broadcast_id: str) -> list[PushOut]:
    """List a broadcast's pushes, with its own bearer token."""
    reports = _owned(request, broadcast_id).report.stats.pushes
    return [PushOut(id=push_id, **asdict(report)) for push_id, report in reports.items()]


@router.delete("/{broadcast_id}/pushes/{push_id}", status_code=HTTPStatus.NO_CONTENT)
async def stop_push(request: Request, broadcast_id: str, push_id: str) -> None:
    """End a push, with the broadcast's own bearer token."""
    await _all(request).stop_push(_owned(request, broadcast_id), push_id)


def _all(request: Request) -> Broadcasts:
    broadcasts: Broadcasts = request.app.state.broadcasts
    return broadcasts


def _owned(request: Request, broadcast_id: str) -> Broadcast:
    broadcast = _all(request).get(broadcast_id)
    broadcast.check_token(bearer_token(request))
    return broadcast


async def _read_token(request: Request) -> str:
    """Return the body, a token as text.

    Raises:
        HttpError: It is of another type (415), longer than any token (413), or no text (400).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _PLAIN_TEXT:
        raise HttpError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body must be the token as {_PLAIN_TEXT}, got {kind or 'nothing'}",
            headers={"Accept-Post": _PLAIN_TEXT},
        )
    body = await request.body()
    if len(body) > _MAX_TOKEN_BYTES:
        raise HttpError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"a token has at most {_MAX_TOKEN_BYTES} bytes, got {len(body)}",
            code="http.too_large",
        )
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, "a token is UTF-8 text") from error
