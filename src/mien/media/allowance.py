"""How much somebody may ask for: a bucket that fills steadily and holds a burst."""


class Allowance:
    """Grants what fits into a steady rate and a burst.

    Args:
        rate: What comes back each second.
        burst: What there can be at most, and is at the beginning.

    Example:
        >>> requests = Allowance(rate=1.0, burst=2.0)
        >>> [requests.take(1.0, now=at) for at in (10.0, 10.0, 10.0, 11.5)]
        [True, True, False, True]
    """

    def __init__(self, *, rate: float, burst: float) -> None:
        self.rate = rate
        self._burst = burst
        self._left = burst
        self._at: float | None = None

    def take(self, amount: float, *, now: float) -> bool:
        """Take `amount` if there is so much. `now` is in seconds and does not fall."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True
