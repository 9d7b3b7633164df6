"""The ASGI application, put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.formparsers import MultiPartParser
from starlette.types import Scope

from mien.app.access import Action
from mien.app.face_photos import MAX_PHOTOS_OF_A_PERSONA
from mien.app.ports import PipelineFactory
from mien.app.repositories import ConsentLedger
from mien.config import LOOPBACK_NAMES, LiveSettings, Settings
from mien.media.webrtc.aiortc_internals import gather_within
from mien.media.webrtc.ice.network import IceNetworkSettings
from mien.media.webrtc.sdp.parse import MAX_SDP_BYTES
from mien.rate_limit import WorkBudgets
from mien.server import problems
from mien.server.connections import ConnectionGuard, ConnectionLimits, GuardedConnection
from mien.server.dependencies import Services, is_known
from mien.server.documented import ANYWHERE, answers, serve_document, with_problems_of
from mien.server.guards import GuardedRoute, requires
from mien.server.middleware import AnswerHeaders, BodyBounds, BodyLimit
from mien.server.origins import KnownHosts, SameOrigin, is_below, route_path
from mien.server.paths import Paths
from mien.server.proxies import Proxies
from mien.server.routes import broadcasts, events, frames, metrics, pages, personas, recordings, whep, whip
from mien.server.services import RunnerOpener, open_services
from mien.server.signalling import CORS
from mien.server.sockets import GuardedSocket, MessageBounds
from mien.server.work import WorkLimit

_OPERATORS: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_OF_SOMETHING: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
_SIGNALLING: Final = (
    *_OPERATORS,
    *_OF_SOMETHING,
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.CONFLICT,
    HTTPStatus.PRECONDITION_FAILED,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.PRECONDITION_REQUIRED,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_ROUTERS: Final = (
    (whip.router, _SIGNALLING),
    (whep.router, (*_SIGNALLING, HTTPStatus.TOO_MANY_REQUESTS)),
    (
        broadcasts.router,
        (
            *_OPERATORS,
            *_OF_SOMETHING,
            HTTPStatus.CONFLICT,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.SERVICE_UNAVAILABLE,
        ),
    ),
    (events.router, ()),
    (frames.router, ()),
    (recordings.router, (*_OPERATORS, *_OF_SOMETHING)),
    (personas.router, (*_OPERATORS, *_OF_SOMETHING, HTTPStatus.SERVICE_UNAVAILABLE)),
    (metrics.router, _OPERATORS),
    (pages.router, (HTTPStatus.SERVICE_UNAVAILABLE,)),
)
"""Every part of the API, and with which statuses its routes may refuse."""

WEB_DIR: Final = Path(__file__).parent / "web"

_FORM_OVERHEAD: Final = 64 * 1024
_MAX_JSON_BYTES: Final = 16 * 1024
_WS_OVERHEAD_BYTES: Final = 1024
_SLOWEST_UPLOAD: Final = 256 * 1024
"""Bytes a second that photos come with at least."""
_SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob: mediastream:; "
        "style-src 'self' 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(self)",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_OWN_PAGES_ONLY: Final = {"Cross-Origin-Resource-Policy": "same-origin"}
_OVER_TLS: Final = {"Strict-Transport-Security": "max-age=31536000"}
"""A year (RFC 6797); said only to who came that way, or a machine without TLS could not be reached any more."""


def create_app(
    settings: Settings,
    *,
    load_models: Callable[[], PipelineFactory],
    open_runner: RunnerOpener,
    consents: ConsentLedger,
    web_dir: Path = WEB_DIR,
) -> FastAPI:
    """Put the server together.

    Args:
        settings: Everything that can be set.
        load_models: Returns the pipeline factory that reads reference photos; called on a thread, when first needed.
        open_runner: Opens what runs live sessions.
        consents: Keeps declarations.
        web_dir: Where npm built the pages.
    """
    gather_within(ice_network_of(settings.live))
    _keep_photos_in_memory(settings)
    open_parts = partial(
        open_services,
        settings,
        load_models=load_models,
        open_runner=open_runner,
        consents=consents,
        web_dir=web_dir,
    )
    app = _documented_app(settings, open_parts)
    problems.install(app)
    app.add_exception_handler(HTTPStatus.NOT_FOUND, pages.on_unknown_path)
    _add_routes(app, web_dir)
    _add_middleware(app, settings)
    return app


def _documented_app(settings: Settings, open_parts: Callable[[], AbstractAsyncContextManager[Services]]) -> FastAPI:
    """Return an application without routes that has its parts while it runs, and its OpenAPI document."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Services]]:
        async with open_parts() as services:
            yield {"services": services}  # where `dependencies.services_of` finds them

    app = FastAPI(
        title="mien",
        version=version("mien"),
        description="A self-hosted, consent-first live face platform.",
        lifespan=lifespan,
        openapi_url=None,  # served by `serve_document`; FastAPI's page of it fetches scripts from elsewhere
        responses=answers(*ANYWHERE),
        redirect_slashes=False,  # clients drop the body or the token when they follow; `Paths` takes both forms
        servers=[{"url": settings.root_path}] if settings.root_path else None,
    )
    app.router.route_class = GuardedRoute
    app.openapi = with_problems_of(app.openapi)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    return app


def _add_routes(app: FastAPI, web_dir: Path) -> None:
    serve_document(app)
    for router, refusals in _ROUTERS:
        app.include_router(router, responses=answers(*refusals))
    if (web_dir / "assets").is_dir():
        assets = requires(Action.READ_PAGES)(StaticFiles(directory=web_dir / "assets"))
        app.mount("/assets", assets, name="assets")


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Put what holds for every request around `app`, the innermost first."""
    app.add_middleware(BodyLimit, bounds_of=lambda path: _body_bounds(path, settings))
    own = (*LOOPBACK_NAMES, settings.host) if settings.is_local else ("*",)
    app.add_middleware(KnownHosts, hosts=settings.allowed_hosts or own)
    app.add_middleware(SameOrigin, needs_token=settings.whip_token is not None)
    budgets = WorkBudgets(rate=settings.http.work_share_per_address, burst=settings.http.work_s_per_address)
    app.add_middleware(WorkLimit, budgets=budgets, is_free=is_known)
    app.add_middleware(AnswerHeaders, headers_of=_headers)
    app.add_middleware(Proxies, trusted=settings.trusted_proxies)
    # The outermost: everybody else sees the paths that we know.
    app.add_middleware(Paths, root_path=settings.root_path, trusts_header=settings.believes_forwarded_prefix)


def _keep_photos_in_memory(settings: Settings) -> None:
    """Let Starlette spool no photo to the disk, as it does above a size: they are promised to stay in memory."""
    MultiPartParser.spool_max_size = max(
        MultiPartParser.spool_max_size, _body_bounds("/api/references", settings).max_bytes + 1
    )


def connections(settings: Settings) -> dict[str, Any]:
    """Return uvicorn's settings for connections with the deadlines and bounds that are set."""
    http = settings.http
    guard = ConnectionGuard(
        ConnectionLimits(
            http.head_timeout_s, http.max_connections_per_address, http.max_waiting_per_address, http.write_pause_s
        )
    )
    bounds_of = partial(_message_bounds, settings=settings)
    return {
        "http": partial(GuardedConnection, guard=guard),
        "ws": partial(GuardedSocket, bounds_of=bounds_of, write_pause_s=http.write_pause_s),
        "ws_per_message_deflate": False,  # pictures are compressed, and a stranger's kilobyte could be a megabyte here
    }


def _headers(scope: Scope) -> dict[str, str]:
    is_signalling = any(is_below(route_path(scope), top) for top in ("/whip", "/whep"))
    headers = _SECURITY_HEADERS | (CORS if is_signalling else _OWN_PAGES_ONLY)
    return headers | _OVER_TLS if scope["scheme"] == "https" else headers


def _body_bounds(path: str, settings: Settings) -> BodyBounds:
    http = settings.http
    if path == "/api/references":
        size = MAX_PHOTOS_OF_A_PERSONA * settings.references.max_bytes + _FORM_OVERHEAD
        return BodyBounds(size, http.body_timeout_s + size / _SLOWEST_UPLOAD, http.body_pause_s)
    is_sdp = is_below(path, "/whip") or is_below(path, "/whep")
    return BodyBounds(MAX_SDP_BYTES if is_sdp else _MAX_JSON_BYTES, http.body_timeout_s, http.body_pause_s)


def _message_bounds(path: str, settings: Settings) -> MessageBounds:
    takes_frames = path.rstrip("/").endswith(frames.PATH)  # below whatever prefix
    largest = settings.frames.max_bytes + _WS_OVERHEAD_BYTES if takes_frames else _MAX_JSON_BYTES
    return MessageBounds(_MAX_JSON_BYTES, max(largest, _MAX_JSON_BYTES))


def ice_network_of(live: LiveSettings) -> IceNetworkSettings:
    """Return where media can be reached by these settings."""
    first, _, last = (live.udp_ports or "").partition("-")
    ports = range(int(first), int(last) + 1) if last else None
    return IceNetworkSettings(
        bind_to=live.bind_to,
        public_addresses=live.public_addresses,
        udp_ports=ports,
        peer_networks=live.peer_networks,
    )
