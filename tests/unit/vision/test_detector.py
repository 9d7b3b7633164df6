"""Detection: decoding, looks, suppression."""

import numpy as np
import pytest

from mien.vision.detector import CenterFaceDetector, Finder, Look, LookSchedule, overlapping_parts, suppress


def one_peak(row, col, *, score=0.9, size_hw=(40, 32)):
    """Return a network that sees one face at a cell of its output grid, whatever it is shown."""

    def net(batch):
        height, width = batch.shape[2] // 4, batch.shape[3] // 4
        out = {
            "heatmap": np.zeros((1, 1, height, width), np.float32),
            "scale": np.zeros((1, 2, height, width), np.float32),
            "offset": np.zeros((1, 2, height, width), np.float32),
            "landmarks": np.zeros((1, 10, height, width), np.float32),
        }
        out["heatmap"][0, 0, row, col] = score
        out["scale"][0, :, row, col] = np.log(np.array(size_hw) / 4)
        out["landmarks"][0, :, row, col] = [0.3, 0.25, 0.3, 0.75, 0.5, 0.5, 0.8, 0.3, 0.8, 0.7]
        return out

    return net


def test_a_peak_becomes_a_box_and_five_landmarks_in_frame_pixels():
    detector = CenterFaceDetector(one_peak(10, 20))
    (face,) = detector(np.zeros((384, 640, 3), np.uint8), long_side=320)
    # cell (10, 20) has its centre at (82, 42) of the network's 320x192, so at (164, 84) of 640x384
    np.testing.assert_allclose(face.box_xyxy, [164 - 32, 84 - 40, 164 + 32, 84 + 40], atol=1e-3)
    np.testing.assert_allclose(face.landmarks[0], [132 + 0.25 * 64, 44 + 0.3 * 80], atol=1e-3)
    assert face.score == pytest.approx(0.9)


def test_a_faint_peak_is_no_face():
    assert CenterFaceDetector(one_peak(3, 3, score=0.2))(np.zeros((64, 64, 3), np.uint8), long_side=64) == []


def test_the_network_sees_sides_that_are_multiples_of_32():
    seen = []

    def net(batch):
        seen.append(batch.shape)
        return one_peak(0, 0, score=0)(batch)

    CenterFaceDetector(net)(np.zeros((717, 1279, 3), np.uint8), long_side=320)
    assert seen == [(1, 3, 192, 320)]


def test_suppression_keeps_the_best_of_boxes_on_one_face_and_both_of_two():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]], np.float32)
    assert sorted(suppress(boxes, np.array([0.6, 0.9, 0.5], np.float32))) == [1, 2]


def test_parts_cover_the_whole_frame_and_overlap():
    covered = np.zeros((720, 1280), int)
    for x0, y0, x1, y1 in overlapping_parts((1280, 720), 2):
        covered[y0:y1, x0:x1] += 1
    assert covered.min() == 1
    assert covered.max() == 4


def test_every_second_look_is_the_whole_picture_and_all_parts_get_their_turn():
    schedule = LookSchedule((1280, 720))
    looks = [schedule.looks()[0].part_xyxy for _ in range(8)]
    assert looks[0::2] == [(0, 0, 1280, 720)] * 4
    assert len(set(looks[1::2])) == 4


def test_looks_at_parts_can_be_saved_but_the_whole_is_seen_in_every_second_frame():
    schedule = LookSchedule((640, 360), part_every=2)
    looks = [[look.part_xyxy == (0, 0, 640, 360) for look in schedule.looks()] for _ in range(8)]
    assert looks == [[True], [False], [True], [], [True], [False], [True], []]


def test_a_near_face_is_left_to_the_look_at_the_whole():
    finder = Finder(CenterFaceDetector(one_peak(8, 8, size_hw=(40, 40))))
    frame = np.zeros((256, 256, 3), np.uint8)
    assert finder(frame, [Look((64, 64, 192, 192), 128)]) == []
    assert len(finder(frame[:128, :128], [Look((0, 0, 128, 128), 128)])) == 1


def test_a_face_cut_by_the_inner_edge_of_a_part_is_left_to_the_next_part():
    finder = Finder(CenterFaceDetector(one_peak(1, 16, size_hw=(16, 16))))
    frame = np.zeros((256, 256, 3), np.uint8)
    assert finder(frame, [Look((0, 64, 128, 192), 128)]) == []
    assert len(finder(frame, [Look((0, 0, 128, 128), 128)])) == 1


def test_a_face_found_in_a_part_is_reported_where_it_is_in_the_frame():
    finder = Finder(CenterFaceDetector(one_peak(8, 8, size_hw=(16, 16))))
    (face,) = finder(np.zeros((200, 300, 3), np.uint8), [Look((100, 50, 164, 114), 64)])
    np.testing.assert_allclose(face.box_xyxy, [126, 76, 142, 92], atol=1e-3)


def test_a_face_seen_by_two_looks_is_reported_once():
    finder = Finder(CenterFaceDetector(one_peak(4, 4, size_hw=(16, 16))))
    look = Look((0, 0, 64, 64), 64)
    assert len(finder(np.zeros((64, 64, 3), np.uint8), [look, look])) == 1
