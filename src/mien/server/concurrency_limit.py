"""A limit on how many requests of a kind are served at a time, where one is dear."""

from collections.abc import Iterator
from contextlib import contextmanager

from mien.errors import BusyError


class ConcurrencyLimit:
    """Counts the requests that are being served.

    Args:
        count: So many at a time.
        full: What is said to who is turned away.

    Example:
        >>> uploads = ConcurrencyLimit(1, full="others are uploading")
        >>> with uploads.taken():
        ...     with uploads.taken():
        ...         pass
        Traceback (most recent call last):
        mien.errors.BusyError: others are uploading
    """

    def __init__(self, count: int, *, full: str) -> None:
        self._free = count
        self._full = full

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            BusyError: There is none.
        """
        if self._free <= 0:
            raise BusyError(self._full)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
