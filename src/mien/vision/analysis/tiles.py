"""Tiles: which parts of a frame the detector sees, at which size and turn, and in which order."""

from dataclasses import dataclass, replace

NEAR_SIDE, NEAR_ROOM, NEAR_FROM = 192, 0.5, 0.4
"""The tile with room around the frame: its size, the room, and the least face it reports, of the frame's shorter side.
Of 95 faces of 1.0 to 2.6 times the frame's height YuNet finds all at this size, of 192 px with twice the room 86."""


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
    """Return the tile that sees faces as large as the frame and larger."""
    return Tile((0, 0, *size_wh), NEAR_SIDE, room=NEAR_ROOM, keen=False)


def thorough(size_wh: tuple[int, int]) -> list[Tile]:
    """Return the tiles at a still, in which nothing is seen twice and time hardly matters."""
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
