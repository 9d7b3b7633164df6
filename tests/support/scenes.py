"""Moving pictures of a real face, made by code from the public-domain astronaut that scikit-image ships."""

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from mien.vision.types import Box, Image

ASTRONAUT_FACE_XYXY = (178, 58, 274, 178)
"""Where the face is in `skimage.data.astronaut()`, forehead to chin."""
HEAD_XYXY = (95, 0, 355, 300)


@lru_cache(maxsize=8)
def _head(face_px: int) -> Image:
    x0, y0, x1, y1 = HEAD_XYXY
    scale = face_px / (ASTRONAUT_FACE_XYXY[2] - ASTRONAUT_FACE_XYXY[0])
    size = (round((x1 - x0) * scale), round((y1 - y0) * scale))
    return np.asarray(cv2.resize(data.astronaut()[y0:y1, x0:x1], size, interpolation=cv2.INTER_CUBIC), np.uint8)


@lru_cache(maxsize=4)
def _background(size_wh: tuple[int, int]) -> Image:
    picture = cv2.resize(data.coffee(), size_wh, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 5), np.uint8)


def _placements(second: float, faces: int, face_px: int, size_wh: tuple[int, int]) -> Iterator[NDArray[np.float64]]:
    """Yield, for each head, the (2, 3) matrix from pixels of the head's picture to pixels of the frame."""
    width, height = size_wh
    head_h, head_w = _head(face_px).shape[:2]
    for i in range(faces):
        phase = second * 1.3 + i * 1.7
        centre = ((i + 0.5) * width / faces + 18 * np.sin(phase), height / 2 + 10 * np.sin(1.4 * phase))
        place = cv2.getRotationMatrix2D((head_w / 2, head_h / 2), 7 * np.sin(0.9 * phase), 1.0)
        place[:, 2] += np.array(centre) - (head_w / 2, head_h / 2)
        yield np.asarray(place, np.float64)


def astronaut_frame(
    second: float, *, faces: int = 1, face_px: int = 230, size_wh: tuple[int, int] = (1280, 720)
) -> Image:
    """Return one frame: `faces` heads side by side, swaying, turning a little and changing light.

    Returns:
        (H, W, 3) RGB uint8, a new array.
    """
    frame = _background(size_wh).copy()
    for place in _placements(second, faces, face_px, size_wh):
        cv2.warpAffine(
            _head(face_px),
            place,
            size_wh,
            dst=frame,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_TRANSPARENT,
        )
    light = 0.9 + 0.1 * np.sin(second * 2.1)
    return np.asarray(cv2.convertScaleAbs(frame, alpha=light), np.uint8)


def astronaut_boxes(
    second: float, *, faces: int = 1, face_px: int = 230, size_wh: tuple[int, int] = (1280, 720)
) -> list[Box]:
    """Return where the faces of `astronaut_frame` are: upright boxes around the turned ones."""
    x0, y0, x1, y1 = ASTRONAUT_FACE_XYXY
    scale = face_px / (x1 - x0)
    corners = (np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) - HEAD_XYXY[:2]) * scale
    boxes = []
    for place in _placements(second, faces, face_px, size_wh):
        turned = corners @ place[:, :2].T + place[:, 2]
        boxes.append(np.concatenate([turned.min(axis=0), turned.max(axis=0)]).astype(np.float32))
    return boxes


def astronaut_frames(
    seconds: float,
    *,
    fps: float = 30.0,
    faces: int = 1,
    face_px: int = 230,
    size_wh: tuple[int, int] = (1280, 720),
) -> Iterator[Image]:
    """Yield the frames of `astronaut_frame` at `fps`."""
    for i in range(round(seconds * fps)):
        yield astronaut_frame(i / fps, faces=faces, face_px=face_px, size_wh=size_wh)
