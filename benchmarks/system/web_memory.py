"""What the web process holds on to after people have lent photos and gone. Prints a row of JSON.

    python -m benchmarks.system.web_memory [--photos 12] [--at-once 6] [--megapixels 12] [--rest 20]

`rss_mb` of the web process alone: with its pages served, with the previews of the personas drawn, after each lot of
photos (JPEG, `--at-once` of them sent together, each a persona of its own), and `--rest` seconds after the last one.
`parts_mb` says what the rest is made of: the C heap (the main arena), mappings without a file (other arenas, large
blocks, stacks), and files (libraries, networks). No broadcast is made: workers are processes of their own, and what
they hold ends with them.
"""

import io
import json
import re
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import PIL.Image

from benchmarks.command import command, keep, parse
from support.browser import mien_serve
from support.photos import hopper


def rss_mb(pid: int) -> int:
    """Return the resident memory of one process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024)


def parts_mb(pid: int) -> dict[str, int]:
    """Return the resident memory of one process by kind of mapping."""
    parts = {"heap": 0, "anonymous": 0, "files": 0}
    kind = "anonymous"
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        fields = line.split()
        if re.fullmatch(r"[0-9a-f]+-[0-9a-f]+", fields[0]):
            name = fields[5] if len(fields) > 5 else ""
            kind = "heap" if name == "[heap]" else "files" if name.startswith("/") else "anonymous"
        elif fields[0] == "Rss:":
            parts[kind] += int(fields[1])
    return {name: round(kb / 1024) for name, kb in parts.items()}


def photo(megapixels: float) -> bytes:
    """Return a JPEG of one face, as large as a telephone's."""
    image = PIL.Image.fromarray(hopper())
    scale = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
    file = io.BytesIO()
    image.resize((round(image.width * scale), round(image.height * scale))).save(file, "JPEG", quality=88)
    return file.getvalue()


def lend(client: httpx.Client, jpeg: bytes) -> int:
    """Hand in a photo; return the status of the answer."""
    fields = {"owner_agrees": "true", "declared_by": "A benchmark"}
    return client.post("/api/references", data=fields, files={"photo": ("photo.jpg", jpeg, "image/jpeg")}).status_code


def main() -> None:
    """Measure and print."""
    parser = command(__doc__, results="web_memory")
    parser.add_argument("--photos", type=int, default=12)
    parser.add_argument("--at-once", type=int, default=6)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--rest", type=float, default=20)
    options = parse(parser, photos=1, at_once=1, megapixels=0.5, rest=0.0)
    jpeg = photo(options.megapixels)
    row: dict[str, object] = {"photos": options.photos, "megapixels": options.megapixels}
    with (
        tempfile.TemporaryDirectory() as folder,
        mien_serve(Path(folder), wait_s=90) as server,
        httpx.Client(base_url=server.address, timeout=120) as client,
    ):
        row["rss_mb"] = held = {"ready": rss_mb(server.pid)}
        for persona in client.get("/api/personas").json():
            client.get(persona["preview_url"]).raise_for_status()
        held["previews"] = rss_mb(server.pid)
        with ThreadPoolExecutor(options.at_once) as senders:
            for number in range(0, options.photos, options.at_once):
                count = min(options.at_once, options.photos - number)
                statuses = list(senders.map(partial(lend, client), [jpeg] * count))
                held[f"photo {number + count}"] = rss_mb(server.pid)
                row["refused"] = sum(status >= 400 for status in statuses)
        time.sleep(options.rest)
        held["rest"] = rss_mb(server.pid)
        row["parts_mb"] = parts_mb(server.pid)
    print(json.dumps(row, indent=1))
    keep(options, {"rows": [row]})


if __name__ == "__main__":
    main()
