"""How long a picture takes through the server, packets in to packets out, without a browser beside it.

    python -m benchmarks.system.delay [--treatment mask mosaic] [--delay-frames 0 1 2] [--capture FILE] [--trace FILE]

First Chromium publishes a 720p clip with one face to a recorder, which keeps its packets and their times; then the
browser is closed. The recording is published to a real `mien serve` on the same machine by a client that only protects
and sends, and one viewer keeps the packets that come back. Every picture carries its number as a bar code, read from
both sides when all is over, so nothing but the server works while time is taken.

A picture's delay counts from the sending of its last packet to the arrival of its treated last packet: decoding,
waiting, treatment, encoding and both ways over the loopback are in it. So is the delay line, in which a picture waits
for the next ones, so that a face found late is hidden from its first frame: `--delay-frames` sets its length.

`--trace` records a second of the last broadcast, as `mien trace` does, and prints its table.
"""

import asyncio
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Final

import av
import httpx
import numpy as np
from aiortc import RTCPeerConnection
from aiortc.rtp import RtpPacket

from benchmarks.command import command, keep, parse
from benchmarks.media.ingest import Seen, publish
from benchmarks.system.live import BITS, CELL, CLIP_S, coded, cpu_seconds
from benchmarks.system.peers import media_types
from mien.cli.trace import as_text
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.aiortc_internals import take_packets
from mien.media.webrtc.feedback import RtcpFeedback
from mien.media.webrtc.ingest.depacketizer import Depacketizer
from mien.media.webrtc.sdp.parse import payload_types
from support.browser import mien_serve, write_camera_clip
from support.live import offer_to, peer
from support.policies import hiding, plain, swapping
from support.rtpdump import Recorded, Recorder, Replay, read, write
from support.scenes import astronaut_frames

TREATMENTS: Final[dict[str, dict[str, Any]]] = {
    "mosaic": {"policy": plain(hiding())},
    "mask": {"policy": plain(swapping())},
}


@dataclass
class Came:
    """Packets of one video stream, each with the time at which it passed.

    Attributes:
        packets: In order of passing.
    """

    packets: list[tuple[float, RtpPacket]] = field(default_factory=list)

    def note(self, packet: RtpPacket) -> RtcpFeedback:
        """Keep a packet that passes just now; the first asks for a key frame."""
        self.packets.append((time.monotonic(), packet))
        return RtcpFeedback(keyframe=len(self.packets) == 1)

    def numbers(self, types: dict[int, VideoCodec]) -> dict[int, float]:
        """Return when each picture's last packet passed, by the number in its bar code; the last time, if twice."""
        depacketizer = Depacketizer(types)
        decoder: Any = av.CodecContext.create("vp8", "r")
        passed = {}
        for at, packet in self.packets:
            for frame in depacketizer.add(packet, at):
                for picture in decoder.decode(av.Packet(frame.data)):
                    passed[read_code(picture)] = at
        return passed


def read_code(picture: av.VideoFrame) -> int:
    """Return the number that a picture of the clip carries."""
    scale = picture.width / 1280
    luma = np.asarray(picture.to_ndarray(format="gray"))
    row = luma[picture.height - round(CELL * scale / 2)]
    cells = [int(row[round((i + 0.5) * CELL * scale)]) > 127 for i in range(BITS)]
    return int("".join("01"[cell] for cell in cells), 2)


def recorded(capture: Path | None, folder: Path, seconds: float) -> Path:
    """Return where the recording of a browser is that publishes the clip for `seconds`; `capture`, once it is there."""
    path = capture or folder / "capture.rtpdump"
    if not path.exists():
        write(path, record(folder, seconds))
    return path


def record(folder: Path, seconds: float) -> list[Recorded]:
    """Return the packets of a browser that publishes the clip for `seconds`."""
    clip = write_camera_clip(folder / "clip.mjpeg", coded(astronaut_frames(min(seconds + 1, CLIP_S))))
    recorder = Recorder()
    asyncio.run(publish(clip, "free", seconds, folder, Seen(), recorder.attach))
    return recorder.packets


async def measure(
    address: str,
    pid: int,
    packets: list[Recorded],
    treatment: str,
    delay_frames: int | None,
    warm_up_s: float,
    *,
    trace: Path | None = None,
) -> dict[str, Any]:
    """Publish `packets` and watch; return the figures. The server chooses the delay line's length at None."""
    came_in, came_out = Came(), Came()
    video, audio = media_types(packets)
    replay = Replay(packets, sent=came_in.note)
    async with httpx.AsyncClient(base_url=address, timeout=20) as client:
        spec = {**TREATMENTS[treatment], "delay_frames": delay_frames}
        made = (await client.post("/api/broadcasts", json=spec)).raise_for_status().json()
        viewer = peer()
        viewer.addTransceiver("video", direction="recvonly")
        viewer.addTransceiver("audio", direction="recvonly")
        watch = await offer_to(client, made["whep_url"], viewer)
        receiver = viewer.getReceivers()[0]
        take_packets(receiver, came_out.note)
        await offer_to(client, made["whip_url"], replay.connection, token=made["token"])
        await both_up(viewer, replay.connection)
        cpu, began = cpu_seconds(pid), time.monotonic()
        async with asyncio.TaskGroup() as group:
            if trace is not None:
                group.create_task(record_trace(client, made["id"], trace, after_s=warm_up_s))
            await replay.run(video=video, audio=audio)
        elapsed, cpu = time.monotonic() - began, cpu_seconds(pid) - cpu
        stats = (await client.get(f"/api/broadcasts/{made['id']}")).json()
        sdp = watch.response.text
        sent_types = payload_types(replay.connection.localDescription.sdp, "video")
        await replay.connection.close()
        await viewer.close()
    into = came_in.numbers(vp8(sent_types))
    out = came_out.numbers(vp8(payload_types(sdp, "video")))
    delays = sorted(
        out[number] - at for number, at in into.items() if number in out and at > began + warm_up_s and out[number] > at
    )
    return {
        "path": "rtp_in_to_rtp_out",
        "treatment": treatment,
        "delay_frames": delay_frames,
        "frames_in": sum(at > began + warm_up_s for at in into.values()),
        "frames_out": len(delays),
        **{
            f"p{percent}_ms": round(float(np.percentile(delays, percent)) * 1e3, 1)
            for percent in (5, 50, 95, 99)
            if delays
        },
        "server_cpu_cores": round(cpu / elapsed, 2),
        "load": round(os.getloadavg()[0], 1),
        "server": {key: stats.get(key) for key in ("fps_in", "fps_out", "dropped", "vision_ms", "server_delay_ms")},
    }


async def record_trace(client: httpx.AsyncClient, broadcast: str, path: Path, *, after_s: float) -> None:
    """Record a second of a broadcast into `path` after a while, and print its table."""
    await asyncio.sleep(after_s)
    answer = (await client.post(f"/api/broadcasts/{broadcast}/trace", params={"seconds": 1.0})).raise_for_status()
    await asyncio.to_thread(path.write_bytes, answer.content)
    print(as_text(answer.json(), rows=40), flush=True)


def vp8(types: dict[int, str]) -> dict[int, VideoCodec]:
    """Return those payload types that are VP8."""
    return {number: VideoCodec.VP8 for number, name in types.items() if name == "VP8"}


async def both_up(*connections: RTCPeerConnection) -> None:
    """Wait until media can flow."""
    async with asyncio.timeout(10):
        while any(each.connectionState != "connected" for each in connections):  # noqa: ASYNC110  # two of them
            await asyncio.sleep(0.01)


def main() -> None:
    parser = command(__doc__, results="delay")
    parser.add_argument("--treatment", nargs="+", default=list(TREATMENTS), choices=list(TREATMENTS))
    parser.add_argument("--delay-frames", nargs="+", type=int, default=[None], help="unless told, the server's choice")
    parser.add_argument("--seconds", type=float, default=24.0, help="of the recording; at most the clip's 29")
    parser.add_argument("--capture", type=Path, help="a recording: taken if it is there, written if not")
    parser.add_argument("--trace", type=Path, help="where to write a second of the last broadcast's trace")
    parser.add_argument("--warm-up", type=float, default=4.0, help="seconds of it that are not counted")
    options = parse(parser, treatment=["mosaic"], seconds=3.0, warm_up=1.0)
    with tempfile.TemporaryDirectory() as name:
        packets = read(recorded(options.capture, Path(name), min(options.seconds, CLIP_S - 1)))
        rows = []
        with mien_serve(Path(name) / "data") as server:
            runs = list(product(options.treatment, options.delay_frames))
            for number, (treatment, frames) in enumerate(runs, 1):
                trace = options.trace if number == len(runs) else None
                measured = measure(server.address, server.pid, packets, treatment, frames, options.warm_up, trace=trace)
                rows.append(asyncio.run(measured))
                print(json.dumps(rows[-1]), flush=True)
    keep(options, {"rows": rows})


if __name__ == "__main__":
    main()
