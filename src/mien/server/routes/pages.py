"""The pages, built by npm beforehand, and `/api/health`."""

from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from mien.server.paths import home_of

router = APIRouter()

_NOT_BUILT: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>mien</title>
<body style="font: 1.1rem/1.6 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 0 1rem">
<h1>The pages are not built yet</h1>
<p>The server runs, and its <a href="{home}openapi.json">API</a> works. To build the pages, run:</p>
<pre>make web</pre>
<p lang="ko">화면이 아직 빌드되지 않았습니다. 위 명령을 실행해 주세요.</p>
</body></html>
"""


class HealthOut(BaseModel):
    """Whether the server can do its work."""

    status: Literal["ok", "warming", "broken"] = Field(description="Whether live sessions can be started.")
    detail: str | None = Field(description="What is wrong, if something is.")
    version: str = Field(description="The version of mien.")
    broadcasts: int = Field(description="How many there are.")


@router.get("/api/health", tags=["health"])
async def health(request: Request) -> HealthOut:
    """Say whether the server can do its work."""
    state = request.app.state
    status, detail = state.runner.health
    return HealthOut(
        status=status,
        detail=detail,
        version=version("mien"),
        broadcasts=sum(1 for _ in state.broadcasts),
    )


@router.get("/", include_in_schema=False)
async def home(request: Request) -> Response:
    """Show what is live."""
    return _page(request, "index")


@router.get("/live", include_in_schema=False)
async def live(request: Request) -> Response:
    """Show the page to go live on."""
    return _page(request, "live")


@router.get("/watch/{broadcast_id}", include_in_schema=False)
async def watch(request: Request, broadcast_id: str) -> Response:  # noqa: ARG001  # the page's script reads it from the path
    """Show the page to watch on."""
    return _page(request, "watch")


def _page(request: Request, name: str) -> Response:
    folder: Path = request.app.state.web_dir
    home = home_of(request)
    for file in (folder / f"{name}.html", folder / "index.html"):
        if file.is_file():
            # The build leaves paths relative to the page (vite's `base`), which may lie deeper than the build knows.
            text = file.read_text().replace('="./', f'="{home}')
            text = text.replace("<head>", f'<head>\n    <meta name="mien-home" content="{home}">', 1)
            return HTMLResponse(text, headers={"Cache-Control": "no-cache"})
    return HTMLResponse(_NOT_BUILT.replace("{home}", home), HTTPStatus.SERVICE_UNAVAILABLE)
