import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import MediaTooLargeError, ShapeError
from mien.media.frames import shrunk, to_i420, to_image
from support.scenes import astronaut_frames

COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (120, 80, 40)], np.uint8)


def bars(width: int, height: int) -> np.ndarray:
    return np.repeat(COLOURS[np.arange(width) * len(COLOURS) // width][None], height, axis=0)


def test_colours_survive_the_way_there_and_back():
    image = bars(96, 32)
    frame = av.VideoFrame.from_ndarray(to_i420(image), format="yuv420p")
    back = to_image(frame, max_pixels=10_000).astype(int)
    inside = np.arange(96) % 16 < 12  # colour has half the resolution, so edges blend
    inside[::16] = False
    assert np.abs(back - image)[:, inside].max() <= 4


@given(width=st.integers(2, 64), height=st.integers(2, 64))
def test_odd_sides_lose_their_last_line_and_nothing_else(width, height):
    planes = to_i420(bars(width, height))
    assert planes.shape == ((height & ~1) * 3 // 2, width & ~1)


@pytest.mark.parametrize(("width", "height"), [(1, 9), (9, 1)])
def test_a_line_is_no_picture(width, height):
    with pytest.raises(ShapeError, match="2 x 2"):
        to_i420(np.zeros((height, width, 3), np.uint8))


def test_a_frame_above_the_limit_is_not_even_converted():
    with pytest.raises(MediaTooLargeError, match="640 x 480"):
        to_image(av.VideoFrame(640, 480, "yuv420p"), max_pixels=640 * 480 - 1)


def test_an_odd_sized_frame_of_a_publisher_is_read():
    frame = av.VideoFrame.from_ndarray(bars(33, 17), format="rgb24").reformat(format="yuv420p")
    image = to_image(frame, max_pixels=10_000)
    assert image.shape == (17, 33, 3)
    assert np.abs(image[8, 2].astype(int) - (255, 0, 0)).max() < 12


def test_a_frame_of_a_device_is_the_picture_that_software_gives():
    frame = av.VideoFrame.from_ndarray(to_i420(bars(96, 32)), format="yuv420p")
    on_device = frame.reformat(format="nv12")
    assert (to_image(on_device, max_pixels=10_000) == to_image(frame, max_pixels=10_000)).all()


def test_full_range_and_bt709_are_read_by_their_own_rules():
    image = np.full((32, 32, 3), (40, 160, 90), np.uint8)
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
        format="yuv420p", dst_colorspace="ITU709", dst_color_range="JPEG"
    )
    assert np.abs(to_image(frame, max_pixels=10_000).astype(int) - image).max() < 8


@pytest.mark.parametrize(
    ("size_wh", "long_side", "wanted_wh"),
    [
        ((1280, 720), 640, (640, 360)),
        ((720, 1280), 640, (360, 640)),
        ((1279, 719), 640, (640, 360)),
        ((640, 480), 640, (640, 480)),
        ((320, 240), 640, (320, 240)),
        ((4000, 3), 640, (640, 2)),
    ],
)
def test_a_picture_is_scaled_down_to_even_sides_and_never_up(size_wh, long_side, wanted_wh):
    image = np.full((size_wh[1], size_wh[0], 3), (10, 20, 30), np.uint8)
    small = shrunk(image, long_side)
    assert small.shape == (wanted_wh[1], wanted_wh[0], 3)
    assert (small == (10, 20, 30)).all()


@pytest.mark.parametrize("long_side", [960, 640, 400])
def test_a_picture_scaled_down_is_the_mean_of_what_was_there(long_side):
    image = next(iter(astronaut_frames(0.1)))
    image[::2, ::2] //= 2  # finer than what is left: it must not turn into a pattern of its own
    small = shrunk(image, long_side)
    means = cv2.resize(image, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    far_means = [cv2.blur(each, (16, 16)).astype(int) for each in (small, means)]
    assert np.abs(far_means[0] - far_means[1]).max() <= 3
    nearest = cv2.resize(image, small.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    assert cv2.PSNR(small, means) > cv2.PSNR(nearest, means) + 3
