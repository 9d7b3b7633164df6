"""The ASGI application: parts put together, in the order in which they close."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeAlias

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.formparsers import MultiPartParser
from starlette.types import Scope

from mien.app.broadcasts.broadcasts import Broadcasts
from mien.app.face_photos import MAX_PHOTOS_OF_A_PERSONA
from mien.app.personas.store import PersonaStore
from mien.app.ports import ConsentLedger, PipelineFactory, Runner
from mien.app.states import LiveLimits
from mien.config import LOOPBACK_NAMES, LiveSettings, Settings
from mien.media.address_policy import Targets
from mien.media.codecs.encoded import VideoCodec
from mien.media.recording.recorder import RecordingLimits
from mien.media.webrtc.aiortc_internals import gather_within
from mien.media.webrtc.ice.network import IceNetworkSettings
from mien.media.webrtc.peer import IceServer
from mien.media.webrtc.sdp.parse import MAX_SDP_BYTES
from mien.memory import hand_back_regularly
from mien.rate_limit import TokenBuckets, WorkBudgets
from mien.server import problems
from mien.server.auth import is_known
from mien.server.connections import ConnectionGuard, ConnectionLimits, GuardedConnection
from mien.server.documented import ANYWHERE, answers, serve_document, with_problems_of
from mien.server.late_models import LateModels
from mien.server.middleware import AnswerHeaders, BodyBounds, BodyLimit
from mien.server.origins import KnownHosts, SameOrigin, is_below, route_path
from mien.server.paths import Paths
from mien.server.places import Places
from mien.server.proxies import Proxies
from mien.server.routes import broadcasts, events, frames, metrics, pages, personas, recordings, whep, whip
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
RunnerOpener: TypeAlias = Callable[[LiveLimits, Sequence[IceServer]], AbstractAsyncContextManager[Runner]]
"""Opens the runner of live sessions that have these limits and ICE servers."""

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
    references = PersonaStore(
        consents,
        max_count=settings.references.max_count,
        max_bytes=settings.references.max_bytes,
        ttl_s=settings.references.ttl_s,
    )
    late_models = LateModels(load_models)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            _running(references.watch_over()),
            _running(hand_back_regularly()),
            open_runner(_limits(settings), _ice_servers(settings)) as app.state.runner,
            Broadcasts(
                app.state.runner,
                references,
                max_broadcasts=settings.live.max_broadcasts,
                idle_timeout_s=settings.live.idle_timeout_s,
                ephemeral_idle_timeout_s=settings.live.viewer_grace_s,
            ) as app.state.broadcasts,
        ):
            app.state.metrics = metrics.registry_of(app.state.broadcasts)
            yield

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
    app.openapi = with_problems_of(app.openapi)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    serve_document(app)
    app.state.settings = settings
    app.state.references = references
    app.state.late_models = late_models
    app.state.introductions = TokenBuckets(rate=2.0, burst=20.0)  # credentials that nobody may ever use
    app.state.viewer_offers = TokenBuckets(
        rate=settings.http.offers_per_s_per_address, burst=settings.http.max_offers_per_address
    )
    app.state.web_dir = web_dir
    app.state.listeners = events.Listeners()
    app.state.frame_sessions = set()
    app.state.uploads = Places(
        settings.references.readers + settings.references.waiting,
        full="other photos are being read; try again in a moment",
    )
    # Photos are promised to stay in memory; above this size Starlette would write them to the disk.
    MultiPartParser.spool_max_size = max(
        MultiPartParser.spool_max_size, _body_bounds("/api/references", settings).max_bytes + 1
    )
    problems.install(app)
    for router, refusals in _ROUTERS:
        app.include_router(router, responses=answers(*refusals))
    if (web_dir / "assets").is_dir():
        app.mount("/assets", StaticFiles(directory=web_dir / "assets"), name="assets")
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
    return app


@asynccontextmanager
async def _running(what: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let something run beside the body and end with it."""
    task = asyncio.create_task(what)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


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
    takes_pictures = path.rstrip("/").endswith(frames.PATH)  # below whatever prefix
    largest = settings.frames.max_bytes + _WS_OVERHEAD_BYTES if takes_pictures else _MAX_JSON_BYTES
    return MessageBounds(_MAX_JSON_BYTES, max(largest, _MAX_JSON_BYTES))


def _ice_servers(settings: Settings) -> list[IceServer]:
    return [
        IceServer(
            server.url,
            server.username,
            server.credential.get_secret_value() if server.credential else None,
        )
        for server in settings.ice_servers
    ]


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


def _limits(settings: Settings) -> LiveLimits:
    live = settings.live
    return LiveLimits(
        slate_after_s=live.slate_after_s,
        hang_after_s=live.hang_after_s,
        publisher_timeout_s=live.publisher_timeout_s,
        viewer_grace_s=live.viewer_grace_s,
        max_viewers=live.max_viewers,
        max_pixels=live.max_pixels,
        shed_load=live.shed_load,
        start_kbps=live.start_kbps,
        max_kbps=live.max_kbps,
        codecs=tuple(map(VideoCodec, live.codecs)),
        recordings_dir=settings.recordings_dir,
        recording=RecordingLimits(max_bytes=settings.recordings.max_bytes, max_s=settings.recordings.max_s),
        push_targets=Targets(live.push_networks),
    )
