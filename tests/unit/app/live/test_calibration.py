"""Measuring what a frame costs, on pipelines that need no models and by a clock of their own."""

from dataclasses import dataclass, field

import pytest

from mien.app.live.calibration import calibrate
from mien.app.ports import StreamSpec
from mien.vision.types import Image, TreatedFrame
from support.pipelines import Paint, Pixelate, SmallFactory


@dataclass
class Machine:
    """A machine whose pipelines take a known time of a simulated processor.

    Attributes:
        mosaic_s: What a frame with a mosaic takes.
        swap_s: What one with a swap takes.
        scene_s: What the first frames of a scene take besides.
        disturbed: Frames that take three times as long, by the number of the frame.
        sees: Whether faces are found.
    """

    mosaic_s: float = 0.02
    swap_s: float = 0.03
    scene_s: float = 0.2
    disturbed: range = range(0)
    sees: bool = True
    now: float = 0.0
    frames: int = 0
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def build(self, spec: StreamSpec) -> "Costly":
        return Costly(self, Paint((30, 60, 200)) if spec.policy.swaps else Pixelate())


@dataclass
class Costly:
    """Works like `inner`, and takes its time."""

    machine: Machine
    inner: Paint | Pixelate
    seen: int = 0

    def __call__(self, image: Image, *, at: float) -> TreatedFrame:
        machine = self.machine
        cost_s = machine.swap_s if isinstance(self.inner, Paint) else machine.mosaic_s
        cost_s *= image.shape[1] / 1280 * (3 if machine.frames in machine.disturbed else 1)
        machine.now += cost_s + (machine.scene_s if self.seen == 0 else 0)
        machine.frames += 1
        machine.shapes.append(image.shape)
        self.seen += 1
        treated = self.inner(image, at=at)
        return treated if machine.sees else TreatedFrame(treated.image, at)

    def flush(self):
        yield from ()


def measured(machine, **options):
    return calibrate(machine.build, clock=machine.clock, **options)


def test_each_part_is_measured_without_the_first_frames_of_its_scene():
    machine = Machine()
    costs = measured(machine)
    assert (costs.mosaic_ms, costs.swap_ms) == pytest.approx((20, 30))
    assert costs.encode_ms == pytest.approx(0.001)  # this clock stands still meanwhile
    assert set(machine.shapes) == {(720, 1280, 3)}


@pytest.mark.parametrize("disturbed", [range(19, 45), range(40, 60), range(50, 66), range(0, 200, 5)])
def test_the_best_of_a_frame_counts_so_that_a_disturbance_hardly_does(disturbed):
    quiet, costs = measured(Machine()), measured(Machine(disturbed=disturbed))
    assert costs.mosaic_ms == pytest.approx(quiet.mosaic_ms)
    assert costs.swap_ms == pytest.approx(quiet.swap_ms)


def test_a_machine_that_is_always_so_slow_is_said_to_be():
    assert measured(Machine(disturbed=range(1000))).mosaic_ms == pytest.approx(60)


def test_a_swap_never_costs_less_than_a_mosaic():
    costs = measured(Machine(mosaic_s=0.03, swap_s=0.02))
    assert costs.swap_ms == costs.mosaic_ms == pytest.approx(30)


def test_the_slowest_machine_is_not_measured_for_ever():
    machine = Machine(mosaic_s=1.0, swap_s=2.0, scene_s=5.0)
    assert measured(machine).swap_ms == pytest.approx(2000)
    assert machine.frames < 20  # of 74 on one that is quick


def test_it_ends_at_once_when_the_machine_is_wanted():
    machine = Machine()
    assert measured(machine, is_wanted=lambda: machine.frames == 7) is None
    assert machine.frames == 7


def test_a_room_in_which_no_face_is_seen_tells_nothing():
    assert measured(Machine(sees=False)) is None


def test_the_real_clock_and_encoder_on_the_small_pipelines():
    factory = SmallFactory()
    costs = calibrate(factory.build)
    assert [spec.policy.swaps for spec in factory.built] == [False, True]
    assert costs.encode_ms > 0.05  # a real encoder was given real frames; `Costs` itself is never 0 or less
