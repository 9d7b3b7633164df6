"""The parts of a running server, opened in the order in which they depend on each other and closed the other way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from mien.app.access import Server
from mien.app.broadcasts.broadcasts import Broadcasts
from mien.app.frames.exchanges import Exchanges
from mien.app.personas.store import PersonaStore
from mien.app.ports import PipelineFactory, Runner
from mien.app.repositories import ConsentLedger
from mien.app.states import LiveLimits
from mien.config import Settings
from mien.media.address_policy import Targets
from mien.media.codecs.devices import CodecDevice
from mien.media.codecs.encoded import VideoCodec
from mien.media.recording.recorder import RecordingLimits
from mien.media.webrtc.peer import IceServer
from mien.memory import hand_back_regularly
from mien.rate_limit import TokenBuckets
from mien.server.concurrency_limit import ConcurrencyLimit
from mien.server.dependencies import Services
from mien.server.late_models import LateModels
from mien.server.listeners import Listeners
from mien.server.routes.metrics import registry_of
from mien.server.signalling import configured_ice_servers
from mien.server.web_pages import WebPages
from mien.storage.recordings import RecordingFolder

RunnerOpener: TypeAlias = Callable[[LiveLimits, Sequence[IceServer]], AbstractAsyncContextManager[Runner]]
"""Opens the runner of live sessions that have these limits and ICE servers."""


@asynccontextmanager
async def open_services(
    settings: Settings,
    *,
    load_models: Callable[[], PipelineFactory],
    open_runner: RunnerOpener,
    consents: ConsentLedger,
    web_dir: Path,
) -> AsyncIterator[Services]:
    """Open all that routes work with; leaving ends every broadcast. Arguments as of `create_app`."""
    personas = PersonaStore(
        consents,
        max_count=settings.references.max_count,
        max_bytes=settings.references.max_bytes,
        ttl_s=settings.references.ttl_s,
    )
    async with (
        _running(personas.watch_over()),
        _running(hand_back_regularly()),
        open_runner(limits_of(settings), configured_ice_servers(settings)) as runner,
        _broadcasts(settings, runner, personas) as broadcasts,
    ):
        yield Services(
            settings=settings,
            server=Server(has_token=settings.whip_token is not None),
            runner=runner,
            broadcasts=broadcasts,
            personas=personas,
            recordings=RecordingFolder(settings.recordings_dir),
            models=LateModels(load_models),
            exchanges=Exchanges(settings.frames.max_sessions),
            listeners=Listeners(),
            pages=WebPages(web_dir),
            metrics=registry_of(broadcasts),
            uploads=_uploads(settings),
            viewer_offers=_viewer_offers(settings),
            introductions=TokenBuckets(rate=2.0, burst=20.0),  # credentials that nobody may ever use
        )


def _broadcasts(settings: Settings, runner: Runner, personas: PersonaStore) -> Broadcasts:
    return Broadcasts(
        runner,
        personas,
        max_broadcasts=settings.live.max_broadcasts,
        idle_timeout_s=settings.live.idle_timeout_s,
        ephemeral_idle_timeout_s=settings.live.viewer_grace_s,
    )


def _uploads(settings: Settings) -> ConcurrencyLimit:
    return ConcurrencyLimit(
        settings.references.readers + settings.references.waiting,
        full="other photos are being read; try again in a moment",
    )


def _viewer_offers(settings: Settings) -> TokenBuckets:
    return TokenBuckets(rate=settings.http.offers_per_s_per_address, burst=settings.http.max_offers_per_address)


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


def limits_of(settings: Settings) -> LiveLimits:
    """Return the limits of live sessions by these settings."""
    live = settings.live
    return LiveLimits(
        slate_after_s=live.slate_after_s,
        hang_after_s=live.hang_after_s,
        publisher_timeout_s=live.publisher_timeout_s,
        viewer_grace_s=live.viewer_grace_s,
        max_viewers=live.max_viewers,
        max_pixels=live.max_pixels,
        profile=live.profile,
        shed_load=live.shed_load,
        start_kbps=live.start_kbps,
        max_kbps=live.max_kbps,
        codecs=tuple(map(VideoCodec, live.codecs)),
        codec_devices=tuple(map(CodecDevice, live.codec_devices)),
        recordings_dir=settings.recordings_dir,
        recording=RecordingLimits(max_bytes=settings.recordings.max_bytes, max_s=settings.recordings.max_s),
        push_targets=Targets(live.push_networks),
    )
