"""What values of a message must be like, beyond their types. Each function raises `ValueError` for one that is not."""

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from mien.app.profiles import HELPS
from mien.app.states import DELAY_BOUNDS_S, MAX_FACES_TOLD, LiveReport, PrimaryChoice
from mien.errors import PhotoFinding
from mien.media.webrtc.ice.candidates import TYPES, Candidate
from mien.media.webrtc.sdp.parse import MAX_SDP_BYTES
from mien.vision.photos.quality import PhotoIssue
from mien.vision.types import Doubt

MAX_TEXT: Final = 500
MAX_PHOTOS: Final = 64
_MAX_COUNT: Final = 2**53
"""Larger integers are not exact in a browser, and some have thousands of digits."""
_MAX_SECONDS: Final = 1e9
_MAX_ENTRIES: Final = 32
"""Treatments, layers and pushes have a handful each."""
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What becomes part of a URL."""
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_TREATMENTS: Final = frozenset({"show", "mosaic", "swap"})
_DOUBTS: Final = frozenset({"", *Doubt})
_WORD: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")


def need(condition: object, otherwise: str) -> None:
    """Raise `ValueError` unless `condition` holds."""
    if not condition:
        raise ValueError(otherwise)


def check_id(value: str) -> None:
    """Check the id of a session or a push."""
    need(_ID.fullmatch(value), "an id has 1 to 64 letters, digits, - and _")


def check_face_id(value: int) -> None:
    """Check the id of a face."""
    need(0 <= value <= _MAX_COUNT, "a face out of its range")


def check_choice(choice: PrimaryChoice) -> None:
    """Check which face an owner points at."""
    need((choice.face is None) != (choice.point is None), "a face or a place")
    check_face_id(choice.face or 0)
    need(all(0 <= share <= 1 for share in choice.point or ()), "a place out of the frame")


def check_text(value: str) -> None:
    """Check a sentence for people."""
    need(len(value) <= MAX_TEXT and value.isprintable(), f"a text has at most {MAX_TEXT} printable characters")


def check_candidates(candidates: Sequence[Candidate], octets: int) -> None:
    """Check remote ICE candidates, and how many bytes of text they came with."""
    need(0 <= octets <= MAX_SDP_BYTES, "SDP of a size that is not taken")
    for candidate in candidates:
        need(0 <= candidate.priority < 1 << 32 and 0 < candidate.port <= 65_535, "a candidate out of its range")
        need(candidate.kind in TYPES, "a candidate of no type")
        need(str(ip_address(candidate.address)) == candidate.address, "an address that is not canonical")


def check_findings(findings: Sequence[Sequence[PhotoFinding]]) -> None:
    """Check what was found in photos."""
    need(len(findings) <= MAX_PHOTOS and sum(map(len, findings)) <= MAX_PHOTOS, "more findings than photos can have")
    for found in findings:
        for finding in found:
            PhotoIssue(finding.code)


def check_report(report: LiveReport) -> None:
    """Check what a live session says of itself. Counts of several sessions are added up, so one must not spoil them."""
    stats = report.stats
    counts = [*stats.counts.delays, stats.viewers, *stats.faces.values(), *stats.layers.values()]
    counts += [stats.counts.frames_in, stats.counts.frames_out, stats.counts.dropped, stats.counts.vision_errors]
    for push in stats.pushes.values():
        counts += [push.packets, push.octets, push.resent]
        need(_WORD.fullmatch(push.state), "a push in no state")
        check_text(push.trouble or "")
    if stats.recording is not None:
        counts.append(stats.recording.dropped)
        need(all(map(_FILE_NAME.fullmatch, stats.recording.files)), "a file of a recording without a plain name")
        need(_FILE_NAME.fullmatch(stats.recording.name), "a recording without a plain name")
        need(_WORD.fullmatch(stats.recording.ended or "-"), "a recording that ended for no reason")
    need(all(0 <= count <= _MAX_COUNT for count in counts), "a count out of its range")
    need(len(stats.counts.delays) == len(DELAY_BOUNDS_S) + 1, "delays in other classes")
    numbers = [report.idle_s, stats.fps_in, stats.fps_out, stats.vision_ms or 0.0, stats.server_delay_ms or 0.0]
    need(all(0 <= number <= _MAX_SECONDS for number in (*numbers, stats.counts.delay_sum_s)), "a time out of its range")
    need(all(0 < side <= 1 << 16 for side in stats.size_wh or ()), "a size out of its range")
    for named in (stats.faces, stats.layers, stats.pushes):
        need(len(named) <= _MAX_ENTRIES and all(map(_ID.fullmatch, named)), "names that are none")
    need(_WORD.fullmatch(stats.codec or "-"), "a codec without a name")
    need(len(stats.seen) <= MAX_FACES_TOLD, "more faces than are told of")
    for number in (stats.asked_primary, *(face.id for face in stats.seen)):
        check_face_id(number)
    for face in stats.seen:
        need(all(0 <= share <= 1 for share in face.box), "a place out of the frame")
        need(face.treatment in _TREATMENTS and face.doubt in _DOUBTS, "a treatment or a doubt that is none")
        need(_WORD.fullmatch(face.person or "-"), "a person without a number")
    need(len(stats.profile.helps) <= len(HELPS), "more help than there is")
