"""Alignment."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import ShapeError
from mien.vision.mesh.alignment import crop_aligned, fit_similarity

TRIANGLE = np.array([[0, 0], [10, 0], [3, 7]], np.float32)


@given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.1, 10),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_a_similarity_that_was_applied_is_found_again(angle, scale, shift):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (TRIANGLE @ turn.T + shift).astype(np.float32)
    found = fit_similarity(TRIANGLE, moved)
    np.testing.assert_allclose(found[:, :2], turn, atol=2e-3 * scale)
    np.testing.assert_allclose(found[:, 2], shift, atol=0.05 + 1e-3 * scale)


def test_a_mirrored_face_is_not_fitted_by_mirroring():
    mirrored = TRIANGLE * np.array([-1, 1], np.float32)
    assert np.linalg.det(fit_similarity(TRIANGLE, mirrored)[:, :2]) > 0


@pytest.mark.parametrize(
    ("src", "dst"),
    [
        pytest.param(np.zeros((3, 2), np.float32), TRIANGLE, id="all points coincide"),
        pytest.param(TRIANGLE[:2], TRIANGLE, id="different lengths"),
        pytest.param(TRIANGLE[:1], TRIANGLE[:1], id="one point"),
    ],
)
def test_points_that_fit_nothing_are_refused(src, dst):
    with pytest.raises(ShapeError):
        fit_similarity(src, dst)


def test_a_crop_shows_the_landmark_where_the_template_says():
    image = np.zeros((100, 100, 3), np.uint8)
    image[40:43, 60:63] = 255
    landmarks = np.array([[61, 41], [20, 20]], np.float32)
    template = np.array([[30, 12], [9.5, 1.5]], np.float32)
    crop = crop_aligned(image, landmarks, template, 50)
    row, col = np.unravel_index(crop[:, :, 0].argmax(), crop.shape[:2])
    assert abs(row - 12) <= 1
    assert abs(col - 30) <= 1
