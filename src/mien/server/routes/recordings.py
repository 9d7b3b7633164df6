"""`/api/recordings`: what was recorded of treated broadcasts, for the operator."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field

from mien.app.access import Action
from mien.server.dependencies import RecordingsDep
from mien.server.guards import GuardedRoute, requires
from mien.server.paths import OwnPath

router = APIRouter(prefix="/api/recordings", tags=["recordings"], route_class=GuardedRoute)


class RecordingFileOut(BaseModel):
    """A file that is finished."""

    name: str = Field(description="The file's name; it begins with the time, in UTC.")
    bytes: int = Field(description="Its size.")
    path: str = Field(description="Where it lies on the server's machine.")
    url: OwnPath = Field(description="Where it is.")


@router.get("")
@requires(Action.READ_RECORDINGS)
async def list_recordings(recordings: RecordingsDep) -> list[RecordingFileOut]:
    """List the finished recordings, the newest first."""
    return [
        RecordingFileOut(name=one.name, bytes=one.size_bytes, path=str(one.path), url=f"/api/recordings/{one.name}")
        for one in recordings.newest_first()
    ]


@router.get("/{name}", response_class=FileResponse)
@requires(Action.READ_RECORDINGS)
async def get_recording(recordings: RecordingsDep, name: str) -> FileResponse:
    """Give a recording; parts of it can be asked for."""
    found = recordings.get(name)
    return FileResponse(found.path, media_type=found.media_type, headers={"Cache-Control": "no-store"})


@router.delete("/{name}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
@requires(Action.DELETE_RECORDINGS)
async def delete_recording(recordings: RecordingsDep, name: str) -> None:
    """Delete a recording for good."""
    recordings.delete(name)
