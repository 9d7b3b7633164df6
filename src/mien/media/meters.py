"""Rates and durations over the last moments, for the numbers a broadcaster sees."""

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from statistics import median


class RateMeter:
    """Counts events a second over a sliding window.

    Example:
        >>> meter = RateMeter(window_s=2.0)
        >>> for at in (0.0, 0.5, 1.0, 1.5):
        ...     meter.tick(at)
        >>> meter.rate(2.0), meter.rate(10.0)
        (2.0, 0.0)
    """

    def __init__(self, *, window_s: float = 3.0) -> None:
        self.total = 0
        self._window_s = window_s
        self._times: deque[float] = deque(maxlen=1024)
        self._lock = threading.Lock()

    def tick(self, at: float) -> None:
        """Count one event at `at` seconds."""
        with self._lock:
            self.total += 1
            self._times.append(at)

    def rate(self, now: float) -> float:
        """Return the events a second in the window that ends at `now`."""
        with self._lock:
            while self._times and self._times[0] < now - self._window_s:
                self._times.popleft()
            return len(self._times) / self._window_s


class DurationMeter:
    """Remembers the last durations and tells their median.

    Example:
        >>> meter = DurationMeter()
        >>> meter.median_ms is None
        True
        >>> for seconds in (0.010, 0.012, 0.500):
        ...     meter.add(seconds)
        >>> meter.median_ms
        12.0
    """

    def __init__(self, *, size: int = 90) -> None:
        self._seconds: deque[float] = deque(maxlen=size)
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        """Remember one duration."""
        with self._lock:
            self._seconds.append(seconds)

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._seconds.clear()

    @property
    def median_ms(self) -> float | None:
        """The median in milliseconds, to a tenth; None before the first."""
        with self._lock:
            return round(median(self._seconds) * 1000, 1) if self._seconds else None


class Histogram:
    """Counts durations by class, for ever.

    Args:
        bounds_s: Rising upper bounds of the classes; one more class takes what is longer.

    Attributes:
        counts: Durations in each class.
        sum_s: Their sum.

    Example:
        >>> histogram = Histogram([0.1, 0.2])
        >>> for seconds in (0.05, 0.1, 0.15, 3.0):
        ...     histogram.add(seconds)
        >>> histogram.counts, histogram.sum_s
        ([2, 1, 1], 3.3)
    """

    def __init__(self, bounds_s: Sequence[float]) -> None:
        self.counts = [0] * (len(bounds_s) + 1)
        self.sum_s = 0.0
        self._bounds_s = tuple(bounds_s)

    def add(self, seconds: float) -> None:
        """Count one duration; from one thread only."""
        self.counts[bisect_left(self._bounds_s, seconds)] += 1
        self.sum_s += seconds
