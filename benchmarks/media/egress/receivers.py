"""Receivers that join as a browser does, report as one does, and else only count packets."""

# ruff: noqa: SLF001  # they read below aiortc, where there are only private names

import asyncio
import contextlib
import json
import random
import statistics
import struct
import time
from typing import Any, Final

from aiortc import RTCRtpReceiver, RTCSessionDescription
from aiortc.rtp import RtcpPsfbPacket, RtcpReceiverInfo, RtcpRrPacket, pack_remb_fci

from mien.media.webrtc.aiortc_internals import gather_within
from mien.media.webrtc.ice.network import IceNetworkSettings
from mien.media.webrtc.peer import codecs
from support.live import peer

JOIN_EVERY_S: Final = 0.3
"""Apart enough that a newcomer seldom waits for the quarter of a second between two keyframes."""


class Counter:
    """A receiver that counts."""

    def __init__(self) -> None:
        self.connection = peer()
        self.packets = 0
        self.frames = 0
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
        self.frames += data[1] >> 7
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


async def receive(port: int, viewers: int, seconds: float, settle_s: float) -> dict[str, Any]:
    """Join one after the other, then count; return the figures."""
    gather_within(IceNetworkSettings())
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
    await asyncio.sleep(settle_s)

    async def cpu() -> tuple[float, float]:
        writer.write(b"{}\n")
        said = json.loads(await reader.readline())
        return said["cpu_s"], said["at"]

    cpu_before, began = await cpu()
    packets = [(counter.packets, counter.frames) for counter in counters]
    for counter in counters:
        counter.missing, counter.longest_gap_s = 0, 0.0
    own = time.process_time()
    await asyncio.sleep(seconds)
    cpu_after, ended = await cpu()
    took = ended - began
    rates = [
        ((counter.packets - before[0]) / took, (counter.frames - before[1]) / took)
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


def count(port: int, viewers: int, seconds: float, settle_s: float, pipe: Any) -> None:
    """Run the receivers and send their figures through `pipe`."""
    pipe.send(asyncio.run(receive(port, viewers, seconds, settle_s)))
