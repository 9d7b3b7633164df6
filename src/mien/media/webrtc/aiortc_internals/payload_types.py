"""aiortc's notion of payload types, as wide as browsers use them."""

from typing import Final

from aiortc import rtp

DYNAMIC: Final = (*range(35, 64), *range(96, 128))
"""Payload types that an offer may give a meaning to; 64 to 95 look like RTCP (RFC 5761, 4)."""


def take_dynamic_types() -> None:
    """Let aiortc answer with the payload type that was offered.

    It does so from 96 on. To an offer of 35 to 63, which browsers use once the upper ones are taken, it answers with
    numbers of its own, under which nobody sends.
    """
    rtp.DYNAMIC_PAYLOAD_TYPES = DYNAMIC  # type: ignore[assignment]  # only looked into
