"""Face tracking by boxes and by meshes."""

import numpy as np
import pytest

from mien.vision.analysis.landmarks import MeshLandmarker, roi_of_mesh
from mien.vision.analysis.tracker import FaceTracker
from mien.vision.types import Detection

FRAME = np.zeros((360, 640, 3), np.uint8)


def at(x, y=100, size=60):
    return Detection(np.array([x, y, x + size, y + size], np.float32), 0.9)


def follow(tracker, *frames, fps=25):
    for i, found in enumerate(frames):
        tracks = tracker(FRAME, found, i / fps)
    return tracks


def test_a_moving_face_keeps_its_number():
    tracks = follow(FaceTracker(None), *([at(100 + 8 * i)] for i in range(20)))
    assert [t.id for t in tracks] == [1]


def test_two_faces_seen_in_one_frame_are_two_tracks_even_if_they_touch():
    tracks = follow(FaceTracker(None), [at(100)], [at(100), at(135)])
    assert len(tracks) == 2


def test_a_detection_many_times_larger_than_a_face_begins_a_track_of_its_own():
    small, large = follow(FaceTracker(None), [at(300, 150)], [at(300, 150), at(150, 20, size=300)])
    np.testing.assert_allclose(small.box_xyxy, at(300, 150).box_xyxy)
    np.testing.assert_allclose(large.box_xyxy, at(150, 20, size=300).box_xyxy)
    (small, large) = follow(FaceTracker(None), [at(300, 150)], [at(150, 20, size=300)])
    assert not small.seen
    assert large.seen


def test_a_missed_face_stays_where_it_is_heading_and_counts_as_unseen():
    (track,) = follow(FaceTracker(None), [at(100)], [at(110)], [at(120)], [])
    assert not track.seen
    assert track.box_xyxy[0] > 120


def test_a_face_lost_while_it_shrank_keeps_its_size():
    shrinking = [[at(100 + 10 * i, 100 + 10 * i, size=120 - 20 * i)] for i in range(4)]
    (track,) = follow(FaceTracker(None), *shrinking, *([] for _ in range(20)))
    assert not track.seen
    np.testing.assert_allclose(track.box_xyxy[2:] - track.box_xyxy[:2], 60, atol=1e-3)


def test_a_face_lost_for_longer_than_a_second_is_forgotten():
    frames = [[at(100)], *([] for _ in range(27))]
    assert follow(FaceTracker(None), *frames) == []


def test_a_number_is_not_used_again():
    tracker = FaceTracker(None)
    follow(tracker, [at(100)])
    tracker.forget()
    (track,) = tracker(FRAME, [at(100)], 1.0)
    assert track.id == 2


def test_crossing_faces_are_both_in_doubt():
    tracks = follow(FaceTracker(None), *([at(100 + 20 * i), at(300 - 20 * i)] for i in range(5)))
    assert len(tracks) == 2
    assert all(t.doubtful for t in tracks)


def test_where_faces_cross_each_cover_reaches_a_little_beyond_its_face():
    for track in follow(FaceTracker(None), [at(100), at(140)], [at(100), at(140)]):
        beyond = np.concatenate(
            [track.box_xyxy[:2] - track.swept_box_xyxy[:2], (track.swept_box_xyxy - track.box_xyxy)[2:]]
        )
        assert beyond.min() >= 0.05 * 60, "who is behind may look out beside the other"
        assert beyond.max() <= 0.2 * 60


@pytest.mark.parametrize(("beside", "in_doubt"), [(40, True), (57, False)])
def test_two_faces_could_be_taken_for_each_other_where_they_overlap_by_more_than_an_edge(beside, in_doubt):
    tracks = follow(FaceTracker(None), [at(100), at(100 + beside)], [at(100), at(100 + beside)])
    assert [track.doubtful for track in tracks] == [in_doubt] * 2


@pytest.mark.parametrize(("farther", "tracks"), [(30, 1), (55, 2)])
def test_what_half_covers_a_face_is_that_face_and_what_touches_it_is_another(farther, tracks):
    assert len(follow(FaceTracker(None), [at(100)], [at(100 + farther)])) == tracks


@pytest.mark.parametrize(("frames", "tracks"), [(20, 1), (32, 0)])
def test_a_lost_face_is_hidden_for_some_eight_tenths_of_a_second_and_no_longer_than_one_and_a_quarter(frames, tracks):
    assert len(follow(FaceTracker(None), [at(100)], *([] for _ in range(frames)))) == tracks


def test_most_of_the_reach_is_given_up_within_half_a_second_and_hardly_any_in_one_frame():
    tracker = FaceTracker(None)
    follow(tracker, [at(100, size=100)])
    (track,) = tracker(FRAME, [at(120, 120, size=60)], 0.04)
    assert 100 <= track.swept_box_xyxy[0] < 106
    for number in range(2, 15):
        (track,) = tracker(FRAME, [at(120, 120, size=60)], 0.04 * number)
    assert 116 < track.swept_box_xyxy[0] <= 120


def test_faces_apart_are_not_in_doubt():
    tracks = follow(FaceTracker(None), [at(100), at(300)], [at(102), at(298)])
    assert not any(t.doubtful for t in tracks)


def test_the_reach_of_a_face_grows_at_once_and_shrinks_slowly():
    tracker = FaceTracker(None)
    follow(tracker, [at(100, size=100)])
    (small,) = tracker(FRAME, [at(120, 120, size=60)], 0.04)
    assert small.swept_box_xyxy[0] < 110
    (large,) = tracker(FRAME, [at(60, 60, size=180)], 0.08)
    np.testing.assert_array_less(large.swept_box_xyxy[:2], [60.01, 60.01])


def redetecting(*answers):
    """Return a glance that gives these answers, one after another."""
    answers = list(answers)
    return lambda _image, _box, _roll: answers.pop(0) if answers else None


def test_a_face_that_no_look_shows_is_seen_if_a_glance_finds_it():
    (track,) = follow(FaceTracker(None, redetecting(at(108))), [at(100)], [])
    assert track.seen
    assert track.box_xyxy[0] == 108


def test_a_glance_that_finds_a_neighbour_does_not_move_a_lost_face_onto_it():
    one, other = follow(FaceTracker(None, redetecting(at(202))), [at(100), at(200)], [at(200)])
    assert not one.seen
    assert one.box_xyxy[0] == 100
    assert other.seen


def test_a_glance_goes_where_the_face_was_heading_and_as_it_was_turned():
    asked = []

    def redetect(_image, box, roll):
        asked.append((float(box[0]), roll))

    lying = np.array([[20, 40], [20, 60], [0, 50], [-20, 40], [-20, 60]], np.float32)  # eyes right, mouth left
    boxes = [Detection(at(100 + 20 * i).box_xyxy, 0.9, lying) for i in range(4)]
    follow(FaceTracker(None, redetect), *([box] for box in boxes), [])
    ((x, roll),) = asked
    assert 165 < x < 185
    assert roll == pytest.approx(np.pi / 2)


def mesh_net(score, *, spread=0.3):
    """Return a mesh network that lays a regular mesh in the middle of whatever it is shown."""
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 26), np.linspace(-1, 1, 18)), -1).reshape(-1, 2)
    points = np.zeros((468, 3), np.float32)
    points[:, :2] = 96 + grid * 192 * spread
    points[33, :2], points[263, :2] = (60, 80), (132, 80)

    def net(_batch):
        return {"points": points[None], "logits": np.array([[score()]], np.float32)}

    return net


def test_a_mesh_follows_its_face_without_detections():
    tracker = FaceTracker(MeshLandmarker(mesh_net(lambda: 5.0)))
    (track,) = follow(tracker, [at(100)], [], [], [])
    assert track.seen
    assert track.mesh is not None


def meshed_tracker(redetect=None):
    net = mesh_net(lambda: 5.0, spread=1 / 3)  # as large from frame to frame
    return FaceTracker(MeshLandmarker(net), redetect)


def test_a_mesh_beside_the_face_that_a_look_sees_is_dropped_both_places_hidden_and_laid_anew_by_the_next_look():
    tracker = meshed_tracker()
    follow(tracker, [at(100)], [at(100)], [])
    (track,) = tracker(FRAME, [at(120)], 0.12)  # still overlaps: it passed for the same face
    assert track.mesh is None
    assert track.doubtful
    assert track.last_place[1] == pytest.approx(0.04), "when a look last agreed with the mesh"
    assert track.swept_box_xyxy[0] < 115, "there may be two faces: the cover reaches over both places"
    assert track.swept_box_xyxy[2] >= 180
    (track,) = tracker(FRAME, [at(120)], 0.16)
    assert track.mesh is not None
    assert abs(track.mesh[:, 0].mean() - 150) < 10, "it follows the face"


def seen_lying(x, y=100, size=60):
    """Return a detection as `at` does, of a face that lies on its side."""
    marks = np.array([[0.3, 0.7], [0.3, 0.3], [0.5, 0.5], [0.7, 0.7], [0.7, 0.3]], np.float32)
    box = at(x, y, size).box_xyxy
    return Detection(box, 0.6, marks * size + box[:2])


def test_a_turned_look_that_contradicts_a_mesh_gives_way_to_a_glance_that_agrees():
    tracker = meshed_tracker(redetecting(at(101)))
    follow(tracker, [at(100)], [])
    (track,) = tracker(FRAME, [seen_lying(116)], 0.08)
    assert track.mesh is not None
    assert not track.doubtful
    assert track.unaided == 0


def test_an_upright_look_that_contradicts_a_confirmed_mesh_sees_a_second_face():
    tracker = meshed_tracker(redetecting(at(101)))
    follow(tracker, [at(100)], [])
    known, other = tracker(FRAME, [at(116)], 0.08)
    assert known.mesh is not None
    assert known.doubtful
    assert other.swept_box_xyxy[2] >= 176, "it is hidden, too"


@pytest.mark.parametrize("closer", [None, at(118)], ids=["none", "beside"])
def test_a_glance_that_does_not_agree_either_ends_the_mesh(closer):
    tracker = meshed_tracker(redetecting(closer))
    follow(tracker, [at(100)], [])
    (track,) = tracker(FRAME, [at(116)], 0.08)
    assert track.mesh is None
    assert track.doubtful
    assert track.swept_box_xyxy[0] < 105
    assert track.swept_box_xyxy[2] >= 176


def test_what_a_look_sees_well_beside_a_confirmed_mesh_is_another_face():
    tracker = meshed_tracker(redetecting(at(101)))
    follow(tracker, [at(100)], [])
    known, other = tracker(FRAME, [at(135)], 0.08)
    assert known.mesh is not None
    assert other.box_xyxy[0] == pytest.approx(135, abs=3)


@pytest.mark.parametrize("looks", [[at(101)], []], ids=["upright look too", "glance only"])
def test_a_known_face_seen_again_by_a_turned_look_is_no_second_face(looks):
    tracker = meshed_tracker(redetecting(at(101)))
    follow(tracker, [at(100)], [])
    (track,) = tracker(FRAME, [seen_lying(70, 70, 115), *looks], 0.08)
    assert track.mesh is not None
    assert not track.doubtful


def seen_well(detection):
    return Detection(detection.box_xyxy, 0.9, detection.landmarks)


@pytest.mark.parametrize(
    "lying",
    [seen_lying(135), seen_lying(115, 115, 30), seen_well(seen_lying(70, 70, 115))],
    ids=["beside", "smaller, in front", "larger, seen well"],
)
def test_a_face_that_lies_across_a_known_one_is_a_second_face(lying):
    tracker = meshed_tracker(redetecting(at(101)))
    follow(tracker, [at(100)], [])
    known, other = tracker(FRAME, [at(101), lying], 0.08)
    assert known.mesh is not None
    x0, y0, x1, y1 = other.swept_box_xyxy
    assert (np.array([x0, y0]) <= lying.box_xyxy[:2] + 3).all()
    assert (np.array([x1, y1]) >= lying.box_xyxy[2:] - 3).all()


def test_a_mesh_may_differ_a_little_from_what_a_look_sees():
    tracker = meshed_tracker()
    follow(tracker, [at(100)], [])
    (track,) = tracker(FRAME, [at(106)], 0.08)
    assert not track.doubtful
    assert abs(track.mesh[:, 0].mean() - 130) < 3, "the mesh is the better one"


@pytest.mark.parametrize(("answers", "followed"), [([], False), ([at(100)], True)])
def test_a_mesh_that_no_look_confirms_needs_a_glance(answers, followed):
    tracker = meshed_tracker(redetecting(*[None] * 5, *answers))
    (track,) = follow(tracker, [at(100)], *[[]] * 18)
    assert (track.mesh is not None) == followed


def test_a_mesh_that_doubts_itself_is_dropped_and_the_face_is_unseen_and_doubtful():
    logits = iter([5.0, 5.0, -5.0, -5.0])
    tracker = FaceTracker(MeshLandmarker(mesh_net(lambda: next(logits))))
    (track,) = follow(tracker, [at(100)], [])
    assert track.mesh is None
    assert not track.seen
    assert track.doubtful


@pytest.mark.parametrize(("logit", "holds"), [(0.8, True), (-0.8, False)])  # scores of 0.69 and 0.31
def test_a_mesh_holds_while_the_network_thinks_it_likelier_than_not(logit, holds):
    (track,) = follow(FaceTracker(MeshLandmarker(mesh_net(lambda: logit))), [at(100)], [at(100)])
    assert (track.mesh is not None) == holds


def test_two_meshes_on_one_face_leave_the_younger_track_hidden_where_it_was():
    tracker = FaceTracker(MeshLandmarker(mesh_net(lambda: 5.0)))
    older, younger = follow(tracker, [at(100), at(140)])
    before = younger.box_xyxy.copy()
    younger.mesh = older.mesh + np.float32(4)  # what a mesh does when its face goes behind another
    tracks = tracker(FRAME, [], 0.04)
    assert len(tracks) == 2
    assert tracks[0].doubtful
    assert not tracks[1].seen
    assert tracks[1].mesh is None
    assert tracks[1].swept_box_xyxy[0] <= before[0] + 1


@pytest.mark.parametrize("angle", [0.0, 0.6, -1.2, 2.5])
def test_a_turned_face_gives_a_turned_region_of_the_same_side(angle):
    mesh = np.zeros((468, 3), np.float32)
    grid = np.stack(np.meshgrid(np.linspace(-50, 50, 26), np.linspace(-60, 60, 18)), -1).reshape(-1, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mesh[:, :2] = grid
    mesh[33, :2], mesh[263, :2] = (-30, -20), (30, -20)
    mesh[:, :2] = mesh[:, :2] @ turn.T + (200, 150)
    roi = roi_of_mesh(mesh)
    assert roi.angle == pytest.approx(angle, abs=1e-4)
    assert roi.side == pytest.approx(120 * 1.5, rel=1e-3)
    assert (roi.x, roi.y) == pytest.approx((200, 150), abs=0.1)
