"""A pipeline that goes on in the middle of another's scene: nobody is lost, and nothing of the old policy leaves."""

import numpy as np
import pytest

from mien.errors import ShapeError
from mien.vision.analysis.analyzer import AnalyzerParts, FaceAnalyzer
from mien.vision.analysis.tile_schedule import Pace, moving
from mien.vision.analysis.tracker import FaceTracker
from mien.vision.pipeline import FacePipeline
from mien.vision.policy import Policy, Swap
from mien.vision.render.label import Label
from mien.vision.render.renderer import FrameRenderer
from mien.vision.swap.masks.builtin import builtin_mask
from mien.vision.swap.masks.preview import nobody
from mien.vision.types import Detection

SCENE = np.random.default_rng(11).integers(90, 160, (360, 640, 3), np.uint8)
FACE = np.array([250, 120, 330, 220], np.float32)
MOSAIC, SWAP = Policy(), Policy(strangers=Swap(builtin_mask("volto")))


class TiledDetector:
    """Sees the face where a test puts it, and notes how many looks it was given."""

    def __init__(self, box=FACE):
        self.box, self.looks = box, []

    def __call__(self, _image, looks, _known):
        self.looks.append(len(looks))
        return [] if self.box is None else [Detection(np.asarray(self.box, np.float32), 0.9)]


class OneMesh:
    def __call__(self, _image, _roi):
        return nobody() * np.float32(0.3) + np.array([232, 112, 0], np.float32), 0.95

    def settle(self, image, roi):
        return self(image, roi)


def pipeline(finder, policy, *, delay=0, pace=Pace.LIVE):
    tracker = FaceTracker(OneMesh() if policy.needs_mesh else None)
    analyzer = FaceAnalyzer(AnalyzerParts(finder, tracker), pace=pace)
    return FacePipeline(analyzer, FrameRenderer(Label("en")), policy, delay_frames=delay)


def hidden(frame, box=FACE):
    x0, y0, x1, y1 = np.asarray(box).astype(int)
    return bool((frame.image[y0:y1, x0:x1] != SCENE[y0:y1, x0:x1]).any(axis=-1).mean() > 0.95)


def follow(old, new):
    new.take_over(old, in_scene=True)
    return new


def test_a_face_that_only_the_old_one_saw_stays_hidden():
    old, blind = pipeline(TiledDetector(), MOSAIC), TiledDetector(None)
    old(SCENE.copy(), at=0.0)
    new = follow(old, pipeline(blind, MOSAIC))
    frames = [new(SCENE.copy(), at=0.04 * n) for n in range(1, 10)]
    assert all(hidden(frame) for frame in frames)


def test_the_first_frame_is_searched_no_more_than_any_other():
    finder = TiledDetector()
    old = pipeline(finder, MOSAIC)
    for n in range(40):
        old(SCENE.copy(), at=0.04 * n)
    usual = max(finder.looks[20:])
    finder.looks.clear()
    new = follow(old, pipeline(finder, MOSAIC))
    new(SCENE.copy(), at=2.0)
    assert finder.looks[0] <= usual


def test_one_that_looks_more_often_sees_everything_upright_at_first():
    finder = TiledDetector()
    old = pipeline(finder, SWAP, pace=Pace.THRIFTY)
    for n in range(40):
        old(SCENE.copy(), at=0.04 * n)
    finder.looks.clear()
    new = follow(old, pipeline(finder, MOSAIC))
    for n in range(40, 60):
        new(SCENE.copy(), at=0.04 * n)
    assert finder.looks[0] == len(moving((640, 360)).everything)
    assert max(finder.looks[12:]) < finder.looks[0]


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize(("before", "after"), [(SWAP, MOSAIC), (MOSAIC, SWAP)])
def test_frames_that_wait_leave_by_the_new_policy_and_not_a_trace_of_the_old(before, after, ahead):
    name = {id(SWAP): "swap", id(MOSAIC): "mosaic"}
    old = pipeline(TiledDetector(), before, delay=2)
    for n in range(3):
        old(SCENE.copy(), at=0.04 * n)
        if ahead:
            old.work_ahead()
    new = follow(old, pipeline(TiledDetector(), after, delay=2))
    frames = [new(SCENE.copy(), at=0.04 * n) for n in range(3, 12)]
    assert all(frame is not None for frame in frames)  # no gap: the delay line was full
    assert [frame.at for frame in frames[:3]] == pytest.approx([0.04, 0.08, 0.12])
    # A persona needs a mesh, which the old one may not have laid: until then a face is hidden.
    assert {key for frame in frames[:2] for key in frame.counts} <= {name[id(after)], "mosaic"}
    assert frames[-1].counts == {name[id(after)]: 1}

    if after is MOSAIC:
        analyzer = FaceAnalyzer(AnalyzerParts(TiledDetector(), FaceTracker(OneMesh())))
        never_swapped = FacePipeline(analyzer, FrameRenderer(Label("en")), MOSAIC, delay_frames=2)
        waited = [never_swapped(SCENE.copy(), at=0.04 * n) for n in range(5)]
        for frame, wanted in zip(frames, [frame for frame in waited if frame is not None][1:], strict=False):
            assert hidden(frame)
            assert frame.at == wanted.at
            assert np.array_equal(frame.image, wanted.image)


def test_after_a_swap_a_mosaic_follows_the_face_and_not_a_mesh_that_nobody_lays():
    finder = TiledDetector()
    old = pipeline(finder, SWAP)
    for n in range(5):
        old(SCENE.copy(), at=0.04 * n)
    new = follow(old, pipeline(finder, MOSAIC))
    finder.box = FACE + np.array([30, 0, 30, 0], np.float32)
    assert hidden(new(SCENE.copy(), at=0.2), finder.box)


@pytest.mark.parametrize(("before", "after"), [(0, 3), (3, 0), (3, 1), (1, 3)])
def test_delay_lines_of_other_lengths_are_filled_or_cut(before, after):
    old = pipeline(TiledDetector(), MOSAIC, delay=before)
    for n in range(5):
        old(SCENE.copy(), at=0.04 * n)
    new = follow(old, pipeline(TiledDetector(), MOSAIC, delay=after))
    frames = [new(SCENE.copy(), at=0.04 * n) for n in range(5, 12)]
    assert frames[-1].at == pytest.approx(0.04 * (11 - after))
    out = [frame.at for frame in frames if frame is not None]
    assert out == sorted(out)
    assert all(hidden(frame) for frame in frames if frame is not None)


def test_time_goes_on_from_where_the_old_one_was():
    old = pipeline(TiledDetector(), MOSAIC)
    old(SCENE.copy(), at=5.0)
    new = follow(old, pipeline(TiledDetector(), MOSAIC))
    with pytest.raises(ShapeError, match="order of capture"):
        new(SCENE.copy(), at=4.0)


@pytest.mark.parametrize(("previous", "in_scene"), [(object(), True), (None, False)])
def test_of_another_kind_or_of_one_that_hangs_nothing_is_taken(previous, in_scene):
    old, finder = pipeline(TiledDetector(), MOSAIC), TiledDetector(None)
    old(SCENE.copy(), at=0.0)
    new = pipeline(finder, MOSAIC)
    new.take_over(previous or old, in_scene=in_scene)
    new(SCENE.copy(), at=0.04)
    assert finder.looks[0] >= len(moving((640, 360)).everything)  # it searches as after a cut
