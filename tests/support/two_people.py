"""Two people in one picture, who come and go as a test says: real faces in the public domain, moved by code."""

from dataclasses import dataclass

import cv2
import numpy as np

from mien.app.factory import VisionFactory
from mien.vision.analysis.landmarks import box_of_mesh
from mien.vision.types import Box, Image
from support.photos import astronaut, hopper

SIZE_WH = (1280, 720)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody is in a frame.

    Attributes:
        x: Middle of the face; may lie outside the frame.
        y: The same.
        face_px: Width of the face.
    """

    x: float
    y: float
    face_px: float


class TwoPeople:
    """Draws frames of Eileen Collins (`ann`) and Grace Hopper (`bob`), and says where their faces are.

    Args:
        factory: Finds the faces in the photos once.
    """

    def __init__(self, factory: VisionFactory) -> None:
        self._heads = {"ann": head_of(factory, astronaut()), "bob": head_of(factory, hopper())}

    def __call__(self, i: int, *, room: int = 0, **people: Standing | None) -> tuple[Image, dict[str, Box]]:
        """Return frame `i`, and the boxes of the faces in it; whoever is named first stands behind."""
        frame, boxes = _room(room).copy(), {}
        for name, place in people.items():
            if place is None:
                continue
            head, face = self._heads[name]
            scale = place.face_px / float(face[2] - face[0])
            sway = np.array([4 * np.sin(0.3 * i + len(name)), 3 * np.cos(0.25 * i)])
            turn = cv2.getRotationMatrix2D(tuple((face[:2] + face[2:]) / 2), 4 * np.sin(0.2 * i), scale)
            turn[:, 2] += np.array([place.x, place.y]) + sway - (face[:2] + face[2:]) / 2
            cv2.warpAffine(head, turn, SIZE_WH, dst=frame, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT)
            half = np.array([place.face_px / 2, place.face_px / 2 * float((face[3] - face[1]) / (face[2] - face[0]))])
            middle = np.array([place.x, place.y]) + sway
            boxes[name] = np.concatenate([middle - half, middle + half]).astype(np.float32)
        return frame, boxes


def head_of(factory: VisionFactory, photo: Image) -> tuple[Image, Box]:
    """Return head and shoulders, and where the face is in them."""
    x0, y0, x1, y1 = box_of_mesh(factory.assessor.one_face(photo, name="photo").mesh)
    w, h = x1 - x0, y1 - y0
    left, top = max(0, int(x0 - 0.6 * w)), max(0, int(y0 - 0.5 * h))
    right, bottom = min(photo.shape[1], int(x1 + 0.6 * w)), min(photo.shape[0], int(y1 + 0.4 * h))
    cut = np.ascontiguousarray(photo[top:bottom, left:right])
    return cut, np.array([x0 - left, y0 - top, x1 - left, y1 - top], np.float32)


def _room(number: int) -> Image:
    rng = np.random.default_rng(number)
    soft = cv2.resize(rng.integers(60, 190, (9, 16, 3), np.uint8), SIZE_WH, interpolation=cv2.INTER_CUBIC)
    return np.asarray(soft, np.uint8)
