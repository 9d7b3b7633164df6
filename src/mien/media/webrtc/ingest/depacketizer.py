"""RTP packets in, whole encoded frames out: a frame leaves with its last packet, and never with a hole.

Nothing here waits or knows of a network. Packets and the time come in; frames, and feedback to ask the sender for
something, come out. Every packet is hostile: whatever it holds, nothing raises and everything has a bound.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aiortc.rtp import RtpPacket

from mien.media.codecs.annex_b import parameter_sets_first
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.feedback import RtcpFeedback
from mien.media.webrtc.ingest.payloads import VP8_KEY_START, Piece, h264_piece, vp8_piece

MAX_FRAME_BYTES: Final = 2 << 20
"""Ten times a key frame of 1080p at a browser's best quality."""
_MAX_HELD: Final = 2048
"""Packets that wait for the end of their frame or for a lost one before them."""
_MAX_LEAD: Final = 16
"""Packets of a key frame that may come before its first parameter set."""
_MAX_STEP: Final = 512
"""A step in sequence numbers above this is a new count, not a loss: two seconds at 2 Mbit/s."""
_MAX_ASKED: Final = 64
"""Lost packets in one request; more fill a packet of our own and cannot arrive in time."""
_FIRST_RTT_S: Final = 0.1
_RTT_S: Final = (0.01, 0.5)
_ASK_AGAIN: Final = 1.25
"""Ask again when a packet has not come within this many round trips: the answer or the request was lost too."""
_ASK_MARGIN_S: Final = 0.01
_TIMES_ASKED: Final = 3
_PATIENCE_S: Final = (0.08, 0.5)
"""A key frame costs a round trip and a burst of packets that may be lost as well, so a lost packet is worth
three requests. On an uplink that is full a key frame takes half a second by itself."""
_KEYFRAME_INTERVAL_S: Final = 0.3
"""Chromium makes no more key frames than this when asked more often."""
_RTP_SEQUENCES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class ReceivedFrame:
    """One frame as the publisher's encoder made it, whole.

    Attributes:
        data: A VP8 frame, or H.264 NAL units with start codes.
        codec: The codec of `data`.
        timestamp: The RTP timestamp, 32 bits.
        is_keyframe: Whether it can be decoded by itself.
    """

    data: bytes
    codec: VideoCodec
    timestamp: int
    is_keyframe: bool


_READ: Final = {VideoCodec.VP8: vp8_piece, VideoCodec.H264: h264_piece}


@dataclass(frozen=True, slots=True)
class _Held:
    """A packet that waits for its frame; without a piece if it is padding, or makes no sense."""

    timestamp: int
    ends_frame: bool
    codec: VideoCodec
    size: int
    piece: Piece | None

    @property
    def is_padding(self) -> bool:
        return not self.size


@dataclass(slots=True)
class _Hole:
    """A packet that is missing."""

    since: float
    asked_at: float = 0.0
    times_asked: int = 0


class Depacketizer:
    """Puts the packets of one media track together into frames.

    A hole is asked for at once, and again after a round trip. When it stays, the frames that build on it are
    dropped and a key frame is asked for: a frame with a hole is never handed on.

    Args:
        payload_types: The codec of each payload type.

    Attributes:
        dropped: Frames that came but could not be used.
        lost: Packets that never came.
        rtt_s: From a request to its answer, smoothed.
    """

    def __init__(self, payload_types: Mapping[int, VideoCodec]) -> None:
        self.dropped = 0
        self.lost = 0
        self.rtt_s = _FIRST_RTT_S
        self._payload_types = payload_types
        self._ssrc: int | None = None
        self._held: dict[int, _Held] = {}
        self._held_bytes = 0
        self._holes: dict[int, _Hole] = {}
        self._next = 0  # the first packet of the next frame; counts on where sequence numbers wrap
        self._scanned = 0  # all packets from `_next` up to here are held, and none ends the frame
        self._highest = -1
        self._clean = False  # whether `_next` follows the end of a frame
        self._in_step = False  # whether the decoder has what the next frame builds on
        self._keyframe_asked_at = -_KEYFRAME_INTERVAL_S

    def add(self, packet: RtpPacket, now: float) -> list[ReceivedFrame]:
        """Take a packet that came at `now`, retransmissions undone; return the frames that it completes."""
        codec = self._payload_types.get(packet.payload_type)
        if codec is None:
            return []
        number = self._count(packet)
        if number < self._next or number in self._held:
            return []  # late or twice
        self._note_holes(number, now)
        size = len(packet.payload)
        piece = _READ[codec](packet.payload) if size else None
        self._held[number] = _Held(packet.timestamp, bool(packet.marker and size), codec, size, piece)
        self._held_bytes += size
        if piece is not None and piece.begins_key and not self._is_worth_waiting(now):
            self._begin_with_key(number)
        self._give_up_on_holes(now)
        frames = list(self._whole_frames())
        if self._held_bytes > MAX_FRAME_BYTES:
            self._begin_at(self._highest + 1)
        return frames

    def feedback(self, now: float) -> RtcpFeedback:
        """Return what to ask the sender for just now; call it after every packet."""
        again_s = self.rtt_s * _ASK_AGAIN + _ASK_MARGIN_S
        lost = []
        for number, hole in self._holes.items():
            if hole.times_asked < _TIMES_ASKED and (not hole.times_asked or now - hole.asked_at > again_s):
                lost.append(number % _RTP_SEQUENCES)
                hole.asked_at, hole.times_asked = now, hole.times_asked + 1
                if len(lost) == _MAX_ASKED:
                    break
        keyframe = not self._in_step and not self._keyframe_is_coming() and self._may_ask_for_keyframe(now)
        if keyframe:
            self._keyframe_asked_at = now
        return RtcpFeedback(tuple(sorted(lost)), keyframe)

    def start_over(self) -> None:
        """Hand on nothing until the next key frame: what was handed on could not be decoded."""
        self._in_step = False

    # Sequence numbers -----------------------------------------------------------------------------------------

    def _count(self, packet: RtpPacket) -> int:
        """Return the packet's sequence number as a count that does not wrap; begin anew where it makes no sense."""
        if packet.ssrc != self._ssrc:
            self._ssrc = packet.ssrc
            self._begin_at(packet.sequence_number)
            return packet.sequence_number
        step = (packet.sequence_number - self._highest + _RTP_SEQUENCES // 2) % _RTP_SEQUENCES - _RTP_SEQUENCES // 2
        number = self._highest + step
        if abs(step) > _MAX_STEP or number - self._next >= _MAX_HELD:
            self._begin_at(packet.sequence_number)
            return packet.sequence_number
        return number

    def _begin_at(self, number: int) -> None:
        self._held.clear()
        self._held_bytes = 0
        self._holes.clear()
        self._next = self._scanned = number
        self._highest = number - 1
        self._clean = self._in_step = False

    def _move_to(self, number: int, *, clean: bool) -> None:
        """Let go of everything before `number`."""
        for passed in range(self._next, number):
            held = self._held.pop(passed, None)
            if held is not None:
                self._held_bytes -= held.size
            if self._holes.pop(passed, None) is not None:
                self.lost += 1
        self._next = number
        self._scanned = max(self._scanned, number)
        self._clean = clean

    # Holes ----------------------------------------------------------------------------------------------------

    def _note_holes(self, number: int, now: float) -> None:
        hole = self._holes.pop(number, None)
        if hole is not None and hole.times_asked:
            low, high = _RTT_S
            self.rtt_s += (min(max(now - hole.since, low), high) - self.rtt_s) / 4
        for missing in range(self._highest + 1, number):
            self._holes[missing] = _Hole(now)
        self._highest = max(self._highest, number)

    def _is_worth_waiting(self, now: float) -> bool:
        """Whether what came before a key frame that begins just now may still be shown."""
        oldest = next(iter(self._holes.values()), None)
        return self._in_step and (oldest is None or now - oldest.since < self.rtt_s)

    def _begin_with_key(self, number: int) -> None:
        """Let go of everything before the key frame to which packet `number` belongs.

        Its parameter sets may come after a delimiter, and again before each of its slices.
        """
        timestamp = self._held[number].timestamp
        head = self._held.get(self._next)
        if head is not None and head.timestamp == timestamp:
            return
        first = number
        while first > number - _MAX_LEAD and (before := self._held.get(first - 1)) and before.timestamp == timestamp:
            first -= 1
        piece = self._held[first].piece
        if piece is not None and piece.begins:
            self._move_to(first, clean=True)
            self._in_step = False

    def _give_up_on_holes(self, now: float) -> None:
        low, high = _PATIENCE_S
        patience_s = min(max(_TIMES_ASKED * (self.rtt_s * _ASK_AGAIN + _ASK_MARGIN_S), low), high)
        hopeless = None
        for number, hole in self._holes.items():
            if now - hole.since <= patience_s:
                break  # the others came later
            hopeless = number
        if hopeless is not None:
            self._move_to(hopeless + 1, clean=False)
            self._in_step = False
            self.rtt_s = min(2 * self.rtt_s, _RTT_S[1])  # no answer came in time: the way may be that long

    def _keyframe_is_coming(self) -> bool:
        head = self._held.get(self._next)
        return head is not None and head.piece is not None and head.piece.begins_key

    def _may_ask_for_keyframe(self, now: float) -> bool:
        return now - self._keyframe_asked_at >= max(_KEYFRAME_INTERVAL_S, 2 * self.rtt_s)

    # Frames ---------------------------------------------------------------------------------------------------

    def _whole_frames(self) -> Iterator[ReceivedFrame]:
        while (end := self._end_of_frame()) is not None:
            packets = [self._held[number] for number in range(self._next, end)]
            began_clean = self._clean
            self._move_to(end, clean=True)
            frame = _join(packets, began_clean=began_clean)
            if frame is None:
                self._in_step = False
            elif frame.is_keyframe:
                self._in_step = True
            if frame is not None and self._in_step:
                yield frame
            else:
                self.dropped += 1

    def _end_of_frame(self) -> int | None:
        """Return the number after the last packet of the frame at `_next`, or None while some are missing."""
        while (head := self._held.get(self._next)) is not None and head.is_padding:
            self._move_to(self._next + 1, clean=self._clean)
        if head is None:
            return None
        while (held := self._held.get(self._scanned)) is not None:
            if held.timestamp != head.timestamp and not held.is_padding:
                return self._scanned  # the frame had no marker
            self._scanned += 1
            if held.ends_frame:
                return self._scanned
        return None


def _join(packets: list[_Held], *, began_clean: bool) -> ReceivedFrame | None:
    """Return the frame that `packets` make, or None if they make none."""
    codec, timestamp = packets[0].codec, packets[0].timestamp
    media = [held for held in packets if not held.is_padding]
    pieces = [held.piece for held in media if held.piece is not None and held.codec is codec]
    if len(pieces) != len(media) or not (pieces[0].begins or (began_clean and codec is VideoCodec.H264)):
        return None
    data = b"".join(piece.data for piece in pieces)
    is_key = any(piece.is_key for piece in pieces)
    if codec is VideoCodec.VP8:
        fits = not is_key or data[3:6] == VP8_KEY_START
    else:
        # A unit that one packet leaves open goes on in the next one.
        fits = [False, *(piece.goes_on for piece in pieces)] == [*(piece.continues for piece in pieces), False]
        data = parameter_sets_first(data) if is_key else data
    return ReceivedFrame(data, codec, timestamp, is_key) if fits else None
