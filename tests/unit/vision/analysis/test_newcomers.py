"""Newcomers: what has just come in, what was there all along, and what is hidden already."""

import numpy as np
import pytest

from mien.vision.analysis.newcomers import LARGEST, ROOM, WAIT_FRAMES, WAITING, Newcomers

SIZE_WH, CELL = (1280, 720), 20
HEAD = (300, 200, 400, 340)


def change_at(*boxes, by=40.0):
    """Return by how much a thumbnail changed where all of it is calm but some places."""
    change = np.zeros((36, 64), np.float32)
    for x0, y0, x1, y1 in boxes:
        change[y0 // CELL : y1 // CELL, x0 // CELL : x1 // CELL] = by
    return change


def watching(*changes, known=()):
    newcomers = Newcomers(SIZE_WH)
    newcomers.watch(change_at(), ())
    for change in changes:
        newcomers.watch(change, known)
    return newcomers


def test_where_something_comes_in_there_is_a_place_with_room_around_it():
    x0, y0, x1, y1 = watching(change_at(HEAD)).next()
    assert (x0 + x1) / 2 == 350
    assert (y0 + y1) / 2 == 270
    assert x1 - x0 == y1 - y0 == (340 - 200) * ROOM


def test_a_place_at_the_edge_ends_there():
    x0, y0, x1, y1 = watching(change_at((1200, 640, 1280, 720))).next()
    assert (x1, y1) == SIZE_WH
    assert x0 < 1200
    assert y0 < 640


def test_each_place_is_given_once_and_what_changed_most_first():
    small = (800, 400, 860, 460)
    newcomers = watching(change_at(small, HEAD))
    first, second = newcomers.next(), newcomers.next()
    assert first[0] < 300 < first[2]
    assert second[0] < 800 < second[2]
    assert newcomers.next() is None


def test_what_has_moved_all_along_is_no_newcomer():
    newcomers = watching(*[change_at(HEAD, by=20)] * 3)
    assert newcomers.next() is not None
    assert newcomers.next() is None
    newcomers.watch(change_at(HEAD, by=30), ())
    assert newcomers.next() is None


def test_where_it_has_been_calm_again_something_may_come_in():
    newcomers = watching(change_at(HEAD))
    newcomers.next()
    for _ in range(30):
        newcomers.watch(change_at(), ())
    newcomers.watch(change_at(HEAD), ())
    assert newcomers.next() is not None


def test_what_stirs_under_the_cover_of_a_known_face_is_no_newcomer_and_beside_it_is_one():
    face = np.array([310, 220, 390, 330], np.float32)
    beside = (460, 200, 520, 300)
    newcomers = watching(change_at(HEAD, beside), known=[face])
    x0, _y0, x1, _y1 = newcomers.next()
    assert (x0 + x1) / 2 == 490


def test_a_newcomer_that_was_found_since_needs_no_look():
    newcomers = watching(change_at(HEAD))
    newcomers.watch(change_at(), [np.array(HEAD, np.float32)])
    assert newcomers.next() is None


def test_a_place_does_not_wait_forever_and_few_wait():
    newcomers = watching(change_at(HEAD))
    for _ in range(WAIT_FRAMES):
        newcomers.watch(change_at(), ())
    assert newcomers.next() is None
    crowd = [(x, y, x + 40, y + 40) for x in range(40, 1200, 200) for y in range(40, 640, 200)]
    newcomers.watch(change_at(*crowd), ())
    assert sum(newcomers.next() is not None for _ in crowd) == WAITING


@pytest.mark.parametrize(
    "box",
    [(0, 0, 1280, 360), (300, 200, 320, 220), (0, 0, round(1280 * LARGEST), 100)],
    ids=["the camera moves", "a speck", "larger than a part"],
)
def test_what_is_left_to_other_looks(box):
    assert watching(change_at(box)).next() is None


def test_while_the_camera_moves_nothing_becomes_usual():
    newcomers = watching(*[change_at((0, 0, 1280, 720))] * 20)
    newcomers.watch(change_at(HEAD), ())
    assert newcomers.next() is not None


def test_after_a_cut_nothing_of_the_last_scene_is_a_newcomer():
    newcomers = watching(change_at(HEAD))
    newcomers.forget()
    newcomers.watch(change_at(HEAD), ())
    assert newcomers.next() is None
