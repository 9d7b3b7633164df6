"""The network that comes with mien, on a photo."""

import cv2
import numpy as np
import pytest

from mien.vision.analysis.detector import CenterFaceDetector
from mien.vision.analysis.landmarks import MeshLandmarker, roi_of_detection
from mien.vision.analysis.tiled_detector import TiledDetector
from mien.vision.analysis.tiles import Tile
from mien.vision.mesh.regions import inner, openings
from mien.vision.mesh.texture_map import unwrap
from mien.vision.swap.occlusion import FINE_SIDE, LearntOcclusion
from support.photos import astronaut

pytestmark = pytest.mark.models
SKIN = (inner(FINE_SIDE) > 0.9) & (openings(FINE_SIDE) < 0.1)


@pytest.fixture(scope="module")
def face(runtime):
    """The flat face of a public-domain portrait, and what the network says of a flat face."""
    photo = astronaut()
    (seen,) = TiledDetector(CenterFaceDetector(runtime.open("centerface")))(
        photo, [Tile((0, 0, *photo.shape[1::-1]), 640)]
    )
    mesh, _ = MeshLandmarker(runtime.open("face-mesh")).settle(photo, roi_of_detection(seen), rounds=3)
    net = runtime.open("face-occlusion")
    return unwrap(photo, mesh, FINE_SIDE), lambda texture: LearntOcclusion(net)(texture, dt=1 / 30)


def test_nothing_is_cut_out_of_a_face_with_nothing_before_it(face):
    texture, free = face
    assert free(texture)[SKIN].mean() > 0.97


@pytest.mark.parametrize("gain", [(0.35, 0.35, 0.35), (1.2, 0.9, 0.7), (0.8, 0.9, 1.2)], ids=["dark", "warm", "cold"])
def test_light_and_its_colour_hide_nothing(face, gain):
    texture, free = face
    assert free(np.clip(texture * np.array(gain), 0, 255).astype(np.uint8))[SKIN].mean() > 0.95


@pytest.mark.parametrize("colour", [(235, 235, 228), (25, 25, 28), (40, 70, 150)], ids=["paper", "phone", "cup"])
def test_a_thing_before_the_mouth_is_seen(face, colour):
    texture, free = face
    covered = texture.copy()
    cv2.fillConvexPoly(covered, np.array([[40, 70], [92, 74], [90, 118], [38, 114]], np.int32), colour)
    matte = free(covered)
    assert matte[82:106, 48:82].mean() < 0.1
    assert matte[SKIN & (np.arange(FINE_SIDE)[:, None] < 64)].mean() > 0.9
