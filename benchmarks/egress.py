"""What a viewer costs the server: this package's fan-out beside stock aiortc. Prints a table, writes JSON.

    python benchmarks/egress.py [--viewers 1 10 50 100] [--repeats 3] [--seconds 8] [--out results/egress.json]
    python benchmarks/egress.py --hold 300

Three servers send the same 1280x720 clip at 30 fps, encoded to VP8 of 2 Mbit/s before the clock starts:

    fan_out   mien.media.egress: cut into packets once, protected in place, one system call for a slice
    tracks    stock aiortc, a track of encoded packets for each viewer
    relay     stock aiortc, MediaRelay of raw frames: an encoder for each viewer (at aiortc's own bit rate)

Each run has a server process and a process of receivers that do ICE and DTLS, wait for the first keyframe, report
once a second as a browser does, and else only count packets. The figure is the server process' user and system time
per second; on loopback that holds the receivers' half of the network stack too. Runs are interleaved, medians shown.
The first keyframe is the moment its last packet is there, counted from when the offer was posted.

`--hold` keeps as many receivers as the largest number for so many seconds, and tells the longest silence any had.
"""

# ruff: noqa: SLF001  # counting receivers read below aiortc, where there are only private names

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import pickle
import random
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.contrib.media import MediaRelay
from aiortc.rtp import RtcpPsfbPacket, RtcpReceiverInfo, RtcpRrPacket, pack_remb_fci

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "benchmarks"))

from mien.media.egress import FanOut, Viewer
from mien.media.encoded import EncodedPicture, VideoCodec
from mien.media.packets import Packetiser
from mien.media.peer import codecs
from mien.media.privates import gather_within
from mien.media.reach import Reach
from mien.media.sdp import read_offer
from mien.vision.faces import Image
from pipeline import machine
from support.egress import encoded_pictures
from support.live import peer

SIZE_WH: Final = (1280, 720)
FPS: Final = 30
BIT_RATE: Final = 2_000_000
GOP: Final = 30
PATHS: Final = ("fan_out", "tracks", "relay")
RELAY_LIMIT: Final = 2
"""More encoders than that do not fit into the machine, and the figure would be of dropped frames."""
SETTLE_S: Final = 2.0
JOIN_EVERY_S: Final = 0.3
"""Apart enough that a newcomer seldom waits for the quarter of a second between two keyframes."""
TIME_BASE: Final = Fraction(1, 90_000)


def texture(size_wh: tuple[int, int], number: int) -> Image:
    """Draw a panned texture with grain: enough to fill the bit rate with pictures that move."""
    width, height = size_wh
    noise = np.random.default_rng(5)
    coarse = noise.integers(0, 255, (12, 24, 3), np.uint8)
    wall = cv2.resize(coarse, (width + 400, height), interpolation=cv2.INTER_CUBIC)
    shift = round(200 + 180 * np.sin(number / 25))
    grain = np.random.default_rng(number).normal(0, 4, (height, width, 1)).astype(np.int16)
    return np.asarray(np.clip(wall[:, shift : shift + width].astype(np.int16) + grain, 0, 255), np.uint8)


# The server ------------------------------------------------------------------------------------------------------


class Clip:
    """The clip in real time; a wish for a keyframe skips to the next one, as an encoder would make it."""

    def __init__(self, pictures: list[EncodedPicture]) -> None:
        self._pictures = pictures
        self._wanted = False
        self._key_at = 0.0

    def want_keyframe(self, _rung: int = 0) -> None:
        self._wanted = True

    async def play(self, send: Callable[[EncodedPicture], object]) -> None:
        began, at, number = time.monotonic(), 0, 0
        while True:
            await asyncio.sleep(max(began + number / FPS - time.monotonic(), 0))
            now = time.monotonic()
            if self._wanted and now - self._key_at >= 0.25:
                self._wanted = False
                at = -(-at // GOP) * GOP
            picture = self._pictures[at % len(self._pictures)]
            if picture.is_keyframe:
                self._key_at = now
            send(EncodedPicture(picture.data, number * 90_000 // FPS, is_keyframe=picture.is_keyframe))
            at, number = at + 1, number + 1


class PacketTrack(MediaStreamTrack):
    """A track of encoded packets, beginning at a keyframe: the best that stock aiortc offers."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._packets: asyncio.Queue[Any] = asyncio.Queue()
        self._begun = self._in_step = False

    def put(self, picture: EncodedPicture) -> None:
        self._in_step = self._in_step or (self._begun and picture.is_keyframe)
        if self._in_step and self._packets.qsize() < FPS:
            packet: Any = av.Packet(picture.data)
            packet.pts, packet.time_base, packet.is_keyframe = picture.pts, TIME_BASE, picture.is_keyframe
            self._packets.put_nowait(packet)

    async def recv(self) -> Any:
        self._begun = True
        return await self._packets.get()


class FrameTrack(MediaStreamTrack):
    """A track of raw frames in real time."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._planes = [
            np.asarray(cv2.cvtColor(texture(SIZE_WH, number), cv2.COLOR_RGB2YUV_I420), np.uint8)
            for number in range(GOP)
        ]
        self._number = 0
        self._began = 0.0

    async def recv(self) -> av.VideoFrame:
        self._began = self._began or time.monotonic()
        await asyncio.sleep(max(self._began + self._number / FPS - time.monotonic(), 0))
        frame = av.VideoFrame.from_ndarray(self._planes[self._number % GOP], format="yuv420p")
        frame.pts, frame.time_base = self._number * 90_000 // FPS, TIME_BASE
        self._number += 1
        return frame


Answer = Callable[[str], Awaitable[str]]


@contextlib.asynccontextmanager
async def fan_out_server(clip: Clip) -> AsyncIterator[Answer]:
    fan_out, epoch = FanOut(VideoCodec.VP8), time.monotonic()

    async def answer(offer: str) -> str:
        viewer = Viewer(
            read_offer(offer, direction="recvonly"),
            (),
            want_keyframe=clip.want_keyframe,
            epoch=epoch,
            bit_rates=(BIT_RATE,),
        )
        fan_out.add(viewer)
        return await viewer.answer()

    playing = asyncio.create_task(clip.play(fan_out.push_picture))
    yield answer
    playing.cancel()


async def stock_answer(offer: str, track: MediaStreamTrack, connections: list[RTCPeerConnection]) -> str:
    connection = peer()
    connections.append(connection)
    transceiver = connection.addTransceiver(track, direction="sendonly")
    transceiver.setCodecPreferences(codecs("video", "VP8"))
    await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    return connection.localDescription.sdp


@contextlib.asynccontextmanager
async def tracks_server(clip: Clip) -> AsyncIterator[Answer]:
    tracks: list[PacketTrack] = []
    connections: list[RTCPeerConnection] = []

    async def answer(offer: str) -> str:
        track = PacketTrack()
        tracks.append(track)
        answer = await stock_answer(offer, track, connections)

        def follow() -> None:
            if connections[-1].connectionState == "connected":
                clip.want_keyframe()

        connections[-1].on("connectionstatechange", follow)
        return answer

    def put(picture: EncodedPicture) -> None:
        for track in tracks:
            track.put(picture)

    playing = asyncio.create_task(clip.play(put))
    yield answer
    playing.cancel()


@contextlib.asynccontextmanager
async def relay_server(_clip: Clip) -> AsyncIterator[Answer]:
    relay, frames, connections = MediaRelay(), FrameTrack(), list[RTCPeerConnection]()
    yield lambda offer: stock_answer(offer, relay.subscribe(frames, buffered=False), connections)


SERVERS = {"fan_out": fan_out_server, "tracks": tracks_server, "relay": relay_server}


def serve(path: str, pictures_file: str, pipe: Any) -> None:
    """Run a server: offers and questions for the CPU time come over a loopback connection."""
    asyncio.run(_serve(path, Clip(pickle.loads(Path(pictures_file).read_bytes())), pipe))  # noqa: S301  # our own file


async def _serve(path: str, clip: Clip, pipe: Any) -> None:
    gather_within(Reach())
    async with SERVERS[path](clip) as answer:

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                question = json.loads(line)
                reply = (
                    {"answer": await answer(question["offer"])}
                    if "offer" in question
                    else {"cpu_s": time.process_time()}
                )
                writer.write(json.dumps(reply | {"at": time.monotonic()}).encode() + b"\n")

        listener = await asyncio.start_server(talk, "127.0.0.1", 0, limit=1 << 20)
        pipe.send(listener.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)


# The receivers ---------------------------------------------------------------------------------------------------


class Counter:
    """A receiver that counts."""

    def __init__(self) -> None:
        self.connection = peer()
        self.packets = 0
        self.pictures = 0
        self.missing = 0
        self.longest_gap_s = 0.0
        self.first_keyframe_s: float | None = None
        self._highest: int | None = None
        self._last_at: float | None = None
        self._ssrc = 0
        self._keyframe: int | None = None
        self._posted_at = 0.0

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transceiver = self.connection.addTransceiver("video", direction="recvonly")
        transceiver.setCodecPreferences(codecs("video", "VP8"))
        await self.connection.setLocalDescription(await self.connection.createOffer())
        self._take_over(transceiver.receiver)
        self._posted_at = time.monotonic()
        writer.write(json.dumps({"offer": self.connection.localDescription.sdp}).encode() + b"\n")
        answer = json.loads(await reader.readline())["answer"]
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def _take_over(self, receiver: RTCRtpReceiver) -> None:
        """Read media straight from the socket; anything else goes its usual way."""
        loop: Any = asyncio.get_running_loop()
        dtls = receiver.transport
        for protocol in dtls.transport._connection._protocols:
            transport = protocol.transport
            inner = transport.get_extra_info("socket")._sock

            def ready(inner: Any = inner, protocol: Any = protocol) -> None:
                with contextlib.suppress(BlockingIOError):
                    for _ in range(16):
                        data, address = inner.recvfrom(2048)
                        if 128 <= data[0] < 192 and not 192 <= data[1] < 224:
                            self._count(data, dtls)
                        else:
                            protocol.datagram_received(data, address)

            loop._add_reader(inner.fileno(), ready)

    def _count(self, data: bytes, dtls: Any) -> None:
        now = time.monotonic()
        self.packets += 1
        self.pictures += data[1] >> 7
        number, timestamp, self._ssrc = struct.unpack_from("!HLL", data, 2)
        if self._highest is None:
            self._highest = (number - 1) & 0xFFFF
        ahead = (number - self._highest) & 0xFFFF
        if 0 < ahead < 1 << 15:
            self.missing += ahead - 1
            self._highest = number
        if self.first_keyframe_s is None:
            self._seek_keyframe(data, timestamp, dtls, now)
        elif self._last_at is not None:
            self.longest_gap_s = max(self.longest_gap_s, now - self._last_at)
        self._last_at = now

    def _seek_keyframe(self, data: bytes, timestamp: int, dtls: Any, now: float) -> None:
        if dtls._rx_srtp is None:
            return
        plain = dtls._rx_srtp.unprotect(data)
        payload = plain[16 + 4 * int.from_bytes(plain[14:16], "big") if plain[0] & 16 else 12 :]
        # RFC 7741, 4.2 and 4.3: a first packet of a picture whose inverse keyframe bit is clear.
        if payload[0] & 0x10 and not payload[4] & 1:
            self._keyframe = timestamp
        if self._keyframe == timestamp and plain[1] & 128:
            self.first_keyframe_s = now - self._posted_at

    async def report(self) -> None:
        """Send what a browser sends once a second."""
        (receiver,) = self.connection.getReceivers()
        while True:
            await asyncio.sleep(0.5 + random.random())  # noqa: S311  # as RFC 3550 spreads them
            if self.first_keyframe_s is not None:
                info = RtcpReceiverInfo(self._ssrc, 0, 0, self._highest or 0, 0, 0, 0)
                remb = RtcpPsfbPacket(15, 1, 0, fci=pack_remb_fci(5_000_000, [self._ssrc]))
                await receiver.transport._send_rtp(bytes(RtcpRrPacket(1, [info])) + bytes(remb))


async def receive(port: int, viewers: int, seconds: float) -> dict[str, Any]:
    """Join one after the other, then count; return the figures."""
    gather_within(Reach())
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    counters = [Counter() for _ in range(viewers)]
    reports = []
    for counter in counters:
        await counter.join(reader, writer)
        reports.append(asyncio.create_task(counter.report()))
        await asyncio.sleep(JOIN_EVERY_S)
    async with asyncio.timeout(20 + viewers):
        while any(counter.first_keyframe_s is None for counter in counters):  # noqa: ASYNC110  # they have no event
            await asyncio.sleep(0.05)
    await asyncio.sleep(SETTLE_S)

    async def cpu() -> tuple[float, float]:
        writer.write(b"{}\n")
        said = json.loads(await reader.readline())
        return said["cpu_s"], said["at"]

    cpu_before, began = await cpu()
    packets = [(counter.packets, counter.pictures) for counter in counters]
    for counter in counters:
        counter.missing, counter.longest_gap_s = 0, 0.0
    own = time.process_time()
    await asyncio.sleep(seconds)
    cpu_after, ended = await cpu()
    took = ended - began
    rates = [
        ((counter.packets - before[0]) / took, (counter.pictures - before[1]) / took)
        for counter, before in zip(counters, packets, strict=True)
    ]
    writer.close()
    for task in reports:
        task.cancel()
    return {
        "cpu_cores": (cpu_after - cpu_before) / took,
        "receivers_cpu_cores": (time.process_time() - own) / seconds,
        "packets_per_s": statistics.median(rate[0] for rate in rates),
        "fps_min": min(rate[1] for rate in rates),
        "missing": sum(counter.missing for counter in counters),
        "longest_gap_ms": max(counter.longest_gap_s for counter in counters) * 1e3,
        "first_keyframe_ms": statistics.median(counter.first_keyframe_s or 0 for counter in counters) * 1e3,
        "first_keyframe_ms_max": max(counter.first_keyframe_s or 0 for counter in counters) * 1e3,
    }


def _receive(port: int, viewers: int, seconds: float, pipe: Any) -> None:
    pipe.send(asyncio.run(receive(port, viewers, seconds)))


def measure(path: str, viewers: int, seconds: float, pictures_file: str) -> dict[str, Any]:
    """Run one server and its receivers."""
    spawn = multiprocessing.get_context("spawn")
    server_pipe, server_end = spawn.Pipe()
    pipe, end = spawn.Pipe()
    server = spawn.Process(target=serve, args=(path, pictures_file, server_end), daemon=True)
    server.start()
    receivers = spawn.Process(target=_receive, args=(server_pipe.recv(), viewers, seconds, end), daemon=True)
    receivers.start()
    end.close()
    try:
        figures: dict[str, Any] = pipe.recv()
    finally:
        for process in (receivers, server):
            process.terminate()
            process.join()
    return {"path": path, "viewers": viewers} | {key: round(value, 4) for key, value in figures.items()}


# The report ------------------------------------------------------------------------------------------------------


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return medians by path and number of viewers."""
    found = []
    for path, viewers in sorted(
        {(row["path"], row["viewers"]) for row in rows}, key=lambda key: (PATHS.index(key[0]), key[1])
    ):
        same = [row for row in rows if (row["path"], row["viewers"]) == (path, viewers)]
        medians = {
            key: statistics.median(row[key] for row in same) for key in same[0] if key not in {"path", "viewers"}
        }
        kept_up = medians["fps_min"] > 0.95 * FPS
        found.append({"path": path, "viewers": viewers, "runs": len(same), **medians, "kept_up": kept_up})
    return found


def slope_percent(medians: list[dict[str, Any]], path: str) -> tuple[float, float] | None:
    """Return the CPU share of an extra viewer, and the largest departure of a point from the line."""
    points = [(row["viewers"], 100 * row["cpu_cores"]) for row in medians if row["path"] == path and row["kept_up"]]
    if len(points) < 2:
        return None
    viewers, cpu = np.array(points, float).T
    slope, start = np.polyfit(viewers, cpu, 1)
    return float(slope), float(np.abs(slope * viewers + start - cpu).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 10, 50, 100])
    parser.add_argument("--paths", nargs="+", choices=PATHS, default=list(PATHS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--hold", type=float, default=0.0, help="only hold the largest number for so many seconds")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "egress.json")
    options = parser.parse_args()
    pictures = encoded_pictures(
        VideoCodec.VP8, size_wh=SIZE_WH, count=10 * GOP, keyframe_every=GOP, bit_rate=BIT_RATE, draw=texture
    )
    packetiser = Packetiser(VideoCodec.VP8)
    pps = sum(len(packetiser.picture(one).payloads) for one in pictures) * FPS / len(pictures)
    kbps = sum(len(one.data) for one in pictures) * 8 * FPS / len(pictures) / 1e3
    print(f"{kbps:.0f} kbit/s, {pps:.0f} packets/s")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.pickle"
        file.write_bytes(pickle.dumps(pictures))
        if options.hold:
            plan = [("fan_out", max(options.viewers), options.hold)]
        else:
            plan = [
                (path, viewers, options.seconds)
                for _ in range(options.repeats)
                for viewers in options.viewers
                for path in options.paths
                if path != "relay" or viewers <= RELAY_LIMIT
            ]
            if "relay" in options.paths:
                plan += [("relay", RELAY_LIMIT, options.seconds)] * options.repeats
        rows = []
        for path, viewers, seconds in plan:
            rows.append(measure(path, viewers, seconds, str(file)))
            print(json.dumps(rows[-1]), flush=True)
    medians = summary(rows)
    print(
        f"{'path':8} {'viewers':>7} {'cpu %':>7} {'packets/s':>9} {'fps':>5} {'missing':>7} {'gap ms':>7} {'key ms':>7}"
    )
    for row in medians:
        print(
            f"{row['path']:8} {row['viewers']:7} {100 * row['cpu_cores']:7.1f} {row['packets_per_s']:9.0f} "
            f"{row['fps_min']:5.1f} {row['missing']:7.0f} {row['longest_gap_ms']:7.0f} {row['first_keyframe_ms']:7.0f}"
            + ("" if row["kept_up"] else "  (fell behind)")
        )
    slopes = {path: slope_percent(medians, path) for path in PATHS}
    for path, slope in slopes.items():
        if slope is not None:
            print(f"{path}: {slope[0]:.2f} % of a core per extra viewer (line fits within {slope[1]:.1f} %)")
    own = slopes["fan_out"]
    ratios = {path: slope[0] / own[0] for path, slope in slopes.items() if slope and own and path != "fan_out"}
    for path, ratio in ratios.items():
        print(f"{path} / fan_out: {ratio:.1f}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "machine": machine(),
        "size_wh": SIZE_WH,
        "fps": FPS,
        "kbps": round(kbps),
        "rows": rows,
        "medians": medians,
        "percent_of_a_core_per_viewer": {path: slope and round(slope[0], 3) for path, slope in slopes.items()},
        "ratios": {path: round(ratio, 1) for path, ratio in ratios.items()},
    }
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
