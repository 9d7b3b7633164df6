"""One RTP stream to one viewer: numbers, history and retransmissions. The packets themselves are shared."""

import secrets
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from mien.media.webrtc.aiortc_internals import StreamReport, StreamTerms
from mien.media.webrtc.packets import PackedFrame, PacketBatch, layout
from mien.rate_limit import TokenBucket

HISTORY_S: Final = 1.5
"""A retransmission later than that comes after the player gave up on the frame."""
_DEFAULT_RTT_S: Final = 0.1
_MIN_RTT_S: Final = 0.01
"""Two requests within one jitter of the line mean one loss."""
_MAX_NACK: Final = 256
"""More than a second of packets; whoever misses more needs a keyframe."""
_RESEND_BURST_S: Final = 0.5
_PADDING_DEPTH: Final = 48
"""Receivers take packets that are more than a hundred numbers old for a stream that begins anew (aiortc does)."""
_WORD: Final = 1 << 32
_STAMP_RATE: Final = 1 << 18
"""The header extension counts seconds in 6.18 bits."""

# RFC 3550, 6.4.1 lets reports speak of any clock; this one does not jump when the machine's is set.
_NTP_ORIGIN_S: Final = 2_208_988_800 + time.time() - time.monotonic()


def stamp(now: float) -> int:
    """Return the time of sending as the header extension `abs-send-time` has it."""
    return int(now * _STAMP_RATE) & 0xFFFFFF


class _Sent:
    """A frame that left, by the numbers it bore."""

    __slots__ = ("at", "first", "frame", "picture_id", "resent_at", "timestamp")

    def __init__(self, frame: PackedFrame, first: int, timestamp: int, picture_id: int, at: float) -> None:
        self.frame = frame
        self.first = first
        self.timestamp = timestamp
        self.picture_id = picture_id
        self.at = at
        self.resent_at: dict[int, float] | None = None


class RtpStream:
    """One RTP stream. Sequence numbers, timestamps and picture ids go on without a gap, whatever is sent.

    Args:
        terms: What was agreed on.
        clock_rate: Ticks a second of the RTP clock.
        epoch: The monotonic time that presentation times count from.
        resend_rate: Bits of retransmissions a second that are granted.
        keeps: Whether packets can be asked for again.

    Attributes:
        packets: Sent, without retransmissions.
        octets: Bytes of payload in them.
        resent: Retransmissions.
        resent_octets: Bytes of payload in them.
        padded: Packets sent again only to fill the line.
        padded_octets: Bytes of payload in them.
    """

    def __init__(
        self, terms: StreamTerms, *, clock_rate: int, epoch: float, resend_rate: float = 0.0, keeps: bool = True
    ) -> None:
        self.packets = 0
        self.octets = 0
        self.resent = 0
        self.resent_octets = 0
        self.padded = 0
        self.padded_octets = 0
        self._terms = terms
        self._line = terms.line
        self._layout = layout(terms.payload_type, terms.extension, terms.stamp_at, terms.line.tag)
        self._clock_rate = clock_rate
        self._epoch = epoch
        self._keeps = keeps
        # RFC 3550, 5.1: both begin anywhere. In the lower half a first number that wraps cannot mislead
        # the far end's protection about its rollover counter.
        self._next = secrets.randbelow(1 << 15)
        self._next_rtx = secrets.randbelow(1 << 15)
        self._origin = secrets.randbits(32)
        self._picture_id = secrets.randbits(15)
        self._last_pts = -1
        self._history: deque[_Sent] = deque()
        self._now: _Sent | None = None
        self._allowance = TokenBucket(rate=resend_rate / 8, burst=resend_rate / 8 * _RESEND_BURST_S)

    @property
    def dropped(self) -> int:
        """Packets that the kernel or the transport did not take."""
        return self._line.refused

    def allow(self, resend_rate: float) -> None:
        """Grant so many bits of retransmissions a second from now on."""
        self._allowance.rate = resend_rate / 8

    def send(self, batch: PacketBatch, *, now: float) -> None:
        """Send one slice. Those of a frame come in order, and all before the next frame's."""
        frame = batch.frame
        if batch.first == 0:
            self._begin(frame, now)
        sent = self._now
        if sent is None or sent.frame is not frame:
            return
        self._line.send(
            batch.template(self._layout),
            sent.first + batch.first,
            sent.timestamp,
            self._terms.ssrc,
            sent.picture_id,
        )

    def _begin(self, frame: PackedFrame, now: float) -> None:
        # Two layers of one frame bear one time; a player takes packets of one timestamp for one frame.
        self._last_pts = pts = max(frame.pts, self._last_pts + 1)
        self._now = sent = _Sent(frame, self._next, (self._origin + pts) % _WORD, self._picture_id, now)
        count = len(frame.payloads)
        self._next += count
        self._picture_id = (self._picture_id + 1) & 0x7FFF
        self.packets += count
        self.octets += frame.octets
        if self._keeps:
            history = self._history
            history.append(sent)
            while history[0].at < now - HISTORY_S:
                history.popleft()

    def forget(self) -> None:
        """Resend nothing of what was sent so far: another layer begins, and a player needs no more of the old."""
        self._history.clear()

    def resend(self, sequence_numbers: Sequence[int], *, now: float, rtt_s: float | None) -> None:
        """Answer a NACK, as far as history, the round trip and the allowance permit."""
        quiet_s = max(_DEFAULT_RTT_S if rtt_s is None else rtt_s, _MIN_RTT_S)
        for number in sequence_numbers[:_MAX_NACK]:
            # The lower 16 bits tell which one is meant, since history is much shorter than they reach.
            sequence = self._next - ((self._next - number) & 0xFFFF)
            sent = self._find(sequence)
            if sent is None:
                continue
            resent_at = sent.resent_at
            if resent_at is None:
                resent_at = sent.resent_at = {}
            if now - resent_at.get(sequence, -quiet_s) < quiet_s:
                continue
            payload = sent.frame.payloads[sequence - sent.first]
            if not self._allowance.take(len(payload), now=now):
                return
            resent_at[sequence] = now
            self.resent += 1
            self.resent_octets += len(payload)
            self._line.send_one(self._again(sent, sequence, now))

    @property
    def can_pad(self) -> bool:
        """Whether packets can be sent again that nobody asked for: only as retransmissions are they not replays."""
        return self._keeps and self._terms.rtx_payload_type is not None

    def pad(self, *, now: float) -> int:
        """Send the largest of the last packets again, to fill the line; return its size, 0 where there is none.

        The far end knows it by its old number, counts its bytes and throws it away.
        """
        largest: tuple[int, _Sent, int] | None = None
        for sent in reversed(self._history):
            if sent.first < self._next - _PADDING_DEPTH:
                break
            for number, payload in enumerate(sent.frame.payloads[: sent.frame.reached]):
                if largest is None or len(payload) > largest[0]:
                    largest = len(payload), sent, sent.first + number
        if largest is None:
            return 0
        size, sent, sequence = largest
        self.padded += 1
        self.padded_octets += size
        self._line.send_one(self._again(sent, sequence, now))
        return size

    def _find(self, sequence: int) -> _Sent | None:
        for sent in reversed(self._history):
            if sequence >= sent.first:
                return sent if sequence - sent.first < sent.frame.reached else None
        return None

    def _again(self, sent: _Sent, sequence: int, now: float) -> bytes:
        terms, frame, number = self._terms, sent.frame, sequence - sent.first
        payload = frame.payloads[number]
        if frame.has_picture_id:
            payload = payload[:2] + (0x8000 | sent.picture_id).to_bytes(2, "big") + payload[4:]
        marker = frame.marks_end and number == len(frame.payloads) - 1
        numbers = sequence, sent.timestamp, terms.ssrc
        if terms.rtx_payload_type is None:
            # Under its old number a packet must be the same in every byte: protection allows a number but one text.
            header = self._layout.header(terms.payload_type, marker=marker, stamp=frame.stamp_of(number))
        else:
            # RFC 4588, 4: a stream of its own; the old number comes before the payload.
            header = self._layout.header(terms.rtx_payload_type, marker=marker, stamp=stamp(now))
            payload = (sequence & 0xFFFF).to_bytes(2, "big") + payload
            numbers = self._next_rtx, sent.timestamp, terms.rtx_ssrc
            self._next_rtx += 1
        number16, timestamp, ssrc = numbers
        fields = (number16 & 0xFFFF).to_bytes(2, "big") + timestamp.to_bytes(4, "big") + ssrc.to_bytes(4, "big")
        return header[:2] + fields + header[12:] + payload

    def report(self, now: float) -> StreamReport:
        """Return what a sender report says at `now`.

        Presentation times are capture times, so the instant on the stream's clock is simply what a frame
        captured now would bear: frames and audio stay together whatever either's treatment takes.
        """
        return StreamReport(
            int((_NTP_ORIGIN_S + now) * _WORD),
            (self._origin + round((now - self._epoch) * self._clock_rate)) % _WORD,
            self.packets,
            self.octets,
        )
