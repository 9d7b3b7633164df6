"""Looks: which parts of a frame are seen when, and what they may report."""

import numpy as np
import pytest

from mien.vision.analysis.detector import CenterFaceDetector
from mien.vision.analysis.tile_schedule import LOAN, NEWCOMER_COST, Pace, TileSchedule, moving
from mien.vision.analysis.tiled_detector import TiledDetector
from mien.vision.analysis.tiles import Tile, near_tile, overlapping_parts, thorough
from mien.vision.types import Detection
from support.networks import one_peak

WHOLE = (0, 0, 1280, 720)


@pytest.mark.parametrize("per_side", [1, 2, 3])
def test_parts_cover_the_whole_frame_and_overlap(per_side):
    covered = np.zeros((720, 1280), int)
    for x0, y0, x1, y1 in overlapping_parts((1280, 720), per_side):
        covered[y0:y1, x0:x1] += 1
    assert covered.min() == 1
    assert covered.max() == min(4, per_side**2)


def upright(schedule, frames):
    """Return the parts seen upright, without room around them, in each of some frames."""
    tiles = [schedule.tiles() for _ in range(frames)]
    return [[tile.part_xyxy for tile in seen if not tile.quarter_turns and not tile.room] for seen in tiles]


@pytest.mark.parametrize("pace", list(Pace))
def test_the_whole_picture_is_seen_in_every_second_frame_and_in_the_others_with_room_around_it(pace):
    schedule = moving((1280, 720), pace)
    tiles = [[tile for tile in schedule.tiles() if not tile.quarter_turns] for _ in range(12)]
    wholes = [[tile.room > 0 for tile in seen if tile.part_xyxy == WHOLE] for seen in tiles]
    assert wholes == [[False], [True]] * 6


@pytest.mark.parametrize("pace", [Pace.PATIENT, Pace.LIVE])
def test_every_part_is_seen_within_the_six_frames_that_a_file_waits(pace):
    seen = upright(moving((1280, 720), pace), 60)
    parts = set(overlapping_parts((1280, 720), 3))
    for first in range(54):
        assert parts <= {part for frame in seen[first : first + 6] for part in frame}


def test_a_part_in_which_something_stirs_is_looked_at_at_once_and_no_other_is_forgotten():
    schedule = moving((1280, 720))
    upright(schedule, 12)
    change = np.zeros((36, 64), np.float32)
    change[2, 60] = 40  # the upper right corner
    seen = [[tile.part_xyxy for tile in schedule.tiles(change) if not tile.quarter_turns] for _ in range(40)]
    corner = overlapping_parts((1280, 720), 3)[2]
    times = [number for number, parts in enumerate(seen) if corner in parts]
    assert max(np.diff([-1, *times])) <= 4
    for part in overlapping_parts((1280, 720), 3):
        assert max(np.diff([number for number, parts in enumerate(seen) if part in parts])) <= 8


def test_no_frame_costs_more_than_four_looks():
    schedule = moving((1280, 720))
    assert max(len(schedule.tiles()) for _ in range(200)) == 4


def test_a_new_scene_is_seen_turned_each_way_within_eighteen_frames():
    schedule = moving((1280, 720))
    schedule.sweep()
    seen = {(tile.part_xyxy, tile.quarter_turns) for _ in range(18) for tile in schedule.tiles()}
    assert {(part, turns) for part in (WHOLE, *overlapping_parts((1280, 720), 3)) for turns in (1, 2, 3)} <= seen
    assert max(len(schedule.tiles()) for _ in range(200)) == 4


def test_where_something_stirred_is_seen_turned_before_all_else():
    schedule = moving((1280, 720))
    for _ in range(40):
        schedule.tiles()
    change = np.zeros((36, 64), np.float32)
    change[2, 62] = 40  # the upper right corner, in one frame
    seen = [tile for stirs in (change, *[None] * 7) for tile in schedule.tiles(stirs) if tile.quarter_turns]
    corner = overlapping_parts((1280, 720), 3)[2]
    assert {tile.quarter_turns for tile in seen if tile.part_xyxy == corner} == {1, 2, 3}


def newcomer(number):
    """Return a change of the thumbnail where nothing has stirred for long."""
    change = np.zeros((36, 64), np.float32)
    row, col = divmod(number * 7 % 48, 8)
    change[row * 6 + 1 : row * 6 + 5, col * 8 + 1 : col * 8 + 5] = 60
    return change


@pytest.mark.parametrize("pace", list(Pace))
def test_where_something_has_just_come_in_is_seen_turned_each_way_at_once_and_closely(pace):
    schedule = moving((1280, 720), pace)
    for _ in range(40):
        schedule.tiles(np.zeros((36, 64), np.float32))
    seen = [tile for tile in schedule.tiles(newcomer(9)) if tile.quarter_turns and tile.long_side < 320]
    assert [tile.quarter_turns for tile in seen] == [1, 3, 2]
    x0, y0, x1, y1 = seen[0].part_xyxy
    assert (x0 < 1140, x1 > 1220) == (True, True)
    assert (y0 < 140, y1 > 220) == (True, True)
    assert x1 - x0 <= 130


@pytest.mark.parametrize("pace", list(Pace))
def test_looks_at_newcomers_are_saved_afterwards_and_the_others_still_come_by(pace):
    calm, busy = moving((1280, 720), pace), moving((1280, 720), pace)
    still = np.zeros((36, 64), np.float32)
    plain = [tile for _ in range(600) for tile in calm.tiles(still) if tile.quarter_turns]
    tiles = [tile for number in range(600) for tile in busy.tiles(newcomer(number)) if tile.quarter_turns]
    at_parts = [tile for tile in tiles if tile.long_side >= 192]
    at_newcomers = (len(tiles) - len(at_parts)) / 3 * NEWCOMER_COST
    assert at_newcomers > 0.4 * len(plain)
    assert len(at_parts) + at_newcomers == pytest.approx(len(plain), abs=LOAN + NEWCOMER_COST + 1)
    assert len(at_parts) >= len(plain) // 2
    assert set(plain) <= set(at_parts)


def test_the_whole_and_every_part_are_seen_turned_each_way_in_the_end():
    schedule = moving((1280, 720))
    seen = {(tile.part_xyxy, tile.quarter_turns) for _ in range(200) for tile in schedule.tiles()}
    assert {(part, turns) for part in (WHOLE, *overlapping_parts((1280, 720), 3)) for turns in (1, 2, 3)} <= seen


def test_a_sweep_sees_everything_upright():
    schedule = TileSchedule((1280, 720))
    assert {tile.part_xyxy for tile in schedule.sweep()} == {WHOLE, *overlapping_parts((1280, 720), 3)}


def test_a_live_sweep_is_turned_every_way_where_that_is_asked_for():
    schedule = moving((1280, 720), Pace.LIVE)
    assert {tile.quarter_turns for tile in schedule.sweep()} == {0}
    assert len(set(schedule.sweep(turned=True))) == 4 * 11


def test_a_file_begins_with_a_sweep_turned_every_way():
    sweep = moving((1280, 720), Pace.PATIENT).sweep()
    assert len(sweep) == len(set(sweep)) == 4 * 11


def test_a_still_is_seen_whole_with_room_and_in_parts_turned_each_way():
    tiles = thorough((640, 480))
    assert len(tiles) == len(set(tiles)) == 4 * 6
    assert {tile.quarter_turns for tile in tiles if tile.room} == {0, 1, 2, 3}
    assert all(tile.keen == (not tile.room) for tile in tiles)


@pytest.mark.parametrize("size_wh", [(1280, 720), (720, 1280), (320, 240)])
def test_the_look_with_room_around_it_is_turned_each_way_too(size_wh):
    schedule = moving(size_wh)
    seen = {tile.quarter_turns for _ in range(200) for tile in schedule.tiles() if tile.room}
    assert seen == {0, 1, 2, 3}
    assert {tile.quarter_turns for tile in schedule.sweep(turned=True) if tile.room} == {0, 1, 2, 3}


@pytest.mark.parametrize(("size_px", "reported"), [(16, False), (40, True), (90, True)])
def test_the_look_with_room_around_it_reports_only_faces_as_near_as_that(size_px, reported):
    finder = TiledDetector(
        CenterFaceDetector(one_peak(12, 24, size_hw=(size_px, size_px)))
    )  # in a picture of 96 x 48 px
    assert len(finder(np.zeros((720, 1440, 3), np.uint8), [near_tile((1440, 720))])) == reported


def test_looks_for_the_keen_detector_are_left_to_it():
    seen = []

    def detector(name):
        def tile(_image, **_how):
            seen.append(name)
            return []

        return tile

    finder = TiledDetector(detector("quick"), keen=detector("keen"))
    part = (0, 0, 64, 64)
    finder(np.zeros((64, 64, 3), np.uint8), [Tile(part, 64, keen=False), Tile(part, 64)])
    assert seen == ["quick", "keen"]


@pytest.mark.parametrize(("score", "sure"), [(0.4, False), (0.6, True)])
def test_what_the_detector_is_not_sure_of_takes_a_closer_look(score, sure):
    asked = []

    def redetect(_image, box, _roll, *, threshold):
        asked.append(threshold)
        return Detection(box, 0.9)

    finder = TiledDetector(CenterFaceDetector(one_peak(16, 16, score=score)), redetect, sure=0.5)
    assert len(finder(np.zeros((128, 128, 3), np.uint8), [Tile((0, 0, 128, 128), 128, keen=False)])) == 1
    assert len(asked) == (not sure)


@pytest.mark.parametrize(("size_px", "found"), [(48, 0), (120, 1)])
def test_a_large_face_that_one_closer_look_does_not_show_is_looked_at_in_other_ways(size_px, found):
    blind, sees = (lambda *_args, **_how: None), (lambda _image, box, _roll, **_how: Detection(box, 0.9))
    net = one_peak(16, 16, score=0.4, size_hw=(size_px, size_px))
    finder = TiledDetector(CenterFaceDetector(net), blind, checks=((blind, 0), (sees, 96)), sure=0.5)
    assert len(finder(np.zeros((128, 128, 3), np.uint8), [Tile((0, 0, 128, 128), 128, keen=False)])) == found


@pytest.mark.parametrize(("size_px", "score", "found"), [(48, 0.35, 1), (120, 0.35, 0), (120, 0.45, 1)])
@pytest.mark.parametrize("first", [0.2, 0.35], ids=["doubtful at first", "faint at first"])
def test_a_near_face_is_never_as_faint_as_a_far_one_may_be(size_px, score, found, first):
    def looks(_image, box, _roll, *, threshold):
        return Detection(box, score) if score >= threshold else None

    net = one_peak(16, 16, score=first, size_hw=(size_px, size_px))
    finder = TiledDetector(CenterFaceDetector(net), looks, checks=((looks, 96),))
    assert len(finder(np.zeros((128, 128, 3), np.uint8), [Tile((0, 0, 128, 128), 128)])) == found


@pytest.mark.parametrize(
    ("row", "size_px", "reported"),
    [(16, 40, True), (16, 60, True), (16, 80, False), (5, 40, False)],
    ids=["small", "with room around it", "the nearest", "without room above it"],
)
def test_the_nearest_faces_are_left_to_the_look_at_the_whole(row, size_px, reported):
    finder = TiledDetector(CenterFaceDetector(one_peak(row, 16, size_hw=(size_px, size_px))))
    frame = np.zeros((256, 256, 3), np.uint8)
    assert len(finder(frame, [Tile((64, 64, 192, 192), 128)])) == reported
    assert len(finder(frame[:128, :128], [Tile((0, 0, 128, 128), 128)])) == 1


def test_what_only_a_turned_look_shows_takes_a_surer_score_or_a_closer_look():
    tiles = [Tile((0, 0, 64, 64), 64, quarter_turns=1)]
    frame = np.zeros((64, 64, 3), np.uint8)
    for score, closer, seen in ((0.6, False, 1), (0.4, False, 0), (0.4, True, 1)):
        face = Detection(np.array([10, 11, 26, 27], np.float32), 0.6) if closer else None
        finder = TiledDetector(
            CenterFaceDetector(one_peak(4, 4, score=score, size_hw=(16, 16))), lambda *_args, face=face, **_least: face
        )
        assert len(finder(frame, tiles)) == seen


def test_a_face_cut_by_the_inner_edge_of_a_part_is_left_to_the_next_part():
    finder = TiledDetector(CenterFaceDetector(one_peak(1, 16, size_hw=(16, 16))))
    frame = np.zeros((256, 256, 3), np.uint8)
    assert finder(frame, [Tile((0, 64, 128, 192), 128)]) == []
    assert len(finder(frame, [Tile((0, 0, 128, 128), 128)])) == 1


def test_a_face_found_in_a_part_is_reported_where_it_is_in_the_frame():
    finder = TiledDetector(CenterFaceDetector(one_peak(8, 8, size_hw=(16, 16))))
    (face,) = finder(np.zeros((200, 300, 3), np.uint8), [Tile((100, 50, 164, 114), 64)])
    np.testing.assert_allclose(face.box_xyxy, [126, 76, 142, 92], atol=1e-3)


def test_a_face_seen_by_two_looks_is_reported_once():
    finder = TiledDetector(CenterFaceDetector(one_peak(4, 4, size_hw=(16, 16))))
    tile = Tile((0, 0, 64, 64), 64)
    assert len(finder(np.zeros((64, 64, 3), np.uint8), [tile, tile])) == 1


@pytest.mark.parametrize("closer", [None, Detection(np.array([10, 11, 26, 27], np.float32), 0.6)])
def test_a_doubtful_face_is_reported_if_a_closer_look_is_sure(closer):
    finder = TiledDetector(
        CenterFaceDetector(one_peak(4, 4, score=0.2, size_hw=(16, 16))), lambda *_args, **_least: closer
    )
    found = finder(np.zeros((64, 64, 3), np.uint8), [Tile((0, 0, 64, 64), 64)])
    assert found == ([] if closer is None else [closer])


def test_closer_looks_go_first_where_nobody_is_followed():
    places = [(x, 10.0, x + 20, 30.0) for x in (0.0, 40, 80, 120)]
    looked_at = []

    class Faint:
        def __call__(self, _image, **_look):
            scores = (0.28, 0.26, 0.24, 0.22)
            return [Detection(np.array(box, np.float32), score) for box, score in zip(places, scores, strict=True)]

    def redetect(_image, box, _roll, *, threshold):
        del threshold
        looked_at.append(tuple(box.tolist()))

    frame, known = np.zeros((64, 160, 3), np.uint8), [np.array(box, np.float32) for box in places[:2]]
    TiledDetector(Faint(), redetect)(frame, [Tile((0, 0, 160, 64), 160)], known)
    assert looked_at == [places[2], places[3], places[0]]


LYING, UPRIGHT = np.array([20, 20, 120, 100], np.float32), np.array([50, 35, 85, 82], np.float32)
ON_ITS_SIDE = np.array([[90, 40], [90, 80], [70, 60], [50, 45], [50, 75]], np.float32)
AS_IT_STANDS = np.array([[50, 50], [85, 50], [67, 60], [55, 75], [80, 75]], np.float32)


class OnItsSide:
    """Sees a large face that lies wherever a frame is shown to it on its side."""

    def __init__(self, score):
        self.score = score

    def __call__(self, _image, *, quarter_turns, **_how):
        return [Detection(LYING, self.score, ON_ITS_SIDE)] if quarter_turns % 2 else []


def lying_found(known, closer, *, score=0.9, keen=False, turns=1):
    finder = TiledDetector(OnItsSide(score), lambda *_a, **_h: None, apart=[lambda *_a, **_h: closer], sure=0.7)
    tile = Tile((0, 0, 160, 120), 192, quarter_turns=turns, room=0.0 if keen else 0.5, keen=keen)
    return [seen.box_xyxy.tolist() for seen in finder(np.zeros((120, 160, 3), np.uint8), [tile], known)]


@pytest.mark.parametrize(
    ("closer", "is_face"),
    [
        (None, False),
        (Detection(UPRIGHT, 0.9, AS_IT_STANDS), False),
        (Detection(LYING, 0.9, AS_IT_STANDS), False),
        (Detection(UPRIGHT, 0.9, ON_ITS_SIDE), False),
        (Detection(LYING + 4, 0.5, ON_ITS_SIDE), True),
    ],
    ids=["nothing else sees it", "the known face", "a face that stands", "too small", "a face that lies there"],
)
@pytest.mark.parametrize("score", [0.5, 0.9])
def test_what_seems_to_lie_around_a_known_face_must_be_seen_by_something_else(closer, is_face, score):
    assert lying_found([UPRIGHT], closer, score=score) == [LYING.tolist()] * is_face


@pytest.mark.parametrize(
    "known",
    [[], [UPRIGHT + np.float32(40)], [UPRIGHT - np.array([45, 0, 45, 0], np.float32)], [LYING + 8], [LYING * 3 - 80]],
    ids=["nobody known", "aside", "cheek to cheek", "the known face itself", "a known face around it"],
)
def test_what_lies_anywhere_else_needs_no_other_word(known):
    assert lying_found(known, None) == [LYING.tolist()]


def test_the_keen_detector_needs_no_other_word():
    assert lying_found([UPRIGHT], None, keen=True) == [LYING.tolist()]
