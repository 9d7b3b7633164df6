"""A drawn face takes on the sharpness and the grain of the picture it is drawn into."""

import cv2
import numpy as np
import pytest

from mien.vision.swap.restore import DetailMatch
from support.drawn_heads import drawn_head, drawn_mesh

MESH = drawn_mesh()
FACE = np.s_[200:290, 280:360]


def noisy(image, level, seed=1):
    noise = np.random.default_rng(seed).normal(0, level, image.shape[:2])[..., None]
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def fine(image):
    return float(np.abs(cv2.Laplacian(image[FACE].astype(np.float32), cv2.CV_32F)).mean())


SHARP = noisy(drawn_head(1, MESH), 3)
SOFT = np.asarray(cv2.GaussianBlur(SHARP, (0, 0), 2.0), np.uint8)


def test_a_sharp_face_in_a_soft_picture_becomes_soft():
    matched = DetailMatch()(SHARP.copy(), SOFT, MESH, dt=0.04)
    assert fine(SOFT) * 0.4 < fine(matched) < 0.5 * fine(SHARP)


def test_a_face_as_sharp_as_the_picture_is_left_as_it_is():
    matched = DetailMatch()(SHARP.copy(), noisy(drawn_head(2, MESH), 3, seed=2), MESH, dt=0.04)
    assert fine(matched) == pytest.approx(fine(SHARP), rel=0.15)


def test_a_smooth_face_takes_the_grain_of_the_picture_but_not_its_edges():
    smooth = drawn_head(1, MESH)
    live = noisy(drawn_head(2, MESH), 6)
    live[240:246] = 0  # the frame of a pair of glasses
    matched = DetailMatch()(smooth.copy(), live, MESH, dt=0.04).astype(int)
    assert fine(matched.astype(np.uint8)) > 2 * fine(smooth)
    assert np.abs(matched - smooth)[FACE].max() < 30


def test_without_strength_nothing_is_changed():
    np.testing.assert_array_equal(DetailMatch(0)(SHARP, SOFT, MESH, dt=0.04), SHARP)


def test_a_change_of_sharpness_is_followed_slowly():
    match = DetailMatch()
    match(SHARP.copy(), SHARP, MESH, dt=0.04)
    first = fine(match(SHARP.copy(), SOFT, MESH, dt=0.04))
    for _ in range(100):
        last = fine(match(SHARP.copy(), SOFT, MESH, dt=0.04))
    assert last < 0.7 * first


def test_a_face_too_small_or_out_of_sight_is_left_alone():
    away = drawn_mesh(at=(5000, 5000))
    np.testing.assert_array_equal(DetailMatch()(SHARP, SOFT, away, dt=0.04), SHARP)
