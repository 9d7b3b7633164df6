"""The detector in 8-bit numbers sees what the one it is made of sees."""

import numpy as np
import pytest

from mien.inference.hardware import has_int8_dot_products
from mien.vision.analysis.detector import CenterFaceDetector
from support.scenes import astronaut_boxes, astronaut_frame


@pytest.mark.models
@pytest.mark.skipif(not has_int8_dot_products(), reason="this processor does not run it exactly")
@pytest.mark.parametrize("faces", [1, 2, 4])
def test_both_editions_find_the_same_faces(runtime, faces):
    frame = astronaut_frame(0.4, faces=faces)
    exact, quick = (CenterFaceDetector(runtime.open(card)) for card in ("centerface", "centerface-int8"))
    before, after = exact(frame, long_side=640), quick(frame, long_side=640)
    assert len(before) == len(after) == faces == len(astronaut_boxes(0.4, faces=faces))
    for seen in before:
        same = min(after, key=lambda other: np.abs(other.box_xyxy - seen.box_xyxy).max())
        size = float((seen.box_xyxy[2:] - seen.box_xyxy[:2]).max())
        assert np.abs(same.box_xyxy - seen.box_xyxy).max() < 0.1 * size
        assert abs(same.score - seen.score) < 0.15
