import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from mien.media.codecs.planes import TreatedPlanes
from mien.vision.types import TreatedFrame


def planes(size_wh):
    image = np.asarray(cv2.resize(astronaut(), size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return TreatedPlanes(TreatedFrame(image, at=0.0)), image


def as_rgb(frame):
    return cv2.cvtColor(frame.i420, cv2.COLOR_YUV2RGB_I420)


def test_planes_are_made_of_treated_frames_only():
    with pytest.raises(TypeError, match="only a TreatedFrame may be encoded, got ndarray"):
        TreatedPlanes(astronaut())


def test_the_half_shows_the_same_picture():
    whole, image = planes((320, 240))
    half = whole.halved()
    assert (whole.size_wh, half.size_wh) == ((320, 240), (160, 120))
    assert cv2.PSNR(as_rgb(half), cv2.resize(image, (160, 120), interpolation=cv2.INTER_AREA)) > 30


@pytest.mark.parametrize(
    ("size_wh", "whole_wh", "half_wh"),
    [
        pytest.param((321, 241), (320, 240), (160, 120), id="odd"),
        pytest.param((322, 242), (322, 242), (160, 120), id="half is odd"),
        pytest.param((2, 3), (2, 2), (2, 2), id="smallest"),
    ],
)
def test_sides_are_even(size_wh, whole_wh, half_wh):
    whole, _ = planes(size_wh)
    assert (whole.size_wh, whole.halved().size_wh) == (whole_wh, half_wh)
