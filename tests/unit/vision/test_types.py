"""The nouns of vision."""

import numpy as np
import pytest

from mien.errors import ShapeError
from mien.vision.types import check_image


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.zeros((4, 4), np.uint8), id="grey"),
        pytest.param(np.zeros((4, 4, 4), np.uint8), id="with alpha"),
        pytest.param(np.zeros((4, 4, 3), np.float32), id="floats"),
        pytest.param(np.zeros((0, 4, 3), np.uint8), id="empty"),
    ],
)
def test_what_is_not_an_rgb_image_is_refused_with_wanted_and_got(image):
    with pytest.raises(ShapeError, match=r"must be \(H, W, 3\) uint8, got"):
        check_image(image)
