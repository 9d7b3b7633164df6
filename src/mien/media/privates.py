"""The few private parts of aiortc that we lean on, all here; the pinned 1.16 has no public way.

`tests/integration/test_aiortc_privates.py` notices when one of them changes.
"""

from collections.abc import Callable
from typing import Any, Final

from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.rtp import RtcpSrPacket, RtpPacket

from mien.media.clock import CaptureClock

_NTP_FRACTION: Final = 1 << 32


def on_keyframe_request(sender: RTCRtpSender, call: Callable[[], None]) -> None:
    """Call `call` whenever the viewer at the other end of `sender` asks for a picture complete in itself.

    aiortc only raises a flag that its own encoders read; ours is elsewhere.
    """
    sender._send_keyframe = call  # type: ignore[method-assign]  # noqa: SLF001  # see the module's first line


def watch_clock(receiver: RTCRtpReceiver, kind: str, clock_rate: int, clock: CaptureClock) -> None:
    """Tell `clock` of every RTP packet and sender report that `receiver` gets.

    aiortc hands on decoded frames without saying when their packets came.
    """
    handle_rtp, handle_rtcp = receiver._handle_rtp_packet, receiver._handle_rtcp_packet  # noqa: SLF001  # as above

    async def rtp(packet: RtpPacket, arrival_time_ms: int) -> None:
        clock.arrived(kind, packet.timestamp, clock_rate)
        await handle_rtp(packet, arrival_time_ms)

    async def rtcp(packet: Any) -> None:
        if isinstance(packet, RtcpSrPacket):
            report = packet.sender_info
            clock.reported(kind, report.ntp_timestamp / _NTP_FRACTION, report.rtp_timestamp)
        await handle_rtcp(packet)

    receiver._handle_rtp_packet = rtp  # type: ignore[method-assign]  # noqa: SLF001  # as above
    receiver._handle_rtcp_packet = rtcp  # type: ignore[method-assign]  # noqa: SLF001  # as above


def first_rtp_timestamp(receiver: RTCRtpReceiver) -> int:
    """Return the RTP timestamp of the frame to which `receiver` gave presentation time zero."""
    origin: int | None = receiver._RTCRtpReceiver__timestamp_mapper._origin  # type: ignore[attr-defined]  # noqa: SLF001  # as above
    return (origin or 0) % (1 << 32)
