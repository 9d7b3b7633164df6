"""A trace must add up: what lies in a stage belongs to it once, and what lies in none is said as well."""

import asyncio
import contextlib
import json
import threading
import time
from functools import partial

import pytest

from mien import tracing
from mien.errors import BusyError


def spin(milliseconds):
    """Use the processor for so long."""
    until = time.thread_time() + milliseconds / 1e3
    while time.thread_time() < until:
        pass


async def recording(work, seconds=0.01):
    """Record while `work` runs on a thread of its own; return the document."""
    recorder = asyncio.create_task(tracing.record(seconds, process="a test"))
    await asyncio.sleep(0)
    thread = threading.Thread(target=work, name="worker")
    thread.start()
    document = await recorder
    thread.join()
    return document


def spans(document):
    """Return the spans of stages, without what the test's own event loop ran."""
    events = [event for event in document["traceEvents"] if event["ph"] == "X"]
    return [event for event in events if not event["name"].startswith(tracing.LOOP)]


def row(document, stage):
    return next(row for row in tracing.table(document) if row.stage == stage)


async def test_nothing_is_kept_while_nothing_is_recorded():
    assert tracing.span("a") is tracing.span("b")
    with tracing.span("before"):
        pass
    document = await recording(lambda: None)
    with tracing.span("after"):
        pass
    assert spans(document) == []


async def test_a_recording_that_is_cancelled_ends():
    recorder = asyncio.create_task(tracing.record(tracing.MAX_S, process="a test"))
    await asyncio.sleep(0)
    assert tracing.span("a") is not tracing.span("b")
    recorder.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await recorder
    assert tracing.span("a") is tracing.span("b")


def document_of(*events, ran_ms=100.0):
    """Return a recording of one thread: name, beginning, wall and processor time, in milliseconds."""
    spans = [
        {"ph": "X", "name": name, "pid": 1, "tid": 7, "ts": ts * 1e3, "dur": wall * 1e3, "tdur": cpu * 1e3}
        for name, ts, wall, cpu in events
    ]
    threads = {"7": {"name": "vision", "ran_ms": ran_ms, "waited_ms": 4.0}}
    return {"traceEvents": spans, "otherData": {"seconds": 1.0, "threads": threads}}


def test_a_stage_counts_without_the_stages_inside_it_and_the_rest_has_a_row():
    document = document_of(("frame", 0, 50, 40), ("find", 5, 20, 18), ("tile", 6, 10, 9), ("frame", 60, 30, 20))
    assert (row(document, "frame").calls, row(document, "frame").wall_ms) == (2, pytest.approx(60))
    assert row(document, "frame").cpu_ms == pytest.approx(42)
    assert row(document, "find").cpu_ms == pytest.approx(9)
    assert row(document, "tile").cpu_ms == pytest.approx(9)
    assert row(document, tracing.REST).cpu_ms == pytest.approx(100 - 60)
    assert row(document, tracing.REST).waited_ms == 4.0
    costs = [row.cpu_ms for row in tracing.table(document)]
    assert costs == sorted(costs, reverse=True)


async def test_the_document_is_what_chrome_reads_and_names_every_thread():
    finished = threading.Event()

    def work():
        with tracing.span("stage"):
            spin(5)
        finished.set()

    recorder = asyncio.create_task(tracing.record(0.2, process="a test"))
    await asyncio.sleep(0)
    thread = threading.Thread(target=work, name="worker")
    thread.start()
    document = json.loads(json.dumps(await recorder))
    assert finished.is_set()
    [stage] = spans(document)
    assert stage["tdur"] >= 5_000
    assert stage["dur"] >= stage["tdur"] * 0.99
    named = {event["tid"] for event in document["traceEvents"] if event["name"] == "thread_name"}
    assert stage["tid"] in named
    assert threading.get_native_id() in named
    thread.join()


async def test_two_recordings_at_once_are_refused():
    first = asyncio.create_task(tracing.record(0.05, process="one"))
    await asyncio.sleep(0)
    with pytest.raises(BusyError):
        await tracing.record(0.05, process="two")
    await first


async def test_a_span_that_fails_is_recorded_and_its_error_goes_on():
    def work():
        with contextlib.suppress(ZeroDivisionError), tracing.span("broken"):
            1 / 0  # noqa: B018

    document = await recording(work, 0.1)
    assert [span["name"] for span in spans(document)] == ["broken"]


async def test_what_the_event_loop_runs_is_recorded_by_the_name_of_its_function():
    async def busy_task():
        await asyncio.sleep(0)
        with tracing.span("inside"):
            spin(20)

    recorder = asyncio.create_task(tracing.record(0.2, process="a test"))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(partial(spin, 3))
    await asyncio.create_task(busy_task())
    document = await recorder
    assert row(document, f"{tracing.LOOP}spin").cpu_ms >= 3
    task = row(document, f"{tracing.LOOP}{busy_task.__qualname__}")
    assert task.calls == 2  # its steps
    inside = row(document, "inside").cpu_ms
    assert inside >= 20
    assert task.cpu_ms < inside, "what lies in a stage counts there and not twice"


async def test_event_loops_are_as_they_were_after_a_recording():
    before = asyncio.Handle._run
    recorder = asyncio.create_task(tracing.record(tracing.MAX_S, process="a test"))
    await asyncio.sleep(0)
    assert asyncio.Handle._run is not before
    recorder.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await recorder
    assert asyncio.Handle._run is before


async def test_a_callback_that_has_no_name_is_recorded_by_its_kind():
    class Callback:
        def __call__(self):
            spin(1)

    recorder = asyncio.create_task(tracing.record(0.05, process="a test"))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(Callback())
    assert row(await recorder, f"{tracing.LOOP}Callback").calls == 1
