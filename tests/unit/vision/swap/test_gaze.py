"""Reading a gaze: it is found where eyes look, and not in eyes that are closed."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.vision.mesh.topology import EYE_LEFT, EYE_RIGHT, lid_pairs
from mien.vision.swap.gaze import GazeReader, find_iris, with_shut_lids
from support.drawn_heads import drawn_head, drawn_mesh, with_irises

BROWN = (70, 45, 30)
MESH = drawn_mesh(scale=1.4)


def looking(x, y=0.0, mesh=MESH):
    return with_irises(drawn_head(2, mesh), mesh, BROWN, look=(x, y))


def closed(mesh=MESH, rings=(EYE_LEFT, EYE_RIGHT)):
    """Return a head whose lids are down where the mesh believes the eyes open, lashes below."""
    frame = looking(0.0, mesh=mesh)
    for ring in rings:
        lids = np.round(mesh[ring, :2]).astype(np.int32)
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


def test_an_iris_that_fills_most_of_the_opening_does_not_count_as_white():
    frame = looking(0.0)
    white = find_iris(frame, MESH, EYE_LEFT).white
    x, y = (float(value) for value in MESH[EYE_LEFT, :2].mean(axis=0))
    width = float(np.linalg.norm(MESH[EYE_LEFT[len(EYE_LEFT) // 2], :2] - MESH[EYE_LEFT[0], :2]))
    cv2.circle(frame, (round(x), round(y)), round(0.27 * width), BROWN, -1, cv2.LINE_AA)
    assert (find_iris(frame, MESH, EYE_LEFT, radius=0.27).white > 0.9 * white).all()


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


def lids_lower(share, rings=(EYE_LEFT, EYE_RIGHT)):
    """Return the mesh with its openings lower by a share."""
    mesh = MESH.copy()
    for ring in rings:
        upper, lower = lid_pairs(ring)
        mesh[upper] += share * (mesh[lower] - mesh[upper])
    return mesh


def after_open_eyes(*frames):
    """Return the gaze in the last of the frames, each a picture and a mesh, after some with open eyes."""
    read = GazeReader()
    for frame, mesh in [(looking(0.0), MESH)] * 5 + list(frames):
        gaze = read(frame, mesh, dt=1 / 30)
    return gaze


def test_lids_that_go_down_and_hide_the_irises_are_shut():
    mesh = lids_lower(0.35)
    assert after_open_eyes(*[(closed(mesh), mesh)] * 3).shut.min() > 0.9
    assert after_open_eyes(*[(closed(mesh), mesh)] * 3, *[(looking(0.0), MESH)] * 3).shut.max() < 0.1


@pytest.mark.parametrize(("ring", "which"), [(EYE_LEFT, 0), (EYE_RIGHT, 1)], ids=["left", "right"])
def test_a_wink_shuts_one_eye(ring, which):
    mesh = lids_lower(0.35, [ring])
    shut = after_open_eyes(*[(closed(mesh, [ring]), mesh)] * 3).shut
    assert shut[which] > 0.9
    assert shut[1 - which] == 0


def test_narrow_eyes_whose_irises_are_seen_are_open():
    mesh = lids_lower(0.35)
    assert after_open_eyes(*[(looking(0.0, mesh=mesh), mesh)] * 3).shut.max() < 0.1


def test_nothing_is_shut_before_it_was_seen_open():
    mesh = lids_lower(0.35)
    assert GazeReader()(closed(mesh), mesh, dt=1 / 30).shut.max() == 0


@given(arrays(np.float32, 2, elements=st.floats(0, 1, width=32)))
def test_lids_shut_as_far_as_told_and_never_cross(shut):
    lowered = with_shut_lids(MESH, shut)
    for ring, amount in zip((EYE_LEFT, EYE_RIGHT), shut, strict=True):
        upper, lower = lid_pairs(ring)
        left = np.linalg.norm((lowered[lower] - lowered[upper]), axis=1)
        was = np.linalg.norm((MESH[lower] - MESH[upper]), axis=1)
        assert np.allclose(left, was * (1 - 0.92 * amount), atol=1e-2)
    moved = np.flatnonzero((lowered != MESH).any(axis=1))
    assert len(moved) <= 28


def test_a_glance_is_followed_within_three_frames():
    read = GazeReader()
    for _ in range(10):
        read(looking(-0.15), MESH, dt=1 / 30)
    for _ in range(3):
        gaze = read(looking(0.15), MESH, dt=1 / 30)
    assert gaze.places[:, 0].min() > 0.05


def test_a_face_without_size_has_no_gaze():
    assert find_iris(looking(0.0), np.zeros_like(MESH), EYE_LEFT).distinct == 0
