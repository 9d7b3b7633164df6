"""A recogniser and a detector that the product does not use: who can be told in a picture by somebody else's eyes.

The weights lie in ../shared/weights beside the checkout: MobileFaceNet by foamliu, and YuNet, run by OpenCV.
"""

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pytest

from mien.inference.ort import ort
from mien.vision.types import Embedding, Image

_ARCFACE: Final = np.array([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]], np.float32)


class OtherRecogniser:
    """Finds faces and turns them into vectors.

    Args:
        detector: YuNet.
        network: MobileFaceNet.
    """

    SAME: Final = 0.5
    """Cosine from which two pictures show one person."""

    def __init__(self, detector: Path, network: Path) -> None:
        self._find = cv2.FaceDetectorYN.create(str(detector), "", (320, 320), 0.5)
        self._net = ort.InferenceSession(str(network), providers=["CPUExecutionProvider"])

    @classmethod
    def beside(cls, media: Path) -> "OtherRecogniser":
        """Return the one whose weights lie beside a folder of clips; without them the test is skipped."""
        weights = media.parent / "weights"
        detector, network = weights / "yunet_n_dynamic.onnx", weights / "mobilefacenet_foamliu.onnx"
        if not detector.is_file() or not network.is_file():
            pytest.skip("no recogniser in ../shared/weights beside this checkout")
        return cls(detector, network)

    def __call__(self, image: Image) -> list[Embedding]:
        """Return a vector for each face that is found, the largest first."""
        bgr = np.ascontiguousarray(image[..., ::-1])
        self._find.setInputSize((bgr.shape[1], bgr.shape[0]))
        found: Any = self._find.detect(bgr)[1]
        rows = np.array(() if found is None else found, np.float32).reshape(-1, 15)
        return [self._embed(image, row[4:14].reshape(5, 2)) for row in rows[np.argsort(-rows[:, 2] * rows[:, 3])]]

    def largest(self, image: Image) -> Embedding:
        """Return the vector of the largest face, which must be there."""
        return self(image)[0]

    def _embed(self, image: Image, landmarks: np.ndarray) -> Embedding:
        place, _ = cv2.estimateAffinePartial2D(landmarks, _ARCFACE, method=cv2.LMEDS)
        crop = cv2.warpAffine(image, place, (112, 112)).astype(np.float32) / 255
        crop = (crop - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
        vector = self._net.run(None, {"input0": crop.transpose(2, 0, 1)[None].astype(np.float32)})[0].reshape(-1)
        return np.asarray(vector / np.linalg.norm(vector), np.float32)
