"""A mailbox of one between two threads: the newest item waits, an older one is dropped and counted."""

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """Hands the newest item from any thread to one reader.

    When the reader is late an item is replaced, never queued: lateness becomes a lower rate, not a delay.

    Example:
        >>> mailbox = Newest[int]()
        >>> for frame in (1, 2, 3):
        ...     mailbox.put(frame)
        >>> mailbox.get(timeout_s=0), mailbox.dropped
        (3, 2)
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._item: T | None = None
        self._nudged = False
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Leave `item` for the reader. Never waits; after `close` the item is dropped."""
        with self._changed:
            if self._item is not None or self._closed:
                self.dropped += 1  # the reader is late; it will get the newest, not the oldest
            if not self._closed:
                self._item = item
                self._changed.notify()

    def get(self, *, timeout_s: float | None = None) -> T | None:
        """Take the item, waiting up to `timeout_s` for one.

        Returns:
            The item, or None when the time is over, somebody nudged, or the mailbox is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._nudged or self._closed, timeout=timeout_s)
            item, self._item, self._nudged = self._item, None, False
            return item

    def nudge(self) -> None:
        """Make the reader return at once, with or without an item."""
        with self._changed:
            self._nudged = True
            self._changed.notify()

    def clear(self) -> None:
        """Forget the item that waits, without counting it."""
        with self._changed:
            self._item = None

    def close(self) -> None:
        """Wake the reader for good and forget the item that waits."""
        with self._changed:
            self._closed = True
            self._item = None
            self._changed.notify_all()

    @property
    def is_empty(self) -> bool:
        """Whether no item waits."""
        return self._item is None

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed
