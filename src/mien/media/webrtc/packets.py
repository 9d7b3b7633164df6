"""Frames and audio cut into RTP packets, once for all viewers.

    EncodedFrame ─► Packetiser ─► PackedFrame ─► PacketBatch ─► Template, one for each Layout
                      cut              shared        a slice,      what viewers of one
                      into payloads    history       leaving now   negotiation have in common

What differs from viewer to viewer (numbers, protection) is written over a copy of the template; where there are
kernels, viewers wait in it for each other and one call does that for all.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeAlias

from mien.media.codecs.encoded import EncodedAudio, EncodedFrame, VideoCodec

MAX_PAYLOAD: Final = 1160
"""Bytes of an RTP payload. With headers, a TURN header and IPv6 a packet stays below the 1280 that every
path carries (RFC 8200, 5)."""
SLICE_PACKETS: Final = 10
"""So many packets leave at once; a larger frame leaves in slices."""
MAX_SLICES: Final = 8
_MAX_SLICE_PACKETS: Final = 45
"""What the kernel cuts out of one send: below 64 segments and 64 KiB."""
RTP_HEADER: Final = 12
MAX_TAG: Final = 16

_SOL_UDP, _UDP_SEGMENT = 17, 103
_PICTURE_ID_AT: Final = 2

_START_CODE: Final = re.compile(rb"\x00?\x00\x00\x01")
_SPS, _PPS, _AUD, _FILLER = 7, 8, 9, 12
_STAP_A, _FU_A = 24, 28

Ancillary: TypeAlias = list[tuple[int, int, bytes]]


@dataclass(frozen=True, slots=True)
class PackedFrame:
    """A frame, or a piece of audio, as RTP payloads. Shared by all viewers; it leaves once, to all at the same time.

    Attributes:
        payloads: In order of sending. Those of VP8 leave room for a picture id.
        pts: As of what was packed.
        is_keyframe: Whether a viewer can start here.
        layer: As of the frame.
        marks_end: Whether the last packet carries the RTP marker.
        has_picture_id: Whether the payloads leave that room.
        octets: Bytes of all payloads.
        left: The packet after the last, and the time stamp, of each slice that left.
    """

    payloads: tuple[bytes, ...]
    pts: int
    is_keyframe: bool = True
    layer: int = 0
    marks_end: bool = True
    has_picture_id: bool = False
    octets: int = field(init=False)
    left: list[tuple[int, int]] = field(init=False, default_factory=list, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "octets", sum(map(len, self.payloads)))

    @property
    def reached(self) -> int:
        """How many packets have left."""
        return self.left[-1][0] if self.left else 0

    def stamp_of(self, number: int) -> int:
        """Return the time stamp of a packet that left."""
        return next(stamp for end, stamp in self.left if number < end)

    def slices(self) -> Sequence[tuple[int, int]]:
        """Return where to cut the frame for pacing: (first, end) packet numbers of equal slices."""
        count = len(self.payloads)
        slices = max(min(-(-count // SLICE_PACKETS), MAX_SLICES), -(-count // _MAX_SLICE_PACKETS))
        step = -(-count // slices)
        return [(first, min(first + step, count)) for first in range(0, count, step)]


class Packetiser:
    """Cuts the frames of one broadcast.

    Args:
        codec: The codec of all its frames.
    """

    def __init__(self, codec: VideoCodec) -> None:
        self.codec = codec
        self._parameter_sets: dict[int, list[bytes]] = {}

    def packetise(self, frame: EncodedFrame) -> PackedFrame:
        """Cut a frame; one of no bytes gives no payloads."""
        if self.codec is VideoCodec.VP8:
            payloads = _cut_vp8(frame.data)
        else:
            payloads = tuple(_cut_h264(self._with_parameter_sets(frame)))
        return PackedFrame(
            payloads,
            frame.pts,
            is_keyframe=frame.is_keyframe,
            layer=frame.layer,
            has_picture_id=self.codec is VideoCodec.VP8,
        )

    def _with_parameter_sets(self, frame: EncodedFrame) -> list[bytes]:
        units = [unit for unit in _START_CODE.split(frame.data) if unit and unit[0] & 31 not in {_AUD, _FILLER}]
        if frame.is_keyframe:
            own = [unit for unit in units if unit[0] & 31 in {_SPS, _PPS}]
            if own:
                self._parameter_sets[frame.layer] = own
            else:
                units = self._parameter_sets.get(frame.layer, []) + units
        return units


def pack_audio(audio: EncodedAudio) -> PackedFrame:
    """Return an Opus packet as the one payload it is (RFC 7587, 4.2)."""
    return PackedFrame((audio.data,), audio.pts, marks_end=False)


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    """Cut into pieces as equal as can be: then one system call sends them all."""
    if not data:
        return
    step = -(-len(data) // -(-len(data) // size))
    for at in range(0, len(data), step):
        yield data[at : at + step]


def _cut_vp8(data: bytes) -> tuple[bytes, ...]:
    # RFC 7741, 4.2: extended, start of the partition in the first packet; a picture id of 15 bits follows.
    first, later = b"\x90\x80\x80\x00", b"\x80\x80\x80\x00"
    return tuple(
        (later if number else first) + piece for number, piece in enumerate(_cut(data, MAX_PAYLOAD - len(first)))
    )


def _cut_h264(units: Sequence[bytes]) -> Iterator[bytes]:
    """Small units travel together (STAP-A), large ones in parts (FU-A); RFC 6184, 5.7 and 5.8."""
    together: list[bytes] = []
    for unit in units:
        if together and 1 + sum(2 + len(one) for one in (*together, unit)) > MAX_PAYLOAD:
            yield _aggregate(together)
            together = []
        if len(unit) <= MAX_PAYLOAD:
            together.append(unit)
            continue
        indicator, kind = unit[0] & 0xE0 | _FU_A, unit[0] & 31
        pieces = list(_cut(unit[1:], MAX_PAYLOAD - 2))
        for number, piece in enumerate(pieces):
            start_end = (number == 0) << 7 | (number == len(pieces) - 1) << 6
            yield bytes((indicator, start_end | kind)) + piece
    if together:
        yield _aggregate(together)


def _aggregate(units: Sequence[bytes]) -> bytes:
    if len(units) == 1:
        return units[0]
    importance = max(unit[0] & 0x60 for unit in units)
    return bytes((importance | _STAP_A,)) + b"".join(struct.pack("!H", len(unit)) + unit for unit in units)


@dataclass(frozen=True, eq=False, slots=True)
class Layout:
    """How the packets of one negotiation look. Viewers who agreed on the same share one object: see `layout`.

    Attributes:
        payload_type: The codec's payload type.
        extension: The header extension, complete; empty for none.
        stamp_at: Where in the packet its time of sending stands (three bytes), or None.
        tag: How many bytes protection adds.
    """

    payload_type: int
    extension: bytes
    stamp_at: int | None
    tag: int

    def header(self, payload_type: int, *, marker: bool, stamp: int) -> bytes:
        """Return a header in which sequence number, timestamp and source are zero."""
        first = 0x90 if self.extension else 0x80
        header = bytes((first, payload_type | (0x80 if marker else 0))) + bytes(10) + self.extension
        if self.stamp_at is None:
            return header
        return header[: self.stamp_at] + stamp.to_bytes(3, "big") + header[self.stamp_at + 3 :]


layout: Final = lru_cache(maxsize=64)(Layout)
"""Returns the one `Layout` of these values; after 64 kinds the oldest are no longer shared."""


@dataclass(frozen=True, eq=False, slots=True)
class Template:
    """Packets laid one after the other, each with room for its tag.

    Attributes:
        data: All of them.
        places: Where each begins, and how long it is without its tag.
        runs: What one system call can send: from, to, and the order to cut it up, None for a single packet.
        picture_id_at: Where, counted from a packet's begin, its picture id belongs; 0 for nowhere.
        tag: How much room that is.
        waiting: The lines whose packets leave together, each with the numbers that they get.
    """

    data: bytes
    places: tuple[tuple[int, int], ...]
    runs: tuple[tuple[int, int, Ancillary | None], ...]
    picture_id_at: int
    tag: int
    waiting: list[tuple[Any, bytes]] = field(default_factory=list)


class PacketBatch:
    """One slice of a frame on its way to everybody, now.

    Args:
        frame: All of it.
        first: The slice's first packet.
        end: The packet after its last.
        stamp: The time of sending, for the header extension.
    """

    def __init__(self, frame: PackedFrame, first: int, end: int, stamp: int) -> None:
        self.frame = frame
        self.first = first
        self.end = end
        self.stamp = stamp
        self._templates: dict[Layout, Template] = {}
        frame.left.append((end, stamp))

    @property
    def templates(self) -> Iterable[Template]:
        """The templates laid out so far."""
        return self._templates.values()

    def template(self, layout: Layout) -> Template:
        """Return the slice in `layout`, made for the first viewer that needs it."""
        found = self._templates.get(layout)
        if found is None:
            found = self._templates[layout] = self._lay_out(layout)
        return found

    def _lay_out(self, layout: Layout) -> Template:
        frame, tag = self.frame, bytes(layout.tag)
        plain = layout.header(layout.payload_type, marker=False, stamp=self.stamp)
        marked = layout.header(layout.payload_type, marker=True, stamp=self.stamp)
        parts: list[bytes] = []
        places: list[tuple[int, int]] = []
        at = 0
        for number in range(self.first, self.end):
            is_end = frame.marks_end and number == len(frame.payloads) - 1
            payload = frame.payloads[number]
            parts += (marked if is_end else plain, payload, tag)
            places.append((at, len(plain) + len(payload)))
            at += len(plain) + len(payload) + len(tag)
        return Template(
            b"".join(parts),
            tuple(places),
            tuple(_runs(places, layout.tag)),
            len(plain) + _PICTURE_ID_AT if frame.has_picture_id else 0,
            layout.tag,
        )


def _runs(places: Sequence[tuple[int, int]], tag: int) -> Iterator[tuple[int, int, Ancillary | None]]:
    """Group packets of one size, and a shorter one to end with: the kernel cuts at equal distances."""
    first = 0
    while first < len(places):
        begin, size = places[first]
        last = first
        while last + 1 < len(places) and places[last][1] == size >= places[last + 1][1]:
            last += 1
        order = [(_SOL_UDP, _UDP_SEGMENT, struct.pack("=H", size + tag))] if last > first else None
        yield begin, sum(places[last]) + tag, order
        first = last + 1
