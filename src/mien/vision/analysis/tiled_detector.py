"""The tiled detector: a detector run over the tiles of a frame, and what it sees brought back to frame pixels."""

from collections.abc import Sequence

import numpy as np

from mien.vision.analysis.detector import SURE, SUSPECT, suppress
from mien.vision.analysis.redetection import FaceCheck, roll_of
from mien.vision.analysis.tiles import NEAR_FROM, Tile
from mien.vision.analysis.tracker import ASKEW, SAME_FACE_TWICE, iou, turned_by
from mien.vision.ports import Detector
from mien.vision.types import Box, Detection, Image

FAR_FACE, CUT_FACE, EDGE = 0.25, 0.1, 0.01
"""Shares of a part's longer side: from where on a face is near, the largest cut one, and what counts as cut."""
NEAREST_FACE, ROOM = 0.5, 0.15
"""The largest face a part reports, as a share of its longer side, and the room around a near one, of its size."""
SUSPECTS = 3
"""So many doubtful faces of one frame are looked at more closely, the likeliest first."""
NEAR_SUSPECTS = 1
"""So many of the doubtful ones that the tile with room around the frame sees, beside those."""
MIDDLE, MOST_OF_IT = 0.2, 0.6
"""The quick detector, shown an upright face on its side, often sees a larger one that lies around it (in one of six
turned tiles with room around the frame): then the middles are so near, in shares of the larger, and it holds so much
of the upright one. In a face that does lie behind another, so little would be left to see."""
KNOWN = 0.3
"""Overlap (of the union) from which a doubtful face is at the place of one that is followed already."""
SURE_TURNED = 0.5
"""Least score of a face seen in a turned picture only: from there, shoulders, shoes and hands look like faces."""

SURE_NEAR = 0.4
"""Least score of a face so near that others than re-detection look at it, too: near faces are never faint, and several
people around a pillar are no face. From 0.4 on, of far ones, a fast face would be seen later."""


class TiledDetector:
    """Run a detector over a frame's tiles and bring what it sees back to frame pixels.

    Args:
        detector: What looks.
        redetect: Looks more closely at what is doubtful.
        keen: Looks where a tile asks for the slower detector; None leaves those to `detector`, too.
        checks: Look at doubtful faces that re-detection does not see, each in its own way, from a size in pixels on.
        apart: Tell a face that lies around a known one from that one seen askew; none takes its word as any other's.
        suspect: Least score of what is doubtful; below it nothing is looked at more closely.
        sure: Least score of what needs no closer look, as `detector` scores.
    """

    def __init__(
        self,
        detector: Detector,
        redetect: FaceCheck | None = None,
        keen: Detector | None = None,
        *,
        checks: Sequence[tuple[FaceCheck, float]] = (),
        apart: Sequence[FaceCheck] = (),
        suspect: float = SUSPECT,
        sure: float = SURE,
    ) -> None:
        self._detector, self._redetect, self._keen = detector, redetect, keen or detector
        self._checks, self._apart, self._suspect, self._sure = checks, apart, suspect, sure

    def __call__(self, image: Image, tiles: Sequence[Tile], known: Sequence[Box] = ()) -> list[Detection]:
        """Return the faces seen by any of `tiles`, each once, best first.

        Args:
            image: RGB frame.
            tiles: Where to look.
            known: Faces that are followed already: what is doubtful elsewhere takes its closer look first.
        """
        found: list[Detection] = []
        lying: list[tuple[Detection, Tile]] = []
        doubtful: dict[bool, list[Detection]] = {True: [], False: []}
        for tile in tiles:
            x0, y0, x1, y1 = tile.part_xyxy
            faces = (self._keen if tile.keen else self._detector)(
                image[y0:y1, x0:x1],
                long_side=tile.long_side,
                quarter_turns=tile.quarter_turns,
                room=tile.room,
                threshold=SURE if self._redetect is None else SUSPECT if tile.keen else self._suspect,
            )
            for face in (_shifted(face, x0, y0) for face in faces):
                if not _belongs(face, tile, image):
                    continue
                if self._apart and not tile.keen and tile.quarter_turns % 2:
                    lying.append((face, tile))
                else:
                    (found if self._is_sure(face, tile) else doubtful[tile.keen]).append(face)
        inner = [*known, *(face.box_xyxy for face in found)]
        for face, tile in lying:
            around = [box for box in inner if _is_around(face.box_xyxy, box)]
            if not around:
                (found if self._is_sure(face, tile) else doubtful[tile.keen]).append(face)
            elif self._is_apart(image, face, around):
                found.append(face)
        sure = _once(found)
        surely = {id(face) for face in sure}
        suspects = [
            face
            for keen, most in ((True, SUSPECTS), (False, NEAR_SUSPECTS))
            for face in _unknown_first(
                [face for face in _once(sure + doubtful[keen]) if id(face) not in surely], known
            )[:most]
        ]
        closer = [seen for face in suspects if (seen := self._confirm(image, face)) is not None]
        return _once(sure + closer) if closer else sure

    def _is_sure(self, face: Detection, tile: Tile) -> bool:
        """Tell whether a face needs no closer look."""
        if self._redetect is None:
            return True
        least = self._least(face) if tile.keen else self._sure
        return face.score >= max(least, SURE_TURNED if tile.quarter_turns else SURE)

    def _least(self, face: Detection) -> float:
        """Return the least score with which a close look takes something for a face."""
        return SURE_NEAR if any(_size(face.box_xyxy) >= least_px for _check, least_px in self._checks) else SURE

    def _is_apart(self, image: Image, face: Detection, inner: Sequence[Box]) -> bool:
        """Tell whether what lies around known faces is one itself: something else sees it so turned, and not them."""
        for check in self._apart:
            seen = check(image, face.box_xyxy, roll_of(face), threshold=SURE)
            if (
                seen is not None
                and turned_by(roll_of(seen), roll_of(face)) <= ASKEW
                and all(iou(seen.box_xyxy, face.box_xyxy) > iou(seen.box_xyxy, box) for box in inner)
            ):
                return True
        return False

    def _confirm(self, image: Image, suspect: Detection) -> Detection | None:
        """Return what a closer look surely sees there."""
        if self._redetect is None:
            return None
        ways = (self._redetect, *(check for check, least_px in self._checks if _size(suspect.box_xyxy) >= least_px))
        least = self._least(suspect)
        seen = (tile(image, suspect.box_xyxy, roll_of(suspect), threshold=least) for tile in ways)
        return next((face for face in seen if face is not None), None)


def _size(box: Box) -> float:
    return float((box[2:] - box[:2]).max())


def _once(found: list[Detection]) -> list[Detection]:
    """Keep the best of what overlaps, best first."""
    boxes = np.array([face.box_xyxy for face in found], np.float32).reshape(-1, 4)
    scores = np.array([face.score for face in found], np.float32)
    return [found[i] for i in suppress(boxes, scores)]


def _is_around(box: Box, inner: Box) -> bool:
    """Tell whether one box is the larger and lies around the middle of the other, and most of it."""
    size, inner_size = box[2:] - box[:2], inner[2:] - inner[:2]
    apart = np.abs(box[:2] + box[2:] - inner[:2] - inner[2:]) / 2
    both = np.minimum(box[2:], inner[2:]) - np.maximum(box[:2], inner[:2])
    return bool(
        (apart <= MIDDLE * size).all()
        and (both > 0).all()
        and both.prod() >= MOST_OF_IT * inner_size.prod()
        and iou(box, inner) <= SAME_FACE_TWICE
        and size.prod() > inner_size.prod()
    )


def _unknown_first(suspects: list[Detection], known: Sequence[Box]) -> list[Detection]:
    """Return suspects so that those at the place of a known face come last: the tracker looks there by itself."""
    return sorted(suspects, key=lambda seen: any(iou(seen.box_xyxy, box) >= KNOWN for box in known))


def _belongs(face: Detection, tile: Tile, image: Image) -> bool:
    """Tell whether a tile at a part of the frame is the one to report a face.

    The nearest faces are left to the tile at the whole, which sees them whole: what a part shows of them may be half a
    face. Cut at an inner edge, even a small one is left to the next part, which overlaps.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = tile.part_xyxy
    left, top, right, bottom = (float(value) for value in face.box_xyxy)
    size = max(right - left, bottom - top)
    if tile.room > 0:
        return bool(size >= NEAR_FROM * min(width, height))
    if (x0, y0, x1, y1) == (0, 0, width, height):
        return True
    side = max(x1 - x0, y1 - y0)
    room = ROOM * size if size > FAR_FACE * side else EDGE * side
    cut = (
        (x0 > 0 and left < x0 + room)
        or (y0 > 0 and top < y0 + room)
        or (x1 < width and right > x1 - room)
        or (y1 < height and bottom > y1 - room)
    )
    return size <= NEAREST_FACE * side and not (cut and size > CUT_FACE * side)


def _shifted(seen: Detection, x: int, y: int) -> Detection:
    box: Box = seen.box_xyxy + np.array([x, y, x, y], np.float32)
    landmarks = None if seen.landmarks is None else seen.landmarks + np.array([x, y], np.float32)
    return Detection(box, seen.score, landmarks)
