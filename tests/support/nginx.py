"""A real nginx with the very configuration that the guide shows."""

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "reach.md"
_SHOWN = re.compile(r"```nginx\n(location .*?)```", re.DOTALL)
_SERVER_OF_THE_GUIDE = "http://127.0.0.1:8000/"
_AROUND = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 128; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


def location_of_the_guide() -> str:
    """Return the guide's block for a server below a path."""
    (shown,) = _SHOWN.findall(GUIDE.read_text(encoding="utf-8"))
    assert _SERVER_OF_THE_GUIDE in shown
    return str(shown)


@contextlib.contextmanager
def nginx(folder: Path, server: str) -> Iterator[str]:
    """Run nginx before `server`, its address without a path; yield its own address. Stop it by its pid."""
    path = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if path is None:
        raise RuntimeError("the proxy tests need nginx: apt-get install nginx-light")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    location = location_of_the_guide().replace(_SERVER_OF_THE_GUIDE, f"{server}/")
    configuration = folder / "nginx.conf"
    configuration.write_text(_AROUND.format(folder=folder, port=port, location=location), encoding="utf-8")
    command = [path, "-c", str(configuration), "-p", str(folder), "-e", str(folder / "error.log")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"nginx ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError("nginx did not listen in time")
