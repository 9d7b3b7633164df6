"""Single pictures of a live exchange, as JPEG or WebP: small, quick, and hostile until decoded."""

from enum import StrEnum
from typing import Final

import cv2
import numpy as np

from mien.errors import MediaError
from mien.media.files.image_header import check_photo_header
from mien.media.files.images import decode_image
from mien.vision.types import Image, TreatedFrame

FRAME_FORMATS: Final = ("JPEG", "WEBP")
_QUALITY: Final = 85


class FrameFormat(StrEnum):
    """In which form treated pictures go back."""

    JPEG = "jpeg"
    WEBP = "webp"


def decode_frame(data: bytes, *, max_pixels: int) -> Image:
    """Decode a JPEG or WebP picture to upright RGB.

    Raises:
        MediaTooLargeError: It has more than `max_pixels`.
        MediaTruncatedError: It ends too early.
        MediaError: It is neither, or cannot be decoded.
    """
    # Pillow makes room for a whole WebP animation before it tells its size.
    check_photo_header(data, name="frame", max_pixels=max_pixels, formats=FRAME_FORMATS)
    return decode_image(data, name="frame", max_pixels=max_pixels, formats=FRAME_FORMATS)


def encode_frame(treated: TreatedFrame, form: FrameFormat) -> bytes:
    """Encode a treated picture.

    Raises:
        TypeError: It is not a `TreatedFrame`; no other picture may leave.
        MediaError: The codec refuses it.
    """
    if not isinstance(treated, TreatedFrame):
        raise TypeError(f"only a TreatedFrame may be encoded, got {type(treated).__name__}")
    bgr = cv2.cvtColor(treated.image, cv2.COLOR_RGB2BGR)
    options = {
        FrameFormat.JPEG: [cv2.IMWRITE_JPEG_QUALITY, _QUALITY],
        FrameFormat.WEBP: [cv2.IMWRITE_WEBP_QUALITY, _QUALITY],
    }[form]
    done, data = cv2.imencode(f".{form.value}", bgr, options)
    if not done:
        raise MediaError(f"a picture of {treated.image.shape[1]} x {treated.image.shape[0]} cannot be {form.value}")
    return bytes(np.asarray(data, np.uint8).tobytes())
