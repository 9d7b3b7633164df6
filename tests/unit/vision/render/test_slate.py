import numpy as np
import pytest

from mien.vision.render.slate import slate


@pytest.mark.parametrize("size_wh", [(1280, 720), (720, 1280), (320, 240), (64, 36), (16, 16)])
def test_a_slate_has_the_size_asked_for_and_something_on_it(size_wh):
    treated = slate(size_wh, at=3.0)
    assert treated.image.shape == (size_wh[1], size_wh[0], 3)
    assert (treated.at, treated.counts, treated.altered) == (3.0, {}, False)
    assert len(np.unique(treated.image.reshape(-1, 3), axis=0)) > 1


def test_words_stand_where_there_is_room_for_them():
    below = slate((640, 360), at=0.0).image[210:]
    assert (below.max(axis=(1, 2)) > 150).sum() > 20
