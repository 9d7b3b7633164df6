"""The private parts of aiortc, aioice and pylibsrtp that we lean on, all here; the pinned 1.16 has no public way.

`tests/integration/test_aiortc_internals.py` notices when one of them changes. It may import `ice` and the plain parts
of `webrtc`: `packets` and `feedback`.
"""

from mien.media.webrtc.aiortc_internals.checks import allow_checks
from mien.media.webrtc.aiortc_internals.dtls import prepare_dtls, widen_dtls
from mien.media.webrtc.aiortc_internals.ice import gather_within, neighbours
from mien.media.webrtc.aiortc_internals.payload_types import take_dynamic_types
from mien.media.webrtc.aiortc_internals.receiving import Clock, harden, on_goodbye, take_packets, watch_clock
from mien.media.webrtc.aiortc_internals.sending import Feedback, StreamReport, StreamTerms, round_trip_s, take_over
from mien.media.webrtc.aiortc_internals.srtp_writer import SrtpWriter, send_waiting

__all__ = [
    "Clock",
    "Feedback",
    "SrtpWriter",
    "StreamReport",
    "StreamTerms",
    "allow_checks",
    "gather_within",
    "harden",
    "neighbours",
    "on_goodbye",
    "prepare_dtls",
    "round_trip_s",
    "send_waiting",
    "take_over",
    "take_packets",
    "watch_clock",
    "widen_dtls",
]

take_dynamic_types()
