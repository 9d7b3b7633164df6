"""Face detection: one network, and the order in which it looks at the parts of a frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.faces import Box, Detection, Image, Net

STRIDE = 4  # CenterFace's output grid
MULTIPLE = 32  # its deepest feature map is 1/32 of the input
MAX_ZOOM = 2.0  # beyond it there is nothing left to see


class CenterFaceDetector:
    """CenterFace: an anchor-free detector with five landmarks, at any input size.

    Args:
        net: `input` (1, 3, H, W) raw RGB 0..255, H and W multiples of 32; outputs `heatmap` (1, 1, H/4, W/4),
            `scale` (1, 2, ...), `offset` (1, 2, ...), `landmarks` (1, 10, ...).
        threshold: Smallest score kept. 0.3 finds more than the network's usual 0.5: a false face costs a few
            needless cells, a missed one costs somebody's privacy.

    Source:
        Xu et al. 2019, arXiv:1911.03599.
    """

    def __init__(self, net: Net, *, threshold: float = 0.3) -> None:
        self._net = net
        self._threshold = threshold

    def __call__(self, image: Image, *, long_side: int) -> list[Detection]:
        """Find the faces of `image`, seen with its longer side scaled to `long_side` pixels."""
        height, width = image.shape[:2]
        scale = min(MAX_ZOOM, long_side / max(height, width))
        net_w, net_h = (max(MULTIPLE, round(side * scale / MULTIPLE) * MULTIPLE) for side in (width, height))
        small = cv2.resize(image, (net_w, net_h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        batch = np.ascontiguousarray(small.transpose(2, 0, 1)[None], np.float32)
        boxes, scores, points = self._decode(self._net(batch))
        zoom = np.array([width / net_w, height / net_h], np.float32)
        kept = suppress(boxes, scores)
        return [Detection((boxes[i].reshape(2, 2) * zoom).reshape(4), float(scores[i]), points[i] * zoom) for i in kept]

    def _decode(
        self, out: dict[str, NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Turn heat map peaks into (N, 4) boxes, (N,) scores and (N, 5, 2) points, in network pixels."""
        heat = out["heatmap"][0, 0]
        rows, cols = np.nonzero(heat > self._threshold)
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


FAR_FACE, CUT_FACE, EDGE = 0.25, 0.1, 0.01
"""Shares of a part's longer side: the largest face a part reports, the largest cut one, and what counts as cut."""


@dataclass(frozen=True, slots=True)
class Look:
    """One run of the detector: a part of the frame, seen at a size.

    Attributes:
        part_xyxy: Whole pixels of the frame.
        long_side: Pixels that the longer side of the part is scaled to.
    """

    part_xyxy: tuple[int, int, int, int]
    long_side: int


class LookSchedule:
    """Decide where the detector looks in each frame, so that the cost of a frame stays even.

    Frames alternate between the whole picture seen small (near faces) and one part of it seen large (far faces);
    the parts take turns. `sweep` is everything at once: for first frames, cuts and stills.

    Args:
        size_wh: Size of the frames.
        whole_side: Longer side of the whole picture, as the detector sees it.
        part_side: Longer side of a part, as the detector sees it.
        parts: Parts along each side of the frame; they overlap by a fifth so that no face lies on every seam.
        part_every: Of the frames between two looks at the whole, only every n-th looks at a part. The whole is seen
            in every second frame whatever is saved: nearer faces must not wait.

    Attributes:
        whole: The look at the whole picture.
    """

    def __init__(
        self,
        size_wh: tuple[int, int],
        *,
        whole_side: int = 320,
        part_side: int = 320,
        parts: int = 2,
        part_every: int = 1,
    ) -> None:
        self.size_wh = size_wh
        width, height = size_wh
        self.whole = Look((0, 0, width, height), whole_side)
        self._parts = [Look(part, part_side) for part in overlapping_parts(size_wh, parts)]
        self._part_every = part_every
        self._frame = 0
        self._next_part = 0

    @classmethod
    def thorough(cls, size_wh: tuple[int, int]) -> "LookSchedule":
        """Return a schedule for a still, in which nothing is seen twice and time hardly matters."""
        return cls(size_wh, whole_side=640, part_side=640, parts=max(2, -(-max(size_wh) // 800)))

    def looks(self) -> list[Look]:
        """Return what to look at in the next frame; may be nothing."""
        turn, between = divmod(self._frame, 2)
        self._frame += 1
        if not between:
            return [self.whole]
        if turn % self._part_every:
            return []
        self._next_part = (self._next_part + 1) % len(self._parts)
        return [self._parts[self._next_part]]

    def sweep(self) -> list[Look]:
        """Return everything, for a frame about which nothing is known."""
        self._frame += 1
        return [self.whole, *self._parts]


def overlapping_parts(size_wh: tuple[int, int], per_side: int) -> list[tuple[int, int, int, int]]:
    """Cut a frame into `per_side` x `per_side` parts that overlap by a fifth.

    Example:
        >>> overlapping_parts((100, 50), 1)
        [(0, 0, 100, 50)]
        >>> len(overlapping_parts((1280, 720), 2))
        4
    """
    width, height = size_wh
    share = 1 / (per_side - (per_side - 1) * 0.2)
    part_w, part_h = round(width * share), round(height * share)
    starts = [i / max(1, per_side - 1) for i in range(per_side)]
    return [
        (
            round((width - part_w) * x),
            round((height - part_h) * y),
            round((width - part_w) * x) + part_w,
            round((height - part_h) * y) + part_h,
        )
        for y in starts
        for x in starts
    ]


class Finder:
    """Run a detector over a frame's looks and bring what it sees back to frame pixels."""

    def __init__(self, detector: CenterFaceDetector) -> None:
        self._detector = detector

    def __call__(self, image: Image, looks: Sequence[Look]) -> list[Detection]:
        """Return the faces seen by any of `looks`, each once, best first."""
        found: list[Detection] = []
        for look in looks:
            x0, y0, x1, y1 = look.part_xyxy
            seen = self._detector(image[y0:y1, x0:x1], long_side=look.long_side)
            found += [face for face in (_shifted(face, x0, y0) for face in seen) if _belongs(face, look, image)]
        if len(looks) < 2:
            return found
        boxes = np.array([face.box_xyxy for face in found], np.float32).reshape(-1, 4)
        scores = np.array([face.score for face in found], np.float32)
        return [found[i] for i in suppress(boxes, scores)]


def _belongs(face: Detection, look: Look, image: Image) -> bool:
    """Tell whether a look at a part of the frame is the one to report a face.

    Near faces are left to the look at the whole, which sees them whole: what a part shows of them may be half a
    face. Cut at an inner edge, even a small one is left to the next part, which overlaps.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = look.part_xyxy
    if (x0, y0, x1, y1) == (0, 0, width, height):
        return True
    side = max(x1 - x0, y1 - y0)
    left, top, right, bottom = (float(value) for value in face.box_xyxy)
    size = max(right - left, bottom - top)
    near = EDGE * side
    cut = (
        (x0 > 0 and left < x0 + near)
        or (y0 > 0 and top < y0 + near)
        or (x1 < width and right > x1 - near)
        or (y1 < height and bottom > y1 - near)
    )
    return size <= FAR_FACE * side and not (cut and size > CUT_FACE * side)


def _shifted(seen: Detection, x: int, y: int) -> Detection:
    box: Box = seen.box_xyxy + np.array([x, y, x, y], np.float32)
    landmarks = None if seen.landmarks is None else seen.landmarks + np.array([x, y], np.float32)
    return Detection(box, seen.score, landmarks)
