"""How worker processes are started: with a socket to the web process, and with nothing else that is secret."""

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Final

from mien.runners.channel import Channel, Kinds

_KEPT: Final = frozenset(
    {
        # To find programs, libraries and modules.
        *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONWARNINGS", "PYTHONHASHSEED"),
        # To find folders, words and clocks.
        *("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "LANG", "LANGUAGE", "TZ"),
        # To bound memory and threads, and to trust certificates of the operator's own when pushing elsewhere.
        *("MALLOC_ARENA_MAX", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        "ORT_DISABLE_TELEMETRY",
    }
)
_LOOK_EVERY_S: Final = 0.02


def clean_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what a worker needs of an environment. Settings are not in it: some of them are secrets.

    Example:
        >>> clean_environment({"PATH": "/bin", "LC_ALL": "C", "MIEN_WHIP_TOKEN": "secret", "AWS_SECRET_KEY": "secret"})
        {'PATH': '/bin', 'LC_ALL': 'C'}
    """
    return {name: value for name, value in environment.items() if name in _KEPT or name.startswith("LC_")}


class Child:
    """A process that was started, as the event loop sees it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        self._process.kill()

    def end(self) -> None:
        """End it at once, and wait until it has."""
        self._process.kill()
        self._process.wait()

    async def wait(self) -> int:
        """Return the exit code once it has ended; negative, the signal that ended it.

        Somebody waits only where the line to a process is closed, and then it ends soon.
        """
        while (code := self._process.poll()) is None:  # noqa: ASYNC110  # no event is had without a thread or a signal
            await asyncio.sleep(_LOOK_EVERY_S)
        return code


@contextlib.contextmanager
def starting_thread() -> Iterator[Executor]:
    """Keep a thread from which processes are started.

    A process has the priority of the thread that starts it, and none may raise its own. So this thread is made first,
    and the event loop then gives way to whatever this one starts.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="mien-starter") as starter:
        starter.submit(int).result()  # the thread is made here, not with the first process
        yield starter


async def spawn(
    command: Sequence[str], *, hears: Kinds, starter: Executor | None = None, **environment: str
) -> tuple[Child, Channel]:
    """Start a worker; the number of its socket's file descriptor is appended to `command`.

    Args:
        command: Starts the worker.
        hears: What the worker may say.
        starter: Has the priority that the worker gets; by default, this thread's.
        environment: What the worker finds in its environment beside what it inherits.

    Raises:
        OSError: It cannot be started.
    """
    ours, theirs = socket.socketpair()
    arguments, found = [*command, str(theirs.fileno())], clean_environment() | environment

    def start() -> Child:
        with theirs:
            # The command is the caller's own.
            return Child(subprocess.Popen(arguments, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=found))

    try:
        process = start() if starter is None else await _on(starter, start, otherwise=theirs.close)
    except BaseException:
        ours.close()
        raise
    return process, await Channel.over(ours, hears=hears)


async def _on(starter: Executor, start: Callable[[], Child], *, otherwise: Callable[[], None]) -> Child:
    """Return what `start` returns on the thread of `starter`; where it is not begun, call `otherwise`."""
    started = starter.submit(start)
    try:
        return await asyncio.wrap_future(started)
    except asyncio.CancelledError:
        if started.cancelled():
            otherwise()
        else:
            starter.submit(_end, started)  # it is being started, and nobody wants it
        raise


def _end(started: Future[Child]) -> None:
    if started.exception() is None:
        started.result().end()
