"""How worker processes are started: with a socket to the web process, and with nothing else that is secret."""

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
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


def clean_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what a worker needs of an environment. Settings are not in it: some of them are secrets.

    Example:
        >>> clean_environment({"PATH": "/bin", "LC_ALL": "C", "MIEN_WHIP_TOKEN": "secret", "AWS_SECRET_KEY": "secret"})
        {'PATH': '/bin', 'LC_ALL': 'C'}
    """
    return {name: value for name, value in environment.items() if name in _KEPT or name.startswith("LC_")}


async def spawn(
    command: Sequence[str], *, hears: Kinds, **environment: str
) -> tuple[asyncio.subprocess.Process, Channel]:
    """Start a worker; the number of its socket's file descriptor is appended to `command`.

    Args:
        command: Starts the worker.
        hears: What the worker may say.
        environment: What the worker finds in its environment beside what it inherits.

    Raises:
        OSError: It cannot be started.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                env=clean_environment() | environment,
            )
        except BaseException:
            ours.close()
            raise
    return process, await Channel.over(ours, hears=hears)
