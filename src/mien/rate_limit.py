"""How often something may happen: a token bucket, a throttle for what repeats in the log, and growing pauses.

All of it is pure: it is told the time and the chance, so a test can say what they are.
"""

from dataclasses import dataclass
from typing import Final

_MOST_KEYS: Final = 4096
"""An attacker with more addresses has more to spend than this costs us."""


class TokenBucket:
    """Grants what fits into a steady rate and a burst.

    Args:
        rate: What comes back each second.
        burst: What there can be at most, and is at the beginning.

    Source:
        The token bucket of RFC 2697, with one colour.

    Example:
        >>> bucket = TokenBucket(rate=1.0, burst=2.0)
        >>> [bucket.take(now=at) for at in (10.0, 10.0, 10.0, 11.5)]
        [True, True, False, True]
    """

    def __init__(self, *, rate: float, burst: float) -> None:
        self.rate = rate
        self._burst = burst
        self._left = burst
        self._at: float | None = None

    def take(self, amount: float = 1.0, *, now: float) -> bool:
        """Take `amount` if there is so much. `now` is in seconds and does not fall."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True

    def wait_s(self, amount: float = 1.0) -> float:
        """Return how long after the last `take` there is `amount` again."""
        return max(amount - self._left, 0.0) / self.rate


class TokenBuckets:
    """A bucket for each key, an address for example: who empties theirs takes nothing from anybody else.

    Args:
        rate: As in `TokenBucket`.
        burst: As in `TokenBucket`.
        most: How many keys are kept; the one that has asked for nothing for longest is forgotten.

    Example:
        >>> buckets = TokenBuckets(rate=0.5, burst=1)
        >>> [buckets.wait_s(who, now=0.0) for who in ("a", "a", "b")]
        [0.0, 2.0, 0.0]
    """

    def __init__(self, *, rate: float, burst: float, most: int = _MOST_KEYS) -> None:
        self._rate, self._burst, self._most = rate, burst, most
        self._of: dict[str, TokenBucket] = {}

    def wait_s(self, key: str, *, now: float) -> float:
        """Take one of a key; return 0, or for how many seconds there is none."""
        bucket = self._of.pop(key, None) or TokenBucket(rate=self._rate, burst=self._burst)
        self._of[key] = bucket  # behind all others
        if len(self._of) > self._most:
            del self._of[next(iter(self._of))]
        return 0.0 if bucket.take(now=now) else bucket.wait_s()


class WorkBudgets:
    """What each key may cost, where the cost is known afterwards: who has spent more waits until it is paid off.

    Args:
        rate: What comes back each second.
        burst: What there can be at most, and is at the beginning.
        most: How many keys are kept; the one that has spent nothing for longest is forgotten.

    Example:
        >>> budgets = WorkBudgets(rate=0.5, burst=2.0)
        >>> budgets.spend("a", 3.0, now=10.0)
        >>> [budgets.wait_s(who, now=at) for who, at in (("a", 10.0), ("a", 11.5), ("a", 12.0), ("b", 10.0))]
        [2.0, 0.5, 0.0, 0.0]
    """

    def __init__(self, *, rate: float, burst: float, most: int = _MOST_KEYS) -> None:
        self._rate, self._burst, self._most = rate, burst, most
        self._left_at: dict[str, tuple[float, float]] = {}

    def wait_s(self, key: str, *, now: float) -> float:
        """Return for how many seconds a key must wait; 0 while it is not in debt. `now` does not fall."""
        return max(0.0, -self._left(key, now)) / self._rate

    def spend(self, key: str, amount: float, *, now: float) -> None:
        """Note what a key has cost."""
        left = self._left(key, now) - amount
        self._left_at.pop(key, None)
        self._left_at[key] = left, now  # behind all others
        if len(self._left_at) > self._most:
            del self._left_at[next(iter(self._left_at))]

    def _left(self, key: str, now: float) -> float:
        left, at = self._left_at.get(key, (self._burst, now))
        return min(self._burst, left + (now - at) * self._rate)


class LogThrottle:
    """Counts what may happen with every frame, and lets the log have the 1st, 2nd, 4th, 8th and so on.

    Attributes:
        times: How often it happened.

    Example:
        >>> failures = LogThrottle()
        >>> [failures.count() for _ in range(9)]
        [True, True, False, True, False, False, False, True, False]
    """

    def __init__(self) -> None:
        self.times = 0

    def count(self) -> bool:
        """Count one more; return whether it should be logged."""
        self.times += 1
        return self.times & (self.times - 1) == 0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double with every failure, spread so that what failed together does not come back together.

    Attributes:
        first_s: The pause after one failure.
        longest_s: It grows no further.
        spread: A pause is from so much to so much of that, by chance.

    Example:
        >>> backoff = Backoff(1.0, 30.0, spread=(0.5, 1.0))
        >>> [backoff.pause_s(failures, chance=1.0) for failures in (1, 2, 3, 9, 5000)]
        [1.0, 2.0, 4.0, 30.0, 30.0]
        >>> backoff.pause_s(2, chance=0.0)
        1.0
    """

    first_s: float
    longest_s: float
    spread: tuple[float, float]

    def pause_s(self, failures: int, *, chance: float) -> float:
        """Return how long to wait after so many failures in a row; `chance` is a random number from 0 to 1."""
        longest = min(self.first_s * 2.0 ** min(failures - 1, 64), self.longest_s)
        least, most = self.spread
        return longest * (least + (most - least) * chance)
