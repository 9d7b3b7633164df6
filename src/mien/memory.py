"""Memory of a process that stays for long: what was needed once goes back, and what stays is not walked through."""

import asyncio
import ctypes
import gc
import sys
from typing import Final

HAND_BACK_EVERY_S: Final = 60.0


def settle() -> None:
    """Hand back what is free, and let the collector pass over everything that is there by now.

    A collection that walks through all that was loaded halts every thread for 40 ms and more, and came when a viewer
    joined. It takes as long itself, so it is for moments in which nobody waits.
    """
    gc.collect()
    gc.freeze()
    hand_back_free()


def hand_back_free() -> bool:
    """Give memory that is free inside the allocator back to the system; return whether there was any.

    glibc keeps it where it was used: 34 MB after a network of 22 MB was opened, 53 MB after a mask was drawn. Elsewhere
    nothing is done: other allocators hand it back by themselves.
    """
    if sys.platform != "linux":
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    return trim is not None and bool(trim(0))


async def hand_back_regularly(every_s: float = HAND_BACK_EVERY_S) -> None:
    """Hand back what is free from time to time, until cancelled.

    A siege of every route leaves 60 MB free between what the process holds. To hand them back takes up to 35 ms, in
    which whoever wants memory waits; done again, hardly anything.
    """
    while True:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(hand_back_free)
