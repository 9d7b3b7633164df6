"""A swap of one person, on real faces: whatever happens, the persona is on the one who was chosen, or on nobody."""

from dataclasses import replace

import numpy as np
import pytest

from mien.app.face_photos import BuiltInMask
from mien.app.files.options import file_spec
from mien.vision.policy import Swap
from support.policies import live_swap
from support.two_people import Standing, TwoPeople

pytestmark = pytest.mark.models

FPS = 20
LIVE = live_swap()
FILE = file_spec(swap_to=BuiltInMask("volto"), mosaic=True)
ANN, BOB = Standing(400, 360, 130), Standing(900, 360, 110)


@pytest.fixture(scope="module")
def people(factory):
    return TwoPeople(factory)


@pytest.fixture(params=["live", "file"])
def pipeline(request, factory):
    return factory.build(LIVE) if request.param == "live" else factory.pipeline(FILE, fps=FPS)


def wearers(pipeline, scene, count, people, *, start=0):
    """Play frames; return who wears the persona in each, judged by the pixels that come out."""
    boxes, out = {}, []
    for i in range(start, start + count):
        image, boxes[i] = people(i, **scene(i))
        out.append(pipeline(image, at=i / FPS))
    out += pipeline.flush()
    frames = {round(frame.at * FPS): frame for frame in out if frame is not None}
    return [
        "+".join(sorted(name for name, box in boxes[i].items() if _is_worn(frames[i], box))) or "nobody"
        for i in sorted(frames)
        if i in boxes
    ]


def _is_worn(frame, box):
    """A mask has many colours, a cover a few cells."""
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * 0.2
    x0, y0, x1, y1 = np.clip(np.concatenate([middle - half, middle + half]), 0, [1280, 720] * 2).astype(int)
    if frame.counts.get(Swap.name, 0) == 0 or min(x1 - x0, y1 - y0) < 8:
        return False
    return len(np.unique(frame.image[y0:y1, x0:x1].reshape(-1, 3), axis=0)) > 150


def test_the_persona_stays_where_it_is_when_somebody_comes_nearer(factory, people):
    nearer = [replace(BOB, face_px=110 + 6 * i) for i in range(22)]
    worn_by = wearers(factory.build(LIVE), lambda i: {"ann": ANN, "bob": nearer[i]}, 22, people)
    assert set(worn_by) <= {"ann", "nobody"}
    assert worn_by[6:] == ["ann"] * 16


def test_when_the_chosen_one_leaves_nobody_wears_it_until_the_same_one_is_back(pipeline, people):
    def scene(i):
        away = 45 * min(max(i - 12, 0), max(46 - i, 0))
        return {"bob": BOB, "ann": replace(ANN, x=400 - away) if away < 560 else None}

    worn_by = wearers(pipeline, scene, 64, people)
    assert set(worn_by) == {"ann", "nobody"}
    assert worn_by[6:12] == ["ann"] * 6
    assert set(worn_by[26:34]) == {"nobody"}
    assert worn_by[-5:] == ["ann"] * 5, "known again within a second of standing there"


def test_after_a_cut_to_the_other_nobody_wears_it_and_after_the_cut_back_the_chosen_one_does(pipeline, people):
    def scene(i):
        if 12 <= i < 40:
            return {"room": 5, "bob": Standing(640, 360, 240)}
        return {"ann": replace(ANN, x=400 if i < 12 else 800), "bob": replace(BOB, x=900 if i < 12 else 350)}

    worn_by = wearers(pipeline, scene, 54, people)
    assert set(worn_by[12:40]) == {"nobody"}
    assert "bob" not in "".join(worn_by)
    assert worn_by[6:12] == ["ann"] * 6
    assert worn_by[-6:] == ["ann"] * 6


@pytest.mark.parametrize("in_front", ["ann", "bob"])
def test_a_crossing_changes_nothing_about_who_wears_it(factory, people, in_front):
    def scene(i):
        way = float(np.clip((i - 8) / 24, 0, 1))
        both = {"ann": replace(ANN, x=400 + 500 * way), "bob": replace(BOB, x=900 - 500 * way, y=372)}
        return both if in_front == "bob" else dict(reversed(both.items()))

    worn_by = wearers(factory.build(LIVE), scene, 56, people)
    assert set(worn_by[:17]) <= {"ann", "nobody"}
    assert set(worn_by[24:]) <= {"ann", "nobody"}, "where they are apart again it is clear whose it is"
    assert worn_by[-4:] == ["ann"] * 4


def test_a_change_of_the_persona_on_air_changes_nothing_about_who_wears_it(factory, people):
    first = factory.build(LIVE)
    assert wearers(first, lambda _i: {"ann": ANN, "bob": BOB}, 10, people)[-1] == "ann"
    second = factory.build(live_swap("mask:painted"))
    second.take_over(first, in_scene=False)
    larger = {"ann": ANN, "bob": replace(BOB, face_px=200)}
    assert set(wearers(second, lambda _i: larger, 10, people, start=10)[2:]) == {"ann"}


def test_whoever_is_chosen_is_the_largest_when_it_begins_not_a_face_that_passes(factory, people):
    worn_by = wearers(
        factory.build(LIVE), lambda i: {"ann": ANN, "bob": replace(BOB, face_px=220) if i < 2 else None}, 16, people
    )
    assert set(worn_by) <= {"ann", "nobody"}
    assert worn_by[-6:] == ["ann"] * 6
