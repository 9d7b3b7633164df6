"""A live session's treatment when there is too little time: what it gives up, what it says, and that changes come."""

import asyncio
import contextlib
import threading
from dataclasses import replace

import av
import numpy as np
import pytest

from mien.app.live import treating as treating_module
from mien.app.live.encoder_thread import EncoderThread
from mien.app.live.treating import Treating
from mien.app.policy.rules import SwapTreatment
from mien.app.ports import StreamSpec
from mien.app.profiles import LADDER, STEPS, Costs, Means
from mien.app.states import LiveLimits, Load
from mien.errors import PersonaError
from support.pipelines import Paint, Pixelate, SmallFactory
from support.policies import hiding, live_swap, showing

SWAP, MOSAIC = live_swap(), StreamSpec(hiding())
FRAME = av.VideoFrame.from_ndarray(np.zeros((360, 640, 3), np.uint8), format="rgb24").reformat(format="yuv420p")
LIMITS = LiveLimits(hang_after_s=0.2, max_pixels=10**6)


class Clock:
    """Tells the shedder of time that passes while the machine treats less than comes."""

    def __init__(self, treating):
        self.treating, self.now, self.lost = treating, 0.0, 0

    def suffer(self, seconds):
        """Let pictures arrive and none leave, with every second spent on work."""
        for _ in range(round(seconds * 4)):
            self.now += 0.25
            self.lost += 8
            self.treating._vision.spent_s += 0.25
            self.treating.supervise(self.now, lost=self.lost)


@contextlib.asynccontextmanager
async def treating(policy, factory=None, *, means=None, limits=LIMITS):
    subject = Treating(policy, build=(factory or SmallFactory()).build, limits=limits, means=means)
    await subject.prepare()
    encoder = EncoderThread(emit=lambda _frame: None, epoch=0.0, slate_after_s=2.0)
    try:
        async with asyncio.TaskGroup() as group:
            subject.start(encoder, group)
            yield subject
    finally:
        await subject.stop()
        encoder.close(timeout_s=5)


async def until(true, timeout_s=5.0):
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110  # what is waited for happens on other threads
            await asyncio.sleep(0.01)


def works_by(subject, kind):
    return isinstance(subject._vision._pipeline, kind)


async def test_a_swap_becomes_a_mosaic_at_the_bottom_and_a_swap_again_with_time_to_spare():
    factory = SmallFactory()
    async with treating(SWAP, factory) as subject:
        clock = Clock(subject)
        subject.put(FRAME, 0.0)
        assert subject.load(is_paused=False, is_fed=True) is Load.OK
        clock.suffer(30)
        await until(lambda: works_by(subject, Pixelate) and not subject._is_redrawing)
        assert factory.built[-1] == MOSAIC
        assert subject.spec == SWAP  # what is wanted has not changed
        clock.suffer(10)
        assert subject.load(is_paused=False, is_fed=True) is Load.OVERLOADED
        subject._shedder.step, subject._shedder._is_exhausted = 0, False
        subject.supervise(clock.now, lost=None)
        await until(lambda: works_by(subject, Paint))
        assert factory.built[-1] == SWAP


@pytest.mark.parametrize("step", [STEPS["mosaic"], STEPS["slower"]], ids=["down", "up"])
async def test_a_step_that_comes_amid_a_change_is_followed_after_it(step):
    async with treating(SWAP) as subject:
        before, after = (Paint, Pixelate) if step == STEPS["mosaic"] else (Pixelate, Paint)
        if before is Pixelate:
            subject._shedder.step = STEPS["mosaic"]
            subject.supervise(0.0, lost=None)
            await until(lambda: works_by(subject, Pixelate) and not subject._changing.locked())
        async with subject._changing:
            subject._shedder.step = step
            for tick in range(20):
                subject.supervise(tick / 4, lost=0)
                await asyncio.sleep(0)
            assert works_by(subject, before)
        await until(lambda: works_by(subject, after))


async def test_a_step_by_measured_overload_that_comes_amid_a_change_is_followed_after_it():
    async with treating(SWAP) as subject:
        async with subject._changing:
            Clock(subject).suffer(30)
            assert subject.profile.name == "mosaic"
        await until(lambda: works_by(subject, Pixelate))


@pytest.mark.parametrize("step", [STEPS["mosaic"], STEPS["slower"]], ids=["down", "up"])
async def test_a_step_whose_pipeline_cannot_be_had_is_tried_again_but_not_at_every_tick(step, monkeypatch):
    factory = SmallFactory()
    build, failures, asked = factory.build, [], []

    def fickle(spec):
        asked.append(spec)
        if failures:
            raise failures.pop()
        return build(spec)

    monkeypatch.setattr(factory, "build", fickle)
    async with treating(SWAP, factory) as subject:
        before, after = (Paint, Pixelate) if step == STEPS["mosaic"] else (Pixelate, Paint)
        if before is Pixelate:
            subject._shedder.step = STEPS["mosaic"]
            subject.supervise(0.0, lost=None)
            await until(lambda: works_by(subject, Pixelate) and not subject._is_redrawing)
        failures[:] = [PersonaError("not now"), PersonaError("nor now")]
        asked.clear()
        subject._shedder.step = step
        now = 100.0
        for tries in (1, 2):
            for tick in range(4 * 4):
                subject.supervise(now + tick / 4, lost=0)
                await until(lambda: not subject._is_redrawing)
            assert len(asked) == tries
            assert works_by(subject, before)
            now += 5.0
        subject.supervise(now, lost=0)
        await until(lambda: works_by(subject, after))
        assert len(asked) == 3


async def test_a_policy_that_comes_while_a_persona_is_made_again_is_the_one_that_holds(monkeypatch):
    factory = SmallFactory()
    build, begun, gate = factory.build, threading.Event(), threading.Event()
    gate.set()

    def gated(spec):
        begun.set()
        assert gate.wait(30)
        return build(spec)

    monkeypatch.setattr(factory, "build", gated)
    async with treating(SWAP, factory) as subject:
        subject._shedder.step = STEPS["mosaic"]
        subject.supervise(0.0, lost=None)
        await until(lambda: works_by(subject, Pixelate) and not subject._is_redrawing)
        gate.clear()
        begun.clear()
        subject._shedder.step = STEPS["slower"]
        subject.supervise(1.0, lost=0)
        await until(begun.is_set)
        changing = asyncio.create_task(subject.set_policy(MOSAIC))
        await asyncio.sleep(0)
        gate.set()
        await changing
        assert works_by(subject, Pixelate)
        for tick in range(80):
            subject.supervise(2.0 + tick / 4, lost=0)
            await asyncio.sleep(0)
        await until(lambda: not subject._is_redrawing)
        assert works_by(subject, Pixelate)
        assert factory.built[-1] == MOSAIC


async def test_a_change_whose_mosaic_cannot_be_had_changes_nothing_of_what_is_afforded(monkeypatch):
    factory = SmallFactory()
    build, fails = factory.build, False

    def fickle(spec):
        if fails and not spec.policy.swaps:
            raise PersonaError("not now")
        return build(spec)

    monkeypatch.setattr(factory, "build", fickle)
    async with treating(MOSAIC, factory, means=Means(Costs(900.0, 1200.0, 50.0), 2)) as subject:
        subject.put(FRAME, 0.0)
        subject.supervise(0.0, lost=0)
        shedder = subject._shedder
        before = shedder.profile, shedder.reason, shedder.wanted
        fails = True
        with pytest.raises(PersonaError):
            await subject.set_policy(SWAP)
        subject.supervise(1.0, lost=0)
        assert (shedder.profile, shedder.reason, shedder.wanted, subject.spec) == (*before, MOSAIC)
        assert subject._vision._profile is shedder.profile


class Withholding(Pixelate):
    """Notes whom it has to hide."""

    def __init__(self):
        self.withheld = []

    def withhold(self, people):
        self.withheld.append(set(people))


async def test_whom_another_policy_treats_otherwise_is_hidden_before_its_pipeline_is_there(monkeypatch):
    factory, gate, first = SmallFactory(pipelines=[]), threading.Event(), Withholding()
    build = factory.build

    def gated(spec):
        assert gate.wait(30)
        return build(spec)

    before = StreamSpec(showing("ann", "bob", cho=SwapTreatment(persona="mask:volto")))
    factory.pipelines.append(first)
    monkeypatch.setattr(factory, "build", gated)
    gate.set()
    async with treating(before, factory) as subject:
        gate.clear()
        after = StreamSpec(showing("ann", "cho"))
        changing = asyncio.create_task(subject.set_policy(after))
        await until(lambda: first.withheld)
        assert first.withheld[0] == {"bob", "cho"}
        assert not changing.done()
        gate.set()
        await changing


async def test_where_a_change_fails_nobody_stays_hidden_by_it(monkeypatch):
    factory, first, fails = SmallFactory(), Withholding(), False
    factory.pipelines.append(first)
    build = factory.build

    def fickle(spec):
        if fails:
            raise PersonaError("not now")
        return build(spec)

    monkeypatch.setattr(factory, "build", fickle)
    async with treating(StreamSpec(showing("ann")), factory) as subject:
        fails = True
        with pytest.raises(PersonaError):
            await subject.set_policy(MOSAIC)
        assert (first.withheld[0], first.withheld[-1]) == ({"ann"}, set())


async def test_whom_another_policy_treats_otherwise_is_hidden_by_a_pipeline_that_came_meanwhile_too(monkeypatch):
    factory, second, gate = SmallFactory(), Withholding(), threading.Event()
    build, before = factory.build, StreamSpec(showing("ann"))

    def gated(spec):
        assert gate.wait(30)
        return build(spec)

    monkeypatch.setattr(factory, "build", gated)
    gate.set()
    async with treating(before, factory) as subject:
        gate.clear()
        async with subject._changing:
            changing = asyncio.create_task(subject.set_policy(MOSAIC))
            await asyncio.sleep(0)
            await subject._put_to_work(second, before)
        await until(lambda: second.withheld == [{"ann"}])
        gate.set()
        await changing


async def test_a_change_under_load_is_checked_and_then_done_as_far_as_can_be_afforded():
    factory = SmallFactory()
    async with treating(SWAP, factory) as subject:
        Clock(subject).suffer(30)
        await until(lambda: works_by(subject, Pixelate))
        with pytest.raises(PersonaError):
            await subject.set_policy(live_swap("mask:nobody"))
        assert subject.spec == SWAP
        wanted = live_swap(everyone=True)
        await subject.set_policy(wanted)
        assert wanted in factory.built  # so a persona that is none is refused now, not when there is time again
        assert subject.spec == wanted
        assert works_by(subject, Pixelate)


async def test_what_could_not_be_rebuilt_after_it_hung_is_tried_again(monkeypatch):
    monkeypatch.setattr(treating_module, "_REBUILD_AFTER_S", 0.0)
    factory = SmallFactory()
    build, failures = factory.build, [PersonaError("not now"), PersonaError("nor now")]

    def fickle(spec):
        if len(factory.built) and failures:
            raise failures.pop()
        return build(spec)

    monkeypatch.setattr(factory, "build", fickle)
    async with treating(MOSAIC, factory) as subject:
        hung = subject._vision
        hung.retire()
        now = 0.0
        async with asyncio.timeout(30):
            while subject._vision is hung:
                subject.supervise(now, lost=None)
                await asyncio.sleep(0.01)
        assert failures == []


async def test_without_load_nothing_is_built_but_what_was_asked_for():
    factory = SmallFactory()
    async with treating(MOSAIC, factory) as subject:
        await subject.set_policy(SWAP)
        await subject.set_policy(MOSAIC)
        assert factory.built == [MOSAIC, SWAP, MOSAIC]


async def test_pictures_above_the_rate_that_can_be_afforded_are_dropped_and_counted():
    async with treating(MOSAIC) as subject:
        subject._shedder.step = next(step for step, quality in enumerate(LADDER) if quality.max_fps == 15)
        for number in range(30):
            subject.put(FRAME, number / 30)
        assert subject._put == 15
        assert subject.dropped >= 15


async def test_a_pause_for_want_of_time_is_said_and_one_for_an_error_is_not():
    async with treating(MOSAIC) as subject:
        subject.put(FRAME, 0.0)
        await until(lambda: subject._encoder.out.total == 1)
        subject._encoder.on_slate = True
        assert subject.load(is_paused=True, is_fed=True) is Load.OVERLOADED
        assert subject.load(is_paused=True, is_fed=False) is Load.OK  # nothing comes: nobody is too slow
        subject._vision.failing = True
        assert subject.load(is_paused=True, is_fed=True) is Load.OK


async def test_pipelines_that_hang_for_want_of_time_are_replaced_however_often_if_they_end():
    gate = threading.Event()

    class Slow(Pixelate):
        def __call__(self, image, *, at):
            gate.wait(5)
            return super().__call__(image, at=at)

    factory = SmallFactory(pipelines=[Slow() for _ in range(8)])
    async with treating(MOSAIC, factory) as subject:
        for number in range(6):
            hung = subject._vision
            gate.clear()
            subject.put(FRAME, float(number))
            await until(lambda hung=hung: hung._busy_since is not None)
            subject.supervise(hung._busy_since + 1, lost=0)
            assert hung.retired
            gate.set()
            assert await asyncio.to_thread(hung.join, timeout_s=5)
            await until(lambda hung=hung: subject._vision is not hung and not subject._is_replacing)
        assert len(factory.built) == 7
        assert subject._shedder.step > 0  # and the next one needs less


async def test_pipelines_that_hang_for_ever_are_not_replaced_for_ever():
    gate = threading.Event()

    class Stuck(Pixelate):
        def __call__(self, image, *, at):
            gate.wait(30)
            return super().__call__(image, at=at)

    factory = SmallFactory(pipelines=[Stuck() for _ in range(8)])
    async with treating(MOSAIC, factory) as subject:
        try:
            for number in range(4):
                hung = subject._vision
                subject.put(FRAME, float(number))
                await until(lambda hung=hung: hung._busy_since is not None)
                subject.supervise(hung._busy_since + 1, lost=0)
                if number < 3:
                    await until(lambda hung=hung: subject._vision is not hung and not subject._is_replacing)
            subject.supervise(10**9, lost=0)
            await asyncio.sleep(0.05)
            assert len(factory.built) == 4
            assert subject._vision is hung
        finally:
            gate.set()


# Where it begins ------------------------------------------------------------------------------------------------

SLOW = Costs(mosaic_ms=40.0, swap_ms=54.0, encode_ms=5.0)
"""A machine on which a mosaic can be had in full, a swap only of small frames."""


def frame_of(width, height):
    return av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="rgb24").reformat(format="yuv420p")


async def test_a_broadcast_begins_with_the_profile_that_fits_and_its_first_frame_is_treated_by_it():
    async with treating(SWAP, means=Means(SLOW, 2)) as subject:
        assert (subject.profile.name, subject.profile.reason) == ("small", "measured")
        assert subject.profile.helps == ("mosaic", "more_cores")
        subject.put(frame_of(1280, 720), 0.0)
        await until(lambda: subject._encoder.size_wh is not None)
        assert subject._encoder.size_wh == (640, 360)
        assert works_by(subject, Paint)


async def test_a_swap_that_cannot_be_afforded_is_a_mosaic_from_the_first_frame_and_its_persona_is_checked():
    factory = SmallFactory()
    crawling = Means(Costs(900.0, 1200.0, 50.0), 2)
    async with treating(SWAP, factory, means=crawling) as subject:
        assert works_by(subject, Pixelate)
        assert factory.built == [SWAP, MOSAIC]
        subject.put(FRAME, 0.0)
        subject.supervise(1.0, lost=0)
        assert subject.load(is_paused=False, is_fed=True) is Load.NO_SWAP
    with pytest.raises(PersonaError):
        async with treating(live_swap("mask:nobody"), means=crawling):
            pass


async def test_the_size_of_the_camera_is_heeded_once_it_is_known():
    async with treating(SWAP, means=Means(SLOW, 2)) as subject:
        subject.put(frame_of(640, 360), 0.0)
        subject.supervise(1.0, lost=0)
        assert (subject.profile.name, subject._vision._profile.name) == ("full", "full")
        subject.put(frame_of(1280, 720), 1.0)  # as a browser does whose line was slow at first
        subject.supervise(2.0, lost=0)
        assert (subject.profile.name, subject._vision._profile.name) == ("small", "small")


async def test_what_was_measured_on_air_goes_before_what_was_measured_before():
    async with treating(SWAP, means=Means(SLOW, 2)) as subject:
        subject.put(frame_of(1280, 720), 0.0)
        subject.supervise(0.0, lost=0)
        Clock(subject).suffer(12)
        assert subject.profile.reason == "overload"
        step = subject._shedder.step
        assert step > STEPS["small"]
        subject.put(frame_of(640, 360), 100.0)
        subject.supervise(100.0, lost=0)
        assert subject._shedder.step == step


async def test_a_swap_that_is_asked_for_on_air_comes_with_the_profile_that_it_needs():
    async with treating(MOSAIC, means=Means(SLOW, 2)) as subject:
        subject.put(frame_of(1280, 720), 0.0)
        subject.supervise(1.0, lost=0)
        assert subject.profile.name == "full"
        await subject.set_policy(SWAP)
        assert (subject.profile.name, subject._vision._profile.name) == ("small", "small")
        await subject.set_policy(MOSAIC)
        assert subject.profile.name == "full"


async def test_who_wants_nothing_given_up_gets_the_full_profile_and_who_sets_one_gets_that():
    means = Means(Costs(900.0, 1200.0, 50.0), 2)
    async with treating(SWAP, means=means, limits=replace(LIMITS, shed_load=False)) as subject:
        assert subject.profile.name == "full"
    async with treating(SWAP, means=means, limits=replace(LIMITS, profile="hd", shed_load=False)) as subject:
        subject.put(frame_of(1920, 1080), 0.0)
        subject.supervise(1.0, lost=0)
        assert (subject.profile.name, subject.profile.reason, subject.profile.helps) == ("hd", "set", ("unset",))


async def test_without_anything_known_of_the_machine_it_begins_at_the_top():
    async with treating(SWAP) as subject:
        assert subject.profile.name == "full"
    async with treating(SWAP, means=Means(None, 2)) as subject:
        assert (subject.profile.name, subject.profile.reason) == ("medium", "unmeasured")
