"""What a receiver asks of a sender by RTCP."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RtcpFeedback:
    """What the sender should be asked for.

    Attributes:
        lost: Sequence numbers of packets to send again.
        keyframe: Whether nothing can be decoded until a key frame comes.
    """

    lost: tuple[int, ...] = ()
    keyframe: bool = False
