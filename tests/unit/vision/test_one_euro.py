"""The One-Euro filter."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mien.vision.one_euro import OneEuro, share

FPS = 30


def play(smooth, values):
    return np.array([smooth(np.array([v], np.float32), at=i / FPS)[0] for i, v in enumerate(values)])


def test_tremor_at_rest_is_damped():
    tremor = np.random.default_rng(2).normal(size=200)
    calm = play(OneEuro(min_cutoff_hz=1, responsiveness=0), tremor)
    assert calm[20:].std() < 0.4 * tremor.std()


def test_motion_is_followed_more_closely_the_more_responsive_the_filter():
    ramp = np.arange(60) / 10
    lags = [ramp[-1] - play(OneEuro(min_cutoff_hz=1, responsiveness=r), ramp)[-1] for r in (0, 1, 10)]
    assert lags[0] > 2 * lags[1] > 4 * lags[2] > 0


def test_the_same_motion_in_other_pixels_is_smoothed_alike():
    values = np.random.default_rng(3).normal(size=30).astype(np.float32)
    small, large = (OneEuro(min_cutoff_hz=1, responsiveness=4) for _ in range(2))
    for i, value in enumerate(values):
        one = small(np.array([value]), at=i / FPS, unit=1)
        ten = large(np.array([value * 10]), at=i / FPS, unit=10)
    np.testing.assert_allclose(ten, one * 10, rtol=1e-4)


def test_a_frame_of_the_same_moment_changes_nothing():
    smooth = OneEuro(min_cutoff_hz=1, responsiveness=1)
    first = smooth(np.array([1.0], np.float32), at=2.0)
    assert smooth(np.array([9.0], np.float32), at=2.0) == first
    assert smooth(np.array([9.0], np.float32), at=1.0) == first


@given(st.floats(0.01, 100), st.floats(1e-4, 10))
def test_a_share_lies_between_nothing_and_all(cutoff_hz, dt):
    assert 0 < float(share(cutoff_hz, dt)) < 1
