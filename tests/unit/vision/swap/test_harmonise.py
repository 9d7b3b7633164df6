"""Light carried from the live face to a photo's."""

import numpy as np
import pytest

from mien.vision.mesh.regions import oval
from mien.vision.swap.harmonise import LightMatch, read_skin
from support.drawn_heads import SIDE, drawn_face

ALL = np.ones((64, 64), np.float32)
FACE = oval(SIDE) > 0.9
PHOTO = drawn_face(1)


def lit(live, *, photo=PHOTO, times=1):
    match = LightMatch(read_skin(photo, ALL))
    for _ in range(times):
        texture = match(live, ALL, dt=1 / 30)
    return texture


def mean(texture):
    return texture[FACE].mean(axis=0)


def test_a_photo_in_its_own_light_looks_as_it_was():
    assert np.abs(lit(PHOTO).astype(int) - PHOTO)[FACE].mean() < 12


@pytest.mark.parametrize("gain", [0.3, 0.6, 1.2])
def test_the_photo_takes_the_brightness_of_the_live_face(gain):
    live = np.clip(drawn_face(2) * gain, 0, 255).astype(np.uint8)
    np.testing.assert_allclose(mean(lit(live)), mean(live), rtol=0.12, atol=4)


def test_the_photo_takes_the_hue_of_the_live_face():
    live = np.clip(drawn_face(2) * np.array([0.6, 0.8, 1.3]), 0, 255).astype(np.uint8)
    np.testing.assert_allclose(mean(lit(live)), mean(live), rtol=0.12, atol=4)


def test_in_film_without_colour_the_photo_has_none():
    lips = np.repeat(PHOTO.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    texture = lit(np.repeat(drawn_face(2).mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8))
    assert np.ptp(texture[FACE].astype(int), axis=1).max() < 12
    assert np.ptp(PHOTO[FACE].astype(int), axis=1).max() > 60
    assert np.corrcoef(texture[FACE].mean(axis=1), lips[FACE].mean(axis=1))[0, 1] > 0.7


def test_light_from_one_side_falls_on_the_same_side():
    fall = np.linspace(1.2, 0.5, SIDE, dtype=np.float32)[None, :, None]
    texture = lit(np.clip(drawn_face(2) * fall, 0, 255).astype(np.uint8))
    left, right = np.s_[110:160, 70:110], np.s_[110:160, 146:186]
    assert texture[left].mean() > 1.12 * texture[right].mean()


def test_the_freckles_are_the_photos_and_not_the_live_ones():
    texture, cheek = lit(drawn_face(2)).astype(float), np.s_[125:165, 70:110, 1]

    def likeness(other):
        return np.corrcoef(texture[cheek].ravel(), other[cheek].astype(float).ravel())[0, 1]

    assert likeness(PHOTO) > 0.7
    assert abs(likeness(drawn_face(2))) < 0.5 * likeness(PHOTO)


def test_light_that_jumps_is_followed_calmly_and_fully():
    match = LightMatch(read_skin(PHOTO, ALL))
    bright, dim = drawn_face(2), (drawn_face(2) * 0.4).astype(np.uint8)
    levels = [mean(match(live, ALL, dt=1 / 30)).mean() for live in [bright] * 3 + [dim] * 60]
    steps = np.abs(np.diff(levels))
    assert steps.max() < 0.5 * (levels[0] - levels[-1])
    assert levels[-1] == pytest.approx(mean(dim).mean(), rel=0.12)


def test_a_still_scene_does_not_flicker():
    np.testing.assert_array_equal(lit(drawn_face(2), times=1), lit(drawn_face(2), times=30))


def test_a_face_of_one_colour_and_black_darkness_do_no_harm():
    for level in (0, 255):
        flat = np.full((64, 64, 3), level, np.uint8)
        assert lit(flat, photo=flat).shape == flat.shape
