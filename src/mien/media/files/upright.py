"""Frames as a viewer sees them: square pixels, turned upright, fitted with bars where the film has another size."""

from collections.abc import Iterable
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType

from mien.vision.types import Image

_MAX_STRETCH = 16
"""Pixels more than so many times as wide as high, or as high as wide, are a broken tag."""


def plausible_shape(shape: Fraction | None) -> Fraction:
    """Return the shape of a pixel, width over height; 1 for a missing or broken tag.

    Example:
        >>> plausible_shape(Fraction(64, 45)), plausible_shape(Fraction(500)), plausible_shape(None)
        (Fraction(64, 45), Fraction(1, 1), Fraction(1, 1))
    """
    usable = shape is not None and Fraction(1, _MAX_STRETCH) <= shape <= _MAX_STRETCH
    return Fraction(shape) if usable and shape is not None else Fraction(1)


def square_pixels(width: int, height: int, shape: Fraction) -> tuple[int, int]:
    """Return the size at which pixels are square, never smaller than the frame.

    Example:
        >>> square_pixels(720, 576, Fraction(64, 45))
        (1024, 576)
    """
    if shape >= 1:
        return round(width * shape), height
    return width, round(height / shape)


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """Return the nine numbers that say how a frame is turned, or None."""
    try:
        said = list(cast("Iterable[SideData]", frame.side_data))  # the stubs call this mapping one of strings
    except ValueError:  # PyAV reads none where FFmpeg has a kind that PyAV does not know, such as EXIF
        return _matrix_of(frame.rotation) if frame.rotation else None
    for data in said:
        if data.type == SideDataType.DISPLAYMATRIX:
            return tuple(int(value) for value in np.frombuffer(memoryview(data), np.int32))
    return None


def _matrix_of(degrees: float) -> tuple[int, ...]:
    """Return the matrix of a turn, anticlockwise."""
    sine, cosine = (round(part(np.radians(degrees)) * 2**16) for part in (np.sin, np.cos))
    return (cosine, -sine, 0, sine, cosine, 0, 0, 0, 2**30)


def is_transposed(matrix: tuple[int, ...] | None) -> bool:
    """Say whether a matrix swaps width and height."""
    return matrix is not None and abs(matrix[1]) > abs(matrix[0])


def is_right_angle(matrix: tuple[int, ...]) -> bool:
    """Say whether a matrix turns by quarter turns alone."""
    across, along = sorted((abs(matrix[0]), abs(matrix[1])))
    return across * 50 < along


def turn(image: Image, matrix: tuple[int, ...] | None) -> Image:
    """Turn and mirror as the matrix (a b u, c d v, x y w) maps (x, y) to (ax + cy, bx + dy)."""
    if matrix is None:
        return image
    a, b, _, c, d = matrix[:5]
    if is_transposed(matrix):
        image, flip_columns, flip_rows = image.transpose(1, 0, 2), c < 0, b < 0
    else:
        flip_columns, flip_rows = a < 0, d < 0
    turned = image[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
    return np.ascontiguousarray(turned)


def fitted_size(size_wh: tuple[int, int], frame_wh: tuple[int, int]) -> tuple[int, int]:
    """Return the largest size of the shape of `size_wh` that fits into `frame_wh`; no side is below 2.

    Example:
        >>> fitted_size((360, 640), (640, 360)), fitted_size((160, 90), (640, 360)), fitted_size((9000, 2), (64, 64))
        ((202, 360), (640, 360), (64, 2))
    """
    scale = min(Fraction(frame_wh[0], size_wh[0]), Fraction(frame_wh[1], size_wh[1]))
    # swscale refuses pictures of a single column or row of chroma.
    width, height = (min(max(round(side * scale), 2), most) for side, most in zip(size_wh, frame_wh, strict=True))
    return width, height


def with_bars(image: Image, frame_wh: tuple[int, int]) -> Image:
    """Lay an image in the middle of a black frame of `frame_wh`, which it fits into.

    Example:
        >>> with_bars(np.full((2, 2, 3), 9, np.uint8), (6, 2))[0, :, 0].tolist()
        [0, 0, 9, 9, 0, 0]
    """
    height, width = image.shape[:2]
    frame = np.zeros((frame_wh[1], frame_wh[0], 3), np.uint8)
    left, top = (frame_wh[0] - width) // 2, (frame_wh[1] - height) // 2
    frame[top : top + height, left : left + width] = image
    return frame
