"""`/api/recordings`: what was recorded of treated broadcasts, for the operator."""

from http import HTTPStatus
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field

from mien.config import Settings
from mien.server.auth import check_operator
from mien.server.paths import OwnPath
from mien.server.problems import HttpError

router = APIRouter(prefix="/api/recordings", tags=["recordings"], dependencies=[Depends(check_operator)])

_TYPES: Final = {".mp4": "video/mp4", ".webm": "video/webm"}


class RecordingFileOut(BaseModel):
    """A file that is finished."""

    name: str = Field(description="Of the file; it begins with the time, in UTC.")
    bytes: int = Field(description="Its size.")
    url: OwnPath = Field(description="Where it is.")


@router.get("")
async def list_recordings(request: Request) -> list[RecordingFileOut]:
    """List the finished recordings, the newest first."""
    found = sorted(_files(request).values(), key=lambda file: file.name, reverse=True)
    return [
        RecordingFileOut(name=file.name, bytes=file.stat().st_size, url=f"/api/recordings/{file.name}")
        for file in found
    ]


@router.get("/{name}", response_class=FileResponse)
async def get_recording(request: Request, name: str) -> FileResponse:
    """Give a recording; parts of it can be asked for."""
    file = _file(request, name)
    return FileResponse(file, media_type=_TYPES[file.suffix], headers={"Cache-Control": "no-store"})


@router.delete("/{name}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
async def delete_recording(request: Request, name: str) -> None:
    """Delete a recording for good."""
    _file(request, name).unlink(missing_ok=True)


def _file(request: Request, name: str) -> Path:
    file = _files(request).get(name)  # looked up, never joined: a name cannot lead elsewhere
    if file is None:
        raise HttpError(HTTPStatus.NOT_FOUND, "there is no such recording", code="recording.unknown")
    return file


def _files(request: Request) -> dict[str, Path]:
    settings: Settings = request.app.state.settings
    folder = settings.recordings_dir
    if folder is None or not folder.is_dir():
        return {}
    return {file.name: file for file in folder.iterdir() if file.suffix in _TYPES and file.is_file()}
