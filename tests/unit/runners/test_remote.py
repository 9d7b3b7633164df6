"""Sessions in a worker: what the web process may keep of them, and for how long."""

import asyncio

import pytest

from mien.app.ports import StreamSpec
from mien.app.profiles import ProfileReport
from mien.app.states import LiveReport, LiveStats
from mien.errors import LiveLostError
from mien.runners import remote
from mien.runners.messages import TakeThumbnail, Thumbnail
from mien.runners.remote import RemoteLive

JPEG = b"\xff\xd8"


class Worker:
    """The end of a line at which a test answers."""

    def __init__(self):
        self.asked, self.is_asked = 0, asyncio.Event()
        self.answers = asyncio.Queue()

    async def call(self, asked, answer):
        assert (asked, answer) == (TakeThumbnail(), Thumbnail)
        self.asked += 1
        self.is_asked.set()
        answered = await self.answers.get()
        if isinstance(answered, Exception):
            raise answered
        return Thumbnail(answered)

    async def call_with_spec(self, spec, ask):
        pass


@pytest.fixture
async def worker():
    return Worker()


@pytest.fixture
async def live(worker):
    async with asyncio.TaskGroup() as group:
        yield RemoteLive(worker, group)


async def test_how_many_others_are_live_is_told_as_it_is_now(worker):
    helps = ("more_cores",)
    worker.report = LiveReport(stats=LiveStats(profile=ProfileReport("slow", "overload", helps)))
    others = 0
    async with asyncio.TaskGroup() as group:
        live = RemoteLive(worker, group, others=lambda: others)
        assert live.report == worker.report
        others = 2
        assert live.report.stats.profile.helps == ("fewer_broadcasts", "more_cores")


async def test_however_many_ask_for_a_thumbnail_the_worker_is_asked_once(worker, live, monkeypatch):
    monkeypatch.setattr(remote, "THUMBNAIL_EVERY_S", 3600.0)
    asking = [asyncio.create_task(live.thumbnail()) for _ in range(20)]
    worker.answers.put_nowait(JPEG + b"1")
    assert set(await asyncio.gather(*asking)) == {JPEG + b"1"}
    assert await live.thumbnail() == JPEG + b"1"
    assert worker.asked == 1


async def test_it_is_asked_again_when_the_last_answer_is_old(worker, live, monkeypatch):
    monkeypatch.setattr(remote, "THUMBNAIL_EVERY_S", 0.0)
    for expected in (JPEG + b"1", None):
        worker.answers.put_nowait(expected or b"")
        assert await live.thumbnail() == expected
    assert worker.asked == 2


async def test_no_thumbnail_of_the_old_policy_is_kept(worker, live, monkeypatch):
    monkeypatch.setattr(remote, "THUMBNAIL_EVERY_S", 3600.0)
    worker.answers.put_nowait(JPEG + b"old")
    await live.thumbnail()
    await live.set_policy(StreamSpec())
    worker.answers.put_nowait(JPEG + b"new")
    assert await live.thumbnail() == JPEG + b"new"


async def test_one_that_was_asked_for_before_the_change_is_not_kept_either(worker, live, monkeypatch):
    monkeypatch.setattr(remote, "THUMBNAIL_EVERY_S", 3600.0)
    asking = asyncio.create_task(live.thumbnail())
    await worker.is_asked.wait()
    await live.set_policy(StreamSpec())
    worker.answers.put_nowait(JPEG + b"old")
    await asking
    worker.answers.put_nowait(JPEG + b"new")
    assert await live.thumbnail() == JPEG + b"new"


async def test_who_leaves_while_it_is_made_and_a_worker_that_dies_keep_nobody_waiting(worker, live):
    leaving, staying = (asyncio.create_task(live.thumbnail()) for _ in range(2))
    await worker.is_asked.wait()
    leaving.cancel()
    worker.answers.put_nowait(LiveLostError("gone"))
    with pytest.raises(LiveLostError):
        await staying
    worker.answers.put_nowait(JPEG)
    assert await live.thumbnail() == JPEG


async def test_a_failure_is_shared_by_all_who_wait(worker, live):
    waiting = [asyncio.create_task(live.thumbnail()) for _ in range(10)]
    await worker.is_asked.wait()
    worker.answers.put_nowait(LiveLostError("gone"))
    assert {type(said) for said in await asyncio.gather(*waiting, return_exceptions=True)} == {LiveLostError}
    assert worker.asked == 1
