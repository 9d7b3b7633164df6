"""A bucket of tokens: so many at once, so many a second."""


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
