"""`mien trace`: what each thread of a broadcast's process does, as a file for Chrome and as a table."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import httpx

from mien.bearer import is_bearer_token
from mien.errors import InputError, LiveError, OutputError
from mien.tracing import MAX_S, REST, Row, table

_EXTRA_S: Final = 30.0
"""A busy server takes its time to answer."""


@click.command()
@click.argument("broadcast", required=False)
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where the server is.")
@click.option("--token", envvar="MIEN_WHIP_TOKEN", help="The operator's token, where the server has one.")
@click.option("--seconds", type=click.FloatRange(0, MAX_S, min_open=True), default=1.0, show_default=True)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("trace.json"),
    show_default=True,
    help="Where the trace is written; open it in chrome://tracing or ui.perfetto.dev.",
)
@click.option("--rows", type=click.IntRange(1), default=40, show_default=True, help="How long the table may be.")
def trace(broadcast: str | None, url: str, token: str | None, seconds: float, out: Path, rows: int) -> None:
    """Record what each thread of BROADCAST does; without its id, of the newest one.

    "cpu" is the time that a stage had a core, "wall" how long it took, both in ms for each second and without the
    stages inside it. "no core" is for how long a thread was ready to run and had no core.
    """
    if not math.isfinite(seconds):
        raise InputError(f"a trace lasts 0 to {MAX_S:g} seconds, got {seconds}")
    if not out.parent.is_dir():
        raise InputError(f"{out} cannot be written: there is no folder {out.parent}")
    with _client(url, token, timeout_s=seconds + _EXTRA_S) as server:
        broadcast = broadcast or _newest(server)
        document = _asked(server, "POST", f"/api/broadcasts/{broadcast}/trace", params={"seconds": seconds})
    try:
        out.write_text(json.dumps(document), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror}") from error
    click.echo(as_text(document, rows))
    click.echo(f"\nwritten to {out}")


def _client(url: str, token: str | None, *, timeout_s: float) -> httpx.Client:
    if token and not is_bearer_token(token):
        raise InputError("a bearer token has visible ASCII characters only")
    try:
        return httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=timeout_s
        )
    except (httpx.InvalidURL, ValueError) as error:
        raise InputError(f"{url} is no URL of a server: {error}") from error


def as_text(document: Mapping[str, Any], rows: int) -> str:
    """Return the table of a recording, the dearest `rows` of it."""
    seconds = document["otherData"]["seconds"]
    found = table(document)
    lines = [f"{'thread':<16}{'stage':<36}{'a second':>9}{'cpu ms':>9}{'wall ms':>9}{'each ms':>9}{'no core':>9}"]
    lines += [_line(row, seconds) for row in found[:rows]]
    cores = sum(row.cpu_ms for row in found) / seconds / 1e3
    return "\n".join([*lines, f"\nin all {cores:.2f} cores"])


def _line(row: Row, seconds: float) -> str:
    start = f"{row.thread[:15]:<16}{row.stage[:35]:<36}"
    if row.stage == REST:
        return f"{start}{'':>9}{row.cpu_ms / seconds:>9.1f}{'':>18}{row.waited_ms / seconds:>9.1f}"
    times = f"{row.calls / seconds:>9.1f}{row.cpu_ms / seconds:>9.1f}{row.wall_ms / seconds:>9.1f}"
    return f"{start}{times}{row.wall_ms / row.calls:>9.2f}"


def _newest(server: httpx.Client) -> str:
    broadcasts = _asked(server, "GET", "/api/broadcasts")
    if not broadcasts:
        raise InputError("nobody is on air")
    return str(broadcasts[0]["id"])


def _asked(server: httpx.Client, method: str, path: str, **more: Any) -> Any:
    try:
        answer = server.request(method, path, **more)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise LiveError(f"there is no answer from {server.base_url}: {error}") from error
    if not answer.is_success:
        raise LiveError(_reason(answer))
    return answer.json()


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {answer.status_code}"
