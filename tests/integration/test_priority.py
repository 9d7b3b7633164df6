"""What is no broadcast gives way to broadcasts: the web process, single pictures, photos."""

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mien.app.ports import StreamSpec
from mien.app.states import LiveLimits
from mien.media.files.frame_codec import FrameFormat
from mien.priority import BEHIND_BROADCASTS, give_way
from mien.runners import ProcessRunner
from mien.runners.spawning import spawn
from mien.runners.verbs import FROM_WORKER
from support.worker import COMMAND, worker_pids

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere priorities are not those of threads")


def nice(pid: int = 0) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


def of_threads(pid: int) -> set[int]:
    return {nice(int(task.name)) for task in Path(f"/proc/{pid}/task").iterdir()}


def on_a_thread(what: Callable[[], Awaitable[None]]) -> None:
    """Run `what` on a loop whose thread may give way for good; raise what it raises."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(what())
        except BaseException as error:  # noqa: BLE001  # raised below
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


@pytest.fixture
def usual():
    """Return the priority that this test began with, where there is room below it."""
    if nice() + BEHIND_BROADCASTS > 19:
        pytest.skip("the tests run at too low a priority to tell")
    return nice()


def test_the_web_process_gives_way_to_the_broadcasts_that_it_starts(usual):
    async def broadcast_and_pictures() -> None:
        async with ProcessRunner(COMMAND, limits=LiveLimits(), spares=0, steps_back=True) as runner:
            await runner.start(StreamSpec(), name="a broadcast")
            (broadcast,) = worker_pids()
            session = await runner.start_frames(StreamSpec(), form=FrameFormat.JPEG, name="pictures")
            (pictures,) = worker_pids() - {broadcast}
            assert nice() == usual + BEHIND_BROADCASTS
            assert await asyncio.to_thread(nice) == usual + BEHIND_BROADCASTS
            assert of_threads(broadcast) == {usual}
            assert of_threads(pictures) == {usual + BEHIND_BROADCASTS}
            session.end()

    on_a_thread(broadcast_and_pictures)
    assert nice() == usual


def test_who_embeds_a_runner_keeps_its_priority(usual):
    async def broadcast() -> None:
        async with ProcessRunner(COMMAND, limits=LiveLimits(), spares=0) as runner:
            await runner.start(StreamSpec(), name="a broadcast")
            assert nice() == usual

    on_a_thread(broadcast)


def test_nobody_gives_way_further_than_there_is():
    async def again_and_again() -> None:
        for _ in range(3):
            give_way()
        assert nice() == 19

    on_a_thread(again_and_again)


async def test_a_command_that_is_not_there_is_told():
    with pytest.raises(FileNotFoundError):
        await spawn(["/nowhere/to/be/found"], hears=FROM_WORKER)
