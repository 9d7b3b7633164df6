"""Traces: what each thread of this process does, and when, for some seconds.

A stage is timed where it stands: `with span("encode"): ...`. That costs a tenth of a microsecond while nothing is
recorded. What the event loop runs is timed without that: each callback and each step of a task, by the name of its
function. A recording is a document of Chrome's trace format, which chrome://tracing and Perfetto show; `table` sums it
up. Only stages and functions have names in it: no picture, address or id.
"""

import asyncio
import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeAlias

from mien.errors import BusyError

MAX_S: Final = 5.0
"""A longer recording would hold more spans than a page can show."""
_MAX_SPANS: Final = 20_000
_TASKS: Final = Path("/proc/self/task")

Span: TypeAlias = tuple[str, int, int, int, int]
"""Name, native thread id, when it began (ns, monotonic), wall time, and processor time of the thread in it (ns)."""


class _Recording:
    """The spans of one recording."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.began_ns = time.monotonic_ns()
        self.threads = _threads()


class _Timed(AbstractContextManager[None]):
    """One stage under a recording."""

    __slots__ = ("_began_ns", "_cpu_ns", "_name", "_recording")

    def __init__(self, recording: _Recording, name: str) -> None:
        self._recording, self._name = recording, name

    def __enter__(self) -> None:
        self._began_ns, self._cpu_ns = time.monotonic_ns(), time.thread_time_ns()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        cpu_ns, wall_ns = time.thread_time_ns() - self._cpu_ns, time.monotonic_ns() - self._began_ns
        spans = self._recording.spans
        if len(spans) < _MAX_SPANS:
            spans.append((self._name, threading.get_native_id(), self._began_ns, wall_ns, cpu_ns))


_OFF: Final = nullcontext()
_recording: _Recording | None = None


def span(name: str) -> AbstractContextManager[None]:
    """Time a stage while a recording runs. Spans of one thread may lie in one another; none may hold an `await`."""
    recording = _recording
    return _OFF if recording is None else _Timed(recording, name)


async def record(seconds: float, *, process: str) -> dict[str, Any]:
    """Record this process for `seconds` (at most `MAX_S`); return a document of Chrome's trace format.

    Args:
        seconds: For how long.
        process: A name for this process.

    Raises:
        BusyError: A recording runs already.
    """
    return _document(*await _record(seconds), process)


async def record_json(seconds: float, *, process: str) -> bytes:
    """Do the same; return the document as JSON. It is put together on another thread: the event loop carries media."""
    recording, lasted_ns = await _record(seconds)

    def document() -> bytes:
        return json.dumps(_document(recording, lasted_ns, process), separators=(",", ":")).encode()

    return await asyncio.to_thread(document)


async def _record(seconds: float) -> tuple[_Recording, int]:
    global _recording  # noqa: PLW0603  # a span must find it at the price of one look
    if _recording is not None:
        raise BusyError("a trace is being recorded already")
    recording = _recording = _Recording()
    try:
        with _timed_callbacks():
            await asyncio.sleep(min(seconds, MAX_S))
    finally:
        _recording = None
    return recording, time.monotonic_ns() - recording.began_ns


# The event loop -----------------------------------------------------------------------------------------------------

LOOP: Final = "loop: "
"""Begins the name of every span of an event loop's own."""


@contextmanager
def _timed_callbacks() -> Iterator[None]:
    """Make a span of all that event loops run. asyncio has no hook for that: its handles' own method is wrapped."""
    run = asyncio.Handle._run  # noqa: SLF001  # see above

    def timed(handle: asyncio.Handle) -> None:
        with span(LOOP + _name_of(handle)):
            run(handle)

    asyncio.Handle._run = timed  # type: ignore[method-assign,assignment]  # noqa: SLF001  # see above
    try:
        yield
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]  # noqa: SLF001  # see above


def _name_of(handle: asyncio.Handle) -> str:
    """Return the name of the function that a handle calls; of its coroutine, where that is the next step of a task."""
    callback: Any = handle._callback  # type: ignore[attr-defined]  # noqa: SLF001  # there is no other way to it
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        callback = owner.get_coro()
    while isinstance(callback, partial):
        callback = callback.func
    return str(getattr(callback, "__qualname__", type(callback).__name__))


# Threads ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ThreadTimes:
    """What the scheduler says of a thread.

    Attributes:
        name: Its name in Python; in the system for a library's own.
        ran_ns: For how long it had a core.
        waited_ns: For how long it was ready to run and had none.
    """

    name: str
    ran_ns: int
    waited_ns: int


def _threads() -> dict[int, ThreadTimes]:
    """Return the times of all threads of this process, by native id; of none where Linux does not say."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    times = {}
    for task in _TASKS.glob("*"):
        try:
            ran_ns, waited_ns, _slices = map(int, (task / "schedstat").read_text().split())
            name = names.get(int(task.name)) or (task / "comm").read_text().strip()
        except (OSError, ValueError):  # it has ended meanwhile, or this kernel does not count
            continue
        times[int(task.name)] = ThreadTimes(name, ran_ns, waited_ns)
    return times


def _since(before: Mapping[int, ThreadTimes], now: Mapping[int, ThreadTimes]) -> dict[int, ThreadTimes]:
    none = ThreadTimes("", 0, 0)
    return {
        thread_id: ThreadTimes(
            times.name,
            times.ran_ns - before.get(thread_id, none).ran_ns,
            times.waited_ns - before.get(thread_id, none).waited_ns,
        )
        for thread_id, times in now.items()
    }


# The document -------------------------------------------------------------------------------------------------------


def _document(recording: _Recording, lasted_ns: int, process: str) -> dict[str, Any]:
    threads = _since(recording.threads, _threads())
    known = {number: times.name for number, times in threads.items()}
    known |= {thread_id: "ended" for _, thread_id, *_ in recording.spans if thread_id not in known}
    events: list[dict[str, Any]] = [_names("process_name", 0, process)]
    events += [_names("thread_name", thread_id, name) for thread_id, name in known.items()]
    events += [
        {
            "ph": "X",
            "name": name,
            "pid": 1,
            "tid": thread_id,
            "ts": (began_ns - recording.began_ns) / 1e3,
            "dur": wall_ns / 1e3,
            "tdur": cpu_ns / 1e3,
        }
        for name, thread_id, began_ns, wall_ns, cpu_ns in recording.spans
    ]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "seconds": lasted_ns / 1e9,
            "threads": {
                str(thread_id): {"name": t.name, "ran_ms": t.ran_ns / 1e6, "waited_ms": t.waited_ns / 1e6}
                for thread_id, t in threads.items()
            },
        },
    }


def _names(what: str, thread_id: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": 1, "tid": thread_id, "args": {"name": name}}


# The table ----------------------------------------------------------------------------------------------------------

REST: Final = "(no stage)"


@dataclass(slots=True)
class Row:
    """What one stage took on all threads of one name, without the stages inside it.

    Attributes:
        thread: Its name.
        stage: Name of the span; `REST` for what ran outside all.
        calls: So many times.
        wall_ms: Wall time, in milliseconds of the whole recording.
        cpu_ms: Processor time.
        waited_ms: How long the threads waited for a core; of `REST` alone, which stands for the thread as a whole.
    """

    thread: str
    stage: str
    calls: int = 0
    wall_ms: float = 0.0
    cpu_ms: float = 0.0
    waited_ms: float = 0.0


def table(document: Mapping[str, Any]) -> list[Row]:
    """Sum up a recording by thread and stage, the most processor time first."""
    names = {int(number): thread["name"] for number, thread in document["otherData"]["threads"].items()}
    rows: dict[tuple[str, str], Row] = {}

    def row(thread: str, stage: str) -> Row:
        return rows.setdefault((thread, stage), Row(thread, stage))

    in_stages: dict[int, float] = defaultdict(float)
    for event, wall_ms, cpu_ms in _own_times(document["traceEvents"]):
        found = row(names.get(event["tid"], "ended"), event["name"])
        found.calls += 1
        found.wall_ms += wall_ms
        found.cpu_ms += cpu_ms
        in_stages[event["tid"]] += cpu_ms
    for number, thread in document["otherData"]["threads"].items():
        rest = row(thread["name"], REST)
        rest.cpu_ms += max(thread["ran_ms"] - in_stages[int(number)], 0.0)
        rest.waited_ms += thread["waited_ms"]
    return sorted(rows.values(), key=lambda row: -row.cpu_ms)


def _own_times(events: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], float, float]]:
    """Yield each span with its wall and processor time, in milliseconds, less those of the spans inside it."""
    spans = sorted(
        (event for event in events if event["ph"] == "X"), key=lambda event: (event["tid"], event["ts"], -event["dur"])
    )
    own = [[event["dur"], event["tdur"]] for event in spans]
    open_spans: list[int] = []
    for number, event in enumerate(spans):
        while open_spans and not _holds(spans[open_spans[-1]], event):
            open_spans.pop()
        if open_spans:
            own[open_spans[-1]][0] -= event["dur"]
            own[open_spans[-1]][1] -= event["tdur"]
        open_spans.append(number)
    for event, (wall_us, cpu_us) in zip(spans, own, strict=True):
        yield event, wall_us / 1e3, cpu_us / 1e3


def _holds(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> bool:
    return bool(outer["tid"] == inner["tid"] and inner["ts"] < outer["ts"] + outer["dur"])
