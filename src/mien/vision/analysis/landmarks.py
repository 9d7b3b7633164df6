"""Dense landmarks: a mesh of 468 points laid on one face."""

import cv2
import numpy as np

from mien.vision.batches import batch_of
from mien.vision.mesh.alignment import five_landmarks
from mien.vision.types import Affine, Box, Detection, Image, Mesh, Net, Roi

CROP = 192  # the network's input side
MARGIN = 1.5  # the network was trained on faces that fill two thirds of the crop
EYE_OUTER_LEFT, EYE_OUTER_RIGHT = 33, 263
CHEEK_LEFT, CHEEK_RIGHT, NOSE_TIP = 234, 454, 1
LIP_UPPER, LIP_LOWER = 13, 14


class MeshLandmarker:
    """Lay the mesh on a face.

    Args:
        net: `input` (1, 3, 192, 192) RGB 0..1; outputs `points` (1, 468, 3) in crop pixels and
            `logits` (1, 1).

    Source:
        Kartynnik et al. 2019, arXiv:1907.06724.
    """

    def __init__(self, net: Net) -> None:
        self._net = net

    def __call__(self, image: Image, roi: Roi) -> tuple[Mesh, float]:
        """Return the mesh inside `roi` and how surely it sits on a face, 0 to 1."""
        to_crop = _matrix(roi)
        crop = cv2.warpAffine(image, to_crop, (CROP, CROP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        out = self._net(batch_of(np.asarray(crop, np.uint8), scale=1 / 255))
        points = out["points"].reshape(468, 3)
        to_frame = cv2.invertAffineTransform(to_crop)
        mesh = np.empty((468, 3), np.float32)
        mesh[:, :2] = points[:, :2] @ to_frame[:, :2].T + to_frame[:, 2]
        mesh[:, 2] = points[:, 2] * (roi.side / CROP)
        logit = float(np.clip(out["logits"].reshape(-1)[0], -30, 30))
        return mesh, 1 / (1 + float(np.exp(-logit)))

    def settle(self, image: Image, roi: Roi, *, rounds: int = 2) -> tuple[Mesh, float]:
        """Lay the mesh on a face just found: each round looks again where the last one saw the face."""
        mesh, score = self(image, roi)
        for _ in range(rounds - 1):
            mesh, score = self(image, roi_of_mesh(mesh))
        return mesh, score


def roi_of_detection(seen: Detection) -> Roi:
    """Return where the mesh network should look for a detected face, upright by its eyes if they are known."""
    x0, y0, x1, y1 = (float(value) for value in seen.box_xyxy)
    angle = 0.0
    if seen.landmarks is not None:
        dx, dy = (float(value) for value in seen.landmarks[1] - seen.landmarks[0])
        angle = float(np.arctan2(dy, dx))
    return Roi((x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0) * MARGIN, angle)


def roi_of_mesh(mesh: Mesh) -> Roi:
    """Return where the mesh network should look next, given where the face is now."""
    dx, dy = (float(value) for value in mesh[EYE_OUTER_RIGHT, :2] - mesh[EYE_OUTER_LEFT, :2])
    angle = float(np.arctan2(dy, dx))
    cos, sin = np.cos(-angle), np.sin(-angle)
    upright = mesh[:, :2] @ np.array([[cos, sin], [-sin, cos]], np.float32)
    low, high = upright.min(axis=0), upright.max(axis=0)
    centre = (low + high) / 2 @ np.array([[cos, -sin], [sin, cos]], np.float32)
    return Roi(float(centre[0]), float(centre[1]), float((high - low).max()) * MARGIN, angle)


def box_of_mesh(mesh: Mesh) -> Box:
    """Return the tight box of a mesh. It ends at the top of the forehead; hair and ears lie outside."""
    return np.concatenate([mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)]).astype(np.float32)


def yaw_of_mesh(mesh: Mesh) -> float:
    """Return how far the face is turned to a side: 0 is frontal, about 1 is profile.

    The nose tip's place between the two edges of the face; cheap, monotonic, and enough to tell a good look.
    """
    nose, left, right = mesh[NOSE_TIP, :2], mesh[CHEEK_LEFT, :2], mesh[CHEEK_RIGHT, :2]
    to_left, to_right = float(np.linalg.norm(nose - left)), float(np.linalg.norm(right - nose))
    return abs(to_left - to_right) / max(to_left + to_right, 1e-6)


def gape_of_mesh(mesh: Mesh) -> float:
    """Return how far the lips are apart, as a share of the distance of the eyes' outer corners: 0 is closed."""
    lips = float(np.linalg.norm(mesh[LIP_LOWER] - mesh[LIP_UPPER]))
    return lips / max(float(np.linalg.norm(mesh[EYE_OUTER_RIGHT] - mesh[EYE_OUTER_LEFT])), 1e-6)


def eye_distance(mesh: Mesh) -> float:
    """Return the distance between the eyes in pixels."""
    five = five_landmarks(mesh)
    return float(np.linalg.norm(five[1] - five[0]))


def _matrix(roi: Roi) -> Affine:
    scale = CROP / max(roi.side, 1e-3)
    cos, sin = np.cos(roi.angle) * scale, np.sin(roi.angle) * scale
    return np.array(
        [
            [cos, sin, CROP / 2 - cos * roi.x - sin * roi.y],
            [-sin, cos, CROP / 2 + sin * roi.x - cos * roi.y],
        ],
        np.float32,
    )
