"""Memory goes back to the system when it is free."""

import asyncio
import sys
from pathlib import Path

import pytest

from mien.memory import hand_back_free, hand_back_regularly

MB = 2**20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other allocators hand it back by themselves")


def test_what_a_long_heap_holds_below_its_last_block_is_handed_back():
    full, last = filled_and_freed()
    hand_back_free()
    assert full - resident() > 80 * MB
    assert last


async def test_it_is_handed_back_from_time_to_time():
    full, last = filled_and_freed()
    handing_back = asyncio.create_task(hand_back_regularly(every_s=0.0))
    async with asyncio.timeout(20):
        while full - resident() < 80 * MB:  # noqa: ASYNC110  # a thread hands it back
            await asyncio.sleep(0.01)
    assert last
    handing_back.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handing_back


def filled_and_freed() -> tuple[int, bytes]:
    """Fill 100 MB and free all but the last block; return how much was resident in between, and that block."""
    # Of 1 kB each: larger ones lie outside the heap, smaller ones are Python's own matter.
    blocks = [bytes(1024) for _ in range(100_000)]
    return resident(), blocks[-1]
