"""`/api/broadcasts`: make, list, change on air, end."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from mien.app.access import Action, Principal, Server, authorize, may
from mien.app.broadcasts.broadcast import MAX_ABSENCE_S, Broadcast, BroadcastSpec
from mien.app.states import PushReport
from mien.server.addresses import addresses_of
from mien.server.dependencies import BroadcastDep, BroadcastsDep, PrincipalDep, ServerDep, SettingsDep, principal_of
from mien.server.guards import GuardedRoute, requires
from mien.server.owner_view import PrimaryChosenOut, PrimaryIn
from mien.server.problems import HttpError
from mien.server.schemas import BroadcastIn, BroadcastOut, BroadcastPatch, CreatedOut, PushIn, PushOut, completed
from mien.tracing import MAX_S

router = APIRouter(prefix="/api/broadcasts", tags=["broadcasts"], route_class=GuardedRoute)

_PLAIN_TEXT: Final = "text/plain"
_MAX_TOKEN_BYTES: Final = 1024
_JSON: Final = "application/json"
_A_TRACE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "A document of Chrome's trace format.", "content": {_JSON: {"schema": {"type": "object"}}}}
}


@router.post("", status_code=HTTPStatus.CREATED)
@requires(Action.MAKE_BROADCASTS)
async def create_broadcast(
    request: Request, broadcasts: BroadcastsDep, settings: SettingsDep, body: BroadcastIn, response: Response
) -> CreatedOut:
    """Make a broadcast that waits for its publisher."""
    spec = BroadcastSpec(
        title=(body.title or "").strip(),
        policy=completed(body.policy, settings),
        delay_frames=body.delay_frames,
        record=body.record,
    )
    broadcast = await broadcasts.create(spec)
    response.headers["Location"] = f"/api/broadcasts/{broadcast.id}"
    return CreatedOut(
        id=broadcast.id,
        token=broadcast.token or "",
        whip_url=f"/whip/{broadcast.id}",
        whep_url=f"/whep/{broadcast.id}",
        watch_url=f"/watch/{broadcast.id}",
        addresses=addresses_of(request, settings),
    )


@router.get("")
@requires(Action.LIST_BROADCASTS)
async def list_broadcasts(broadcasts: BroadcastsDep) -> list[BroadcastOut]:
    """List the broadcasts, the newest first."""
    newest_first = sorted(broadcasts, key=lambda broadcast: -broadcast.created_at)
    return [BroadcastOut.of(broadcast) for broadcast in newest_first]


@router.get("/{broadcast_id}")
@requires(Action.WATCH)
async def get_broadcast(server: ServerDep, broadcast: BroadcastDep, principal: PrincipalDep) -> BroadcastOut:
    """Show one broadcast and its numbers; to who shows its own token, or the operator's, the faces in it too."""
    return _shown_to(server, principal, broadcast)


@router.patch("/{broadcast_id}")
@requires(Action.CHANGE_BROADCAST)
async def change_broadcast(
    server: ServerDep,
    broadcasts: BroadcastsDep,
    broadcast: BroadcastDep,
    principal: PrincipalDep,
    settings: SettingsDep,
    body: BroadcastPatch,
) -> BroadcastOut:
    """Change a broadcast on air, with its own bearer token."""
    await broadcasts.change(broadcast, body.changes(settings))
    return _shown_to(server, principal, broadcast)


@router.post("/{broadcast_id}/primary")
@requires(Action.CHANGE_BROADCAST)
async def choose_primary(broadcast: BroadcastDep, body: PrimaryIn) -> PrimaryChosenOut:
    """Bind the policy's `primary` to a face that viewers see, with the broadcast's own bearer token.

    Until it is shown well enough to be known again, nobody gets the treatment of the primary person.
    """
    return PrimaryChosenOut(face=await broadcast.live.choose_primary(body.choice))


@router.delete("/{broadcast_id}", status_code=HTTPStatus.NO_CONTENT)
@requires(Action.END_BROADCAST)
async def end_broadcast(broadcasts: BroadcastsDep, broadcast: BroadcastDep) -> None:
    """End a broadcast, with its own bearer token or the operator's."""
    broadcasts.end(broadcast)


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
@requires(Action.END_OWN_BROADCAST, token_follows=True)
async def end_broadcast_from_a_closing_page(
    request: Request,
    broadcasts: BroadcastsDep,
    broadcast: BroadcastDep,
    after_s: Annotated[
        float,
        Query(
            ge=0,
            le=MAX_ABSENCE_S,
            description="End it only once nobody has published in it for so long, and forget this if somebody begins "
            "to: a page that is loaded anew goes on with its broadcast.",
        ),
    ] = 0.0,
) -> None:
    """End a broadcast, with its own token as the body: all that a page can send for sure while it is being closed."""
    principal = principal_of(request, await _read_token(request))
    authorize(principal, Action.END_OWN_BROADCAST, broadcast)
    if after_s > 0:
        broadcast.absence_s = after_s
    else:
        broadcasts.end(broadcast)


@router.get("/{broadcast_id}/thumbnail.jpg", response_class=Response)
@requires(Action.WATCH)
async def thumbnail(broadcast: BroadcastDep) -> Response:
    """Show a small JPEG of what viewers see just now."""
    jpeg = await broadcast.live.thumbnail()
    if jpeg is None:
        raise HttpError(HTTPStatus.NOT_FOUND, "there is nothing to see yet", code="live.no_frame")
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@router.post("/{broadcast_id}/trace", response_class=Response, responses=_A_TRACE)
@requires(Action.TRACE)
async def trace(broadcast: BroadcastDep, seconds: Annotated[float, Query(gt=0, le=MAX_S)] = 1.0) -> Response:
    """Record for some seconds what each thread of a broadcast's process does, with the operator's token."""
    return Response(await broadcast.live.trace(seconds), media_type=_JSON, headers={"Cache-Control": "no-store"})


@router.post("/{broadcast_id}/pushes", status_code=HTTPStatus.CREATED)
@requires(Action.PUSH)
async def push(broadcasts: BroadcastsDep, broadcast: BroadcastDep, body: PushIn) -> PushOut:
    """Push a broadcast, treated as it is, to a WHIP server elsewhere, with its own bearer token."""
    token = body.token.get_secret_value() if body.token else None
    push_id = await broadcasts.push(broadcast, body.url, token)
    return PushOut(id=push_id, host=_host_of(body.url), **asdict(PushReport("connecting")))


@router.get("/{broadcast_id}/pushes")
@requires(Action.PUSH)
async def list_pushes(broadcast: BroadcastDep) -> list[PushOut]:
    """List a broadcast's pushes, with its own bearer token."""
    reports = broadcast.report.stats.pushes
    urls = {push_id: url for push_id, (url, _token) in broadcast.pushes.items()}
    return [
        PushOut(id=push_id, host=_host_of(urls.get(push_id, "")), **asdict(report))
        for push_id, report in reports.items()
    ]


@router.delete("/{broadcast_id}/pushes/{push_id}", status_code=HTTPStatus.NO_CONTENT)
@requires(Action.PUSH)
async def stop_push(broadcasts: BroadcastsDep, broadcast: BroadcastDep, push_id: str) -> None:
    """End a push, with the broadcast's own bearer token."""
    await broadcasts.stop_push(broadcast, push_id)


def _host_of(url: str) -> str:
    """Return what may be shown of a push's URL: its path often holds a key."""
    return urlsplit(url).hostname or ""


def _shown_to(server: Server, principal: Principal, broadcast: Broadcast) -> BroadcastOut:
    is_owner = may(principal, Action.SEE_REFERENCES, broadcast)
    # Where no token is set, whoever asks from this machine is the operator: a viewer's page there must not be told.
    is_shown_faces = is_owner or (server.has_token and may(principal, Action.SEE_FACES, broadcast))
    return BroadcastOut.of(broadcast, to_owner=is_owner, with_faces=is_shown_faces)


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
