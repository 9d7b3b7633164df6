"""Scene cuts."""

import numpy as np
from skimage import data

from mien.vision.analysis.cuts import CutDetector


def test_the_first_frame_begins_a_scene_and_the_same_appearance_does_not():
    is_cut = CutDetector()
    assert is_cut(data.astronaut())
    assert not is_cut(data.astronaut())


def test_another_picture_of_the_same_brightness_is_a_cut():
    is_cut = CutDetector()
    is_cut(data.astronaut())
    assert is_cut(data.coffee())


def test_a_pan_and_a_change_of_light_are_not_cuts():
    is_cut = CutDetector()
    picture = data.astronaut()
    is_cut(picture)
    for shift in range(4, 40, 4):
        moved = np.roll(picture, shift, axis=1)
        assert not is_cut((moved * (1 - shift / 200)).astype(np.uint8))


def test_noise_in_the_dark_is_not_a_cut():
    rng = np.random.default_rng(3)
    is_cut = CutDetector()
    is_cut(rng.integers(0, 12, (360, 640, 3), np.uint8))
    assert not is_cut(rng.integers(0, 12, (360, 640, 3), np.uint8))
