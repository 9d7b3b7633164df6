"""The private parts of aiortc, aioice and pylibsrtp that we lean on, all here; the pinned 1.16 has no public way.

`tests/integration/test_aiortc_privates.py` notices when one of them changes.
"""

from mien.media.privates.dtls import prepare_dtls, widen_dtls
from mien.media.privates.ice import gather_within
from mien.media.privates.receiving import Clock, harden, on_goodbye, take_packets, watch_clock
from mien.media.privates.sending import Feedback, Line, StreamReport, StreamTerms, round_trip_s, take_over

__all__ = [
    "Clock",
    "Feedback",
    "Line",
    "StreamReport",
    "StreamTerms",
    "gather_within",
    "harden",
    "on_goodbye",
    "prepare_dtls",
    "round_trip_s",
    "take_over",
    "take_packets",
    "watch_clock",
    "widen_dtls",
]
