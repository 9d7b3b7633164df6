"""`/api/broadcasts`: make, list, change on air, end."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from mien.server.access import bearer_token, check_operator
from mien.sessions.broadcasts import MAX_TITLE_LENGTH, Broadcast, Broadcasts, BroadcastWish
from mien.sessions.ports import MAX_LIVE_DELAY_FRAMES, LiveTreatment, OtherFaces
from mien.sessions.states import BroadcastState

router = APIRouter(prefix="/api/broadcasts", tags=["broadcasts"])

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
PersonaId = Annotated[str, Field(max_length=100, pattern=r"^(mask|reference):[A-Za-z0-9_-]+$")]


class BroadcastIn(BaseModel):
    """A broadcast to make."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = Field(default=None, description="For people.")
    treatment: LiveTreatment = Field(default="mosaic", description="What happens to faces.")
    persona: PersonaId | None = Field(default=None, description="The face to swap in: `mask:...` or `reference:...`.")
    others: OtherFaces = Field(default="mosaic", description="In a swap, what faces beside the most prominent one get.")
    delay_frames: DelayFrames = None


class BroadcastPatch(BaseModel):
    """What to change on air; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = Field(default=None, description="For people.")
    treatment: LiveTreatment | None = Field(default=None, description="What happens to faces.")
    persona: PersonaId | None = Field(default=None, description="The face to swap in.")
    others: OtherFaces | None = Field(default=None, description="What other faces get in a swap.")
    delay_frames: DelayFrames = None


class CreatedOut(BaseModel):
    """A broadcast that was made, and its key."""

    id: str = Field(description="Unguessable.")
    token: str = Field(description="Bearer token to publish, change and end it; shown only here.")
    whip_url: str = Field(description="Where to publish.")
    whep_url: str = Field(description="Where players watch.")
    watch_url: str = Field(description="The page to watch on.")


class BroadcastOut(BaseModel):
    """A broadcast and its numbers over the last seconds."""

    id: str = Field(description="Unguessable.")
    title: str = Field(description="For people.")
    state: BroadcastState = Field(description="What viewers see.")
    treatment: LiveTreatment = Field(description="What happens to faces.")
    persona: str | None = Field(description="The face that is swapped in.")
    others: OtherFaces = Field(description="What other faces get in a swap.")
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
    whep_url: str = Field(description="Where players watch.")
    watch_url: str = Field(description="The page to watch on.")
    started_at: float = Field(description="When it was made, in seconds since 1970.")


@router.post("", status_code=HTTPStatus.CREATED, dependencies=[Depends(check_operator)])
async def create_broadcast(request: Request, body: BroadcastIn, response: Response) -> CreatedOut:
    """Make a broadcast that waits for its publisher."""
    wish = BroadcastWish(
        title=(body.title or "").strip(),
        treatment=body.treatment,
        persona=body.persona,
        others=body.others,
        delay_frames=body.delay_frames,
    )
    broadcast = await _all(request).create(wish)
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
    return [_out(broadcast) for broadcast in newest_first]


@router.get("/{broadcast_id}")
async def get_broadcast(request: Request, broadcast_id: str) -> BroadcastOut:
    """Show one broadcast and its numbers."""
    return _out(_all(request).get(broadcast_id))


@router.patch("/{broadcast_id}")
async def change_broadcast(request: Request, broadcast_id: str, body: BroadcastPatch) -> BroadcastOut:
    """Change a broadcast on air, with its own bearer token."""
    broadcast = _owned(request, broadcast_id)
    changes = body.model_dump(exclude_none=True)
    if changes.get("treatment") == "mosaic":
        changes["persona"] = None
    await _all(request).change(broadcast, changes)
    return _out(broadcast)


@router.delete("/{broadcast_id}", status_code=HTTPStatus.NO_CONTENT)
async def end_broadcast(request: Request, broadcast_id: str) -> None:
    """End a broadcast, with its own bearer token."""
    _all(request).end(_owned(request, broadcast_id))


def _all(request: Request) -> Broadcasts:
    broadcasts: Broadcasts = request.app.state.broadcasts
    return broadcasts


def _owned(request: Request, broadcast_id: str) -> Broadcast:
    broadcast = _all(request).get(broadcast_id)
    broadcast.check_token(bearer_token(request))
    return broadcast


def _out(broadcast: Broadcast) -> BroadcastOut:
    report = broadcast.report
    stats = report.stats
    wish = broadcast.wish
    return BroadcastOut(
        id=broadcast.id,
        title=wish.title,
        state=report.state,
        treatment=wish.treatment,
        persona=wish.persona,
        others=wish.others,
        delay_frames=wish.delay_frames,
        fps_in=stats.fps_in,
        fps_out=stats.fps_out,
        dropped=stats.counts.dropped,
        vision_ms=stats.vision_ms,
        server_delay_ms=stats.server_delay_ms,
        vision_errors=stats.counts.vision_errors,
        faces=stats.faces,
        viewers=stats.viewers,
        size=stats.size_wh,
        whep_url=f"/whep/{broadcast.id}",
        watch_url=f"/watch/{broadcast.id}",
        started_at=broadcast.created_at,
    )
