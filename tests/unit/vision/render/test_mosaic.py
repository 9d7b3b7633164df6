"""Mosaic."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.vision.render.mosaic import Cover, MosaicShape, MosaicStyle, cover_box, draw_covers
from mien.vision.render.surroundings import cell_side

RNG = np.random.default_rng(7)
NOISE = RNG.integers(0, 256, (120, 160, 3), np.uint8)
EVERY_KIND = list(itertools.product(MosaicStyle, MosaicShape))
KINDS = pytest.mark.parametrize(("style", "shape"), EVERY_KIND)
FACES = st.tuples(st.floats(-20, 150), st.floats(-20, 110), st.floats(1, 90), st.floats(1, 90)).map(
    lambda place: box(place[0], place[1], place[0] + place[2], place[1] + place[3])
)


def box(*values):
    return np.array(values, np.float32)


def covers(*faces, shape=MosaicShape.BOX):
    return [Cover(cover_box(face, shape=shape)) for face in faces]


def drawn(image, *faces, style=MosaicStyle.CELLS, shape=MosaicShape.BOX):
    image = image.copy()
    draw_covers(image, covers(*faces, shape=shape), style=style, shape=shape)
    return image


def pixels_in(face, image=NOISE):
    """Return which pixels a box touches."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = np.concatenate([np.floor(face[:2]), np.ceil(face[2:])]).astype(int)
    touched = np.zeros((height, width), bool)
    touched[max(0, y0) : max(0, min(y1, height)), max(0, x0) : max(0, min(x1, width))] = True
    return touched


@KINDS
@given(faces=st.lists(FACES, min_size=1, max_size=3), seed=st.integers(0, 2**32 - 1))
def test_nothing_of_a_hidden_face_is_in_the_picture(style, shape, faces, seed):
    """Whatever is under the covers, the picture is the same to the last bit: no attack can tell."""
    under = np.any([pixels_in(face) for face in faces], axis=0)
    other = NOISE.copy()
    other[under] = np.random.default_rng(seed).integers(0, 256, (int(under.sum()), 3), np.uint8)
    assert (drawn(NOISE, *faces, style=style, shape=shape) == drawn(other, *faces, style=style, shape=shape)).all()


@pytest.mark.parametrize("style", MosaicStyle)
def test_a_box_gives_away_nothing_of_the_margin_either(style):
    face = box(60, 50, 100, 90)
    other = NOISE.copy()
    other[pixels_in(cover_box(face))] = 255
    assert (drawn(NOISE, face, style=style) == drawn(other, face, style=style)).all()


@pytest.mark.parametrize("style", MosaicStyle)
def test_of_a_head_hair_line_and_ears_are_hidden_too(style):
    face = box(60, 50, 100, 90)
    hair_line, ear = pixels_in(box(75, 32, 85, 50)), pixels_in(box(50, 60, 60, 75))
    other = NOISE.copy()
    other[hair_line | ear] = 255
    head = MosaicShape.HEAD
    assert (drawn(NOISE, face, style=style, shape=head) == drawn(other, face, style=style, shape=head)).all()


@KINDS
def test_a_face_beside_another_does_not_colour_the_cover_of_the_other(style, shape):
    """A cover drawn by itself would take its colours from its neighbour, who is hidden only after it."""
    left, right = box(30, 40, 60, 80), box(72, 40, 102, 80)
    other = NOISE.copy()
    other[pixels_in(right)] = 255
    before, after = (drawn(image, left, right, style=style, shape=shape) for image in (NOISE, other))
    assert (before == after).all()


@KINDS
def test_the_order_of_far_apart_covers_does_not_matter(style, shape):
    left, right = box(20, 50, 40, 75), box(110, 50, 130, 75)
    assert (
        drawn(NOISE, left, right, style=style, shape=shape) == drawn(NOISE, right, left, style=style, shape=shape)
    ).all()


@KINDS
def test_nothing_beyond_the_cover_changes(style, shape):
    face = box(60, 50, 90, 80)
    area = cover_box(face, shape=shape)
    margin = 0.1 * (area[2:] - area[:2]) + 5
    changed = (drawn(NOISE, face, style=style, shape=shape) != NOISE).any(axis=-1)
    assert not changed[~pixels_in(np.concatenate([area[:2] - margin, area[2:] + margin]))].any()
    assert changed[pixels_in(face)].mean() > 0.99


@KINDS
def test_a_weaker_cover_lets_through_what_lies_below(style, shape):
    area = cover_box(box(60, 50, 90, 80), shape=shape)
    whole, half = NOISE.copy(), NOISE.copy()
    draw_covers(whole, [Cover(area)], style=style, shape=shape)
    draw_covers(half, [Cover(area, strength=0.5)], style=style, shape=shape)
    assert np.abs(half - (NOISE / 2 + whole / 2)).max() <= 1


def test_the_edge_of_a_head_fades():
    grey = np.full_like(NOISE, 60)
    grey[:60] = 250
    row = drawn(grey, box(50, 30, 110, 100), style=MosaicStyle.SOLID, shape=MosaicShape.HEAD)[90, :60, 0].astype(int)
    assert np.abs(np.diff(row)).max() < np.abs(row[-1] - row[0])


def test_the_cells_of_all_covers_lie_on_one_grid_that_does_not_move_with_a_face():
    ground = np.full((720, 1280, 3), 90, np.uint8)
    side = cell_side((1280, 720))
    for shift in (0, 5, 11):
        picture = drawn(ground, box(300 + shift, 200, 420 + shift, 350), box(700, 300 + shift, 760, 370 + shift))
        for x0, y0, x1, y1 in ((320, 208, 400, 336), (704, 320, 752, 368)):
            for y, x in itertools.product(range(y0, y1, side), range(x0, x1, side)):
                cell = picture[y : y + side, x : x + side]
                assert (cell == cell[0, 0]).all()


def test_covers_that_meet_are_one_mosaic_without_a_seam():
    side_by_side = drawn(NOISE, box(40, 40, 70, 80), box(60, 40, 90, 80))
    turned_round = drawn(NOISE, box(60, 40, 90, 80), box(40, 40, 70, 80))
    assert (side_by_side == turned_round).all()


def test_cells_differ_so_that_a_cover_over_an_even_wall_can_be_seen():
    wall = np.full((720, 1280, 3), 90, np.uint8)
    changed = (drawn(wall, box(300, 200, 420, 350)) != wall).any(axis=-1)[200:350, 300:420]
    assert changed.mean() > 0.9


def test_no_cover_looks_like_a_head():
    """A false cover was a person of pixels: on an even ground the cells must be its colour, but for their relief."""
    wall = np.full((720, 1280, 3), 120, np.uint8)
    cells = drawn(wall, box(300, 100, 700, 600))[100:600, 300:700].astype(int)
    assert np.abs(cells - 120).max() <= 16
    assert np.abs(cells - cells[..., :1]).max() <= 1


def test_covers_are_as_dark_as_the_picture_around_them():
    night, day = (drawn(np.full_like(NOISE, value), box(60, 40, 100, 90))[40:90, 60:100].mean() for value in (20, 220))
    assert night < 50
    assert day > 120


def test_where_nothing_can_be_seen_around_the_cover_it_is_grey():
    frames = [np.full((40, 40, 3), value, np.uint8) for value in (10, 240)]
    dark, bright = (drawn(frame, box(-40, -40, 80, 80), style=MosaicStyle.SOLID) for frame in frames)
    assert (dark == bright).all()


@KINDS
@given(corners=st.tuples(*[st.floats(-1e7, 1e7) for _ in range(4)]))
def test_areas_that_leave_the_frame_or_are_empty_do_no_harm(style, shape, corners):
    image = NOISE.copy()
    draw_covers(image, [Cover(box(*corners))], style=style, shape=shape)
    assert image.shape == NOISE.shape


@pytest.mark.parametrize("style", MosaicStyle)
def test_a_head_that_is_larger_than_any_oval_hides_all_of_its_box(style):
    face = box(-5000, -100, 60, 200)
    other = NOISE.copy()
    other[pixels_in(face)] = 0
    head = MosaicShape.HEAD
    assert (drawn(NOISE, face, style=style, shape=head) == drawn(other, face, style=style, shape=head)).all()


@pytest.mark.parametrize("shape", MosaicShape)
@pytest.mark.parametrize("grow", [1.0, 1.5, 2.2])
def test_the_cover_is_larger_than_the_face_and_grows(grow, shape):
    face = box(100, 100, 200, 240)
    cover = cover_box(face, grow=grow, shape=shape)
    assert (cover[:2] < face[:2]).all()
    assert (cover[2:] > face[2:]).all()
    if grow > 1:
        assert cover[0] < cover_box(face, shape=shape)[0]
