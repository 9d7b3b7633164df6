"""`mien worker`: one live session in a process of its own. `mien serve` starts it; people have no use for it."""

import faulthandler
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import click
import cv2

from mien.app.factory import VisionFactory
from mien.app.ports import PipelineFactory
from mien.app.profiles import Costs
from mien.cli.measuring import costs_file, measure
from mien.memory import settle
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.runners.worker import run_worker
from mien.telemetry import set_up_logging
from mien.tracing import span

_SWITCH_INTERVAL_S = 0.0005
"""CPython lets a thread keep the interpreter for 5 ms when others want it: many times a treatment's small steps."""


@click.command(hidden=True)
@click.option("--models-dir", type=click.Path(path_type=Path), required=True, help="Where models are cached.")
@click.option("--provider", "providers", multiple=True, default=("cpu",), help="Where networks run, preferred first.")
@click.option("--log-level", default="INFO", help="Least level to log.")
@click.option("--log-form", type=click.Choice(["console", "json"]), default="console", help="For people or machines.")
@click.argument("fd", type=int)
def worker(
    models_dir: Path, providers: tuple[str, ...], log_level: str, log_form: Literal["console", "json"], fd: int
) -> None:
    """Carry one live session, as told over the socket with file descriptor FD."""
    set_up_logging(level=log_level, form=log_form)
    faulthandler.enable()  # a crash in native code then says where
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the web process ends us in good order
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    cv2.setNumThreads(1)  # stages run side by side already; a pool of OpenCV's own costs memory and gains nothing

    def load_models() -> VisionFactory:
        vision = VisionFactory(Runtime(Store(models_dir), providers=providers), span=span)
        vision.warm_up()
        settle()
        return vision

    def calibrate(factory: PipelineFactory, is_wanted: Callable[[], bool]) -> Costs | None:
        costs = measure(factory, providers, is_wanted=is_wanted)
        if costs is not None:
            costs_file(models_dir, providers).write(costs)
        return costs

    run_worker(socket.socket(fileno=fd), load_models, calibrate)
