"""The analysis of real faces, used by others than the renderer: people are counted, and nothing is drawn."""

import pytest

from mien.app.models import DETECTOR, FINDER
from mien.vision.analysis.analyzer import AnalyzerParts, FaceAnalyzer
from mien.vision.analysis.detector import CenterFaceDetector, YuNetDetector
from mien.vision.analysis.redetection import RoiRedetector
from mien.vision.analysis.tiled_detector import TiledDetector
from mien.vision.analysis.tracker import FaceTracker
from support.scenes import astronaut_frames

pytestmark = pytest.mark.models


def test_who_counts_faces_needs_no_renderer_and_leaves_every_frame_as_it_was(runtime):
    keen = CenterFaceDetector(runtime.open(DETECTOR))
    redetect = RoiRedetector(keen)
    find = TiledDetector(YuNetDetector(runtime.open(FINDER)), redetect, keen)
    analyzer = FaceAnalyzer(AnalyzerParts(find, FaceTracker(None, redetect), redetect))
    numbers = []
    for i, image in enumerate(astronaut_frames(0.5, fps=20, faces=3, face_px=110, size_wh=(960, 540))):
        before = image.tobytes()
        analysis = analyzer(image, at=i / 20)
        numbers.append(tuple(sorted(face.face_track_id for face in analysis.faces)))
        assert image.tobytes() == before
    assert set(numbers) == {(1, 2, 3)}, "three people, in every frame the same"
