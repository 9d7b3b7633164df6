"""A reverse proxy that serves a server below a path prefix, and strips the prefix or passes it on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

_HEAD_BYTES = 64 * 1024


@contextlib.asynccontextmanager
async def proxied(
    server: str, prefix: str, *, strips: bool = True, headers: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """Serve `server` below `prefix` while the block runs; yield the proxy's own address, without the prefix.

    Args:
        server: Its address, "http://127.0.0.1:PORT".
        prefix: As in "/mien".
        strips: Whether the server sees paths without the prefix.
        headers: Are added to every request.
    """
    upstream = urlsplit(server)
    added = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, _, rest = head.partition("\r\n")
            verb, path, version = request.split(" ")
            if not (path + "/").startswith(f"{prefix}/"):
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
                return
            path = (path[len(prefix) :] or "/") if strips else path
            lines = [line for line in rest.split("\r\n") if line and not line.lower().startswith("connection:")]
            # One request for each connection, so that nothing after the head needs to be understood.
            upgrades = any(line.lower().startswith("upgrade:") for line in lines)
            lines.append(f"Connection: {'Upgrade' if upgrades else 'close'}")
            far_reader, far_writer = await asyncio.open_connection(upstream.hostname, upstream.port)
            far_writer.write(
                (f"{verb} {path} {version}\r\n{added}" + "\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
            )
            await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0, limit=_HEAD_BYTES)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_HEAD_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()
