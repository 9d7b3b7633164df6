"""GStreamer's webrtcbin as a client: a process of the system's Python, which has its bindings."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).with_name("gst_peer.py")
_PYTHON = "/usr/bin/python3"
_PROBE = "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst; Gst.init(None); " + "; ".join(
    f"assert Gst.ElementFactory.find('{element}')"
    for element in ("webrtcbin", "nicesrc", "vp8enc", "x264enc", "opusenc")
)


class GstPeer:
    """A running webrtcbin.

    Attributes:
        told: Every line that it printed.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.told: list[dict[str, Any]] = []
        self._process = process
        self._changed = asyncio.Condition()

    def of(self, kind: str) -> list[Any]:
        """Return what it told under the name `kind`."""
        return [line[kind] for line in self.told if kind in line]

    async def until(self, true: Callable[["GstPeer"], bool], *, timeout_s: float = 40.0) -> None:
        """Wait until `true` holds; it is asked after every line.

        Raises:
            AssertionError: The offer was refused, or the process ended.
        """
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: true(self) or self._is_over())
            assert true(self), self.told[-3:]

    def _is_over(self) -> bool:
        return self._process.returncode is not None or bool(self.of("refused"))

    async def read(self) -> None:
        """Take lines until the process ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            async with self._changed:
                self.told.append(json.loads(line))
                self._changed.notify_all()
        await self._process.wait()
        async with self._changed:
            self._changed.notify_all()

    async def end(self) -> int:
        """Let it delete its session and end; return its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(30):
            return await self._process.wait()


def check_installed() -> None:
    """Raise where GStreamer or its Python bindings are missing.

    Raises:
        RuntimeError: With what to install.
    """
    if subprocess.run([_PYTHON, "-c", _PROBE], check=False, capture_output=True).returncode:  # our own text
        raise RuntimeError(
            "these tests need GStreamer: apt-get install python3-gi gir1.2-gst-plugins-bad-1.0 gstreamer1.0-nice "
            "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly"
        )


@contextlib.asynccontextmanager
async def gst_peer(*arguments: str) -> AsyncIterator[GstPeer]:
    """Run `gst_peer.py` with `arguments` while the block runs."""
    process = await asyncio.create_subprocess_exec(
        *(_PYTHON, str(_SCRIPT), *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    peer = GstPeer(process)
    reader = asyncio.create_task(peer.read())
    try:
        yield peer
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await reader
