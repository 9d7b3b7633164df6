"""Processes that are started for somebody who has left meanwhile."""

import asyncio
import contextlib
import subprocess
import sys
import threading

from mien.runners import spawning
from mien.runners.verbs import FROM_WORKER

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


async def test_a_process_that_nobody_wants_any_more_is_ended_and_leaves_no_zombie(monkeypatch):
    begun, may_go_on, started = threading.Event(), threading.Event(), []
    popen = subprocess.Popen

    def slow(*arguments, **more):
        begun.set()
        may_go_on.wait()
        started.append(popen(*arguments, **more))
        return started[-1]

    monkeypatch.setattr(spawning.subprocess, "Popen", slow)
    with spawning.starting_thread() as starter:
        asking = asyncio.create_task(spawning.spawn(SLEEP, hears=FROM_WORKER, starter=starter))
        await asyncio.to_thread(begun.wait)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        may_go_on.set()
    assert [process.returncode for process in started] == [-9]
