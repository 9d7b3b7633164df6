"""Tiles: which parts of a frame the detector sees, at which size and turn, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from mien.vision.analysis.detector import MULTIPLE, SURE, SUSPECT, suppress
from mien.vision.analysis.newcomers import STIR, Newcomers
from mien.vision.analysis.redetection import FaceCheck, roll_of
from mien.vision.analysis.tracker import ASKEW, SAME_FACE_TWICE, iou, turned_by
from mien.vision.ports import Detector
from mien.vision.types import Box, Detection, Image

FAR_FACE, CUT_FACE, EDGE = 0.25, 0.1, 0.01
"""Shares of a part's longer side: from where on a face is near, the largest cut one, and what counts as cut."""
NEAREST_FACE, ROOM = 0.5, 0.15
"""The largest face a part reports, as a share of its longer side, and the room around a near one, of its size."""
NEAR_SIDE, NEAR_ROOM, NEAR_FROM = 192, 0.5, 0.4
"""The look with room around the frame: its size, the room, and the least face it reports, of the frame's shorter side.
Of 95 faces of 1.0 to 2.6 times the frame's height YuNet finds all at this size, of 192 px with twice the room 86."""
PART_ZOOM = 0.65
"""Parts of a 720p frame are seen at this scale: a face of 32 px then has 20, from which the network is sure."""
PART_SIDES = (320, 416)
"""Bounds of what a part is scaled to: a look at 1080p takes half as long again, at 4K no longer."""
HASTE_FRAMES, TURNED_HASTE_FRAMES = 4, 60
"""A part in which something stirred is looked at as if it had waited for so much longer, upright and turned."""
TURNED_AT_FIRST = 2
"""So many turned looks are added to each frame of a new scene, until everything was seen turned."""
NEWCOMER_SIDE, NEWCOMER_COST, LOAN = 128, 1.4, 3.0
"""Where something has just come in is seen at this size, turned each of three ways at once, which takes as long as so
many turned looks at parts. They are saved afterwards, of the looks due every second one; while as many as the loan are
not, newcomers wait."""
SUSPECTS = 3
"""So many doubtful faces of one frame are looked at more closely, the likeliest first."""
NEAR_SUSPECTS = 1
"""So many of the doubtful ones that the look with room around the frame sees, beside those."""
MIDDLE, MOST_OF_IT = 0.2, 0.6
"""The quick detector, shown an upright face on its side, often sees a larger one that lies around it (in one of six
turned looks with room around the frame): then the middles are so near, in shares of the larger, and it holds so much
of the upright one. In a face that does lie behind another, so little would be left to see."""
KNOWN = 0.3
"""Overlap (of the union) from which a doubtful face is at the place of one that is followed already."""
SURE_TURNED = 0.5
"""Least score of a face seen in a turned picture only: from there, shoulders, shoes and hands look like faces."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One run of the detector: a part of the frame, seen at a size and turned.

    Attributes:
        part_xyxy: Whole pixels of the frame.
        long_side: Pixels that the longer side of the part is scaled to.
        quarter_turns: How often the part is turned to the left by 90 degrees.
        room: Empty room around the part on each side, as a share of its sides; for faces that the frame cuts.
        keen: Left to the slower of two detectors, which sees more small and blurred faces.
    """

    part_xyxy: tuple[int, int, int, int]
    long_side: int
    quarter_turns: int = 0
    room: float = 0.0
    keen: bool = True


def near_tile(size_wh: tuple[int, int]) -> Tile:
    """Return the look that sees faces as large as the frame and larger."""
    return Tile((0, 0, *size_wh), NEAR_SIDE, room=NEAR_ROOM, keen=False)


class Pace(Enum):
    """How much of each frame is looked at, most first."""

    PATIENT = "patient"  # files: nobody waits
    LIVE = "live"
    THRIFTY = "thrifty"  # beside a live swap, which needs the time


class TileSchedule:
    """Decide where the detector looks in each frame, so that the cost of a frame stays even.

    The whole picture is seen small in every second frame, and smaller still with room around it in the others (faces
    as large as the frame and larger); its parts take turns (far faces), those first in which something stirs; and now
    and then the whole or a part is seen turned by a quarter (faces that lie or stand on their head), and at once the
    place where something has come in. `sweep` is everything at once: for first frames and cuts.

    Args:
        size_wh: Size of the frames.
        whole_side: Longer side of the whole picture, as the detector sees it.
        parts: Parts along each side of the frame; they overlap by a fifth so that no face lies on every seam.
        part_side: Longer side of a part, as the detector sees it.
        parts_in_two: Looks at parts in two frames. The whole is seen in every second frame whatever is saved: nearer
            faces must not wait.
        turned_in_six: Turned looks in six frames.
        sweep_turned: Whether everything is seen turned, too, where it is seen at once; otherwise that follows soon.

    Attributes:
        everything: The looks that see all of the frame.
    """

    def __init__(
        self,
        size_wh: tuple[int, int],
        *,
        whole_side: int = 320,
        parts: int = 3,
        part_side: int = 320,
        parts_in_two: int = 3,
        turned_in_six: int = 2,
        sweep_turned: bool = False,
    ) -> None:
        self.size_wh = size_wh
        self._whole = Tile((0, 0, *size_wh), whole_side)
        self._near = near_tile(size_wh)
        self._parts = [Tile(part, part_side) for part in overlapping_parts(size_wh, parts)]
        self._upright = [self._whole, self._near, *self._parts]
        self._lying = [replace(tile, quarter_turns=turns) for turns in (1, 2, 3) for tile in self._upright]
        self.everything = [*self._upright, *(self._lying if sweep_turned else [])]
        self._waits = np.arange(len(self._parts), 0.0, -1)
        self._turned = _TurnedTiles(self._whole, self._near, self._parts)
        self._parts_in_two, self._turned_in_six, self._sweep_turned = parts_in_two, turned_in_six, sweep_turned
        self._newcomers = Newcomers(size_wh)
        self._frame = self._soon = self._due = 0
        self._owed = 0.0

    def tiles(self, change: NDArray[np.float32] | None = None, known: Sequence[Box] = ()) -> list[Tile]:
        """Return what to look at in the next frame; may be nothing.

        Args:
            change: How much each cell of a thumbnail of the frame changed, 0 to 255, where that is known.
            known: Faces that are followed already: what stirs there is no newcomer.
        """
        stirs = np.array([change is not None and self._stir(tile, change) > STIR for tile in self._parts])
        self._turned.wait(stirs)
        odd = self._frame % 2
        tiles = [self._near if odd else self._whole]
        tiles += self._most_urgent((self._parts_in_two + odd) // 2, stirs)
        now, self._soon = min(self._soon, TURNED_AT_FIRST), max(0, self._soon - TURNED_AT_FIRST)
        so_far, with_this = (3 + self._turned_in_six * frame for frame in (self._frame, self._frame + 1))
        now += with_this // 6 - so_far // 6
        if change is not None:
            self._newcomers.watch(change, known)
        tiles += self._at_newcomer()
        tiles += [self._turned.next() for _ in range(now) if not self._is_saved()]
        self._frame += 1
        return tiles

    def _at_newcomer(self) -> list[Tile]:
        """Return the looks that see the place where something came in turned each way, while that can be afforded."""
        place = self._newcomers.next() if self._owed < LOAN else None
        if place is None:
            return []
        self._owed += NEWCOMER_COST
        return [Tile(place, NEWCOMER_SIDE, quarter_turns=turns) for turns in (1, 3, 2)]

    def _is_saved(self) -> bool:
        """Tell whether a turned look that is due was taken before, at a newcomer."""
        self._due += 1
        saved = self._due % 2 == 1 and self._owed >= 1
        self._owed -= saved
        return saved

    def _most_urgent(self, count: int, stirs: NDArray[np.bool_]) -> list[Tile]:
        """Return the parts that waited longest, and sooner those in which something stirs."""
        self._waits += 1
        chosen = np.argsort(-(self._waits + HASTE_FRAMES * stirs), kind="stable")[:count]
        self._waits[chosen] = 0
        return [self._parts[i] for i in chosen]

    def _stir(self, tile: Tile, change: NDArray[np.float32]) -> float:
        """Return the largest change inside a part."""
        scale = np.array([change.shape[1] / self.size_wh[0], change.shape[0] / self.size_wh[1]] * 2)
        x0, y0, x1, y1 = (np.array(tile.part_xyxy) * scale).astype(int)
        return float(change[y0 : y1 + 1, x0 : x1 + 1].max())

    def sweep(self, *, turned: bool = False) -> list[Tile]:
        """Return everything, for a frame about which nothing is known.

        Args:
            turned: See everything turned, too, whatever it costs.
        """
        self._frame += 1
        self._newcomers.forget()
        self._waits[:] = np.arange(len(self._parts), 0.0, -1)
        self._soon = 0 if self._sweep_turned else len(self._turned)  # who comes next is soon looked for, too
        return [*self._upright, *(self._lying if turned or self._sweep_turned else [])]


class _TurnedTiles:
    """The looks that see a frame turned: one by one, first where something stirred since the last such look."""

    def __init__(self, whole: Tile, near: Tile, parts: Sequence[Tile]) -> None:
        # The look with room around the frame comes seldom: faces as near as that are seen upright, too, as they lie.
        wholes = [replace(whole, quarter_turns=turns) for turns in (1, 3, 2)]
        nears = [replace(near, quarter_turns=turns) for turns in (1, 3, 2)]
        self._whole = cycle([tile for rare in nears for tile in (*wholes, rare)])
        self._parts = [replace(part, quarter_turns=turns) for turns in (1, 3, 2) for part in parts]
        self._waits = np.zeros(len(self._parts))
        self._stirred = np.zeros(len(self._parts), bool)
        self._given = 0

    def __len__(self) -> int:
        """Return how many looks see everything turned each way."""
        return 4 * -(-len(self._parts) // 3)

    def wait(self, stirs: NDArray[np.bool_]) -> None:
        """Note a frame, and in which parts something stirred."""
        self._waits += 1
        self._stirred |= np.tile(stirs, 3)

    def next(self) -> Tile:
        """Return the next look; every fourth sees the whole, for nearer faces."""
        self._given += 1
        if self._given % 4 == 0:
            return next(self._whole)
        chosen = int(np.argmax(self._waits + TURNED_HASTE_FRAMES * self._stirred))
        self._waits[chosen], self._stirred[chosen] = 0, False
        return self._parts[chosen]


def moving(size_wh: tuple[int, int], pace: Pace = Pace.LIVE) -> TileSchedule:
    """Return the schedule for frames of a stream, each of which sees little."""
    long_side = max(size_wh)
    parts = 1 if long_side <= 360 else 2 if long_side <= 800 else 3
    part_side = round(max(part_size(size_wh, parts)) * PART_ZOOM / MULTIPLE) * MULTIPLE
    parts_in_two, turned_in_six = {Pace.PATIENT: (4, 12), Pace.LIVE: (3, 4), Pace.THRIFTY: (2, 3)}[pace]
    return TileSchedule(
        size_wh,
        parts=parts,
        part_side=int(np.clip(part_side, *PART_SIDES)),
        parts_in_two=parts_in_two,
        turned_in_six=turned_in_six,
        sweep_turned=pace is Pace.PATIENT,
    )


def thorough(size_wh: tuple[int, int]) -> list[Tile]:
    """Return the looks at a still, in which nothing is seen twice and time hardly matters."""
    whole = Tile((0, 0, *size_wh), 640)
    parts = [Tile(part, 640) for part in overlapping_parts(size_wh, max(2, -(-max(size_wh) // 800)))]
    return [replace(tile, quarter_turns=turns) for turns in range(4) for tile in (whole, near_tile(size_wh), *parts)]


def part_size(size_wh: tuple[int, int], per_side: int) -> tuple[int, int]:
    """Return the size of the parts of `overlapping_parts`."""
    share = 1 / (per_side - (per_side - 1) * 0.2)
    return round(size_wh[0] * share), round(size_wh[1] * share)


def overlapping_parts(size_wh: tuple[int, int], per_side: int) -> list[tuple[int, int, int, int]]:
    """Cut a frame into `per_side` x `per_side` parts that overlap by a fifth.

    Example:
        >>> overlapping_parts((100, 50), 1)
        [(0, 0, 100, 50)]
        >>> len(overlapping_parts((1280, 720), 2))
        4
    """
    width, height = size_wh
    part_w, part_h = part_size(size_wh, per_side)
    starts = [i / max(1, per_side - 1) for i in range(per_side)]
    corners = [(round((width - part_w) * x), round((height - part_h) * y)) for y in starts for x in starts]
    return [(x, y, x + part_w, y + part_h) for x, y in corners]


class TiledDetector:
    """Run a detector over a frame's looks and bring what it sees back to frame pixels.

    Args:
        detector: What looks.
        redetect: Looks more closely at what is doubtful.
        keen: Looks where a look asks for the slower detector; None leaves those to `detector`, too.
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
        least = SURE if tile.keen else self._sure
        return face.score >= max(least, SURE_TURNED if tile.quarter_turns else SURE)

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
        """Return what a closer look sees there; it must be as sure as the first look at any other face."""
        if self._redetect is None:
            return None
        ways = (self._redetect, *(check for check, least_px in self._checks if _size(suspect.box_xyxy) >= least_px))
        seen = (tile(image, suspect.box_xyxy, roll_of(suspect), threshold=SURE) for tile in ways)
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
    """Tell whether a look at a part of the frame is the one to report a face.

    The nearest faces are left to the look at the whole, which sees them whole: what a part shows of them may be half a
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
