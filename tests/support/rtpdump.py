"""What a publisher sent, kept in a file and sent again: tests and benchmarks without a browser beside them.

The file is of the `rtpdump` form of rtptools, which Wireshark reads too; it holds RTP and RTCP as they were before
protection, each with the time of its arrival in milliseconds.
"""

import asyncio
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import av
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RTCP_RTPFB_NACK, AnyRtcpPacket, RtcpPacket, RtcpRtpfbPacket, RtcpSrPacket, RtpPacket, is_rtcp

from mien.media.webrtc.sdp.parse import payload_types

_FIRST_LINE: Final = b"#!rtpplay1.0 127.0.0.1/0\n"
_FILE_HEAD: Final = struct.Struct("!LLLHH")  # start in seconds and microseconds, address, port, padding
_CHROMIUM_OPUS: Final = 111
_KEPT: Final = 2048
"""Packets that can be asked for again: some seconds."""
_RECORD_HEAD: Final = struct.Struct("!HHL")  # length with this head, length of the packet (0: RTCP), milliseconds


@dataclass(frozen=True, slots=True)
class Recorded:
    """One packet.

    Attributes:
        at: Seconds since the recording began.
        data: RTP or compound RTCP.
    """

    at: float
    data: bytes


@dataclass
class Recorder:
    """Keeps what comes to one peer connection, from `attach` on."""

    packets: list[Recorded] = field(default_factory=list)
    _began: float | None = None

    def attach(self, connection: RTCPeerConnection) -> None:
        """Listen before media flows."""
        transport = connection.getReceivers()[0].transport
        handle_rtp, handle_rtcp = transport._handle_rtp_data, transport._handle_rtcp_data

        async def rtp(data: bytes, arrival_time_ms: int) -> None:
            self._keep(data)
            await handle_rtp(data, arrival_time_ms)

        async def rtcp(data: bytes) -> None:
            self._keep(data)
            await handle_rtcp(data)

        transport._handle_rtp_data = rtp  # type: ignore[method-assign]  # aiortc has no public way to the packets
        transport._handle_rtcp_data = rtcp  # type: ignore[method-assign]  # as above

    def _keep(self, data: bytes) -> None:
        now = time.monotonic()
        if self._began is None:
            self._began = now
        self.packets.append(Recorded(now - self._began, data))


def write(path: Path, packets: Sequence[Recorded]) -> Path:
    """Write a recording."""
    with path.open("wb") as file:
        file.write(_FIRST_LINE + _FILE_HEAD.pack(0, 0, 0, 0, 0))
        for packet in packets:
            told = 0 if is_rtcp(packet.data) else len(packet.data)
            head = _RECORD_HEAD.pack(_RECORD_HEAD.size + len(packet.data), told, round(packet.at * 1000))
            file.write(head + packet.data)
    return path


def read(path: Path) -> list[Recorded]:
    """Read a recording.

    Raises:
        ValueError: The file is none, or ends in the middle of a packet.
    """
    data = path.read_bytes()
    at = data.find(b"\n") + 1
    if not data.startswith(b"#!rtpplay1.0 "):
        raise ValueError(f"{path.name} is no rtpdump file")
    at += _FILE_HEAD.size
    packets = []
    while at < len(data):
        length, _, milliseconds = _RECORD_HEAD.unpack_from(data, at)
        packet = data[at + _RECORD_HEAD.size : at + length]
        if len(packet) != length - _RECORD_HEAD.size:
            raise ValueError(f"{path.name} ends in the middle of a packet")
        packets.append(Recorded(milliseconds / 1000, packet))
        at += length
    return packets


def looped(packets: Sequence[Recorded], *, laps: int) -> Iterator[Recorded]:
    """Yield a recording over and over, numbers and times going on as if its publisher had never stopped.

    Args:
        packets: Whose video begins with a key frame.
        laps: How often.
    """
    first: dict[int, RtpPacket] = {}
    last: dict[int, RtpPacket] = {}
    for packet in packets:
        if not is_rtcp(packet.data):
            rtp = RtpPacket.parse(packet.data)
            first.setdefault(rtp.ssrc, rtp)
            last[rtp.ssrc] = rtp
    duration_s = packets[-1].at + 1 / 30
    steps = {ssrc: last[ssrc].sequence_number - rtp.sequence_number + 1 for ssrc, rtp in first.items()}
    for number in range(laps):
        for packet in packets:
            at = packet.at + number * duration_s
            if is_rtcp(packet.data):
                if reports := b"".join(_later_reports(packet.data, first, number * duration_s)):
                    yield Recorded(at, reports)
                continue
            rtp = RtpPacket.parse(packet.data)
            rtp.sequence_number = (rtp.sequence_number + number * steps[rtp.ssrc]) % (1 << 16)
            ticks = round(number * duration_s * _clock_rate(first[rtp.ssrc]))
            rtp.timestamp = (rtp.timestamp + ticks) % (1 << 32)
            yield Recorded(at, rtp.serialize())


def _later_reports(data: bytes, first: dict[int, RtpPacket], later_s: float) -> Iterator[bytes]:
    for report in RtcpPacket.parse(data):
        if isinstance(report, RtcpSrPacket) and report.ssrc in first:
            info = report.sender_info
            info.ntp_timestamp = (info.ntp_timestamp + int(later_s * (1 << 32))) % (1 << 64)
            info.rtp_timestamp = (info.rtp_timestamp + round(later_s * _clock_rate(first[report.ssrc]))) % (1 << 32)
            yield bytes(report)


def _clock_rate(packet: RtpPacket) -> int:
    return 48_000 if packet.payload_type == _CHROMIUM_OPUS else 90_000


class _Silent(MediaStreamTrack):
    """Gives nothing: its sender only makes the offer and keeps the connection."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._ended = asyncio.Event()

    async def recv(self) -> av.VideoFrame:
        await self._ended.wait()
        raise MediaStreamError

    def stop(self) -> None:
        super().stop()
        self._ended.set()


class Replay:
    """Publishes a recording; its media lines are the video and, if it has sound, the audio.

    Args:
        packets: A recording of one publisher whose video is VP8.
        sent: Called with each RTP packet right after it was sent.
    """

    def __init__(self, packets: Iterable[Recorded], *, sent: Callable[[RtpPacket], object] = lambda _: None) -> None:
        self.connection = RTCPeerConnection()
        self._packets = packets
        self._sent = sent
        self._senders: dict[str, RTCRtpSender] = {}
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        for kind in ("video", "audio"):
            sender = self.connection.addTransceiver(_Silent(kind), direction="sendonly").sender
            sender._send_rtcp = _say_nothing  # type: ignore[method-assign,assignment]  # the recorded reports are sent instead
            self._senders[kind] = sender
        self._senders["video"]._handle_rtcp_packet = self._answer  # type: ignore[method-assign]  # what it keeps itself is nothing

    async def run(self, *, video: int, audio: int) -> None:
        """Send everything at its time, once the connection is up.

        Args:
            video: Payload type of the recorded VP8.
            audio: Payload type of the recorded Opus.
        """
        local = self.connection.localDescription.sdp
        types = {
            video: ("video", next(n for n, name in payload_types(local, "video").items() if name == "VP8")),
            audio: ("audio", next(n for n, name in payload_types(local, "audio").items() if name == "opus")),
        }
        kinds: dict[int, str] = {}
        began = time.monotonic()
        for packet in self._packets:
            await asyncio.sleep(max(began + packet.at - time.monotonic(), 0))
            if is_rtcp(packet.data):
                await self._send_report(packet.data, kinds)
                continue
            rtp = RtpPacket.parse(packet.data)
            if rtp.payload_type not in types:
                continue  # retransmissions and probes
            kind, rtp.payload_type = types[rtp.payload_type]
            kinds[rtp.ssrc] = kind
            rtp.ssrc = self._senders[kind]._ssrc
            data = rtp.serialize()
            if kind == "video":
                self._kept[rtp.sequence_number] = data
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            await self._senders[kind].transport._send_rtp(data)
            self._sent(rtp)

    async def _answer(self, packet: AnyRtcpPacket) -> None:
        """Send again, as it was, what the far end misses; a recording has no key frame for it."""
        if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            for number in packet.lost:
                if number in self._kept:
                    await self._senders["video"].transport._send_rtp(self._kept[number])

    async def _send_report(self, data: bytes, kinds: dict[int, str]) -> None:
        for report in RtcpPacket.parse(data):
            if isinstance(report, RtcpSrPacket) and report.ssrc in kinds:
                sender = self._senders[kinds[report.ssrc]]
                report.ssrc = sender._ssrc
                await sender.transport._send_rtp(bytes(report))


async def _say_nothing(_packets: object) -> None:
    """Stand in for a sender's own reports."""
