"""Belts between threads: in order, bounded, stopped cleanly."""

import threading
import time
from collections.abc import Iterator

import pytest

from mien.media.files.prefetch import ReadAhead, WriteBehind


def belts() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name in {"read-ahead", "write-behind"}]


def test_a_reader_gets_everything_in_order():
    with ReadAhead(range(500), size=3) as belt:
        assert list(belt) == list(range(500))
    assert belts() == []


def test_reading_ahead_stops_at_the_size():
    taken: list[int] = []

    def source() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    with ReadAhead(source(), size=3) as belt:
        next(iter(belt))
        time.sleep(0.05)
        assert len(taken) <= 6


def test_an_error_of_the_source_reaches_the_reader_after_the_items_before_it():
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    got: list[int] = []

    def read() -> None:
        with ReadAhead(source(), size=1) as belt:
            got.extend(belt)

    with pytest.raises(ValueError, match="broken"):
        read()
    assert got == [1]
    assert belts() == []


def test_leaving_early_ends_the_thread_even_when_it_waits_for_room():
    with ReadAhead(range(10_000), size=1) as belt:
        assert next(iter(belt)) == 0
    assert belts() == []


def test_a_writer_writes_everything_before_the_block_ends():
    written: list[int] = []

    def slowly(item: int) -> None:
        time.sleep(0.001)
        written.append(item)

    with WriteBehind(slowly, size=2) as put:
        for item in range(30):
            put(item)
    assert written == list(range(30))
    assert belts() == []


def test_an_error_of_the_writer_reaches_the_one_who_puts():
    def fail(_item: int) -> None:
        raise OSError("full")

    def put_many() -> None:
        with WriteBehind(fail, size=1) as put:
            for item in range(1000):
                put(item)
                time.sleep(0.001)

    with pytest.raises(OSError, match="full"):
        put_many()
    assert belts() == []


def test_an_error_with_the_last_item_is_not_lost():
    def fail(_item: int) -> None:
        time.sleep(0.02)
        raise OSError("full")

    def put_one() -> None:
        with WriteBehind(fail, size=1) as put:
            put(1)

    with pytest.raises(OSError, match="full"):
        put_one()


def test_leaving_by_an_error_drops_what_waits():
    written: list[int] = []
    gate = threading.Event()

    def write(item: int) -> None:
        gate.wait(5)
        written.append(item)

    def interrupted() -> None:
        with WriteBehind(write, size=10) as put:
            for item in range(5):
                put(item)
            threading.Timer(0.05, gate.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(written) <= 1
    assert belts() == []
