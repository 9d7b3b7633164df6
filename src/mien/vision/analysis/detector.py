"""Face detection: networks that are shown pictures of any size, with room around them and turned any way."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.scaling import scaled
from mien.vision.types import Detection, Image, Net, Points

Decoded: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""(N, 4) boxes, (N,) scores and (N, 5, 2) points, in pixels of what the network saw."""

STRIDE = 4  # CenterFace's output grid
YUNET_STRIDES = (8, 16, 32)  # its three output grids
MULTIPLE = 32  # the deepest feature map of either is 1/32 of the input
EMPTY = 110
"""Grey level of the room around a picture: the middle of what cameras give, so that its edge is no strong contrast."""
MAX_ZOOM = 2.0  # beyond it there is nothing left to see
SURE = 0.3
"""Least score of a face. The network's usual 0.5 finds less: a false face costs a few needless cells, a missed one
costs somebody's privacy."""
SUSPECT = 0.1
"""From here on something is looked at more closely before it is let go."""
EXPECTED = 0.2
"""Least score of a face where one is known or suspected to be."""


class _NetDetector(ABC):
    """What detectors share: a picture is scaled, turned and shown to the network, and what it sees is brought back."""

    _is_bgr: ClassVar[bool] = False

    def __init__(self, net: Net) -> None:
        self._net = net

    def __call__(
        self, image: Image, *, long_side: int, quarter_turns: int = 0, room: float = 0.0, threshold: float = SURE
    ) -> list[Detection]:
        """Find the faces of `image`; see `ports.Detector`."""
        canvas, inner = _canvas(image, long_side, room)
        turned = np.ascontiguousarray(np.rot90(canvas, quarter_turns))
        # A third of the time of a transpose.
        batch = np.asarray(cv2.dnn.blobFromImage(turned, swapRB=self._is_bgr), np.float32)
        boxes, scores, points = self._decode(self._net(batch), (batch.shape[2], batch.shape[3]), threshold)
        size_wh = (canvas.shape[1], canvas.shape[0])
        found = []
        for i in suppress(boxes, scores):
            marks = inner.to_image(_turned_back(points[i], quarter_turns, size_wh))
            corners = inner.to_image(_turned_back(boxes[i].reshape(2, 2), quarter_turns, size_wh))
            box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
            found.append(Detection(box, float(scores[i]), marks))
        return found

    @abstractmethod
    def _decode(self, out: dict[str, NDArray[np.float32]], size_hw: tuple[int, int], threshold: float) -> Decoded:
        """Turn what the network gives for a picture of `size_hw` into what scores more than `threshold`."""


@dataclass(frozen=True, slots=True)
class _Inner:
    """Where a picture lies in what the network sees: its corner there, and pixels of the picture for one there."""

    corner: Points
    zoom: Points

    def to_image(self, points: Points) -> Points:
        """Bring (N, 2) points of what the network sees to pixels of the picture."""
        return np.asarray((points - self.corner) * self.zoom, np.float32)


def _canvas(image: Image, long_side: int, room: float) -> tuple[Image, _Inner]:
    """Scale a picture to what the network sees, with room around it."""
    height, width = image.shape[:2]
    around = 1 + 2 * room
    scale = min(MAX_ZOOM, long_side / (max(height, width) * around))
    net_w, net_h = (max(MULTIPLE, round(side * around * scale / MULTIPLE) * MULTIPLE) for side in (width, height))
    if room <= 0:
        zoom = np.array([width / net_w, height / net_h], np.float32)
        return scaled(image, net_w, net_h), _Inner(np.zeros(2, np.float32), zoom)
    inner_w, inner_h = max(1, round(net_w / around)), max(1, round(net_h / around))
    left, top = (net_w - inner_w) // 2, (net_h - inner_h) // 2
    canvas = np.full((net_h, net_w, 3), EMPTY, np.uint8)
    canvas[top : top + inner_h, left : left + inner_w] = scaled(image, inner_w, inner_h)
    zoom = np.array([width / inner_w, height / inner_h], np.float32)
    return canvas, _Inner(np.array([left, top], np.float32), zoom)


class CenterFaceDetector(_NetDetector):
    """CenterFace: an anchor-free detector with five landmarks, at any input size.

    Args:
        net: `input` (1, 3, H, W) raw RGB 0..255, H and W multiples of 32; outputs `heatmap` (1, 1, H/4, W/4),
            `scale` (1, 2, ...), `offset` (1, 2, ...), `landmarks` (1, 10, ...).

    Source:
        Xu et al. 2019, arXiv:1911.03599.
    """

    def _decode(self, out: dict[str, NDArray[np.float32]], size_hw: tuple[int, int], threshold: float) -> Decoded:
        """Take the peaks of the heat map."""
        del size_hw
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


class YuNetDetector(_NetDetector):
    """YuNet: an anchor-free detector with five landmarks on three grids, in a third of CenterFace's time.

    Args:
        net: `input` (1, 3, H, W) raw BGR 0..255, H and W multiples of 32; outputs `cls_S` and `obj_S` (1, N, 1),
            `bbox_S` (1, N, 4) and `kps_S` (1, N, 10) for each stride S of 8, 16 and 32; N is H/S * W/S, rows first.

    Source:
        Wu, Peng, Yu 2023, doi:10.1007/s11633-023-1423-y.
    """

    _is_bgr = True

    def _decode(self, out: dict[str, NDArray[np.float32]], size_hw: tuple[int, int], threshold: float) -> Decoded:
        """Take the cells of every grid that are sure enough; each places one box from its own corner."""
        boxes, scores, points = [], [], []
        for stride in YUNET_STRIDES:
            confidence = out[f"cls_{stride}"][0, :, 0] * out[f"obj_{stride}"][0, :, 0]
            (cells,) = np.nonzero(confidence > threshold * threshold)
            corner = np.stack([cells % (size_hw[1] // stride), cells // (size_hw[1] // stride)], axis=1)
            place = out[f"bbox_{stride}"][0, cells]
            middle, half = (corner + place[:, :2]) * stride, np.exp(place[:, 2:]) * (stride / 2)
            boxes.append(np.concatenate([middle - half, middle + half], axis=1))
            marks = out[f"kps_{stride}"][0, cells].reshape(-1, 5, 2)
            points.append((marks + corner[:, None]) * stride)
            scores.append(np.sqrt(confidence[cells]))
        joined = [np.concatenate(parts).astype(np.float32) for parts in (boxes, scores, points)]
        return joined[0], joined[1], joined[2]


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
