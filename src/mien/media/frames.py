"""Between `av.VideoFrame` and RGB images, through OpenCV where it is exact and swscale where it must be.

OpenCV makes I420 of a 720p image in 0.7 ms, `VideoFrame.reformat` takes 4 ms. OpenCV knows one colour
space, BT.601 in video range, which is what every browser sends and expects; the rest goes through swscale.
"""

from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import MediaTooLargeError, ShapeError
from mien.vision.types import Image, check_image

_TO_RGB: Final = {"yuv420p": cv2.COLOR_YUV2RGB_I420, "nv12": cv2.COLOR_YUV2RGB_NV12}
"""Decoders give the first, those on devices the second."""
_BT601: Final = {2, 5, 6}
"""AVCOL_SPC_UNSPECIFIED, _BT470BG and _SMPTE170M: the same matrix."""
_VIDEO_RANGE: Final = {0, 1}
"""AVCOL_RANGE_UNSPECIFIED and _MPEG."""


def to_image(frame: av.VideoFrame, *, max_pixels: int) -> Image:
    """Return the image of a decoded video frame as RGB.

    Raises:
        MediaTooLargeError: The frame has more than `max_pixels` pixels.
    """
    if frame.width * frame.height > max_pixels:
        raise MediaTooLargeError(f"a live picture may have {max_pixels} pixels, got {frame.width} x {frame.height}")
    plain = (
        frame.format.name in _TO_RGB
        and frame.width % 2 == 0
        and frame.height % 2 == 0
        and frame.colorspace in _BT601
        and frame.color_range in _VIDEO_RANGE
    )
    if plain:
        rgb = cv2.cvtColor(frame.to_ndarray(), _TO_RGB[frame.format.name])
        return np.asarray(rgb, np.uint8)
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def shrunk(image: Image, long_side: int) -> Image:
    """Return `image` scaled down so that its longer side has at most `long_side` pixels; both sides are even then."""
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest <= long_side:
        return image
    size_wh = [max(2, round(side * long_side / longest / 2) * 2) for side in (width, height)]
    # Down to half a side, interpolation reads every pixel: at a half it is the mean of four, too. From 1280 to 960 it
    # takes 1 ms where means over areas, which do not fall on whole pixels there, take 5 ms.
    interpolates = longest <= 2 * long_side
    way = cv2.INTER_LINEAR if interpolates else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, size_wh, interpolation=way), np.uint8)


def to_i420(image: Image) -> NDArray[np.uint8]:
    """Return `image` as planar I420, BT.601 in video range.

    I420 in OpenCV needs even sides, so an odd last row or column is left out.

    Args:
        image: (H, W, 3) RGB, at least 2 by 2.

    Returns:
        (H' * 3 / 2, W') uint8, where H' and W' are the even sides.

    Raises:
        ShapeError: It is no image, or thinner than two pixels.
    """
    check_image(image)
    height, width = image.shape[0] & ~1, image.shape[1] & ~1
    if not height or not width:
        raise ShapeError(f"a picture to encode needs at least 2 x 2 pixels, got {image.shape}")
    even = np.ascontiguousarray(image[:height, :width])
    return np.asarray(cv2.cvtColor(even, cv2.COLOR_RGB2YUV_I420), np.uint8)
