"""How long single callbacks hold an event loop, in CPU time, which other processes do not lengthen."""

import asyncio
import contextlib
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

_KEPT = 20
_TRIES = 3


@dataclass
class Held:
    """For how long callbacks held the loop.

    Attributes:
        longest_s: CPU seconds of its thread, without what the garbage collector took: that falls upon whichever
            callback it falls upon.
        by: What it was.
        collected_s: The longest collection on this thread.
        worst: The longest callbacks of each kind.
    """

    longest_s: float = 0.0
    by: str = ""
    collected_s: float = 0.0
    worst: dict[str, float] = field(default_factory=dict)

    def note(self, took: float, handle: asyncio.Handle) -> None:
        """Count a callback that took so long."""
        if took > self.longest_s:
            self.longest_s, self.by = took, repr(handle)[:300]
        if len(self.worst) < _KEPT or took > min(self.worst.values()):
            name = _name(handle)
            self.worst[name] = max(took, self.worst.get(name, 0.0))
            if len(self.worst) > _KEPT:
                del self.worst[min(self.worst, key=lambda each: self.worst[each])]


async def least_held(attack: Callable[[], Awaitable[object]], *, enough_s: float) -> Held:
    """Attack, and twice more at most while a callback held the loop for `enough_s`; return the best of these.

    What holds the loop by itself does so each time; what a machine did that stood still, it does once.
    """
    for _ in range(_TRIES):
        with noting_what_holds_the_loop() as held:
            await attack()
        if held.longest_s < enough_s:
            break
    return held


@contextlib.contextmanager
def noting_what_holds_the_loop() -> Iterator[Held]:
    """Measure every callback of every event loop of this process."""
    held, run = Held(), asyncio.Handle._run
    collecting_since = collected = 0.0

    def on_collection(phase: str, _info: object) -> None:
        nonlocal collecting_since, collected
        if phase == "start":
            collecting_since = time.thread_time()
        else:
            took = time.thread_time() - collecting_since
            collected += took
            held.collected_s = max(held.collected_s, took)

    def measured(handle: asyncio.Handle) -> None:
        nonlocal collected
        collected, began = 0.0, time.thread_time()
        run(handle)
        held.note(time.thread_time() - began - collected, handle)

    gc.callbacks.append(on_collection)
    asyncio.Handle._run = measured  # type: ignore[method-assign, assignment]
    try:
        yield held
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]
        gc.callbacks.remove(on_collection)


def _name(handle: asyncio.Handle) -> str:
    """Return what kind of callback it is, without what differs from one to the next."""
    callback = getattr(handle, "_callback", None)
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        return f"task {getattr(task.get_coro(), '__qualname__', '?')}"
    return getattr(callback, "__qualname__", None) or type(callback).__name__
