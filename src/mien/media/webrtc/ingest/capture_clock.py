"""Puts both media tracks of one publisher on this machine's clock, so that lips and voice stay together."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from statistics import median_low
from typing import Final

_RTP_WRAP: Final = 1 << 32
_WINDOW_S: Final = 2.0
"""Chromium takes some frames to align a camera's clock with its own; what it said before is soon forgotten."""
_SANE_REPORT_S: Final = 0.5
_SANE_JUMP_S: Final = 3.0
_OLDEST_S: Final = 5.0
_REPORTS: Final = 3
"""A sender that was busy between reading its clock and sending says something else once; two in three agree."""


@dataclass(slots=True)
class _SrtpWriter:
    """One media track: from its RTP clock to ours.

    Attributes:
        clock_rate: Ticks a second of the RTP clock.
        wall_offsets: What the last sender reports add to the RTP clock to get the sender's wall clock.
        last_raw: RTP timestamp of the last packet.
        ticks: The same, as a count that does not wrap.
        last_at: When the last packet came.
        began: When the present window began.
        smallest: Smallest difference between our clock and the RTP clock in the present window, in seconds.
        smallest_before: The same in the window before.
    """

    clock_rate: int
    last_raw: int | None = None
    ticks: int = 0
    last_at: float = 0.0
    began: float = 0.0
    smallest: float = inf
    smallest_before: float = inf
    wall_offsets: deque[float] = field(default_factory=lambda: deque(maxlen=_REPORTS))

    def unwrap(self, raw: int) -> int:
        """Return `raw`, a 32-bit RTP timestamp, as a count that does not wrap."""
        if self.last_raw is None:
            return raw
        step = (raw - self.last_raw + _RTP_WRAP // 2) % _RTP_WRAP - _RTP_WRAP // 2
        return self.ticks + step

    @property
    def transit(self) -> float:
        """The smallest difference seen lately between our clock and the RTP clock, in seconds."""
        return min(self.smallest, self.smallest_before)

    @property
    def delay(self) -> float | None:
        """The transit time on the sender's wall clock, in seconds; None before the first sender report."""
        return self.transit - median_low(self.wall_offsets) if self.wall_offsets else None

    def arrived(self, raw: int, now: float) -> None:
        """Note a packet with RTP timestamp `raw` that came in at `now`."""
        ticks = self.unwrap(raw)
        jump = (ticks - self.ticks) / self.clock_rate - (now - self.last_at)
        if self.last_raw is not None and abs(jump) > _SANE_JUMP_S:
            self.smallest = self.smallest_before = inf  # the sender began a new count
            self.wall_offsets.clear()
        self.ticks, self.last_raw, self.last_at = ticks, raw, now
        if now - self.began > _WINDOW_S:
            self.began, self.smallest_before, self.smallest = now, self.smallest, inf
        self.smallest = min(self.smallest, now - self.ticks / self.clock_rate)


class CaptureClock:
    """Tells when a frame was captured, in seconds of our clock.

    Every RTP packet's arrival bounds the delay of its track from above; the smallest delay of the last
    seconds is the track's transit time. That alone would leave audio and video apart by the difference of
    the sender's two encoders, so once both tracks have sent a sender report (RFC 3550, 6.4.1), tying both
    RTP clocks to one wall clock, they share one transit time.

    Source:
        RFC 3550, 6.4.1 (sender reports) and RFC 7273 for the idea of one reference clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lines: dict[str, _SrtpWriter] = {}

    def arrived(self, kind: str, raw_timestamp: int, clock_rate: int) -> None:
        """Note an RTP packet of track `kind` that came in just now."""
        self._lines.setdefault(kind, _SrtpWriter(clock_rate)).arrived(raw_timestamp, self._now())

    def reported(self, kind: str, ntp_seconds: float, raw_timestamp: int) -> None:
        """Note a sender report of track `kind`."""
        line = self._lines.get(kind)
        if line is not None:
            line.wall_offsets.append(ntp_seconds - line.unwrap(raw_timestamp) / line.clock_rate)

    def captured(self, kind: str, raw_timestamp: int) -> float:
        """Return when the frame with `raw_timestamp` was captured; never later than now."""
        now = self._now()
        line = self._lines.get(kind)
        if line is None:
            return now
        at = line.unwrap(raw_timestamp) / line.clock_rate + line.transit + self._correction(line)
        return min(max(at, now - _OLDEST_S), now)

    def _correction(self, line: _SrtpWriter) -> float:
        """Return what the sender reports add to the track's own transit time: zero or less."""
        delays = [delay for delay in (other.delay for other in self._lines.values()) if delay is not None]
        if len(delays) < 2 or line.delay is None:
            return 0.0
        correction = min(delays) - line.delay
        return correction if correction > -_SANE_REPORT_S else 0.0
