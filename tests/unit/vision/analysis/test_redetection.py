"""A glance at the place where a face should be."""

import cv2
import numpy as np
import pytest
from skimage import data

from mien.vision.analysis.detector import CenterFaceDetector
from mien.vision.analysis.redetection import FACE, SIDE, RoiRedetector, roll_of
from mien.vision.types import Detection
from support.networks import one_peak

MIDDLE = SIDE // 8


def redetect(**peak):
    """Return a glance with a network that sees a face of the expected size in the middle, or where a test says."""
    return RoiRedetector(CenterFaceDetector(one_peak(**{"row": MIDDLE, "col": MIDDLE, "size_hw": (FACE, FACE)} | peak)))


@pytest.mark.parametrize("roll", [0.0, 0.7, np.pi / 2, -2.5])
def test_what_is_seen_in_the_middle_is_reported_where_the_face_was_expected(roll):
    box = np.array([300, 200, 360, 260], np.float32)
    seen = redetect()(np.zeros((480, 640, 3), np.uint8), box, roll)
    np.testing.assert_allclose(seen.box_xyxy, box, atol=5)  # half a cell of the network's grid
    assert np.cos(roll_of(seen) - roll) > 0.999


@pytest.mark.parametrize("peak", [{"col": 2}, {"row": 22}, {"size_hw": (90, 90)}, {"size_hw": (12, 12)}])
def test_a_face_elsewhere_or_of_another_size_is_not_the_expected_one(peak):
    assert redetect(**peak)(np.zeros((480, 640, 3), np.uint8), np.array([300, 200, 360, 260], np.float32), 0.0) is None


@pytest.mark.parametrize(
    "peak", [{"col": MIDDLE + 4}, {"row": MIDDLE - 4}, {"size_hw": (58, 58)}, {"size_hw": (28, 28)}]
)
def test_a_face_that_moved_by_less_than_half_its_size_or_came_nearer_is_the_expected_one(peak):
    box = np.array([300, 200, 360, 260], np.float32)
    assert redetect(**peak)(np.zeros((480, 640, 3), np.uint8), box, 0.0) is not None


@pytest.mark.parametrize("box", [(-30, -30, 20, 20), (600, 450, 700, 550), (900, 900, 950, 950), (5, 5, 6, 6)])
def test_a_place_at_the_edge_or_outside_does_no_harm(box):
    frame = np.zeros((480, 640, 3), np.uint8)
    seen = redetect()(frame, np.array(box, np.float32), 0.4)
    assert seen is None or np.isfinite(seen.box_xyxy).all()


@pytest.mark.parametrize("size", [30, 60, 240])
@pytest.mark.parametrize("roll_degrees", [0, 50, 180])
def test_the_network_is_shown_the_face_upright_and_of_one_size(size, roll_degrees):
    shown = []

    def net(batch):
        shown.append(batch[0].transpose(1, 2, 0))
        return one_peak(0, 0, score=0)(batch)

    face = cv2.resize(data.astronaut()[58:178, 166:286], (size, size), interpolation=cv2.INTER_AREA)
    place = cv2.getRotationMatrix2D((size / 2, size / 2), -roll_degrees, 1.0)
    place[:, 2] += (320 - size / 2, 240 - size / 2)
    frame = cv2.warpAffine(face, place, (640, 480), borderMode=cv2.BORDER_CONSTANT)
    half = size / 2
    RoiRedetector(CenterFaceDetector(net))(
        frame, np.array([320 - half, 240 - half, 320 + half, 240 + half], np.float32), np.deg2rad(roll_degrees)
    )
    inner = slice(SIDE // 2 - FACE // 2 + 4, SIDE // 2 + FACE // 2 - 4)
    wanted = cv2.resize(face, (FACE, FACE), interpolation=cv2.INTER_AREA)[4:-4, 4:-4].astype(np.float32)
    assert np.abs(shown[0][inner, inner] - wanted).mean() < 18


def test_the_roll_of_a_face_without_landmarks_counts_as_upright():
    assert roll_of(Detection(np.zeros(4, np.float32), 0.5)) == 0
