import asyncio

import pytest

from mien.errors import LiveLostError
from mien.runners.awake_clock import MOST_S, TICK_S, AwakeClock
from mien.runners.channel import NO_CALL, Said
from mien.runners.messages import Done, TakeThumbnail, Thumbnail
from mien.runners.worker_process import _SILENT_S, WorkerProcess


class Stopped:
    """A clock that a test sets."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Line:
    """A channel on which a test says what comes, and the process at its end."""

    pid = 1

    def __init__(self):
        self.heard = asyncio.Queue()
        self.killed = False

    async def receive(self):
        said = await self.heard.get()
        if said is None:
            raise LiveLostError("gone")
        return said

    async def send(self, *said):
        pass

    async def close(self):
        pass

    async def wait(self):
        return -9 if self.killed else 0

    def kill(self):
        self.killed = True
        self.heard.put_nowait(None)


async def let_run():
    for _ in range(10):
        await asyncio.sleep(0)


def ticked(clock, stopped, *steps_s):
    for step_s in steps_s:
        stopped.now += step_s
        clock.tick()


def silence(seconds):
    return [TICK_S] * round(seconds / TICK_S)


def test_time_counts_while_the_loop_runs_and_hardly_while_it_stands_still():
    stopped = Stopped()
    clock = AwakeClock(stopped)
    ticked(clock, stopped, *silence(3.0))
    assert clock.now() == 3.0
    ticked(clock, stopped, 3600.0)
    assert clock.now() == 3.0 + MOST_S
    stopped.now -= 50.0
    clock.tick()
    assert clock.now() == 3.0 + MOST_S, "a clock that is set back takes nothing away"


async def test_a_wait_ends_when_the_loop_was_awake_for_as_long():
    stopped = Stopped()
    clock = AwakeClock(stopped)
    ended = asyncio.Event()

    async def wait():
        with pytest.raises(TimeoutError):
            async with clock.timeout(2.0):
                await asyncio.Event().wait()
        ended.set()

    waiting = asyncio.create_task(wait())
    await let_run()
    ticked(clock, stopped, 600.0, 600.0)
    await let_run()
    assert not ended.is_set(), "two stalls of ten minutes are one second of listening"
    ticked(clock, stopped, *silence(1.0))
    async with asyncio.timeout(30):
        await waiting
    assert not clock._limits


async def test_a_wait_that_is_over_leaves_nothing_behind():
    clock = AwakeClock(Stopped())
    async with clock.timeout(1.0):
        await asyncio.sleep(0)
    assert not clock._limits


@pytest.fixture
async def worker():
    stopped, line = Stopped(), Line()
    clock = AwakeClock(stopped)
    worker = WorkerProcess(line, line, clock)
    worker._ready = True
    running = asyncio.create_task(worker.run())
    await let_run()
    yield worker, line, clock, stopped
    if not running.done():
        line.heard.put_nowait(None)
    async with asyncio.timeout(30):
        await running


async def test_a_worker_is_not_taken_for_dead_across_a_stall_of_our_own_loop(worker):
    process, line, clock, stopped = worker
    for _ in range(5):
        ticked(clock, stopped, 14.0)  # what a bomb in a parser once took
        await let_run()
        line.heard.put_nowait(Said(NO_CALL, Done()))  # what had been lying in the socket
        await let_run()
    assert not process.is_gone
    assert not line.killed


async def test_a_worker_that_says_nothing_while_we_listen_is_killed(worker):
    process, line, clock, stopped = worker
    ticked(clock, stopped, *silence(_SILENT_S - 1.0))
    await let_run()
    assert not line.killed
    ticked(clock, stopped, *silence(1.0))
    async with asyncio.timeout(30):
        await process.gone.wait()
    assert line.killed


async def test_a_call_is_not_given_up_across_a_stall_either(worker):
    process, line, clock, stopped = worker
    asked = asyncio.create_task(process.call(TakeThumbnail(), Thumbnail))
    await let_run()
    ticked(clock, stopped, 300.0)
    await let_run()
    line.heard.put_nowait(Said(1, Thumbnail(b"\xff\xd8jpeg")))
    async with asyncio.timeout(30):
        assert await asked == Thumbnail(b"\xff\xd8jpeg")
