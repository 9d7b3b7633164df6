"""What a swap needs is ready before it is needed, and who needs none of it does not wait for it."""

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import _lru_cache_wrapper
from typing import Any

import pytest

from mien.app.factory import VisionFactory
from mien.app.ports import Pipeline, StreamSpec
from mien.app.states import LiveLimits
from mien.errors import FetchError
from mien.media.webrtc.ice.network import IceNetworkSettings
from mien.registry.runtime import Runtime
from mien.runners.channel import Channel
from mien.runners.messages import Configure, Done, End, Message, Report, Start
from mien.runners.verbs import FROM_WORKER
from mien.runners.wire_forms import IceNetworkForm, pack_stream
from mien.runners.worker import _Worker
from support.pipelines import SmallFactory
from support.policies import live_swap
from support.scenes import astronaut_frames

CONFIGURE = Configure(LiveLimits(), (), IceNetworkForm.of(IceNetworkSettings()))
MASKS, OF_SWAPS = "mien.vision.swap.masks.builtin.builtin_mask", ("mien.vision.swap.", "mien.vision.mesh.")
FOR_EVERYBODY = {"yunet", "centerface", "centerface-int8", "face-mesh"}
START = Start(pack_stream(StreamSpec())[0], "broadcast")


@dataclass
class Rehearsed(SmallFactory):
    """A factory with parts to prepare; each waits until it is let through.

    Attributes:
        parts: So many are left.
        begun: So many were begun.
        free: Lets them through.
    """

    parts: int = 3
    begun: int = 0
    free: threading.Event = field(default_factory=threading.Event)
    fault: Exception | None = None

    def rehearse(self) -> bool:
        if self.parts == 0:
            return False
        self.begun += 1
        if self.fault is not None:
            raise self.fault
        self.free.wait()
        self.parts -= 1
        return True


@contextlib.asynccontextmanager
async def serving(factory: Rehearsed) -> AsyncIterator[Callable[[int, Message], Any]]:
    """Run a worker on this loop; yield what asks it something and returns the answer."""
    ours, theirs = socket.socketpair()
    channel = await Channel.over(ours, hears=FROM_WORKER)

    async def ask(call: int, message: Message) -> Message:
        await channel.send((call, message))
        async with asyncio.timeout(20):
            while (said := await channel.receive()).call != call or isinstance(said.message, Report):
                pass
        return said.message

    worker = asyncio.create_task(_Worker(lambda: factory, rehearse_after_s=0.0).serve(theirs))
    try:
        assert await ask(1, CONFIGURE) == Done()
        yield ask
    finally:
        factory.free.set()
        await ask(99, End())
        await worker
        await channel.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  # a thread counts
            await asyncio.sleep(0.01)


async def test_a_worker_that_waits_prepares_every_part_after_it_has_said_that_it_is_ready():
    factory = Rehearsed()
    async with serving(factory):
        assert factory.parts == 3
        factory.free.set()
        await until(lambda: factory.parts == 0)


async def test_a_broadcast_waits_for_no_part_and_none_is_begun_once_it_is_there():
    factory = Rehearsed()
    async with serving(factory) as ask:
        await until(lambda: factory.begun == 1)
        assert await ask(2, START) == Done()
        assert factory.parts == 3
        factory.free.set()
        await until(lambda: factory.parts == 2)
    assert factory.begun == 1


async def test_a_worker_that_cannot_prepare_a_part_takes_a_broadcast_all_the_same():
    factory = Rehearsed(fault=FetchError("run mien models pull"))
    async with serving(factory) as ask:
        await until(lambda: factory.begun == 1)
        assert await ask(2, START) == Done()


# With the real networks ---------------------------------------------------------------------------------------------


def caches() -> dict[str, "_lru_cache_wrapper[Any]"]:
    """Return everything in vision that is made once and kept, by name."""
    return {
        f"{name}.{what}": made
        for name, module in list(sys.modules.items())
        if name.startswith("mien.vision.")
        for what, made in vars(module).items()
        if isinstance(made, _lru_cache_wrapper) and made.__module__ == name
    }


class Opened(Runtime):
    """A runtime that counts what it is asked for."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.store)
        self.opened: list[str] = []

    def open(self, card_id: str):
        self.opened.append(card_id)
        return super().open(card_id)


def treated(pipeline: Pipeline) -> list[dict[str, int]]:
    """Return what became of the frames of a face."""
    frames = astronaut_frames(0.4, fps=25.0)
    done = [pipeline(image, at=number / 25) for number, image in enumerate(frames)]
    return [frame.counts for frame in done if frame is not None]


@pytest.fixture
def fresh():
    """Return what is made once in vision, as if nothing had been made in this process yet."""
    kept = caches()
    for made in kept.values():
        made.cache_clear()
    return kept


@pytest.mark.models
def test_after_its_preparation_a_factory_builds_a_swap_from_what_is_there(runtime, fresh):
    networks = Opened(runtime)
    factory = VisionFactory(networks)
    while factory.rehearse():
        pass
    opened, drawn = len(networks.opened), fresh[MASKS].cache_info().misses
    assert {"dlib-face", "face-occlusion"} <= set(networks.opened)
    factory.build(live_swap())
    assert set(networks.opened[opened:]) <= FOR_EVERYBODY
    assert fresh[MASKS].cache_info().misses == drawn == 1


@pytest.mark.models
def test_frames_of_a_swap_open_no_network_and_make_nothing_that_is_made_once(runtime, fresh):
    networks = Opened(runtime)
    pipeline = VisionFactory(networks).build(live_swap())  # the factory was prepared by nobody
    opened = len(networks.opened)
    before = {name: made.cache_info().misses for name, made in fresh.items() if name.startswith(OF_SWAPS)}
    assert {"swap": 1} in treated(pipeline)
    assert len(networks.opened) == opened
    assert {name for name, misses in before.items() if fresh[name].cache_info().misses > misses} == set()
