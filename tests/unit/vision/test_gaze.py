"""Reading a gaze: it is found where eyes look, and not in eyes that are closed."""

import cv2
import numpy as np
import pytest

from mien.vision.gaze import GazeReader, find_iris
from mien.vision.topology import EYE_LEFT, EYE_RIGHT
from support.drawn_heads import drawn_head, drawn_mesh, with_irises

BROWN = (70, 45, 30)
MESH = drawn_mesh(scale=1.4)


def looking(x, y=0.0, mesh=MESH):
    return with_irises(drawn_head(2, mesh), mesh, BROWN, look=(x, y))


def closed():
    """Return a head whose lids are down where the mesh believes the eyes open, lashes below."""
    frame = drawn_head(2, MESH)
    for ring in (EYE_LEFT, EYE_RIGHT):
        lids = np.round(MESH[ring, :2]).astype(np.int32)
        cv2.fillPoly(frame, [lids], (180, 135, 112))
        cv2.polylines(frame, [lids[len(ring) // 2 :]], isClosed=False, color=(90, 60, 50), thickness=1)
    return frame


@pytest.mark.parametrize("ring", [EYE_LEFT, EYE_RIGHT], ids=["left", "right"])
@pytest.mark.parametrize("x", [-0.2, -0.1, 0.0, 0.1, 0.2])
def test_the_iris_is_found_where_it_is(ring, x):
    iris = find_iris(looking(x), MESH, ring)
    assert iris.place[0] == pytest.approx(x, abs=0.05)
    assert iris.distinct > 0.3


@pytest.mark.parametrize("yaw", [-25, 25])
def test_the_iris_of_a_turned_head_is_found(yaw):
    mesh = drawn_mesh(yaw=yaw, scale=1.4)
    iris = find_iris(looking(0.1, mesh=mesh), mesh, EYE_LEFT)
    assert iris.place[0] == pytest.approx(0.1, abs=0.08)


def test_eyes_that_are_closed_have_no_sure_gaze():
    assert GazeReader()(closed(), MESH, dt=1 / 30).sure.max() < 0.1
    assert GazeReader()(looking(0.0), MESH, dt=1 / 30).sure.min() > 0.9


def test_a_blink_is_seen_at_once_and_its_end_soon():
    read = GazeReader()
    for _ in range(5):
        read(looking(0.0), MESH, dt=1 / 30)
    assert read(closed(), MESH, dt=1 / 30).sure.max() < 0.1
    for _ in range(4):
        after = read(looking(0.0), MESH, dt=1 / 30)
    assert after.sure.min() > 0.8


def test_a_glance_is_followed_within_three_frames():
    read = GazeReader()
    for _ in range(10):
        read(looking(-0.15), MESH, dt=1 / 30)
    for _ in range(3):
        gaze = read(looking(0.15), MESH, dt=1 / 30)
    assert gaze.places[:, 0].min() > 0.05


def test_a_face_without_size_has_no_gaze():
    assert find_iris(looking(0.0), np.zeros_like(MESH), EYE_LEFT).distinct == 0
