"""Mosaic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.vision.mosaic import CELLS, cell_size, cover_box, draw_mosaic

RNG = np.random.default_rng(7)
NOISE = RNG.integers(0, 256, (120, 160, 3), np.uint8)


def box(*values):
    return np.array(values, np.float32)


def test_a_face_is_at_most_eight_cells_across():
    face = box(20, 20, 100, 100)
    image = NOISE.copy()
    draw_mosaic(image, face, cell_px=cell_size(face))
    rows = image[20:100, 20:100].reshape(80, -1)
    assert CELLS <= 8
    assert len(np.unique(rows, axis=0)) <= CELLS


def test_nothing_outside_the_area_changes():
    image = NOISE.copy()
    draw_mosaic(image, box(30, 40, 90, 100), cell_px=10)
    changed = (image != NOISE).any(axis=-1)
    changed[40:100, 30:90] = False
    assert not changed.any()


def test_the_mosaic_of_two_pictures_that_differ_only_in_detail_is_the_same():
    blocks = np.kron(RNG.integers(20, 230, (6, 6, 1), np.uint8), np.ones((10, 10, 3), np.uint8))
    checker = (np.indices((60, 60)).sum(0) % 2 * 8 - 4)[..., None]
    detailed = (blocks + checker).astype(np.uint8)
    area = box(0, 0, 60, 60)
    draw_mosaic(blocks, area, cell_px=10)
    draw_mosaic(detailed, area, cell_px=10)
    assert (blocks == detailed).mean() > 0.9


@given(st.tuples(*[st.floats(-300, 400) for _ in range(4)]))
def test_areas_that_leave_the_frame_or_are_empty_do_no_harm(corners):
    image = NOISE.copy()
    draw_mosaic(image, box(*corners), cell_px=7)
    assert image.shape == NOISE.shape


@pytest.mark.parametrize("grow", [1.0, 1.5, 2.2])
def test_the_cover_is_larger_than_the_face_and_grows(grow):
    face = box(100, 100, 200, 240)
    cover = cover_box(face, grow=grow)
    assert (cover[:2] < face[:2]).all()
    assert (cover[2:] > face[2:]).all()
    if grow > 1:
        assert cover[0] < cover_box(face)[0]


def test_tiny_faces_get_cells_of_four_pixels():
    assert cell_size(box(0, 0, 12, 12)) == 4
