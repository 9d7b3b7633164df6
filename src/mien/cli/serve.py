"""`mien serve`: the live platform on this machine."""

import sys
from typing import TYPE_CHECKING

import click
import uvicorn

from mien.cli.settings import read_settings
from mien.config import Settings
from mien.server.app import create_app
from mien.storage.consents import JsonLinesConsentLedger
from mien.telemetry import set_up_logging

if TYPE_CHECKING:
    from mien.sessions.ports import PipelineFactory

_GRACEFUL_S = 3
_SWITCH_INTERVAL_S = 0.0005
"""CPython lets a thread keep the interpreter for 5 ms when others want it: many times a treatment's small steps."""


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.  [default: 8000]")
def serve(host: str | None, port: int | None) -> None:
    """Serve the pages, the API, WHIP and WHEP.

    Everything else is set in the environment: MIEN_WHIP_TOKEN, MIEN_LIVE__MAX_BROADCASTS and so on.
    """
    settings = read_settings(host=host, port=port)
    set_up_logging(level=settings.log.level, form=settings.log.form)
    app = create_app(
        settings,
        open_eyes=lambda: _open_eyes(settings),
        consents=JsonLinesConsentLedger(settings.data_dir / "consents.jsonl"),
    )
    click.echo(f"mien on http://{settings.host}:{settings.port}", err=True)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,  # its lines would carry session URLs, which are keys
        timeout_graceful_shutdown=_GRACEFUL_S,
        server_header=False,
    )


def _open_eyes(settings: Settings) -> "PipelineFactory":
    # Here and not above: the networks' runtime takes a second to import, and the first page need not wait.
    import cv2  # noqa: PLC0415

    from mien.registry.runtime import Runtime  # noqa: PLC0415
    from mien.registry.store import Store  # noqa: PLC0415
    from mien.sessions.eyes import EyesMaker  # noqa: PLC0415

    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    cv2.setNumThreads(1)  # stages run side by side already; a pool of OpenCV's own costs memory and gains nothing
    eyes = EyesMaker(Runtime(Store(settings.models_dir)))
    eyes.warm_up()
    return eyes
