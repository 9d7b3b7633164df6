"""Detection: decoding, turning, suppression."""

import numpy as np
import pytest

from mien.vision.analysis.detector import EMPTY, CenterFaceDetector, YuNetDetector, suppress
from support.networks import one_cell, one_peak


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


@pytest.mark.parametrize(("turns", "down"), [(0, (0, 1)), (1, (-1, 0)), (2, (0, -1)), (3, (1, 0))])
def test_a_face_seen_in_a_turned_picture_is_reported_where_it_lies_in_the_upright_one(turns, down):
    frame = np.zeros((96, 128, 3), np.uint8)
    (face,) = CenterFaceDetector(one_peak(3, 5, size_hw=(40, 24)))(frame, long_side=128, quarter_turns=turns)
    marked = np.zeros_like(np.rot90(frame[..., 0], turns))
    marked[14 - 1 : 14 + 1, 22 - 1 : 22 + 1] = 1  # around the middle of cell (3, 5)
    rows, cols = np.nonzero(np.rot90(marked, -turns))
    np.testing.assert_allclose((face.box_xyxy[:2] + face.box_xyxy[2:]) / 2, [cols.mean() + 0.5, rows.mean() + 0.5])
    np.testing.assert_allclose(face.box_xyxy[2:] - face.box_xyxy[:2], (40, 24) if turns % 2 else (24, 40), atol=1e-3)
    towards_chin = face.landmarks[3:].mean(axis=0) - face.landmarks[:2].mean(axis=0)
    np.testing.assert_allclose(towards_chin / np.abs(towards_chin).max(), down, atol=1e-3)


def test_room_around_a_picture_is_empty_and_the_picture_lies_in_its_middle():
    seen = []

    def net(batch):
        seen.append(batch[0, 0])
        return one_peak(0, 0, score=0)(batch)

    CenterFaceDetector(net)(np.full((360, 640, 3), 255, np.uint8), long_side=192, room=0.5)
    (shown,) = seen
    assert shown.shape == (96, 192)  # 108 rounded to a multiple of 32
    assert (shown[24:72, 48:144] == 255).all()
    shown[24:72, 48:144] = EMPTY
    assert (shown == EMPTY).all()


@pytest.mark.parametrize("turns", range(4))
def test_a_face_larger_than_the_picture_is_reported_where_it_reaches_beyond_it(turns):
    picture = np.zeros((96, 96, 3), np.uint8)
    detector = CenterFaceDetector(one_peak(12, 12, size_hw=(80, 80)))
    (face,) = detector(picture, long_side=96, room=0.5, quarter_turns=turns)
    # The picture is seen at half its size, in the middle of 96 x 96; cell (12, 12) has its centre at (50, 50).
    middle = np.array([50, 50]) if turns == 0 else {1: (46, 50), 2: (46, 46), 3: (50, 46)}[turns]
    middle = (np.array(middle) - 24) * 2
    np.testing.assert_allclose(face.box_xyxy, [*(middle - 80), *(middle + 80)], atol=1e-3)


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_a_cell_of_each_of_yunets_grids_becomes_a_box_and_five_landmarks(stride):
    detector = YuNetDetector(one_cell(stride, 2, 3, size_wh=(32, 48), middle=(0.25, 0.5)))
    (face,) = detector(np.zeros((384, 640, 3), np.uint8), long_side=320)
    x, y = (3 + 0.25) * stride, (2 + 0.5) * stride  # in the 320 x 192 that the network sees
    np.testing.assert_allclose(face.box_xyxy, [2 * x - 32, 2 * y - 48, 2 * x + 32, 2 * y + 48], atol=1e-3)
    assert face.score == pytest.approx(np.sqrt(0.9 * 0.4), abs=1e-6)
    marks = np.array([[2.5, 1.5], [3.5, 1.5], [3, 2], [2.6, 2.5], [3.4, 2.5]])
    np.testing.assert_allclose(face.landmarks, marks * stride * 2, atol=1e-3)


def test_yunet_is_shown_blue_first():
    seen = []

    def net(batch):
        seen.append(batch[0, :, 0, 0].tolist())
        return one_cell(8, 0, 0, score=0)(batch)

    YuNetDetector(net)(np.full((64, 64, 3), (200, 100, 50), np.uint8), long_side=64)
    assert seen == [[50, 100, 200]]


def test_a_cell_that_is_not_sure_enough_is_no_face_of_yunets():
    detector = YuNetDetector(one_cell(16, 1, 1, score=0.04))
    assert detector(np.zeros((64, 64, 3), np.uint8), long_side=64) == []  # the root of 0.04 * 0.4 is 0.13
