"""`mien photo-worker`: reads the photos of one face in a process of its own. `mien serve` starts it."""

import signal
import socket
from pathlib import Path
from typing import Literal

import click

from mien.runners.photo_worker import PhotoLimits, confine, run_photo_worker
from mien.telemetry import set_up_logging


@click.command(hidden=True)
@click.option("--models-dir", type=click.Path(path_type=Path), required=True, help="Where models are cached.")
@click.option("--max-pixels", type=int, required=True, help="Refuse larger photos.")
@click.option("--memory-bytes", type=int, required=True, help="Of this process, at most.")
@click.option("--cpu-s", type=int, required=True, help="Time of the processor, at most.")
@click.option("--log-level", default="INFO", help="Least level to log.")
@click.option("--log-form", type=click.Choice(["console", "json"]), default="console", help="For people or machines.")
@click.argument("fd", type=int)
def photo_worker(
    models_dir: Path,
    max_pixels: int,
    memory_bytes: int,
    cpu_s: int,
    log_level: str,
    log_form: Literal["console", "json"],
    fd: int,
) -> None:
    """Read the photos that come over the socket with file descriptor FD."""
    confine(PhotoLimits(memory_bytes, cpu_s))
    set_up_logging(level=log_level, form=log_form)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the web process ends us

    # Here and not above: loading these takes memory too, and counts.
    import cv2  # noqa: PLC0415
    from PIL import AvifImagePlugin  # noqa: PLC0415

    from mien.app.factory import VisionFactory  # noqa: PLC0415
    from mien.registry.runtime import Runtime  # noqa: PLC0415
    from mien.registry.store import Store  # noqa: PLC0415

    cv2.setNumThreads(1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each thread of its decoder takes pictures of its own
    run_photo_worker(
        socket.socket(fileno=fd), lambda: VisionFactory(Runtime(Store(models_dir)), photo_pixels=max_pixels)
    )
