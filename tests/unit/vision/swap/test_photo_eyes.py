"""A persona's eyes: they are the photo's, and look and blink as the live ones do."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.vision.mesh.topology import EYE_LEFT, EYE_RIGHT
from mien.vision.swap.gaze import find_iris
from mien.vision.swap.photo_eyes import read_eyes
from mien.vision.swap.swapper import MeshSwapper, persona_from_photo
from support.drawn_heads import drawn_head, drawn_mesh, with_irises

BROWN, GREEN = (70, 45, 30), (40, 120, 60)
MESH = drawn_mesh(scale=1.4)
PHOTO = with_irises(drawn_head(1, MESH), MESH, GREEN)
PERSONA = persona_from_photo(PHOTO, MESH, "Ada")


def swapped(live, persona=PERSONA, *, frames=5):
    swapper = MeshSwapper(persona, shape=0)
    for i in range(frames):
        after = live.copy()
        assert swapper(after, MESH, at=i / 30)
    return after


def eye(image, ring):
    """Return the pixels of an eye's opening."""
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.round(MESH[ring, :2]).astype(np.int32)], 1)
    return image[cv2.erode(inside, np.ones((3, 3))) > 0].astype(float)


def greenness(image, ring):
    pixels = eye(image, ring)
    return float((pixels[:, 1] - pixels[:, 0]).max())


@pytest.mark.parametrize("x", [-0.15, 0.0, 0.15])
def test_the_personas_eyes_look_where_the_live_ones_look(x):
    after = swapped(with_irises(drawn_head(2, MESH), MESH, BROWN, look=(x, 0)))
    for ring in (EYE_LEFT, EYE_RIGHT):
        assert find_iris(after, MESH, ring).place[0] == pytest.approx(x, abs=0.07)
        assert greenness(after, ring) > 30


def test_eyes_in_which_no_iris_is_seen_stay_live():
    live = drawn_head(2, MESH)
    after = swapped(live)
    for ring in (EYE_LEFT, EYE_RIGHT):
        assert find_iris(after, MESH, ring).distinct < 0.2


def test_where_one_eye_is_closed_both_stay_live():
    live = with_irises(drawn_head(2, MESH), MESH, BROWN)
    cv2.fillPoly(live, [np.round(MESH[EYE_LEFT, :2]).astype(np.int32)], (185, 140, 116))
    without = replace(PERSONA, eyes=None, eye_matte=None)
    np.testing.assert_array_equal(swapped(live), swapped(live, without))


def test_a_glint_on_the_live_eye_is_kept():
    live = with_irises(drawn_head(2, MESH), MESH, BROWN)
    x, y = np.round(MESH[EYE_LEFT, :2].mean(axis=0)).astype(int)
    dull = swapped(live)
    cv2.circle(live, (int(x) + 2, int(y) - 1), 1, (255, 255, 255), -1)
    shining = swapped(live)
    part = np.s_[y - 3 : y + 3, x - 1 : x + 6]
    assert shining[part].max() > dull[part].max() + 40


def whites(image):
    """Return the RGB level of the white of both eyes, (2, 3)."""
    return np.array([np.percentile(eye(image, ring), 75, axis=0) for ring in (EYE_LEFT, EYE_RIGHT)])


def test_the_white_takes_the_light_of_the_live_one():
    live = (with_irises(drawn_head(2, MESH), MESH, BROWN) * np.array((0.8, 0.6, 0.4))).astype(np.uint8)
    tints = [level / level.mean(axis=1, keepdims=True) for level in (whites(live), whites(swapped(live)))]
    assert np.abs(tints[0] - 1).max() > 0.3  # a warm lamp
    assert np.abs(tints[1] - tints[0]).max() < 0.12


def with_darker_skin(image, by=(0.45, 0.33, 0.25)):
    """Return a picture with all darker but the eyes."""
    eyes = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(eyes, [np.round(MESH[ring, :2]).astype(np.int32) for ring in (EYE_LEFT, EYE_RIGHT)], 1)
    return np.where(eyes[..., None], image, (image * np.array(by)).astype(np.uint8))


def test_a_photo_of_darker_skin_gets_no_brighter_eyes():
    live = (with_irises(drawn_head(2, MESH), MESH, BROWN) * 0.6).astype(np.uint8)
    drawn = whites(swapped(live, persona_from_photo(with_darker_skin(PHOTO), MESH, "Ada")))
    assert (drawn < 1.3 * whites(live)).all()
    assert (drawn.max(axis=1) < 1.1 * drawn.min(axis=1)).all()  # and no bluer ones


def test_a_photo_of_paler_skin_gets_no_dull_eyes():
    live = with_darker_skin(with_irises(drawn_head(2, MESH), MESH, BROWN), (0.65, 0.6, 0.6))
    assert (whites(swapped(live)) > 0.72 * whites(live)).all()  # an upper lid shades them


def test_a_photo_without_clear_irises_gives_no_eyes():
    assert read_eyes(drawn_head(1, MESH), MESH) is None
    assert read_eyes(PHOTO, MESH) is not None


@pytest.mark.parametrize("look", [(-0.25, 0), (0, 0.2)])
def test_a_photo_whose_irises_stand_apart_gives_no_eyes(look):
    odd = with_irises(drawn_head(1, MESH), MESH, GREEN, look=look)
    half = PHOTO.copy()
    half[:, : PHOTO.shape[1] // 2] = odd[:, : PHOTO.shape[1] // 2]
    assert read_eyes(half, MESH) is None


@settings(max_examples=25)
@given(arrays(np.float32, (468, 3), elements=st.floats(-5000, 5000, width=32)))
def test_no_mesh_however_wild_does_harm(mesh):
    frame = PHOTO.copy()
    MeshSwapper(PERSONA)(frame, mesh, at=0.0)
    assert frame.shape == PHOTO.shape


def test_an_iris_holds_nothing_that_the_photo_does_not():
    """Around a disc that is turned back from its polar picture OpenCV leaves what was in that memory before."""
    for _ in range(20):
        shape = PERSONA.eyes[0].iris[..., :3].shape
        spoilt = [np.full(shape, np.nan, np.float32) for _ in range(16)]
        spoilt += [np.full((64, 24, channels), np.nan, np.float32) for channels in (1, 3) for _ in range(8)]
        del spoilt
        for read in read_eyes(PHOTO, MESH):
            assert np.isfinite(read.iris).all()
            assert (read.iris[0, 0] == 0).all()
