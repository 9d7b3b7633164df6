"""Memory goes back to the system when it is free."""

import sys
from pathlib import Path

import pytest

from mien.memory import hand_back_free

MB = 2**20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="other allocators hand it back by themselves")
def test_what_a_long_heap_holds_below_its_last_block_is_handed_back():
    # Of 1 kB each: larger ones lie outside the heap, smaller ones are Python's own matter.
    blocks = [bytes(1024) for _ in range(100_000)]
    last = blocks[-1]
    full = resident()
    del blocks
    hand_back_free()
    assert full - resident() > 80 * MB
    assert last
