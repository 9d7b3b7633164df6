"""Rasterising and unwrapping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.vision.mesh.texture_map import flatten, rasterise, unwrap
from mien.vision.mesh.topology import FACE, SURFACE, UV
from support.drawn_heads import drawn_face, drawn_head, drawn_mesh

SIDES = st.floats(-40, 80)


@given(st.lists(st.tuples(SIDES, SIDES), min_size=3, max_size=3), st.floats(-50, 50))
def test_values_that_grow_evenly_over_the_plane_are_drawn_exactly(corners, z):
    flat = np.array(corners, np.float32)
    solid = np.column_stack([flat, np.full(3, z, np.float32)])
    values = np.column_stack([flat, np.ones(3, np.float32)])
    drawn = rasterise(solid, values, np.array([[0, 1, 2]], np.int32), (48, 32))
    y, x = np.nonzero(drawn[..., 2] > 0.5)
    np.testing.assert_allclose(drawn[y, x, :2], np.column_stack([x, y]), atol=0.05)


def test_what_is_nearer_lies_in_front_whatever_the_order():
    square = np.array([[0, 0], [20, 0], [0, 20]], np.float32)
    points = np.concatenate([np.column_stack([square, np.full(3, z)]) for z in (0, -5)]).astype(np.float32)
    values = np.repeat(np.array([[1, 1, 1], [2, 2, 2]], np.float32), 3, axis=0)
    for order in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        assert rasterise(points, values, np.array(order, np.int32), (16, 16))[4, 4, 0] == 2


def test_no_pixel_falls_between_two_triangles():
    points = np.array([[0, 0], [8, 0], [16, 0], [0, 16], [8, 16], [16, 16]], np.float32)  # edges on pixel centres
    triangles = np.array([[0, 3, 1], [1, 3, 4], [1, 4, 2], [2, 4, 5]], np.int32)
    drawn = rasterise(points, np.ones((6, 3), np.float32), triangles, (17, 17))
    assert (drawn[1:16, 1:16, 0] > 0.99).all()


def test_points_far_outside_the_picture_are_drawn_without_harm():
    points = drawn_mesh() * np.float32(1e6)
    drawn = rasterise(points, np.ones_like(points), FACE, (64, 64))
    assert drawn.shape == (64, 64, 3)


def test_each_landmark_comes_out_at_its_place_in_the_texture():
    mesh = drawn_mesh(yaw=20)
    flat = flatten(mesh, 256)
    inside = np.unique(SURFACE)
    x, y = np.round(UV[inside] * 256 - 0.5).astype(int).T
    assert np.median(np.linalg.norm(flat[y, x, :2] - mesh[inside, :2], axis=1)) < 1


@pytest.mark.parametrize("yaw", [-25, 0, 25])
def test_a_face_laid_on_a_head_is_peeled_off_again(yaw):
    mesh = drawn_mesh(yaw=yaw)
    peeled = unwrap(drawn_head(3, mesh), mesh, 256).astype(int)
    cheeks = np.s_[120:150, 90:165]
    assert np.abs(peeled[cheeks] - drawn_face(3)[cheeks]).mean() < 8
