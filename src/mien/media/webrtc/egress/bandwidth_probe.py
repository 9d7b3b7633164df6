"""Whether a line carries more than what is sent, found out before a better frame depends on it.

What fills the line up meanwhile are packets that the far end has already, sent again: it counts their bytes and
throws them away. The rate rises in small steps, so that a line which is too narrow only ever gets a little too much for
as long as it takes to hear of it.
"""

from collections import deque
from enum import Enum, auto
from typing import Final

_STEP: Final = 1.2
_STEP_S: Final = 0.4
"""A line that is a step too narrow has 80 ms of packets in wait after it: less than a player's buffer."""
_MARGIN: Final = 1.1
_LEAST_RATE: Final = 50_000.0
_HOLD_S: Final = 1.0
_DEAF_S: Final = 6.0
"""RFC 3550, 6.2, lets receivers report every five seconds."""
_FILLED: Final = 0.85
_BURST_OCTETS: Final = 3000.0
_BURST_BACK_S: Final = 0.25
_FALL: Final = 0.97
_QUEUED_S: Final = 0.05
_QUEUED_ALONE_S: Final = 0.12
"""A round trip that is later than that is believed alone; many a far end tells but one a second."""
_MAX_NACKED: Final = 4
_LOST: Final = 0.05
_LOST_PACKETS: Final = 3.0
"""In a step so many may get lost, and a share of all: on a line that loses two in a hundred anyway, three of a step's
thirty are nothing rare."""

_BASE_S: Final = 20.0
_SAMPLE_GAP_S: Final = 0.05


class RoundTrips:
    """How long packets wait on a line, told from round trips: by how much they exceed the shortest of late."""

    def __init__(self) -> None:
        self._least: deque[tuple[float, float]] = deque()
        self._last: tuple[float, float] | None = None
        self._before: float | None = None

    def note(self, rtt_s: float, *, now: float) -> None:
        """Note a round trip of `rtt_s` seconds, reported at `now`."""
        if self._last is not None:
            if now - self._last[0] < _SAMPLE_GAP_S:
                return
            self._before = self._last[1]
        self._last = now, rtt_s
        while self._least and self._least[-1][1] >= rtt_s:
            self._least.pop()
        self._least.append((now, rtt_s))
        while self._least[0][0] < now - _BASE_S:
            self._least.popleft()

    @property
    def late_s(self) -> float:
        """Seconds by which the last round trip alone was longer than the shortest."""
        return 0.0 if self._last is None else self._last[1] - self._least[0][1]

    @property
    def waiting_s(self) -> float | None:
        """Seconds that two round trips in a row agree on, so that a single late one says nothing; None before two."""
        if self._last is None or self._before is None:
            return None
        return min(self._last[1], self._before) - self._least[0][1]


class Outcome(Enum):
    """How a probe ended."""

    CARRIED = auto()
    REFUSED = auto()
    UNTOLD = auto()


class Probe:
    """One attempt to send as much as a better layer takes.

    It ends at the first sign of trouble: an estimate that falls, round trips that grow, packets that get lost. That
    the estimate does not rise is none: receivers let it grow by a few percent a second, whatever comes.

    Args:
        present: What is sent, bits a second.
        wanted: What the better layer takes, bits a second.
        now: In seconds, as in all other methods; never falls.

    Attributes:
        rate: What shall be on the line now, everything together, bits a second.
        outcome: None while it goes on. REFUSED: the line does not carry so much. UNTOLD: there was not enough to
            send, so nobody knows.
    """

    def __init__(self, present: float, wanted: float, *, now: float) -> None:
        self.outcome: Outcome | None = None
        self._wanted = wanted * _MARGIN
        self.rate = min(max(present, _LEAST_RATE), self._wanted)
        self._octets: int | None = None
        self._left = 0.0
        self._at = now
        self._last_report_at = now
        self._estimate = 0
        self._is_suspect = False
        self._begin_step(now)

    def room(self, octets: int, *, now: float) -> float:
        """Return how many bytes may be added now.

        Frames and answered requests come first: what they take is taken from here.

        Args:
            octets: All that was sent so far, what was added included.
            now: The time.
        """
        if self._octets is None:
            self._octets = octets
        came = octets - self._octets
        self._octets = octets
        self._filled += came
        self._left += (now - self._at) * self.rate / 8 - came
        self._left = max(min(self._left, _BURST_OCTETS), -_BURST_BACK_S * self.rate / 8)
        self._at = now
        self._go_on(now)
        return 0.0 if self.outcome else self._left

    def _go_on(self, now: float) -> None:
        spent_s = now - self._began_at
        is_last = self.rate >= self._wanted
        enough_s = _HOLD_S if is_last else _STEP_S
        if self.outcome or spent_s < enough_s:
            return
        filled = self._filled * 8 >= _FILLED * self.rate * spent_s
        if filled and not self._is_suspect and self._last_report_at >= self._began_at + enough_s / 2:
            if is_last:
                self.outcome = Outcome.CARRIED
            else:
                self.rate = min(self.rate * _STEP, self._wanted)
                self._begin_step(now)
        elif spent_s > _DEAF_S:
            self.outcome = Outcome.REFUSED if filled else Outcome.UNTOLD

    def _begin_step(self, now: float) -> None:
        self._began_at = now
        self._filled = 0
        self._nacked = 0
        self._lost = self._packets = 0.0

    def _refuse(self) -> None:
        self.outcome = self.outcome or Outcome.REFUSED

    def on_estimate(self, bit_rate: int, *, now: float) -> None:
        """Note the far end's estimate of its line."""
        self._last_report_at = now
        if bit_rate < _FALL * self._estimate:
            self._refuse()
        self._estimate = max(bit_rate, self._estimate)

    def on_round_trip(self, round_trips: RoundTrips, *, now: float) -> None:
        """Note that there is another round trip; a late one keeps the rate where it is until the next."""
        self._last_report_at = now
        self._is_suspect = round_trips.late_s > _QUEUED_S
        if round_trips.late_s > _QUEUED_ALONE_S or (round_trips.waiting_s or 0.0) > _QUEUED_S:
            self._refuse()

    def on_loss(self, fraction: float, packets: int, *, now: float) -> None:
        """Note the share of `packets` that got lost, be they frames' or added ones."""
        self._last_report_at = now
        self._lost += fraction * packets
        self._packets += packets
        if self._lost > _LOST_PACKETS + _LOST * self._packets:
            self._refuse()

    def on_nack(self, packets: int) -> None:
        """Note that so many packets were asked for."""
        self._nacked += packets
        if self._nacked >= _MAX_NACKED:
            self._refuse()
