"""The colours around what is hidden."""

import numpy as np
import pytest

from mien.vision.render.surroundings import NOTHING_SEEN, cell_side, spread

SIZE_WH = (320, 184)
"""Not a whole number of cells in either direction."""


def frame(value=0):
    return np.full((SIZE_WH[1], SIZE_WH[0], 3), value, np.uint8)


def test_an_even_frame_gives_its_own_colour_everywhere():
    grid = spread(frame(77), [(50, 40, 200, 150)])
    assert np.abs(grid.colours - 77).max() < 0.01


def test_cells_are_nearest_in_colour_to_the_side_that_is_nearest():
    picture = frame()
    picture[:, 160:] = 200
    row = spread(picture, [(60, 40, 260, 150)]).colours[8, :, 0]
    assert row[:9].max() < 80
    assert row[-9:].min() > 120
    assert (np.diff(row) > -1).all()


def test_a_cell_that_is_partly_hidden_takes_the_colour_of_its_visible_part():
    picture = frame(200)
    picture[48:80, 66:90] = 10  # what is hidden, from the middle of a cell on
    grid = spread(picture, [(66, 48, 90, 80)])
    assert np.abs(grid.colours - 200).max() < 0.01


def test_colours_change_little_when_the_hidden_area_moves_by_a_pixel():
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (*SIZE_WH[::-1], 3), np.uint8)
    before, after = (spread(picture, [(80 + x, 40, 160 + x, 120)]) for x in (0, 1))
    assert np.abs(before.within((80, 40, 160, 120)).colours - after.within((80, 40, 160, 120)).colours).mean() < 12


def test_what_is_hidden_by_one_area_colours_no_other():
    first, second = frame(50), frame(50)
    second[60:100, 60:100] = 255
    areas = [(60, 60, 100, 100), (104, 60, 140, 100)]
    assert (spread(first, areas).colours == spread(second, areas).colours).all()


def test_a_frame_of_which_nothing_is_seen_is_grey():
    grid = spread(frame(250), [(0, 0, *SIZE_WH)])
    assert np.abs(grid.colours - NOTHING_SEEN).max() < 0.01


@pytest.mark.parametrize("area", [(0, 0, 1, 1), (319, 183, 320, 184), (0, 0, 320, 184), (5, 7, 319, 9)])
def test_the_grid_holds_every_cell_that_an_area_touches(area):
    grid = spread(frame(9), [area])
    part, side = grid.within(area), cell_side(SIZE_WH)
    assert part.first_row * side <= area[1]
    assert (part.first_row + part.colours.shape[0]) * side >= area[3]
    assert part.first_column * side <= area[0]
    assert (part.first_column + part.colours.shape[1]) * side >= area[2]


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 200), (200, 3), (17, 9)])
def test_the_smallest_and_strangest_frames_have_a_grid_too(size_wh):
    picture = np.full((size_wh[1], size_wh[0], 3), 30, np.uint8)
    assert spread(picture, [(0, 0, 1, 1)]).colours.size
