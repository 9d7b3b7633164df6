"""A worker process whose pipelines need no models: `python -m support.worker FD`."""

import contextlib
import os
import socket
import sys
from pathlib import Path

from mien.errors import FetchError
from mien.runners.worker import run_worker
from mien.telemetry import set_up_logging
from support.pipelines import SmallFactory

_RUN = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('support.worker', run_name='__main__')"
COMMAND = [sys.executable, "-c", _RUN, str(Path(__file__).parents[1])]
"""Starts one; the file descriptor comes last."""


def children_of(pid: int) -> list[int]:
    """Return the processes that any thread of a process has started, and that live."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def worker_pids(module: str = "support.worker") -> set[int]:
    """Return the processes that this process has started, that run `module`, and that live."""
    pids = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and module in (entry / "cmdline").read_text():
                pids.add(int(entry.name))
    return pids


def load_models() -> SmallFactory:
    if os.environ.get("MIEN_TEST_NO_MODELS"):
        raise FetchError("run mien models pull")
    return SmallFactory()


if __name__ == "__main__":
    set_up_logging(form="json")
    run_worker(socket.socket(fileno=int(sys.argv[-1])), load_models)
