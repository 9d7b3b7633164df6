"""Audio: Opus packets, put in order and given their place in the broadcast's time. Nothing is decoded."""

from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Final

from aiortc.rtp import RtpPacket

from mien.media.codecs.encoded import AUDIO_CLOCK_RATE

_RTP_SEQUENCES: Final = 1 << 16
_RTP_TICKS: Final = 1 << 32
_MAX_STEP: Final = 500
"""A step in sequence numbers above ten seconds of packets is a new count."""
_LONGEST_TICKS: Final = AUDIO_CLOCK_RATE * 120 // 1000
"""RFC 6716, 3.2: a packet holds 120 ms at most."""
_JUMP_TICKS: Final = AUDIO_CLOCK_RATE // 10
_APART_TICKS: Final = AUDIO_CLOCK_RATE * 15 // 1000
_SEEN: Final = 50
"""A second of packets tells a drift from a passing guess."""


@dataclass(frozen=True, slots=True)
class CapturedAudio:
    """One Opus packet of a publisher.

    Attributes:
        data: The packet (RFC 6716).
        ticks: Its time on the publisher's own 48 kHz clock, which does not wrap.
        at: When its first sample was captured, by our clock, in seconds.
    """

    data: bytes
    ticks: int
    at: float


def duration_ticks(packet: bytes) -> int:
    """Return how long an Opus packet sounds, in ticks of 48 kHz; 0 if it is no Opus packet.

    Source:
        RFC 6716, 3.1 (the first byte) and 3.2 (how many frames follow).

    Example:
        >>> duration_ticks(bytes([0xFC, 1, 2, 3]))  # one full-band frame of 20 ms
        960
    """
    if not packet:
        return 0
    mode, packing = packet[0] >> 3, packet[0] & 3
    if mode < 12:
        frame_ticks = (480, 960, 1920, 2880)[mode % 4]  # SILK
    elif mode < 16:
        frame_ticks = (480, 960)[mode % 2]  # hybrid
    else:
        frame_ticks = (120, 240, 480, 960)[mode % 4]  # CELT
    told = packet[1] & 0x3F if len(packet) > 1 else 0
    ticks = (1, 2, 2, told)[packing] * frame_ticks
    return ticks if ticks <= _LONGEST_TICKS else 0


class AudioReorderer:
    """Puts the packets of one media track in their order; late ones and copies are left out.

    A packet that is ahead of its turn waits for one more to come, no longer: a listener's own buffer hides a
    lost packet better than it hides delay.

    Attributes:
        lost: Packets that never came, or too late.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._ssrc: int | None = None
        self._next = 0
        self._early: dict[int, RtpPacket] = {}
        self._last_raw = 0
        self._ticks = 0

    def add(self, packet: RtpPacket) -> list[tuple[RtpPacket, int]]:
        """Take a packet; return those whose turn it is, each with its ticks on a clock that does not wrap."""
        if not duration_ticks(packet.payload):
            return []
        step = (packet.sequence_number - self._next + _RTP_SEQUENCES // 2) % _RTP_SEQUENCES - _RTP_SEQUENCES // 2
        if packet.ssrc != self._ssrc or abs(step) > _MAX_STEP:
            self._ssrc, self._next, step = packet.ssrc, packet.sequence_number, 0
            self._early.clear()
        if step < 0:
            return []
        self._early[self._next + step] = packet
        if step and len(self._early) == 1:
            return []
        first = min(self._early)
        self.lost += first - self._next
        self._next = first
        turn = []
        while (following := self._early.pop(self._next, None)) is not None:
            turn.append((following, self._unwrap(following.timestamp)))
            self._next += 1
        return turn

    def _unwrap(self, raw: int) -> int:
        self._ticks += (raw - self._last_raw + _RTP_TICKS // 2) % _RTP_TICKS - _RTP_TICKS // 2
        self._last_raw = raw
        return self._ticks


class AudioClock:
    """Gives audio its presentation times: as even as the publisher's own count, and near the capture times.

    A listener's buffer takes packets that do not join exactly for a loss and covers it up, audibly. So a
    publisher's count is shifted as a whole and the shift stays, until the capture times have been more than
    15 ms off for a second (two clocks drift apart by that in some minutes) or are 100 ms off at once.

    Args:
        epoch: The capture time, in seconds, that becomes presentation time zero.
    """

    def __init__(self, epoch: float) -> None:
        self._epoch = epoch
        self._shift: int | None = None
        self._last_pts = -1
        self._apart: deque[int] = deque(maxlen=_SEEN)

    def restart(self) -> None:
        """Expect another publisher, with another count."""
        self._shift = None

    def pts(self, audio: CapturedAudio) -> int | None:
        """Return the presentation time of `audio`; None if that has passed already."""
        wanted = round((audio.at - self._epoch) * AUDIO_CLOCK_RATE) - audio.ticks
        if self._shift is None or abs(wanted - self._shift) > _JUMP_TICKS:
            self._shift = wanted
            self._apart.clear()
        self._apart.append(wanted - self._shift)
        if len(self._apart) == _SEEN and abs(apart := round(median(self._apart))) > _APART_TICKS:
            self._shift += apart
            self._apart.clear()
        pts = audio.ticks + self._shift
        if pts <= self._last_pts:
            return None
        self._last_pts = pts
        return pts
