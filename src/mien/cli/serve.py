"""`mien serve`: the live platform on this machine."""

import contextlib
import ctypes
import math
import os
import sys
from collections.abc import Sequence

import click
import structlog
import uvicorn

from mien.app.ports import PipelineFactory
from mien.app.profiles import Means
from mien.app.states import LiveLimits
from mien.cli.installation import how_to_compile
from mien.cli.listening import cautions, open_listeners, url_of
from mien.cli.measuring import costs_file
from mien.cli.settings import check_data_folder, read_settings
from mien.config import Settings
from mien.media.webrtc.peer import IceServer
from mien.native import kernels
from mien.processor import cores
from mien.runners import PhotoWorkerPool, ProcessRunner
from mien.server.app import connections, create_app, ice_network_of
from mien.storage.consents import JsonLinesConsentLedger
from mien.telemetry import set_up_logging

log = structlog.get_logger()

_GRACEFUL_S = 3
_PR_SET_DUMPABLE = 4  # linux/prctl.h
_NOT_STARTED = 3
"""As uvicorn's own command does."""


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.  [default: 8000]")
@click.option("--root-path", help="Path below which a proxy serves mien, as in /mien.")
def serve(host: str | None, port: int | None, root_path: str | None) -> None:
    """Serve the pages, the API, WHIP and WHEP.

    Everything else is set in the environment: MIEN_WHIP_TOKEN, MIEN_LIVE__MAX_BROADCASTS and so on.
    """
    settings = read_settings(host=host, port=port, root_path=root_path)
    # First of all: nothing else may be said if these fail.
    check_data_folder(settings.data_dir)
    listeners = open_listeners(settings.host, settings.port)
    _keep_to_ourselves()
    set_up_logging(level=settings.log.level, form=settings.log.form)
    _say_what_is_slow()
    app = create_app(
        settings,
        load_models=lambda: _load_models(settings),
        open_runner=lambda limits, ice_servers: _open_runner(settings, limits, ice_servers),
        consents=JsonLinesConsentLedger(settings.data_dir / "consents.jsonl"),
    )
    click.echo(f"mien on {url_of(settings.host, listeners[0].getsockname()[1])}", err=True)
    for caution in cautions(settings):
        click.echo(f"caution: {caution.detail}; {caution.mend}", err=True)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # its lines would carry session URLs, which are keys
        timeout_graceful_shutdown=_GRACEFUL_S,
        server_header=False,
        proxy_headers=False,  # the app looks at them itself, see `server.proxies`
        **connections(settings),
    )
    server = uvicorn.Server(config)
    with contextlib.suppress(KeyboardInterrupt):  # raised once more after everything has been closed in good order
        server.run(sockets=listeners)
    if not server.started:
        sys.exit(_NOT_STARTED)


def _say_what_is_slow() -> None:
    if kernels is None and os.environ.get("MIEN_NATIVE") != "0":  # which wants none
        log.info("kernels_missing", helps=how_to_compile())


def _keep_to_ourselves() -> None:
    """Let other people of this machine read nothing that we write, and our workers nothing that we know.

    Workers run as the same user as this process, and what strangers send is decoded in them. Without this they could
    read its environment, tokens included, under `/proc`, and its memory.
    """
    os.umask(0o077)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _open_runner(settings: Settings, limits: LiveLimits, ice_servers: Sequence[IceServer]) -> ProcessRunner:
    command = [sys.executable, "-m", "mien", "worker", "--models-dir", str(settings.models_dir)]
    for provider in settings.inference.providers:
        command += ["--provider", provider]
    command += ["--log-level", settings.log.level, "--log-form", settings.log.form]
    return ProcessRunner(
        command,
        limits=limits,
        ice_servers=ice_servers,
        ice_network=ice_network_of(settings.live),
        spares=settings.live.spare_workers,
        photos=photo_worker_pool(settings),
        means=Means(costs_file(settings.models_dir, settings.inference.providers).read(), cores()),
        steps_back=True,
    )


def photo_worker_pool(settings: Settings) -> PhotoWorkerPool:
    """Return what has photos read by these settings."""
    references = settings.references
    command = [sys.executable, "-m", "mien", "photo-worker", "--models-dir", str(settings.models_dir)]
    command += ["--max-pixels", str(references.max_pixels), "--memory-bytes", str(references.max_memory_bytes)]
    command += ["--cpu-s", str(math.ceil(references.timeout_s))]
    command += ["--log-level", settings.log.level, "--log-form", settings.log.form]
    return PhotoWorkerPool(
        command,
        max_pixels=references.max_pixels,
        timeout_s=references.timeout_s,
        at_once=references.readers,
        waiting=references.waiting,
    )


def _load_models(settings: Settings) -> PipelineFactory:
    # Here and not above: the networks' runtime takes a second to import, and the first page need not wait.
    import cv2  # noqa: PLC0415

    from mien.app.factory import VisionFactory  # noqa: PLC0415
    from mien.registry.runtime import Runtime  # noqa: PLC0415
    from mien.registry.store import Store  # noqa: PLC0415

    cv2.setNumThreads(1)  # photos and previews are rare here; a pool of OpenCV's own costs memory
    return VisionFactory(Runtime(Store(settings.models_dir), providers=settings.inference.providers))
