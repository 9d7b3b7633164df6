"""Where the label stands."""

import itertools

import numpy as np
import pytest

from mien.vision.mesh.alignment import FIVE_OF_MESH
from mien.vision.render.label_place import PLACES, InTheWay, LabelPlace, features_of

SIZE_WH, LABEL_WH = (1280, 720), (376, 60)
TOP_RIGHT, TOP_LEFT, BOTTOM_RIGHT = (840, 36), (64, 36), (840, 624)


def box(*values):
    return np.array(values, np.float32)


AT_THE_TOP_RIGHT, AT_THE_TOP_LEFT = box(900, 0, 1200, 300), box(100, 0, 400, 300)
EVERYWHERE = box(-100, -100, 1400, 800)


def places(*frames, fps=25):
    """Return where one stream's label stands in each frame."""
    place = LabelPlace()
    return [place(SIZE_WH, LABEL_WH, way, at=number / fps) for number, way in enumerate(frames)]


def covers(place, other):
    x, y = place
    return min(x + LABEL_WH[0], other[2]) > max(x, other[0]) and min(y + LABEL_WH[1], other[3]) > max(y, other[1])


@pytest.mark.parametrize(
    ("faces", "wanted"),
    [
        pytest.param([], TOP_RIGHT, id="nobody"),
        pytest.param([AT_THE_TOP_RIGHT], TOP_LEFT, id="somebody at the top right"),
        pytest.param([AT_THE_TOP_RIGHT, AT_THE_TOP_LEFT], BOTTOM_RIGHT, id="somebody in both upper corners"),
    ],
)
def test_it_begins_in_the_best_corner_without_a_face(faces, wanted):
    assert places(InTheWay(faces)) == [wanted]


def test_it_stays_where_it_is_when_the_face_that_drove_it_there_leaves():
    way = [InTheWay([AT_THE_TOP_RIGHT])] * 5 + [InTheWay()] * 100
    assert set(places(*way)) == {TOP_LEFT}


def test_it_leaves_a_face_that_comes_under_it_once_and_not_at_once():
    seen = places(*[InTheWay()] * 10, *[InTheWay([AT_THE_TOP_RIGHT])] * 90)
    assert [place for place, _ in itertools.groupby(seen)] == [TOP_RIGHT, TOP_LEFT]
    assert seen[20] == TOP_RIGHT, "it is a moment before it moves"


def test_it_does_not_follow_a_face_that_goes_to_and_fro():
    to_and_fro = [InTheWay([AT_THE_TOP_RIGHT if number // 10 % 2 else AT_THE_TOP_LEFT]) for number in range(200)]
    moves = len(list(itertools.groupby(places(*to_and_fro)))) - 1
    assert moves <= 2


def test_it_leaves_an_eye_at_once():
    seen = places(InTheWay(), InTheWay(features=[box(1000, 40, 1060, 70)]))
    assert seen == [TOP_RIGHT, TOP_LEFT]


@pytest.mark.parametrize("corner", range(len(PLACES)))
def test_it_never_covers_a_feature_while_any_place_is_free_of_them(corner):
    rng = np.random.default_rng(corner)
    place = LabelPlace()
    for number in range(200):
        points = rng.uniform((0, 0), SIZE_WH, (3, 2))
        features = [np.concatenate([point - 60, point + 60]).astype(np.float32) for point in points]
        stands = place(SIZE_WH, LABEL_WH, InTheWay([EVERYWHERE], features), at=number / 25)
        assert not any(covers(stands, feature) for feature in features)


def test_a_label_that_was_gone_for_seconds_begins_anew():
    place = LabelPlace()
    assert place(SIZE_WH, LABEL_WH, InTheWay([AT_THE_TOP_RIGHT]), at=0) == TOP_LEFT
    assert place(SIZE_WH, LABEL_WH, InTheWay(), at=60) == TOP_RIGHT


@pytest.mark.parametrize("size_wh", [(1, 1), (16, 16), (100, 40), (40, 400)])
def test_it_stays_within_the_smallest_frames_that_hold_it(size_wh):
    label_wh = (max(1, size_wh[0] // 2), max(1, size_wh[1] // 2))
    x, y = LabelPlace()(size_wh, label_wh, InTheWay(), at=0)
    assert x >= 0
    assert y >= 0
    assert x + label_wh[0] <= size_wh[0]
    assert y + label_wh[1] <= size_wh[1]


def test_the_features_of_a_face_are_its_eyes_and_its_mouth():
    mesh = np.zeros((468, 3), np.float32)
    mesh[:, 1] = np.linspace(100, 300, 468)
    wanted = [(150.0, 160.0), (250.0, 160.0), (200.0, 210.0), (170.0, 260.0), (230.0, 260.0)]
    for group, point in zip(FIVE_OF_MESH, wanted, strict=True):
        mesh[list(group), :2] = point
    left, right, mouth = features_of(mesh)
    for feature, points in ((left, wanted[:1]), (right, wanted[1:2]), (mouth, wanted[3:])):
        for x, y in points:
            assert feature[0] < x < feature[2]
            assert feature[1] < y < feature[3]
    assert left[2] < right[0]
    assert left[3] < mouth[1]
