"""How several broadcasts share a machine that is too slow for them. Prints a row of JSON for each number.

    python -m benchmarks.system.overload_many [--broadcasts 1 2 4] [--seconds 40] [--rest 20] [--out FILE]

One real `mien serve`; each publisher repeats a clip that was encoded once (1280x720 at 30 fps, one face of 250 px
made by code from a public-domain photo), so that it costs next to nothing; one viewer of each broadcast takes packets
and decodes nothing. All are swaps with a mask. In the second half the treatment of the first broadcast is changed over
and over: `change_answered_s` is how long the request took, `change_seen_s` until the report counted faces of the new
treatment; a swap to which a machine has no time is shown as a mosaic, and is then not waited for. `rss_mb` is what the
web process holds before the broadcasts, with them, and `--rest` seconds after the last has ended.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import cv2
import httpx
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from benchmarks.command import command, keep, parse
from benchmarks.system.live import cpu_seconds, rss_mb
from support.browser import Server, mien_serve
from support.live import VIDEO_TIME_BASE, Session, offer_to, peer, publish
from support.photos import as_png, hopper
from support.policies import hiding, personas_of, plain, swapping
from support.scenes import astronaut_frames

FPS, CLIP_S = 30, 4.84  # one sway of the head, so that the loop has no cut
MASK = {"policy": plain(swapping())}
CHANGES = ({"policy": plain(hiding())}, MASK)


def encoded_clip(seconds: float) -> list[bytes]:
    """Encode the publishers' clip once; it begins with a keyframe."""
    context: Any = av.CodecContext.create("libvpx", "w")
    context.width, context.height, context.pix_fmt = 1280, 720, "yuv420p"
    context.time_base, context.bit_rate, context.gop_size, context.thread_count = VIDEO_TIME_BASE, 1_500_000, 900, 1
    context.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0"}
    packets = []
    for number, image in enumerate(astronaut_frames(seconds, face_px=250)):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = number * 3000, VIDEO_TIME_BASE
        packets += [bytes(packet) for packet in context.encode(frame)]
    return packets


class ClipTrack(MediaStreamTrack):
    """A camera that plays the encoded clip over and over, whatever the receiver asks for."""

    kind = "video"

    def __init__(self, clip: list[bytes]) -> None:
        super().__init__()
        self._clip, self._number, self._began = clip, 0, time.monotonic()

    async def recv(self) -> "av.Packet[Any]":
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(max(self._began + self._number / FPS - time.monotonic(), 0))
        packet = av.Packet(self._clip[self._number % len(self._clip)])
        packet.pts, packet.time_base = self._number * 90_000 // FPS, VIDEO_TIME_BASE
        self._number += 1
        return packet


@contextlib.asynccontextmanager
async def broadcasting(
    client: httpx.AsyncClient, clip: list[bytes], spec: dict[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    """Carry one broadcast with a viewer; yield what the server said when it was made."""
    made = (await client.post("/api/broadcasts", json=spec)).raise_for_status().json()
    sessions: list[Session] = []
    try:
        viewer = peer()
        viewer.addTransceiver("video", direction="recvonly")
        sessions.append(await offer_to(client, made["whep_url"], viewer))
        sessions.append(await publish(client, made["whip_url"], ClipTrack(clip), token=made["token"]))
        yield made
    finally:
        for session in sessions:
            await session.connection.close()
        await client.delete(f"/api/broadcasts/{made['id']}", headers={"Authorization": f"Bearer {made['token']}"})


async def change(client: httpx.AsyncClient, made: dict[str, Any], spec: dict[str, Any]) -> tuple[float, float | None]:
    """Change the treatment; return seconds until the answer, and until faces have it (None: not within 30 s)."""
    url, began = f"/api/broadcasts/{made['id']}", time.monotonic()
    await client.patch(url, json=spec, headers={"Authorization": f"Bearer {made['token']}"})
    answered = time.monotonic() - began
    while time.monotonic() - began < 30:
        told = (await client.get(url)).json()
        wanted = "swap" if personas_of(spec) else "mosaic"
        if told["faces"].get(wanted) or (told.get("load") == "no_swap" and told["faces"].get("mosaic")):
            return answered, time.monotonic() - began
        await asyncio.sleep(0.1)
    return answered, None


async def load(server: Server, clip: list[bytes], number: int, options: argparse.Namespace) -> dict[str, Any]:
    """Carry `number` broadcasts at once; return the figures."""
    before = rss_mb(server.pid)[0]
    async with httpx.AsyncClient(base_url=server.address, timeout=60) as client, contextlib.AsyncExitStack() as stack:
        made = [await stack.enter_async_context(broadcasting(client, clip, MASK)) for _ in range(number)]
        await asyncio.sleep(options.settle)
        told: list[dict[str, Any]] = []
        cpu, began = cpu_seconds(server.pid), time.monotonic()
        while time.monotonic() - began < options.seconds / 2:
            await asyncio.sleep(0.5)
            told += (await client.get("/api/broadcasts")).json()
        cores = (cpu_seconds(server.pid) - cpu) / (time.monotonic() - began)
        changes = []
        turn = 0
        while time.monotonic() - began < options.seconds:
            changes.append(await change(client, made[0], CHANGES[turn % 2]))
            turn += 1
            await asyncio.sleep(1)
        during = rss_mb(server.pid)
    await asyncio.sleep(options.rest)
    seen = [seen for _, seen in changes if seen is not None]
    return {
        "broadcasts": number,
        "fps_in": round(statistics.median(one["fps_in"] for one in told), 1),
        "fps_out": round(statistics.median(one["fps_out"] for one in told), 1),
        "fps_out_least": min(one["fps_out"] for one in told),
        "delay_ms": statistics.median(one["server_delay_ms"] or 0 for one in told),
        "vision_ms": statistics.median(one["vision_ms"] or 0 for one in told),
        "states": dict(Counter(one["state"] for one in told)),
        "load": dict(Counter(str(one.get("load")) for one in told)),
        "faces": dict(sum((Counter(one["faces"]) for one in told), Counter())),
        "change_answered_s": [round(answered, 2) for answered, _ in changes],
        "change_seen_s": [round(one, 2) for one in seen],
        "changes_unseen": len(changes) - len(seen),
        "server_cpu_cores": round(cores, 2),
        "rss_mb": {"web_before": before, "web": during[0], "workers": during[1:], "web_after": rss_mb(server.pid)[0]},
    }


async def lend_a_photo(server: Server) -> None:
    """Hand in photos as a persona, as people do before they go live."""
    async with httpx.AsyncClient(base_url=server.address, timeout=60) as client:
        for _ in range(3):
            photo = {"photo": ("hopper.png", as_png(hopper()), "image/png")}
            fields = {"owner_agrees": "true", "declared_by": "A benchmark"}
            (await client.post("/api/references", data=fields, files=photo)).raise_for_status()


def main() -> None:
    """Measure and print."""
    parser = command(__doc__, results="overload_many")
    parser.add_argument("--broadcasts", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--rest", type=float, default=20)
    parser.add_argument("--photo", action="store_true", help="lend photos first")
    parser.add_argument("--settle", type=float, default=8.0, help="seconds before anything is counted")
    parser.add_argument("--clip", type=float, default=CLIP_S, help="seconds of the publishers' clip")
    options = parse(parser, broadcasts=[1], seconds=1.2, rest=0.0, settle=0.5, clip=1.0)
    cv2.setNumThreads(1)
    clip, rows = encoded_clip(options.clip), []
    for number in options.broadcasts:
        with tempfile.TemporaryDirectory() as folder, mien_serve(Path(folder), wait_s=60) as server:
            if options.photo:
                asyncio.run(lend_a_photo(server))
            rows.append(asyncio.run(load(server, clip, number, options)))
            print(json.dumps(rows[-1]), flush=True)
    keep(options, {"rows": rows})


if __name__ == "__main__":
    main()
