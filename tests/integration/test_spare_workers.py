"""Workers that wait for the next broadcast: one that goes is replaced, and never in a hurry."""

import asyncio
import os
import signal
import sys

import pytest
from structlog.testing import capture_logs

from mien.app.ports import StreamSpec
from mien.app.states import LiveLimits
from mien.runners import ProcessRunner, process_runner
from support.worker import COMMAND, worker_pids

pytestmark = pytest.mark.timeout(120)

DIES_ONCE_READY = """
import os, runpy, socket, sys, threading
sys.path.insert(0, sys.argv[1])
from mien.runners.worker import run_worker
from support.pipelines import SmallFactory

open(sys.argv[2], "a").write("begun\\n")
threading.Timer(1.0, os._exit, [7]).start()
run_worker(socket.socket(fileno=int(sys.argv[-1])), SmallFactory)
"""
WARMS_UP_FOR_EVER = """
import socket, sys, time
sys.path.insert(0, sys.argv[1])
from mien.runners.worker import run_worker

run_worker(socket.socket(fileno=int(sys.argv[-1])), lambda: time.sleep(3600))
"""


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(process_runner, "_SPARE_AFTER_S", 0.05)
    monkeypatch.setattr(process_runner, "_LONGEST_PAUSE_S", 0.2)


async def until(true) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.02)


async def test_a_waiting_worker_that_dies_is_replaced_and_the_next_session_gets_the_new_one():
    before = worker_pids()
    async with ProcessRunner(COMMAND, limits=LiveLimits(), spares=1) as runner:
        await until(lambda: runner._waiting)
        (first,) = worker_pids() - before
        os.kill(first, signal.SIGKILL)
        await until(lambda: runner.health == ("warming", None))
        await until(lambda: runner._waiting and runner._waiting[0].pid != first)
        assert runner.health == ("ok", None)
        assert len(runner._spares) == 1
        (second,) = worker_pids() - before
        live = await runner.start(StreamSpec(), name="next")
        assert live._worker.pid == second
        live.end()


async def test_one_that_dies_again_and_again_is_started_more_and_more_seldom(tmp_path):
    command = [sys.executable, "-c", DIES_ONCE_READY, COMMAND[-1], str(tmp_path / "begun")]
    pauses = []
    async with ProcessRunner(command, limits=LiveLimits(), spares=1) as runner:

        def is_at_the_longest():
            if pauses[-1:] != [runner._pause_s]:
                pauses.append(runner._pause_s)
            return runner._pause_s == 0.2

        await until(is_at_the_longest)
        assert runner.health[0] == "broken"
    assert pauses == [0.05, 0.1, 0.2]
    assert (tmp_path / "begun").read_text().count("begun") == 3


async def test_one_whose_models_are_missing_is_tried_again_more_and_more_seldom():
    command = ["env", "MIEN_TEST_NO_MODELS=1", *COMMAND]
    async with ProcessRunner(command, limits=LiveLimits(), spares=1) as runner:
        await until(lambda: runner._pause_s == 0.2)
        assert runner.health == ("broken", "run mien models pull")


async def test_a_worker_that_is_let_go_while_it_warms_up_has_not_died():
    command = [sys.executable, "-c", WARMS_UP_FOR_EVER, COMMAND[-1]]
    with capture_logs() as logs:
        async with ProcessRunner(command, limits=LiveLimits(), spares=1) as runner:
            await until(lambda: runner._workers)
    assert [log for log in logs if log["event"] == "worker_died"] == []


async def test_a_worker_that_dies_by_itself_has():
    with capture_logs() as logs:
        async with ProcessRunner(COMMAND, limits=LiveLimits(), spares=1) as runner:
            await until(lambda: runner._waiting)
            os.kill(runner._waiting[0].pid, signal.SIGKILL)
            await until(lambda: any(log["event"] == "worker_died" for log in logs))
