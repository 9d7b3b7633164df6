"""What a persona hides by itself, and how covers are drawn behind it."""

import cv2
import numpy as np
import pytest

from mien.vision.mesh.topology import EYE_LEFT, MOUTH, OVAL
from mien.vision.overlay_mask import OverlayMask
from mien.vision.render.mosaic import Cover, draw_covers
from support.drawn_heads import drawn_mesh

MESH = drawn_mesh(at=(140, 150))
PART = (slice(40, 340), slice(60, 340))
EVERYWHERE = Cover(np.array([0, 0, 400, 400], np.float32))
PICTURE = np.random.default_rng(3).integers(0, 256, (400, 400, 3), np.uint8)


def filled(*rings, value=1.0, into=None):
    matte = np.zeros((300, 280), np.float32) if into is None else into.copy()
    for ring in rings:
        cv2.fillPoly(matte, [np.round(MESH[ring, :2]).astype(np.int32)], value)
    return matte


FACE = filled(OVAL)


def overlays(alpha=FACE):
    return OverlayMask(PART, alpha, MESH)


def under_a_cover(*personas):
    picture = PICTURE.copy()
    draw_covers(picture, [EVERYWHERE], overlays=personas)
    return picture


def test_a_persona_stands_before_a_cover_and_everything_else_is_behind_it():
    alone, made = under_a_cover(), under_a_cover(overlays())
    deep = cv2.erode(FACE, np.ones((15, 15))) > 0
    assert (made[PART][deep] == PICTURE[PART][deep]).all()
    assert (made[PART][FACE == 0] == alone[PART][FACE == 0]).all()
    beside = np.ones(PICTURE.shape[:2], bool)
    beside[PART] = False
    assert (made[beside] == alone[beside]).all()


def test_whatever_the_persona_does_not_hide_wholly_changes_nothing():
    """Two pictures that differ only where the persona lets something through leave alike."""
    alpha = FACE.copy()
    alpha[:, 170:] *= np.float32(0.985)
    other = PICTURE.copy()
    other[PART][alpha < 0.99] = 255 - other[PART][alpha < 0.99]
    pictures = [PICTURE.copy(), other]
    for picture in pictures:
        draw_covers(picture, [EVERYWHERE], overlays=[overlays(alpha)])
    assert (pictures[0] == pictures[1]).all()


@pytest.mark.parametrize("opening", [EYE_LEFT, MOUTH])
def test_eyes_and_mouth_belong_to_the_persona_that_lies_all_around_them(opening):
    share = overlays(filled(opening, value=0.0, into=FACE)).opaque()
    middle = np.round(MESH[opening, :2].mean(axis=0)).astype(int)
    assert share[middle[1], middle[0]] == 1


def test_an_opening_beside_a_hand_is_not_the_personas():
    hand = filled(MOUTH, value=0.0, into=FACE)
    x0, y0 = (MESH[MOUTH, :2].min(axis=0) - 25).astype(int)
    x1, y1 = (MESH[MOUTH, :2].max(axis=0) + np.array([-20, 25])).astype(int)
    hand[y0:y1, x0:x1] = 0
    share = overlays(hand).opaque()
    middle = np.round(MESH[MOUTH, :2].mean(axis=0)).astype(int)
    assert share[middle[1], middle[0]] == 0
    assert share[20:120].max() == 1  # the forehead stands before the cover


@pytest.mark.parametrize("torn", ["an eye", "half"])
def test_a_torn_persona_is_covered_whole(torn):
    alpha = FACE.copy()
    if torn == "half":
        alpha[100:] = 0
    else:
        x, y = np.round(MESH[EYE_LEFT, :2].mean(axis=0)).astype(int)
        alpha[y - 30 : y + 30, x - 40 : x + 40] = 0
    assert not overlays(alpha).opaque().any()


@pytest.mark.parametrize(
    ("rows", "cols", "left"),
    [((0, 40), (0, 400), 300 * 280), ((340, 400), (60, 340), 300 * 280), ((0, 140), (0, 160), 300 * 280 - 100 * 100)],
)
def test_what_may_be_painted_over_by_the_next_persona_is_not_counted(rows, cols, left):
    everywhere = overlays(np.ones((300, 280), np.float32))
    other = OverlayMask(
        (slice(*rows), slice(*cols)), np.zeros((rows[1] - rows[0], cols[1] - cols[0]), np.float32), MESH
    )
    assert everywhere.below(other).alpha.sum() == left
    assert everywhere.alpha.all()
