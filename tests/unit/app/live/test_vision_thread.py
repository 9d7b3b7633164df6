import threading
import time
from collections import deque

import av
import numpy as np
import pytest
from structlog.testing import capture_logs

from mien.app.live.vision_thread import VisionThread
from mien.app.profiles import Profile
from mien.vision.types import TreatedFrame
from support.pipelines import Faulty, Paint

FRAME = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24").reformat(format="yuv420p")


class Sink:
    def __init__(self):
        self.frames = []
        self.arrived = threading.Event()

    def __call__(self, treated: TreatedFrame) -> None:
        self.frames.append(treated)
        self.arrived.set()

    def next(self):
        assert self.arrived.wait(5)
        self.arrived.clear()
        return self.frames[-1]


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def start(sink):
    threads = []

    def make(pipeline, **more):
        threads.append(VisionThread(pipeline, sink=sink, max_pixels=more.get("max_pixels", 10_000)))
        return threads[-1]

    yield make
    for thread in threads:
        thread.retire()
        assert thread.join(timeout_s=5)


def until(true, timeout_s=5.0):
    end = time.monotonic() + timeout_s
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return true()


def test_pictures_come_out_treated_with_their_capture_time(start, sink):
    thread = start(Paint((1, 2, 3)))
    thread.frames.put((FRAME, 7.5))
    assert sink.next().at == 7.5
    assert until(lambda: thread.durations.median_ms is not None)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda: 1 / 0, id="raises"),
        pytest.param(lambda: np.zeros((32, 32, 3), np.uint8), id="returns a picture that is not a TreatedFrame"),
    ],
)
def test_what_is_not_a_treated_frame_goes_nowhere_and_is_counted(start, sink, fault):
    pipeline = Faulty(Paint((1, 2, 3)), fault)
    pipeline.broken.set()
    thread = start(pipeline)
    with capture_logs() as logs:
        for number in range(1, 6):
            thread.frames.put((FRAME, float(number)))
            assert until(lambda number=number: thread.errors == number)
    assert [entry["times"] for entry in logs] == [1, 2, 4]  # not once per frame
    assert sink.frames == []
    pipeline.broken.clear()
    thread.frames.put((FRAME, 9.0))
    assert sink.next().at == 9.0


def test_a_picture_that_is_too_large_is_not_treated(start, sink):
    thread = start(Paint((1, 2, 3)), max_pixels=100)
    thread.frames.put((FRAME, 1.0))
    assert until(lambda: thread.errors == 1)
    assert sink.frames == []


def test_none_means_the_delay_line_is_filling(start, sink):
    pipeline = Faulty(Paint((1, 2, 3)), lambda: None)
    pipeline.broken.set()
    thread = start(pipeline)
    thread.frames.put((FRAME, 1.0))
    assert until(lambda: thread.durations.median_ms is not None)
    assert (thread.errors, sink.frames) == (0, [])


def test_a_replaced_pipeline_treats_no_further_picture(start, sink):
    thread = start(Paint((1, 1, 1)))
    assert thread.replace(Paint((2, 2, 2))).wait(5)
    thread.frames.put((FRAME, 1.0))
    assert sink.next().image[0, 0, 0] == 2


def test_a_replaced_pipeline_is_handed_to_the_next_before_its_first_picture(start, sink):
    class Heir(Paint):
        took_over = None

        def take_over(self, previous, *, in_scene):  # noqa: ARG002  # the port's
            self.took_over = previous

        def __call__(self, image, *, at):
            assert self.took_over is first
            return super().__call__(image, at=at)

    first, heir = Paint((1, 1, 1)), Heir((2, 2, 2))
    thread = start(first)
    assert thread.pipeline is first
    assert thread.replace(heir).wait(5)
    thread.frames.put((FRAME, 1.0))
    assert sink.next().image[0, 0, 0] == 2
    assert thread.pipeline is heir


def test_a_retired_thread_hands_on_nothing_that_it_still_finishes(start, sink):
    entered, leave = threading.Event(), threading.Event()

    def late():
        entered.set()
        leave.wait(5)
        return Paint((9, 9, 9))(np.zeros((32, 32, 3), np.uint8), at=1.0)

    pipeline = Faulty(Paint((1, 2, 3)), late)
    pipeline.broken.set()
    thread = start(pipeline)
    thread.frames.put((FRAME, 1.0))
    assert entered.wait(5)
    assert thread.busy_s(time.monotonic() + 10) > 9
    thread.retire()
    leave.set()
    assert thread.join(timeout_s=5)
    assert sink.frames == []


class Delayed:
    """Gives each picture out with the next one; remembers none but that one."""

    def __init__(self):
        self.held = deque()

    def __call__(self, image, *, at):
        self.held.append(TreatedFrame(image=image, at=at))
        return self.held.popleft() if len(self.held) > 1 else None

    def flush(self):
        while self.held:
            yield self.held.popleft()


def times_of(sink):
    return [frame.at for frame in sink.frames]


def test_what_is_forgotten_does_not_leave_with_the_next_publishers_first_picture(start, sink):
    thread = start(Delayed())
    for number in (1.0, 2.0):
        thread.frames.put((FRAME, number))
        assert until(lambda number=number: thread._last_at == number)
    assert until(lambda: times_of(sink) == [1.0])
    thread.forget()
    assert until(lambda: not thread.frames._nudged)  # else the next picture may be taken for one from before
    for number in (3.0, 4.0):
        thread.frames.put((FRAME, number))
        assert until(lambda number=number: thread._last_at == number)
    assert until(lambda: times_of(sink) == [1.0, 3.0])


def test_what_waited_through_a_long_silence_does_not_leave_after_it(start, sink):
    thread = start(Delayed())
    for number in (1.0, 2.0, 602.0, 603.0):
        thread.frames.put((FRAME, number))
        assert until(lambda number=number: thread._last_at == number)
    assert until(lambda: times_of(sink) == [1.0, 602.0])


def test_a_picture_under_treatment_while_it_is_forgotten_goes_nowhere(start, sink):
    entered, leave = threading.Event(), threading.Event()

    def late():
        entered.set()
        leave.wait(5)
        return Paint((9, 9, 9))(np.zeros((32, 32, 3), np.uint8), at=1.0)

    pipeline = Faulty(Paint((1, 2, 3)), late)
    pipeline.broken.set()
    thread = start(pipeline)
    thread.frames.put((FRAME, 1.0))
    assert entered.wait(5)
    thread.forget()
    pipeline.broken.clear()
    leave.set()
    assert until(lambda: thread.busy_s(time.monotonic()) == 0 and not thread.frames._nudged)
    thread.frames.put((FRAME, 2.0))
    assert until(lambda: times_of(sink) == [2.0])


class Scene(Paint):
    """Remembers what it was shown, and hands it over."""

    def __init__(self):
        super().__init__((1, 2, 3))
        self.seen, self.saves_time = [], None

    def __call__(self, image, *, at):
        self.seen.append((at, image.shape))
        return super().__call__(image, at=at)

    def save_time(self, *, on):
        self.saves_time = on

    def take_over(self, previous, *, in_scene):
        if in_scene and isinstance(previous, Scene):
            self.seen = [*previous.seen]


def test_a_pipeline_that_follows_another_goes_on_where_that_one_was(start, sink):
    first, second = Scene(), Scene()
    thread = start(first)
    thread.frames.put((FRAME, 1.0))
    sink.next()
    assert thread.replace(second).wait(5)
    thread.frames.put((FRAME, 2.0))
    sink.next()
    assert [at for at, _ in second.seen] == [1.0, 2.0]
    assert [at for at, _ in first.seen] == [1.0]


def test_a_pipeline_of_another_kind_begins_anew(start, sink):
    other = Scene()
    thread = start(Paint((1, 2, 3)))
    thread.frames.put((FRAME, 1.0))
    sink.next()
    assert thread.replace(other).wait(5)
    thread.frames.put((FRAME, 2.0))
    sink.next()
    assert [at for at, _ in other.seen] == [2.0]


def test_a_hand_over_that_fails_is_counted_and_the_new_pipeline_works_all_the_same(start, sink):
    class Refuses(Scene):
        def take_over(self, _previous, *, in_scene):  # noqa: ARG002  # the port's
            raise RuntimeError("no")

    thread = start(Refuses())
    assert thread.replace(Refuses()).wait(5)
    assert until(lambda: thread.errors == 1)
    thread.frames.put((FRAME, 2.0))
    assert sink.next().at == 2.0


def test_a_pipeline_sees_no_more_than_can_be_afforded(start, sink):
    pipeline = Scene()
    thread = start(pipeline)
    for at, profile in enumerate((Profile("full"), Profile("small", knows_rarely=True, long_side=16)), 1):
        thread.spend(profile)
        thread.frames.put((FRAME, float(at)))
        sink.next()
        assert pipeline.saves_time is profile.knows_rarely
    assert [shape for _, shape in pipeline.seen] == [(32, 32, 3), (16, 16, 3)]
    assert thread.spent_s > 0
