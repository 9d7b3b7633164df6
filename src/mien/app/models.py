"""The networks: which ones there are, and what is made of them. All pipelines share them; each is opened once.

A second implementation of one (another detector, another runtime) is put in here and nowhere else. It may import the
registry's runtime, `mien.inference` and `mien.vision`.
"""

import threading
from functools import cached_property

from mien.inference.hardware import has_int8_dot_products
from mien.registry.runtime import Runtime
from mien.vision.analysis.candidates import DOUBTED_FROM_PX, CandidateReview, MeshCheck
from mien.vision.analysis.detector import EXPECTED, SURE, CenterFaceDetector, YuNetDetector
from mien.vision.analysis.embedder import DlibEmbedder
from mien.vision.analysis.landmarks import MeshLandmarker
from mien.vision.analysis.redetection import FaceCheck, RoiRedetector
from mien.vision.analysis.tiled_detector import TiledDetector
from mien.vision.types import Net

FINDER, DETECTOR, MESH, EMBEDDER, OCCLUSION = "yunet", "centerface", "face-mesh", "dlib-face", "face-occlusion"
QUICK_DETECTOR = "centerface-int8"
DEFAULT_MODELS = (FINDER, DETECTOR, QUICK_DETECTOR, MESH, EMBEDDER, OCCLUSION)

SURE_OF_QUICK = 0.7
"""Least score of the quick detector from which a candidate is hidden before the other has seen it."""
CHECKED_AT_PX = (40, 56, 24)
"""Sizes at which large candidates are shown to the other detector: of real ones seen in single frames of real clips 96
of 98 are confirmed at one of them or by a mesh, of wrong ones one in eight."""


class ModelProvider:
    """Opens networks, each once, and shares them. Safe to use from any thread.

    Args:
        runtime: Opens models.
        quick: Use the detector in 8-bit numbers; by default, where the processor runs it exactly.

    Raises:
        ModelError: From every property: a model cannot be had.
    """

    def __init__(self, runtime: Runtime, *, quick: bool | None = None) -> None:
        self._runtime = runtime
        self._quick = has_int8_dot_products() if quick is None else quick
        self._lock = threading.RLock()

    @property
    def tiled_detector(self) -> TiledDetector:
        """Finds faces in moving pictures."""
        with self._lock:
            return self._finder_once

    @property
    def still_detector(self) -> TiledDetector:
        """Finds faces in a single picture; what is faint, too: of one larger than it hardly more can be seen."""
        with self._lock:
            quick = YuNetDetector(self._runtime.open(FINDER))
            return TiledDetector(quick, self._redetect_once, self._detector, apart=self._apart, sure=SURE)

    @property
    def photo_finder(self) -> TiledDetector:
        """Finds the faces of a photo."""
        with self._lock:
            return self._photo_finder_once

    @property
    def redetect(self) -> RoiRedetector:
        """Finds a face again where it was."""
        with self._lock:
            return self._redetect_once

    @property
    def landmarker(self) -> MeshLandmarker:
        """Lays a mesh over a face."""
        with self._lock:
            return self._landmarker_once

    @property
    def embedder(self) -> DlibEmbedder:
        """Turns a face into a vector."""
        with self._lock:
            return self._embedder_once

    @property
    def occlusion(self) -> Net:
        """Tells what is in front of a face."""
        with self._lock:
            return self._occlusion_once

    def candidate_review(self) -> CandidateReview:
        """Return what refutes large candidates that nothing confirms, for one stream."""
        with self._lock:
            return CandidateReview(self._checks, self._mesh_check)

    @cached_property
    def _detector(self) -> CenterFaceDetector:
        return CenterFaceDetector(self._runtime.open(QUICK_DETECTOR if self._quick else DETECTOR))

    @cached_property
    def _finder_once(self) -> TiledDetector:
        quick = YuNetDetector(self._runtime.open(FINDER))
        checks: list[tuple[FaceCheck, float]] = [(self._mesh_check, DOUBTED_FROM_PX)]
        checks += [(check, DOUBTED_FROM_PX) for check in self._checks[1:]]  # the first re-detects
        return TiledDetector(
            quick,
            self._redetect_once,
            self._detector,
            checks=checks,
            apart=self._apart,
            suspect=EXPECTED,
            sure=SURE_OF_QUICK,
        )

    @cached_property
    def _mesh_check(self) -> MeshCheck:
        return MeshCheck(self._landmarker_once)

    @cached_property
    def _checks(self) -> tuple[RoiRedetector, ...]:
        return tuple(RoiRedetector(self._detector, face_px=size) for size in CHECKED_AT_PX)

    @cached_property
    def _apart(self) -> tuple[FaceCheck, ...]:
        """Tell what lies around a known face from it; seen at 24 px, CenterFace is taken in half of the time."""
        return (self._mesh_check, *self._checks[:2])

    @cached_property
    def _photo_finder_once(self) -> TiledDetector:
        return TiledDetector(self._detector, self._redetect_once)

    @cached_property
    def _redetect_once(self) -> RoiRedetector:
        return RoiRedetector(self._detector)

    @cached_property
    def _landmarker_once(self) -> MeshLandmarker:
        return MeshLandmarker(self._runtime.open(MESH))

    @cached_property
    def _embedder_once(self) -> DlibEmbedder:
        return DlibEmbedder(self._runtime.open(EMBEDDER))

    @cached_property
    def _occlusion_once(self) -> Net:
        return self._runtime.open(OCCLUSION)
