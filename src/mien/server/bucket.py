"""Buckets of tokens: so many at once, so many a second, for each address its own."""

from typing import Final

_MOST_ADDRESSES: Final = 4096
"""Who asks from more of them has more to spend than this costs us."""


class Bucket:
    """Lets something happen at a bounded rate.

    Args:
        size: So often at once.
        per_s: So often a second in the long run.

    Source:
        The token bucket of RFC 2697, with one colour.

    Example:
        >>> bucket = Bucket(2, per_s=1.0)
        >>> [bucket.take(now) for now in (0.0, 0.0, 0.0, 1.0)]
        [True, True, False, True]
    """

    def __init__(self, size: int, *, per_s: float) -> None:
        self._size = size
        self._per_s = per_s
        self._left = float(size)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Take a token if there is one; `now` is in seconds of a clock that never goes back."""
        if self._at is not None:
            self._left = min(self._left + (now - self._at) * self._per_s, self._size)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def wait_s(self) -> float:
        """Return how long after the last `take` there is a token again."""
        return max(1 - self._left, 0.0) / self._per_s


class Buckets:
    """A bucket for each address: a stranger who empties theirs takes nothing from anybody else.

    Args:
        size: As in `Bucket`.
        per_s: As in `Bucket`.
        most: Of more addresses, the one that has asked for nothing for longest is forgotten.

    Example:
        >>> buckets = Buckets(1, per_s=0.5)
        >>> [buckets.wait_s(who, 0.0) for who in ("a", "a", "b")]
        [0.0, 2.0, 0.0]
    """

    def __init__(self, size: int, *, per_s: float, most: int = _MOST_ADDRESSES) -> None:
        self._size = size
        self._per_s = per_s
        self._most = most
        self._of: dict[str, Bucket] = {}

    def wait_s(self, address: str, now: float) -> float:
        """Take a token of an address; return 0, or for how many seconds there is none."""
        bucket = self._of.pop(address, None) or Bucket(self._size, per_s=self._per_s)
        self._of[address] = bucket  # behind all others
        if len(self._of) > self._most:
            del self._of[next(iter(self._of))]
        return 0.0 if bucket.take(now) else bucket.wait_s()
