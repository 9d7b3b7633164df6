"""`/api/broadcasts`: make, list, change on air, end."""

import re
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from mien.app.broadcasts.broadcasts import MAX_TITLE_LENGTH, Broadcast, Broadcasts, BroadcastSpec
from mien.app.policy.document import PolicyDocument, PolicyIn
from mien.app.ports import MAX_LIVE_DELAY_FRAMES
from mien.app.states import BroadcastState, LiveReport, Load, PushReport
from mien.config import Settings
from mien.server.auth import bearer_token, check_operator, knows_operator_token
from mien.server.guards import GuardedRoute, guarded
from mien.server.paths import OwnPath
from mien.server.problems import HttpError
from mien.vision.render.mosaic import MosaicShape, MosaicStyle

router = APIRouter(prefix="/api/broadcasts", tags=["broadcasts"], route_class=GuardedRoute)


def _check_owner(request: Request) -> None:
    """Let the owner of the broadcast through that the path names."""
    _owned(request, request.path_params["broadcast_id"])


def _check_known(request: Request) -> None:
    """Let through who names a broadcast that is there."""
    _all(request).get(request.path_params["broadcast_id"])


Title = Annotated[str, Field(max_length=MAX_TITLE_LENGTH)]
DelayFrames = Annotated[
    int | None,
    Field(
        ge=0,
        le=MAX_LIVE_DELAY_FRAMES,
        description="For so many frames a picture waits, so that a face found late is hidden from its first frame; "
        "null lets the server choose what the treatment needs.",
    ),
]
WantedPolicy = Annotated[
    PolicyIn | None,
    Field(description="Who gets which treatment; null hides everybody. Looks of mosaics left open are the server's."),
]
_PLAIN_TEXT: Final = "text/plain"
_MAX_TOKEN_BYTES: Final = 1024


class BroadcastIn(BaseModel):
    """A broadcast to make."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = Field(default=None, description="For people.")
    policy: WantedPolicy = None
    delay_frames: DelayFrames = None
    record: bool = Field(default=False, description="Whether what viewers get is recorded, treated as it is.")


class BroadcastPatch(BaseModel):
    """What to change on air: what is left out stays, and null brings back what a new broadcast would have."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = Field(default=None, description="For people; null is none.")
    policy: WantedPolicy = None
    delay_frames: DelayFrames = None
    record: bool | None = Field(default=None, description="Begin or end the recording; null ends it.")

    def changes(self, settings: Settings) -> dict[str, Any]:
        """Return the fields of a `BroadcastSpec` to change, null replaced by the default of each."""
        defined = {
            "title": (self.title or "").strip(),
            "policy": completed(self.policy, settings),
            "delay_frames": self.delay_frames,
            "record": bool(self.record),
        }
        return {name: value for name, value in defined.items() if name in self.model_fields_set}


class CreatedOut(BaseModel):
    """A broadcast that was made, and its key."""

    id: str = Field(description="Unguessable.")
    token: str = Field(description="Bearer token to publish, change and end it; shown only here.")
    whip_url: OwnPath = Field(description="Where to publish.")
    whep_url: OwnPath = Field(description="Where players watch.")
    watch_url: OwnPath = Field(description="The page to watch on.")


class RecordingOut(BaseModel):
    """How a recording fares."""

    dropped: int = Field(description="Pictures left out because the disk was slow or full.")
    ended: str | None = Field(description="Why it ended by itself: `size` or `time`.")


class BroadcastOut(BaseModel):
    """A broadcast and its numbers over the last seconds: what `GET` shows, and every event tells."""

    id: str = Field(description="Unguessable.")
    title: str = Field(description="For people.")
    state: BroadcastState = Field(description="What viewers see.")
    restarts: int = Field(description="How often what carries it broke; who connected before must connect anew.")
    policy: PolicyDocument = Field(
        description="Who gets which treatment. A persona of photos is `reference` alone: its id is its owner's, and "
        "shown only to who asks with the broadcast's token."
    )
    delay_frames: int | None = Field(description="For so many frames a picture waits; null where the server chooses.")
    fps_in: float = Field(description="Pictures that come in, a second.")
    fps_out: float = Field(description="Treated pictures, a second.")
    dropped: int = Field(description="Pictures replaced by newer ones before they were treated or sent.")
    vision_ms: float | None = Field(description="Median time of the treatment.")
    server_delay_ms: float | None = Field(description="Median time from a picture's arrival to its being encoded.")
    vision_errors: int = Field(description="Pictures whose treatment failed; none of them was sent.")
    faces: dict[str, int] = Field(description="Faces in the last picture, by treatment.")
    viewers: int = Field(description="Connected viewers.")
    size: tuple[int, int] | None = Field(description="Width and height of the last treated picture.")
    load: Load = Field(
        description="Whether the server keeps up: `ok`; `reduced_picture`, it treats a smaller picture, or fewer; "
        "`no_swap`, besides every face gets a mosaic; `overloaded`, even so the picture stops or comes too rarely."
    )
    codec: str | None = Field(description="Video codec; null before anybody wanted it.")
    layers: dict[str, int] = Field(description="Viewers by the size they get; 0 is the full one.")
    record: bool = Field(description="Whether it shall be recorded.")
    recording: RecordingOut | None = Field(description="How the recording fares.")
    whep_url: OwnPath = Field(description="Where players watch.")
    watch_url: OwnPath = Field(description="The page to watch on.")
    thumbnail_url: OwnPath = Field(description="A small JPEG of what viewers see; 404 when there is nothing.")
    started_at: float = Field(description="When it was made, in seconds since 1970.")

    @classmethod
    def of(cls, broadcast: Broadcast, report: LiveReport | None = None, *, to_owner: bool = False) -> Self:
        """Show `broadcast` as its last report says, or as `report` does."""
        report = report or broadcast.report
        stats = report.stats
        recording = stats.recording
        spec = broadcast.spec
        return cls(
            id=broadcast.id,
            title=spec.title,
            state=report.state,
            restarts=broadcast.restarts,
            policy=spec.policy if to_owner else spec.policy.withholding_references(),
            delay_frames=spec.delay_frames,
            fps_in=stats.fps_in,
            fps_out=stats.fps_out,
            dropped=stats.counts.dropped,
            vision_ms=stats.vision_ms,
            server_delay_ms=stats.server_delay_ms,
            vision_errors=stats.counts.vision_errors,
            faces=stats.faces,
            viewers=stats.viewers,
            size=stats.size_wh,
            load=stats.load,
            codec=stats.codec,
            layers=stats.layers,
            record=spec.record,
            recording=recording and RecordingOut(dropped=recording.dropped, ended=recording.ended),
            whep_url=f"/whep/{broadcast.id}",
            watch_url=f"/watch/{broadcast.id}",
            thumbnail_url=f"/api/broadcasts/{broadcast.id}/thumbnail.jpg",
            started_at=broadcast.created_at,
        )


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


def _sendable(token: SecretStr) -> SecretStr:
    """Let a token pass that a header can carry."""
    if not re.fullmatch(r"[\x21-\x7e]+", token.get_secret_value()):
        raise ValueError("a bearer token has visible ASCII characters only")
    return token


class PushIn(BaseModel):
    """A WHIP server to push a broadcast to."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=2048, description="Its WHIP endpoint.")
    token: Annotated[SecretStr, AfterValidator(_sendable)] | None = Field(
        default=None, max_length=4096, description="Bearer token for it: visible ASCII characters."
    )


class PushOut(BaseModel):
    """A push and how it fares."""

    id: str = Field(description="Of the push.")
    state: str = Field(description="`connecting`, `live`, `retrying`, `refused` or `ended`.")
    packets: int = Field(description="Sent.")
    octets: int = Field(description="Of their payload.")
    resent: int = Field(description="Retransmissions.")
    trouble: str | None = Field(description="What went wrong last; null while all is well.")


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


def completed(policy: PolicyDocument | None, settings: Settings) -> PolicyDocument:
    """Return the policy that is asked for, or a mosaic for everyone; looks that it leaves open are the operator's."""
    return (policy or PolicyDocument()).completed(
        MosaicStyle(settings.mosaic.style), MosaicShape(settings.mosaic.shape)
    )


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
