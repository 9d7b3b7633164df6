"""Pose, normals and shape transfer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.vision.mesh.geometry import (
    ShapeTransfer,
    fit_body,
    head_axes,
    mesh_size,
    turned_away,
    vertex_normals,
)
from mien.vision.mesh.topology import HOLES, STEADY, lid_pairs
from mien.vision.swap.masks.preview import turned
from support.drawn_heads import drawn_mesh

ANGLES = st.floats(-170, 170)
FRONTAL = drawn_mesh()


def rotation(yaw, pitch):
    return turned(np.vstack([np.eye(3), -np.eye(3)]).astype(np.float32), yaw, pitch)[:3].T


@given(ANGLES, ANGLES, st.floats(0.05, 20), st.tuples(*[st.floats(-500, 500)] * 3))
def test_any_move_of_a_body_is_found(yaw, pitch, scale, shift):
    turn = rotation(yaw, pitch)
    moved = (scale * FRONTAL @ turn.T + np.array(shift)).astype(np.float32)
    found = fit_body(FRONTAL, moved)
    assert found.scale == pytest.approx(scale, rel=1e-3)
    np.testing.assert_allclose(found.rotation, turn, atol=2e-3)
    np.testing.assert_allclose(found.carry(FRONTAL), moved, atol=0.01 * scale * mesh_size(FRONTAL))


@given(ANGLES, st.floats(0.1, 10))
def test_carrying_back_undoes_carrying(yaw, scale):
    move = fit_body(FRONTAL, turned(FRONTAL, yaw, 10) * np.float32(scale))
    np.testing.assert_allclose(move.carry_back(move.carry(FRONTAL)), FRONTAL, atol=0.05)


def test_a_body_is_never_turned_inside_out():
    found = fit_body(FRONTAL, FRONTAL * np.array([-1, 1, 1], np.float32))
    assert np.linalg.det(found.rotation) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("degrees", [0, 15, -30, 60, 89])
def test_turning_the_head_is_measured_in_degrees(degrees):
    mesh = turned(FRONTAL, degrees, 0)
    assert turned_away(mesh) == pytest.approx(turned_away(FRONTAL) if degrees == 0 else abs(degrees), abs=4)
    assert mesh_size(mesh) == pytest.approx(mesh_size(FRONTAL), rel=1e-3)


def test_the_axes_of_a_head_stand_upright_on_each_other():
    axes = head_axes(turned(FRONTAL, 33, -12))
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-5)


def test_normals_point_out_of_the_face():
    normals = vertex_normals(FRONTAL)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    assert normals[151, 2] < -0.8  # the forehead looks at the viewer
    assert normals[50, 0] < -0.2 < 0.2 < normals[280, 0]  # the cheeks look to their sides


def broad(mesh, factor=1.15):
    middle = mesh.mean(axis=0)
    return ((mesh - middle) * (factor, 1, 1) + middle).astype(np.float32)


def test_shape_transfer_of_nothing_leaves_the_face_alone():
    np.testing.assert_array_equal(ShapeTransfer(broad(FRONTAL), amount=0)(FRONTAL), FRONTAL)


def test_a_narrow_face_becomes_broader_by_the_amount_asked_for():
    target = broad(FRONTAL)
    widths = [float(np.ptp(ShapeTransfer(target, amount=a)(FRONTAL)[:, 0] / mesh_size(FRONTAL))) for a in (0, 0.5, 1)]
    assert widths[0] < widths[1] < widths[2]
    fitted = fit_body(target[STEADY], FRONTAL[STEADY]).carry(target)
    assert widths[2] == pytest.approx(np.ptp(fitted[:, 0]) / mesh_size(FRONTAL), rel=0.01)


@given(st.floats(-45, 45), st.floats(0.3, 3))
def test_shape_transfer_does_not_mind_pose_and_size(yaw, scale):
    target = broad(FRONTAL)
    straight = ShapeTransfer(target, amount=0.7)(FRONTAL)
    live = turned(FRONTAL, yaw, 0) * np.float32(scale)
    expected = turned(straight - FRONTAL, 0, 0) @ rotation(yaw, 0).T * scale
    np.testing.assert_allclose(ShapeTransfer(target, amount=0.7)(live) - live, expected, atol=0.03 * scale * 40)


@pytest.mark.parametrize("ring", HOLES, ids=["left eye", "right eye", "mouth"])
def test_eyes_and_mouth_stay_as_open_as_they_are(ring):
    photo = FRONTAL.copy()
    upper, lower = lid_pairs(ring)
    photo[lower, 1] += 6  # wide open in the photo only
    before, after = FRONTAL, ShapeTransfer(photo, amount=1.0)(FRONTAL)
    np.testing.assert_allclose(after[lower] - after[upper], before[lower] - before[upper], atol=1e-3)
