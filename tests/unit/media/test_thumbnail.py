import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from mien.media.thumbnail import ThumbnailMaker
from mien.vision.types import TreatedFrame


def treated(size_wh=(1280, 720), colour=None):
    image = np.asarray(cv2.resize(astronaut(), size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    if colour:
        image[:] = colour
    return TreatedFrame(image, at=0.0)


def decoded(jpeg):
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def test_before_the_first_frame_there_is_none():
    assert ThumbnailMaker().latest() is None


def test_it_is_a_small_jpeg_of_the_frame():
    thumbnail, frame = ThumbnailMaker(), treated()
    thumbnail.put(frame)
    jpeg = thumbnail.latest()
    small = cv2.resize(frame.image, (320, 180), interpolation=cv2.INTER_AREA)
    assert jpeg.startswith(b"\xff\xd8")
    assert len(jpeg) < 25_000
    assert cv2.PSNR(decoded(jpeg), small) > 27


def test_a_small_picture_stays_as_it_is():
    thumbnail = ThumbnailMaker()
    thumbnail.put(treated((160, 90)))
    assert decoded(thumbnail.latest()).shape == (90, 160, 3)


def test_a_newer_one_is_made_only_after_a_while():
    thumbnail = ThumbnailMaker(every_s=3600.0)
    thumbnail.put(treated(colour=(250, 0, 0)))
    first = thumbnail.latest()
    thumbnail.put(treated(colour=(0, 0, 250)))
    assert thumbnail.latest() is first
    thumbnail._made_at -= 3600.0
    assert decoded(thumbnail.latest())[0, 0, 2] > 240


def test_what_is_forgotten_is_gone_at_once_and_the_next_frame_comes_without_a_wait():
    thumbnail = ThumbnailMaker(every_s=60.0)
    thumbnail.put(treated(colour=(250, 0, 0)))
    assert thumbnail.latest()
    thumbnail.forget()
    assert thumbnail.latest() is None
    thumbnail.put(treated(colour=(0, 0, 250)))
    assert decoded(thumbnail.latest())[0, 0, 2] > 240


def test_a_camera_picture_is_refused():
    thumbnail = ThumbnailMaker()
    with pytest.raises(TypeError, match="only a TreatedFrame"):
        thumbnail.put(astronaut())
    assert thumbnail.latest() is None
