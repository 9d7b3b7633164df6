"""Face detection: one network, shown pictures of any size and turned any way."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.faces import Detection, Image, Net, Points
from mien.vision.scaling import scaled

STRIDE = 4  # CenterFace's output grid
MULTIPLE = 32  # its deepest feature map is 1/32 of the input
MAX_ZOOM = 2.0  # beyond it there is nothing left to see
SURE = 0.3
"""Least score of a face. The network's usual 0.5 finds less: a false face costs a few needless cells, a missed one
costs somebody's privacy."""
SUSPECT = 0.1
"""From here on something is looked at more closely before it is let go."""
EXPECTED = 0.2
"""Least score of a face where one is known or suspected to be."""


class CenterFaceDetector:
    """CenterFace: an anchor-free detector with five landmarks, at any input size.

    Args:
        net: `input` (1, 3, H, W) raw RGB 0..255, H and W multiples of 32; outputs `heatmap` (1, 1, H/4, W/4),
            `scale` (1, 2, ...), `offset` (1, 2, ...), `landmarks` (1, 10, ...).

    Source:
        Xu et al. 2019, arXiv:1911.03599.
    """

    def __init__(self, net: Net) -> None:
        self._net = net

    def __call__(
        self, image: Image, *, long_side: int, quarter_turns: int = 0, threshold: float = SURE
    ) -> list[Detection]:
        """Find the faces of `image`.

        Args:
            image: RGB.
            long_side: Pixels that its longer side is scaled to.
            quarter_turns: How often the picture is turned to the left by 90 degrees before it is looked at. The
                network knows upright faces; one that lies is found in the turned picture only.
            threshold: Least score.

        Returns:
            Faces in pixels of `image`, best first. The landmarks keep the order of the upright face.
        """
        height, width = image.shape[:2]
        scale = min(MAX_ZOOM, long_side / max(height, width))
        net_w, net_h = (max(MULTIPLE, round(side * scale / MULTIPLE) * MULTIPLE) for side in (width, height))
        turned = np.ascontiguousarray(np.rot90(scaled(image, net_w, net_h), quarter_turns))
        batch = np.asarray(cv2.dnn.blobFromImage(turned), np.float32)  # a third of the time of a transpose
        boxes, scores, points = _decode(self._net(batch), threshold)
        zoom = np.array([width / net_w, height / net_h], np.float32)
        found = []
        for i in suppress(boxes, scores):
            marks = _turned_back(points[i], quarter_turns, (net_w, net_h)) * zoom
            corners = _turned_back(boxes[i].reshape(2, 2), quarter_turns, (net_w, net_h)) * zoom
            box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
            found.append(Detection(box, float(scores[i]), marks))
        return found


def _turned_back(points: Points, quarter_turns: int, size_wh: tuple[int, int]) -> Points:
    """Bring points of a picture turned to the left back to the picture of `size_wh` as it was."""
    x, y = points[:, 0], points[:, 1]
    width, height = np.float32(size_wh[0]), np.float32(size_wh[1])
    match quarter_turns % 4:
        case 1:
            return np.stack([width - y, x], axis=1)
        case 2:
            return np.stack([width - x, height - y], axis=1)
        case 3:
            return np.stack([y, height - x], axis=1)
        case _:
            return points


def _decode(
    out: dict[str, NDArray[np.float32]], threshold: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Turn heat map peaks into (N, 4) boxes, (N,) scores and (N, 5, 2) points, in network pixels."""
    heat = out["heatmap"][0, 0]
    rows, cols = np.nonzero(heat > threshold)
    scale, offset = out["scale"][0][:, rows, cols], out["offset"][0][:, rows, cols]
    height, width = np.exp(scale[0]) * STRIDE, np.exp(scale[1]) * STRIDE
    centre_y, centre_x = (rows + offset[0] + 0.5) * STRIDE, (cols + offset[1] + 0.5) * STRIDE
    x0, y0 = centre_x - width / 2, centre_y - height / 2
    boxes = np.stack([x0, y0, x0 + width, y0 + height], axis=1).astype(np.float32)
    marks = out["landmarks"][0][:, rows, cols].reshape(5, 2, -1)  # (point, y-then-x, face)
    points = np.stack([marks[:, 1] * width + x0, marks[:, 0] * height + y0], axis=-1).transpose(1, 0, 2)
    return boxes, heat[rows, cols], np.ascontiguousarray(points, np.float32)


def suppress(boxes: NDArray[np.float32], scores: NDArray[np.float32], *, overlap: float = 0.3) -> list[int]:
    """Keep the best of boxes that overlap (greedy non-maximum suppression).

    Args:
        boxes: (N, 4) x0, y0, x1, y1.
        scores: (N,).
        overlap: Intersection over union above which the lower score goes.

    Returns:
        Indices kept, best first.
    """
    if len(boxes) == 0:
        return []
    sizes = np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    kept = cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.0, overlap)
    return [int(i) for i in np.asarray(kept).reshape(-1)]
