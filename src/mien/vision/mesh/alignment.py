"""Alignment: the similarity that carries five landmarks onto a template, and the crop it cuts."""

import cv2
import numpy as np

from mien.errors import ShapeError
from mien.native import address, kernels
from mien.vision.types import Affine, Image, Mesh, Points

# Mesh vertices whose mean is one of the five landmarks (MediaPipe face mesh, 468 vertices).
FIVE_OF_MESH = ((33, 133, 159, 145), (263, 362, 386, 374), (1,), (61,), (291,))


def five_landmarks(mesh: Mesh) -> Points:
    """Return the five landmarks of a mesh, in the order of `Detection.landmarks`.

    Args:
        mesh: (468, 3) float32 pixels.

    Returns:
        (5, 2) float32 pixels: image-left eye, image-right eye, nose tip, mouth corners.
    """
    return np.array([mesh[list(group), :2].mean(axis=0) for group in FIVE_OF_MESH], np.float32)


def fit_similarity(src: Points, dst: Points) -> Affine:
    """Find the rotation, uniform scale and shift that best carry `src` onto `dst`.

    Args:
        src: (N, 2) float32, pixels of the frame, N >= 2.
        dst: (N, 2) float32, pixels of the crop.

    Returns:
        (2, 3) float32 matrix from frame to crop. Invert it to paste the crop back.

    Raises:
        ShapeError: The arrays differ in shape, or all points of `src` coincide.

    Source:
        Umeyama 1991, doi:10.1109/34.88573, two-dimensional closed form; cannot mirror a face.

    Example:
        >>> square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
        >>> (fit_similarity(square, square * 2 + 5) @ [1, 0, 1]).tolist()
        [7.0, 5.0]
    """
    if src.shape != dst.shape or src.ndim != 2 or src.shape[1] != 2 or len(src) < 2:
        raise ShapeError(f"wanted two arrays of the same shape (N, 2), N >= 2; got {src.shape} and {dst.shape}")
    if kernels is not None:
        src, dst = np.ascontiguousarray(src, np.float32), np.ascontiguousarray(dst, np.float32)
        way = np.empty((2, 3), np.float32)
        if not kernels.mien_similarity(address(src), address(dst), len(src), address(way)):
            raise ShapeError("all points of src coincide")
        return way
    src_mean, dst_mean = src.mean(axis=0, dtype=np.float64), dst.mean(axis=0, dtype=np.float64)
    a, b = src - src_mean, dst - dst_mean
    spread = float((a * a).sum())
    if spread < 1e-9:
        raise ShapeError("all points of src coincide")
    cos = float((a * b).sum()) / spread
    sin = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    rotation = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([rotation, dst_mean - rotation @ src_mean]).astype(np.float32)


def crop_aligned(image: Image, landmarks: Points, template: Points, size: int) -> Image:
    """Cut the square crop in which `landmarks` lie on `template`.

    Args:
        image: RGB frame.
        landmarks: (N, 2) pixels of the frame.
        template: (N, 2) pixels of the crop.
        size: Side of the crop in pixels.

    Returns:
        (size, size, 3) RGB; border pixels are repeated where the crop leaves the frame.
    """
    matrix = fit_similarity(landmarks, template)
    return np.asarray(
        cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )
