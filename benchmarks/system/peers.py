"""Light peers for the benchmarks, each a process of its own: they send or count packets and decode nothing.

    python -m benchmarks.system.peers publish WHIP_URL TOKEN CAPTURE --seconds 60
    python -m benchmarks.system.peers watch WHEP_URL --seconds 60 [--joins 1] [--pause 0]

`publish` sends a recording (tests/support/rtpdump.py) over and over. `watch` joins so many times one after the other,
puts packets together into pictures as the server's own ingest does, asks for what got lost, and prints, as JSON, one
line for each time: milliseconds from the offer to the first key frame, and of every picture when it was whole
(`time.monotonic`) and how high it is.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket, is_rtcp

from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.aiortc_internals import take_packets
from mien.media.webrtc.feedback import RtcpFeedback
from mien.media.webrtc.ingest.depacketizer import Depacketizer, ReceivedFrame
from mien.media.webrtc.sdp.parse import payload_types
from support.live import offer_to, peer
from support.rtpdump import Recorded, Replay, looped, read

_LAST_BITS: Final = 0x3FFF


async def up(connection: RTCPeerConnection) -> None:
    """Wait until media can flow."""
    async with asyncio.timeout(20):
        while connection.connectionState != "connected":  # noqa: ASYNC110  # its event needs a callback to be polled
            await asyncio.sleep(0.005)


def media_types(packets: list[Recorded]) -> tuple[int, int]:
    """Return the payload types of video and sound in a recording: Chromium's, VP8 and Opus."""
    counts: dict[int, int] = {}
    for packet in packets:
        if not is_rtcp(packet.data):
            counts[packet.data[1] & 0x7F] = counts.get(packet.data[1] & 0x7F, 0) + len(packet.data)
    return max(counts, key=lambda each: counts[each]), 111 if 111 in counts else -1


async def publish(url: str, token: str, capture: Path, seconds: float) -> None:
    """Publish a recording over and over for `seconds`."""
    packets = read(capture)
    video, audio = media_types(packets)
    replay = Replay(looped(packets, laps=int(seconds / packets[-1].at) + 1))
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        session = await offer_to(client, url, replay.connection, token=token)
        await up(replay.connection)
        try:
            async with asyncio.timeout(seconds):
                await replay.run(video=video, audio=audio)
        except TimeoutError:
            pass
        await session.close_peer()


class Watcher:
    """A viewer that looks at no picture."""

    def __init__(self) -> None:
        self.connection = peer()
        self.connection.addTransceiver("video", direction="recvonly")
        self.connection.addTransceiver("audio", direction="recvonly")
        self.frames: list[tuple[float, int]] = []
        self.first = asyncio.Event()
        self._offered_at = 0.0
        self._height = 0
        self._depacketizer = Depacketizer({})

    async def watch(self, client: httpx.AsyncClient, url: str, seconds: float) -> dict[str, Any]:
        """Join, and leave `seconds` after the first key frame; return what was seen."""
        take_packets(self.connection.getReceivers()[0], self._take)
        await self.connection.setLocalDescription(await self.connection.createOffer())
        self._offered_at = time.monotonic()
        response = await client.post(
            url, content=self.connection.localDescription.sdp, headers={"Content-Type": "application/sdp"}
        )
        response.raise_for_status()
        types = payload_types(response.text, "video")
        self._depacketizer = Depacketizer({number: VideoCodec(name) for number, name in types.items() if name == "VP8"})
        await self.connection.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
        async with asyncio.timeout(30):
            await self.first.wait()
        await asyncio.sleep(seconds)
        await client.delete(response.url.join(response.headers["location"]))
        await self.connection.close()
        return {"first_keyframe_ms": (self.frames[0][0] - self._offered_at) * 1e3, "pictures": self.frames}

    def _take(self, packet: RtpPacket) -> RtcpFeedback:
        now = time.monotonic()
        for frame in self._depacketizer.add(packet, now):
            self._note(frame, now)
        return self._depacketizer.feedback(now)

    def _note(self, frame: ReceivedFrame, now: float) -> None:
        if frame.is_keyframe:  # RFC 6386, 9.1: three bytes, a start code of three, width, height
            self._height = int.from_bytes(frame.data[8:10], "little") & _LAST_BITS
        self.frames.append((now, self._height))
        self.first.set()


async def watch(url: str, seconds: float, joins: int, pause: float) -> None:
    """Join `joins` times, for `seconds` each; print what was seen."""
    async with httpx.AsyncClient(timeout=20) as client:
        for _ in range(joins):
            print(json.dumps(await Watcher().watch(client, url, seconds)), flush=True)
            await asyncio.sleep(pause)


@contextlib.contextmanager
def light(*words: str, enter: Sequence[str] = (), quiet: bool = False) -> Iterator["subprocess.Popen[str]"]:
    """Run a light peer behind the words that `enter` a room; a quiet one's report is thrown away."""
    command = [*enter, sys.executable, "-m", "benchmarks.system.peers", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL if quiet else subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    roles = parser.add_subparsers(dest="role", required=True)
    publisher = roles.add_parser("publish")
    publisher.add_argument("url")
    publisher.add_argument("token")
    publisher.add_argument("capture", type=Path)
    watcher = roles.add_parser("watch")
    watcher.add_argument("url")
    watcher.add_argument("--joins", type=int, default=1)
    watcher.add_argument("--pause", type=float, default=0.0)
    for role in (publisher, watcher):
        role.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    if options.role == "publish":
        asyncio.run(publish(options.url, options.token, options.capture, options.seconds))
    else:
        asyncio.run(watch(options.url, options.seconds, options.joins, options.pause))


if __name__ == "__main__":
    main()
