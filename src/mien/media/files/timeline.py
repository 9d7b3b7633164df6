"""One clock for all streams of a file, where the file's own clock jumps or begins anew.

Recorders that are stopped and started, files joined byte by byte, and clocks of 33 bits that wrap around leave time
stamps that fall back or leap ahead. Audio, picture and text of one take share a clock: each discontinuity gets one
offset, which all streams take as they cross it, so that audio stays in step.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

_BACK = Fraction(1, 10)
"""A decoding time that falls back by more is a discontinuity; less is jitter."""
_UNSORTED = Fraction(20)
"""By how much a decoding time may lie below the presentation time, where that alone is known: frames are stored in
another order than they are shown, and in a film of one frame a second four of them are long."""
_RECENT = Fraction(2)
"""Streams that spoke within so many seconds are waited for at a discontinuity."""
_MAX_HELD = 1500
_MAX_HELD_BYTES = 48 * 2**20


class _Stream(Protocol):
    @property
    def index(self) -> int:
        """Its number in the file."""
        ...

    @property
    def type(self) -> str:
        """What it carries: "video", "audio", "subtitle"."""
        ...


class TimedPacket(Protocol):
    """What the timeline reads and moves; a packet of PyAV is one."""

    pts: int | None
    dts: int | None

    @property
    def stream(self) -> _Stream:
        """Whose packet it is."""
        ...

    @property
    def time_base(self) -> Fraction | None:
        """Unit of the times, in seconds."""
        ...

    @property
    def duration(self) -> int | None:
        """How long it lasts; 0 or None where the file does not say."""
        ...

    @property
    def size(self) -> int:
        """In bytes."""
        ...


P = TypeVar("P", bound=TimedPacket)


@dataclass(slots=True)
class _Place:
    """How far one stream has come, in seconds of the common clock.

    Attributes:
        generation: Which offset it goes by.
        last: Its newest decoding time.
        end: Where its newest sample ends.
        step: The newest distance between two packets, for those that do not tell their duration.
    """

    generation: int
    last: Fraction
    end: Fraction
    step: Fraction = Fraction(0)


@dataclass(slots=True)
class _Beginning(Generic[P]):
    """The packets behind a discontinuity, until it is known how all streams cross it.

    Attributes:
        held: In the order of the file.
        first: Each stream's earliest presentation time, on the new clock.
        last: Each stream's newest decoding time, on the new clock.
    """

    held: deque[P] = field(default_factory=deque)
    first: dict[int, Fraction] = field(default_factory=dict)
    last: dict[int, Fraction] = field(default_factory=dict)
    size: int = 0

    def add(self, packet: P, at: Fraction, shown: Fraction) -> None:
        index = packet.stream.index
        self.held.append(packet)
        self.size += packet.size
        self.first[index] = min(self.first.get(index, shown), shown)
        self.last[index] = at

    def is_full(self) -> bool:
        return len(self.held) >= _MAX_HELD or self.size >= _MAX_HELD_BYTES

    def fits(self, index: int, at: Fraction, leap: Fraction) -> bool:
        own = self.last.get(index)
        return (own is None or at >= own - _BACK) and abs(at - max(self.last.values())) <= leap


class Timeline(Generic[P]):
    """Moves packets of a file onto one clock.

    Args:
        start: The file's time that becomes 0, in seconds.
        leap: Time stamps that run ahead of every stream by more seconds are a discontinuity.

    Attributes:
        joints: The times at which a stream of pictures crossed a discontinuity, in seconds of the common clock.
        repairs: How many discontinuities there were.
    """

    def __init__(self, *, start: Fraction = Fraction(0), leap: Fraction) -> None:
        self._offsets = [-start]
        self._leap = leap
        self._places: dict[int, _Place] = {}
        self._beginning: _Beginning[P] | None = None
        self.joints: deque[Fraction] = deque()
        self.repairs = 0

    def __call__(self, packets: Iterable[P]) -> Iterator[P]:
        """Yield the packets, moved in place, in the order of the file but for those held at a discontinuity."""
        source, failure = iter(packets), None
        while True:
            try:
                packet = next(source)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001  # raised again below, behind what was read before it
                failure = error
                break
            yield from self._take(packet)
        yield from self._settle()
        if failure is not None:
            raise failure

    def _take(self, packet: P) -> Iterator[P]:
        at = _decoded_at(packet)
        if at is None:
            # No time, or the signal to empty a decoder: it must not overtake what is held.
            yield from self._settle()
            yield packet
            return
        index = packet.stream.index
        generation = self._generation_of(packet, at)
        if generation is not None:
            yield self._moved(packet, generation)
        elif self._beginning is None or self._beginning.fits(index, at, self._leap):
            self._hold(packet, at)
            if self._beginning is not None and (self._beginning.is_full() or not self._awaited()):
                yield from self._settle()
        else:
            yield from self._settle()
            yield from self._take(packet)

    def _hold(self, packet: P, at: Fraction) -> None:
        if self._beginning is None:
            self._beginning = _Beginning()
        self._beginning.add(packet, at, _shown_at(packet, at))

    def _generation_of(self, packet: P, at: Fraction) -> int | None:
        """Return the offset by which a packet carries on its stream, or None where its clock has jumped."""
        index, newest = packet.stream.index, len(self._offsets) - 1
        if self._beginning is not None and index in self._beginning.last:
            return None  # it has crossed
        place = self._places.get(index)
        if place is None:
            # A stream that is new or seldom speaks: the newest clock by which it is not far ahead.
            if self._beginning is not None and self._beginning.fits(index, at, self._leap):
                return None
            fits = (
                generation
                for generation in range(newest, -1, -1)
                if abs(at + self._offsets[generation] - self._now) <= self._leap
            )
            return next(fits, newest if self._beginning is None else None)
        for generation in range(place.generation, newest + 1):
            moved = at + self._offsets[generation]
            if place.last - _BACK <= moved <= self._now + self._leap:
                return generation
        return None

    @property
    def _now(self) -> Fraction:
        """The newest time of any stream, on the common clock."""
        return max((place.end for place in self._places.values()), default=Fraction(0))

    def _awaited(self) -> bool:
        """Say whether a stream that spoke lately has not crossed yet."""
        if self._beginning is None:
            return False
        lately = self._now - _RECENT
        return any(place.end >= lately and index not in self._beginning.last for index, place in self._places.items())

    def _settle(self) -> Iterator[P]:
        """Choose the offset at which no stream overlaps itself, and let the held packets go."""
        beginning, self._beginning = self._beginning, None
        if beginning is None:
            return
        ends = {index: self._places[index].end for index in beginning.first if index in self._places}
        shifts = [end - beginning.first[index] for index, end in ends.items()]
        self._offsets.append(max(shifts) if shifts else self._now - min(beginning.first.values()))
        self.repairs += 1
        generation, seen = len(self._offsets) - 1, set[int]()
        for packet in beginning.held:
            if packet.stream.type == "video" and packet.stream.index not in seen:
                seen.add(packet.stream.index)
                self.joints.append(beginning.first[packet.stream.index] + self._offsets[generation])
            yield self._moved(packet, generation)

    def _moved(self, packet: P, generation: int) -> P:
        base, at = packet.time_base, _decoded_at(packet)
        if base is None or at is None:
            return packet
        offset = self._offsets[generation]
        if packet.stream.type in {"video", "audio"}:  # text speaks too seldom to tell the time by
            self._remember(packet, generation, at + offset, _shown_at(packet, at) + offset)
        ticks = round(offset / base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        return packet

    def _remember(self, packet: P, generation: int, at: Fraction, shown: Fraction) -> None:
        if packet.dts is None and packet.stream.type == "video":
            at -= _UNSORTED
        place = self._places.setdefault(packet.stream.index, _Place(generation, at, shown))
        if at > place.last:
            place.step = at - place.last
        lasts = (packet.duration or 0) * (packet.time_base or 0) or place.step
        place.generation, place.last, place.end = generation, max(place.last, at), max(place.end, shown + lasts)


def _decoded_at(packet: TimedPacket) -> Fraction | None:
    ticks = packet.pts if packet.dts is None else packet.dts
    return None if ticks is None or packet.time_base is None else ticks * packet.time_base


def _shown_at(packet: TimedPacket, at: Fraction) -> Fraction:
    return at if packet.pts is None or packet.time_base is None else packet.pts * packet.time_base
