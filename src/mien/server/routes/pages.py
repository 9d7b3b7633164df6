"""The pages, built by npm beforehand, and `/api/health`."""

from http import HTTPStatus
from importlib.metadata import version
from typing import Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from mien.app.access import Action
from mien.app.profiles import LADDER, USUAL_LONG_SIDE, ProfileName, Reason, Wanted, beginning
from mien.server.dependencies import BroadcastsDep, PagesDep, RunnerDep, SettingsDep, services_of
from mien.server.guards import GuardedRoute, requires
from mien.server.origins import is_below, route_path
from mien.server.paths import home_of
from mien.server.problems import on_framework_error
from mien.server.web_pages import WebPages

router = APIRouter(route_class=GuardedRoute)

_OF_PROGRAMS: Final = ("/api", "/assets", "/metrics", "/whep", "/whip", "/ws")
"""What lies below these is asked for by programs, whatever they accept."""
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
    profile: ProfileName = Field(
        description="With which profile a further broadcast of 1280x720 and a swap would begin; see a broadcast's "
        "`profile.name`."
    )
    profile_reason: Reason = Field(description="Why that one: `set`, `measured` or `unmeasured`.")


@router.get("/api/health", tags=["health"])
@requires(Action.READ_HEALTH)
async def health(runner: RunnerDep, broadcasts: BroadcastsDep, settings: SettingsDep) -> HealthOut:
    """Say whether the server can do its work."""
    status, detail = runner.health
    step, reason = beginning(settings.live.profile, runner.means, Wanted(USUAL_LONG_SIDE, swaps=True))
    return HealthOut(
        status=status,
        detail=detail,
        version=version("mien"),
        broadcasts=sum(1 for _ in broadcasts),
        profile=LADDER[step].name,
        profile_reason=reason,
    )


@router.get("/", include_in_schema=False)
@requires(Action.READ_PAGES)
async def home(request: Request, pages: PagesDep) -> Response:
    """Show what is live."""
    return _page(request, pages, "index")


@router.get("/live", include_in_schema=False)
@requires(Action.READ_PAGES)
async def live(request: Request, pages: PagesDep) -> Response:
    """Show the page to go live on."""
    return _page(request, pages, "live")


@router.get("/watch/{broadcast_id}", include_in_schema=False)
@requires(Action.READ_PAGES)
async def watch(request: Request, pages: PagesDep, broadcast_id: str) -> Response:  # noqa: ARG001  # the page's script reads it from the path
    """Show the page to watch on."""
    return _page(request, pages, "watch")


async def on_unknown_path(request: Request, error: Exception) -> Response:
    """Answer a path that is none: with a page where a browser wants one, else as a problem."""
    wants_page = request.method in {"GET", "HEAD"} and "text/html" in request.headers.get("accept", "")
    if not wants_page or any(is_below(route_path(request.scope), top) for top in _OF_PROGRAMS):
        return await on_framework_error(request, error)
    return _page(request, services_of(request).pages, "not-found", HTTPStatus.NOT_FOUND)


def _page(request: Request, pages: WebPages, name: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    home = home_of(request)
    page = pages.read(name, home=home)
    if page is None:
        return HTMLResponse(_NOT_BUILT.replace("{home}", home), HTTPStatus.SERVICE_UNAVAILABLE)
    return HTMLResponse(page, status, headers={"Cache-Control": "no-cache"})
