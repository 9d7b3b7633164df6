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


def test_another_picture_at_dusk_is_a_cut_though_few_greys_change():
    is_cut = CutDetector()
    is_cut(data.astronaut() // 3)
    assert is_cut(data.coffee() // 3)


def test_a_bright_flash_is_a_cut_and_a_lamp_switched_on_is_none():
    picture = data.astronaut()
    for gain, offset, cut in ((0.8, 70, True), (1.0, 14, False)):
        is_cut = CutDetector()
        is_cut(picture)
        assert is_cut((picture * gain + offset).clip(0, 255).astype(np.uint8)) == cut


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
