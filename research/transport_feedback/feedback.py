"""Transport-wide feedback for a publisher's video, beside which REMB falls silent: to compare, not to ship.

Each packet's arrival is told to the sender every 50 ms, and the sender itself finds out what the path carries.

Source:
    draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1.
"""

import asyncio
import contextlib
import struct
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aiortc import RTCRtpReceiver
from aiortc.codecs import CODECS, HEADER_EXTENSIONS
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpHeaderExtensionParameters
from aiortc.rtp import RTCP_RTPFB, RtpPacket

URI: Final = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
INTERVAL_S: Final = 0.05
TICK_S: Final = 250e-6
REFERENCE_S: Final = 0.064
LOST, NEAR, FAR = 0, 1, 2


@contextlib.contextmanager
def offered() -> Iterator[None]:
    """Let every answer in the block take transport-wide feedback where a browser offers it."""
    spec = RTCRtcpFeedback(type="transport-cc")
    extension = RTCRtpHeaderExtensionParameters(id=5, uri=URI)
    media = [codec for codec in CODECS["video"] if codec.rtcpFeedback]
    for codec in media:
        codec.rtcpFeedback.append(spec)
    HEADER_EXTENSIONS["video"].append(extension)
    try:
        yield
    finally:
        HEADER_EXTENSIONS["video"].remove(extension)
        for codec in media:
            codec.rtcpFeedback.remove(spec)


def give(receiver: RTCRtpReceiver) -> "asyncio.Task[None]":
    """Send feedback about what `receiver` gets, until the task is cancelled."""
    arrivals: dict[int, float] = {}
    source = [0]
    handle: Any = receiver._handle_rtp_packet  # noqa: SLF001  # aiortc has no public way to a packet's arrival
    highest = [-1]

    async def rtp(packet: RtpPacket, arrival_time_ms: int) -> None:
        number = packet.extensions.transport_sequence_number
        if number is not None:
            step = (number - highest[0] + 0x8000) % 0x10000 - 0x8000
            count = number if highest[0] < 0 else highest[0] + step
            highest[0] = max(highest[0], count)
            arrivals[count] = time.monotonic()
            source[0] = packet.ssrc
            packet.extensions.abs_send_time = None  # so that aiortc estimates nothing and sends no REMB
        await handle(packet, arrival_time_ms)

    receiver._handle_rtp_packet = rtp  # type: ignore[method-assign]  # noqa: SLF001  # as above

    async def tell() -> None:
        count = 0
        while True:
            await asyncio.sleep(INTERVAL_S)
            if arrivals and receiver.transport.state == "connected":
                packet = feedback(arrivals, source[0], count)
                arrivals.clear()
                count += 1
                await receiver.transport._send_rtp(packet)  # noqa: SLF001  # as above

    return asyncio.create_task(tell())


def feedback(arrivals: Mapping[int, float], media_ssrc: int, count: int) -> bytes:
    """Return the RTCP packet that tells when each packet came; numbers between them were lost."""
    first, last = min(arrivals), max(arrivals)
    reference = int(min(arrivals.values()) / REFERENCE_S)
    told = reference * REFERENCE_S
    symbols, deltas = [], b""
    for number in range(first, last + 1):
        if number not in arrivals:
            symbols.append(LOST)
            continue
        ticks = round((arrivals[number] - told) / TICK_S)
        near = 0 <= ticks < 256
        symbols.append(NEAR if near else FAR)
        deltas += struct.pack("!B" if near else "!h", ticks)
        told += ticks * TICK_S
    chunks = b""
    for at in range(0, len(symbols), 7):
        chunk = 0b11 << 14  # a status vector of two bits each
        for place, symbol in enumerate(symbols[at : at + 7]):
            chunk |= symbol << 12 - 2 * place
        chunks += struct.pack("!H", chunk)
    head = struct.pack("!LLHH", 1, media_ssrc, first % 0x10000, len(symbols))
    body = head + (reference % (1 << 24)).to_bytes(3) + bytes([count % 256]) + chunks + deltas
    padding = -len(body) % 4
    if padding:
        body += bytes(padding - 1) + bytes([padding])
    return struct.pack("!BBH", 0x80 | (0x20 if padding else 0) | 15, RTCP_RTPFB, len(body) // 4) + body
