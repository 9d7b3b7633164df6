"""Who gives way to whom when the processor is short."""

import os
import sys
from pathlib import Path
from typing import Final

BEHIND_BROADCASTS: Final = 10
"""How much nicer whatever is no broadcast is: beside a thread of one it gets a tenth of a processor that both want."""
_NICEST: Final = 19


def give_way(by: int = BEHIND_BROADCASTS, *, all_threads: bool = False) -> None:
    """Lower the priority of this thread, and of those that it starts from now on. There is no way back.

    On Linux priorities are those of threads. Elsewhere they are those of processes, and nothing is done: a process that
    has given way could not start one that has not.

    Args:
        by: How much nicer to be.
        all_threads: Lower every thread of this process.
    """
    if sys.platform != "linux":
        return
    threads = [int(task.name) for task in Path("/proc/self/task").iterdir()] if all_threads else [0]
    for thread in threads:
        try:
            nice = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(nice + by, _NICEST))
        except ProcessLookupError:
            pass  # it has ended
