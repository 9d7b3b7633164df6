"""Flow between two frames."""

import numpy as np
import pytest
from skimage import data

from mien.vision.analysis.flow import carried

PICTURE = data.astronaut()
FACE = np.array([178, 58, 274, 178], np.float32)


@pytest.mark.parametrize("shift", [(0, 0), (30, -12), (-70, 20)])
def test_a_face_is_found_where_it_moved(shift):
    moved = np.roll(PICTURE, shift, axis=(1, 0))
    np.testing.assert_allclose(carried(PICTURE, FACE, moved), FACE + np.tile(shift, 2), atol=5)


@pytest.mark.parametrize("other", [data.coffee()[:400, :500], np.full((512, 512, 3), 90, np.uint8)])
def test_where_nothing_is_like_it_nothing_is_found(other):
    assert carried(PICTURE, FACE, other) is None


@pytest.mark.parametrize("box", [(-200, -200, -100, -100), (500, 500, 520, 520), (10, 10, 10, 10), (-40, 0, 30, 60)])
def test_a_box_at_the_edge_outside_or_empty_does_no_harm(box):
    found = carried(PICTURE, np.array(box, np.float32), PICTURE)
    assert found is None or np.abs(found - box).max() < 5
