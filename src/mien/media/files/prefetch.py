"""Belts between threads: read ahead and write behind, bounded, with one owner and a clean stop."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class _End:
    """Marks the end of a belt."""


class ReadAhead(Generic[T]):
    """Runs an iterable in a thread of its own and yields its items in order.

    Args:
        items: Where from. Only the thread touches it until the block ends.
        size: How many items may wait.

    Example:
        >>> with ReadAhead(range(3), size=1) as belt:
        ...     list(belt)
        [0, 1, 2]
    """

    def __init__(self, items: Iterable[T], *, size: int) -> None:
        self._items = items
        self._queue: queue.Queue[T | BaseException | _End] = queue.Queue(size)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="read-ahead")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __iter__(self) -> Iterator[T]:
        while not isinstance(item := self._queue.get(), _End):
            if isinstance(item, BaseException):
                raise item
            yield item

    def __exit__(self, *_reason: object) -> None:
        self._stop.set()
        while self._thread.is_alive():
            _drain(self._queue)  # the thread may be waiting for room
            self._thread.join(0.02)

    def _run(self) -> None:
        try:
            for item in self._items:
                self._queue.put(item)
                if self._stop.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that reads
            self._queue.put(error)
            return
        self._queue.put(_End())


class WriteBehind(Generic[T]):
    """Hands items to `write` in a thread of its own, in order.

    Leaving the block waits until everything is written; leaving it by an error drops what still waits.

    Args:
        write: Called by the thread, one item at a time.
        size: How many items may wait.

    Example:
        >>> written = []
        >>> with WriteBehind(written.append, size=1) as put:
        ...     put("a"), put("b")
        (None, None)
        >>> written
        ['a', 'b']
    """

    def __init__(self, write: Callable[[T], None], *, size: int) -> None:
        self._write = write
        self._queue: queue.Queue[T | _End] = queue.Queue(size)
        self._dropping = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="write-behind")

    def __enter__(self) -> Callable[[T], None]:
        self._thread.start()
        return self._put

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._dropping.set()
        self._queue.put(_End())
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _put(self, item: T) -> None:
        if self._error is not None:
            raise self._error
        self._queue.put(item)

    def _run(self) -> None:
        while not isinstance(item := self._queue.get(), _End):
            if self._dropping.is_set():
                continue
            try:
                self._write(item)
            except BaseException as error:  # noqa: BLE001  # raised again in the thread that puts
                self._error = error
                self._dropping.set()


def _drain(items: "queue.Queue[T]") -> None:
    while True:
        try:
            items.get_nowait()
        except queue.Empty:
            return
