"""What encoders give and senders, recorders and players take: encoded once, shared by all, never changed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

VIDEO_CLOCK_RATE: Final = 90_000
"""Ticks a second of every video codec's RTP clock (RFC 3551, 5)."""
AUDIO_CLOCK_RATE: Final = 48_000
"""Ticks a second of Opus' RTP clock (RFC 7587, 4.1)."""


class VideoCodec(StrEnum):
    """The video codecs a broadcast can be sent in, by their names in SDP."""

    VP8 = "VP8"
    H264 = "H264"


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One treated frame of one layer.

    Attributes:
        data: A VP8 frame, or H.264 NAL units with start codes (Annex B).
        pts: Capture time on the 90 kHz clock, counted from the broadcast's epoch; rises within a layer.
        is_keyframe: Whether it can be decoded by itself.
        layer: Which of the broadcast's sizes it is; 0 is the best.
    """

    data: bytes
    pts: int
    is_keyframe: bool
    layer: int = 0


@dataclass(frozen=True, slots=True)
class EncodedAudio:
    """One Opus packet.

    Attributes:
        data: The packet (RFC 6716).
        pts: Capture time of its first sample on the 48 kHz clock, counted from the broadcast's epoch.
    """

    data: bytes
    pts: int
