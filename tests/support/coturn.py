"""A real coturn, started from the configuration that we ship."""

import base64
import contextlib
import hmac
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "coturn" / "turnserver.conf"
SECRET = "the secret of the tests, shared"  # noqa: S105  # of nothing but tests


@dataclass(frozen=True, slots=True)
class Coturn:
    """A running coturn.

    Attributes:
        host: Where it listens.
        port: For UDP and TCP alike.
        log: What it has to say.
    """

    host: str
    port: int
    log: Path

    def url(self, transport: str) -> str:
        """Return its URL for "udp" or "tcp"."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"turn:{host}:{self.port}?transport={transport}"


def coturn_path() -> str:
    """Return where coturn is.

    Raises:
        RuntimeError: It is not installed.
    """
    path = shutil.which("turnserver")
    if path is None:
        raise RuntimeError("the relay tests need coturn: apt-get install coturn")
    return path


@contextlib.contextmanager
def coturn(folder: Path, *more: str, host: str = "127.0.0.1", allow: str | None = "127.0.0.1") -> Iterator[Coturn]:
    """Run coturn with our configuration on a free port of this machine; stop it by its pid.

    Args:
        folder: Takes its log and its pid file.
        more: Further options.
        host: Where to listen and to relay from.
        allow: The address to relay to in spite of the configuration, that of the media server in the test.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    log = folder / "coturn.log"
    command = [coturn_path(), "-c", str(CONFIGURATION), f"--static-auth-secret={SECRET}"]
    command += [f"--listening-ip={host}", f"--relay-ip={host}", f"--listening-port={port}", "--no-tls", "--no-dtls"]
    command += [f"--pidfile={folder / 'coturn.pid'}", f"--userdb={folder / 'coturn.db'}"]
    command += ["--allow-loopback-peers", f"--allowed-peer-ip={allow}"] if allow else []
    with log.open("wb") as out, subprocess.Popen([*command, *more], stdout=out, stderr=out, cwd=folder) as process:
        try:
            _wait_for(host, port, process)
            yield Coturn(host, port, log)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def password_of(username: str, secret: str = SECRET) -> str:
    """Return what coturn takes for `username`, worked out as its manual says."""
    return base64.b64encode(hmac.new(secret.encode(), username.encode(), "sha1").digest()).decode()


def _wait_for(host: str, port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"coturn ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError("coturn did not listen in time")
