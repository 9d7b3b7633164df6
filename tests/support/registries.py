"""Real servers on loopback that real clients (pip, npm, httpx) fetch from, and that can misbehave."""

import base64
import hashlib
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each path as told and counts how often it was asked."""

    server: "Server"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        answer = self.server.answers.get(self.path)
        if answer is None:
            self.send_error(404)
        else:
            answer(self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """A server whose answers are set while it runs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.scheme = "http"

    def url(self, path: str) -> str:
        """Return the full address of a path."""
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that hang up are part of the tests."""

    def give(self, path: str, data: bytes, *, kind: str = "application/octet-stream") -> None:
        """Answer `path` with `data`."""
        self.answers[path] = lambda handler: send(handler, data, kind=kind)


def send(handler: Handler, data: bytes, *, kind: str = "application/octet-stream", promise: int | None = None) -> None:
    """Answer with `data`; `promise` more and the stream breaks off."""
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(data) if promise is None else promise))
    handler.end_headers()
    handler.wfile.write(data)


@contextmanager
def serving(*, certificate: Path | None = None) -> Iterator[Server]:
    """Run a server, with TLS if a certificate is given."""
    with Server() as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            server.scheme = "https"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def write_certificate(path: Path) -> None:
    """Write a key and a certificate for 127.0.0.1, signed by itself, as one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))


def offer_to_pip(server: Server, package: Path) -> None:
    """List a wheel or sdist in a simple index at `/simple/`."""
    name = package.name.partition("-")[0]
    page = f'<!DOCTYPE html><a href="/files/{package.name}">{package.name}</a>'
    server.give(f"/simple/{name}/", page.encode(), kind="text/html")
    server.give(f"/files/{package.name}", package.read_bytes())


def offer_to_npm(server: Server, package: Path) -> None:
    """List a tarball in an npm registry at `/`."""
    data = package.read_bytes()
    name = package.name.partition("-")[0]
    dist = {
        "tarball": server.url(f"/files/{package.name}"),
        "integrity": "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode(),
    }
    versions = {"1.0.0": {"name": name, "version": "1.0.0", "dist": dist}}
    document = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": versions}
    server.give(f"/{name}", json.dumps(document).encode(), kind="application/json")
    server.give(f"/files/{package.name}", data)
