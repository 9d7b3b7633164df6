"""The nouns every part of vision speaks: images, detections, faces, treated frames."""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.errors import ShapeError

Image: TypeAlias = NDArray[np.uint8]
"""RGB, uint8, (H, W, 3)."""
Points: TypeAlias = NDArray[np.float32]
"""(N, 2) float32 pixels, x then y, origin at the top-left corner of the image."""
Mesh: TypeAlias = NDArray[np.float32]
"""(468, 3) float32: x and y in pixels of the frame, z in the same unit, smaller is nearer."""
Box: TypeAlias = NDArray[np.float32]
"""(4,) float32: x0, y0, x1, y1 in pixels of the frame; may reach outside the frame."""
Matte: TypeAlias = NDArray[np.float32]
"""(H, W) float32 in 0..1."""
Affine: TypeAlias = NDArray[np.float32]
"""(2, 3) float32, maps (x, y, 1) to (x, y)."""
Embedding: TypeAlias = NDArray[np.float32]
"""(D,) float32 of L2 norm 1."""


class Net(Protocol):
    """An ONNX network, loaded and checked: one float32 batch in, named arrays out.

    `registry.runtime.Runtime.open` makes one from a card; a test may pass a function.
    """

    def __call__(self, batch: NDArray[np.float32], /) -> dict[str, NDArray[np.float32]]:
        """Run the network on `batch`, shaped as the card's input contract says."""
        ...


@dataclass(frozen=True, slots=True)
class Detection:
    """A face that a detector saw in one image.

    Attributes:
        box_xyxy: (4,) pixels.
        score: 0 to 1.
        landmarks: (5, 2) image-left eye, image-right eye, nose tip, image-left and image-right mouth
            corner, or None where the detector gives none.
    """

    box_xyxy: Box
    score: float
    landmarks: Points | None = None


@dataclass(frozen=True, slots=True)
class Roi:
    """A turned square around a face: centre and side in pixels, angle in radians (positive turns clockwise)."""

    x: float
    y: float
    side: float
    angle: float


class FaceQuality(IntEnum):
    """How well a frame shows a face."""

    POOR = 0
    """Nobody can be told by it."""
    FAIR = 1
    """Small: it can speak against somebody known, or for them, but clears nobody."""
    LOPSIDED = 2
    """Turned, or pulling a face: it clears too, if it is more alike, and says little against anybody."""
    GOOD = 3


class Doubt(StrEnum):
    """Why a face is not surely anybody who is enrolled. The values are stable."""

    UNSURE = "unsure"
    """What evidence there is agrees, but there is not enough of it yet."""
    UNLIKE = "unlike"
    """It is not enough like anybody's photos, nor surely somebody else."""
    AMBIGUOUS = "ambiguous"
    """It is as much like two enrolled people."""
    TOO_SMALL = "too_small"
    TURNED = "turned"
    DARK = "dark"
    BLURRED = "blurred"
    COVERED = "covered"
    """Its landmarks cannot be laid: something is in front of it, or the frame cuts it."""
    CROSSING = "crossing"
    """It overlaps another face: they could be taken for each other."""
    MOVING = "moving"
    """It moved, or frames were missing, so that another face could have taken its place."""
    LOST = "lost"
    """This frame does not show it."""
    OVERLOAD = "overload"
    """There is no time to look as often as it needs."""
    STRANGER = "stranger"
    """Surely nobody who is enrolled."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one frame, followed in time.

    Attributes:
        face_track_id: Stable while the face stays in view; never used again.
        box_xyxy: (4,) pixels, tight around the face.
        swept_box_xyxy: (4,) pixels, everywhere the face was a moment ago; a cover must hide all of it.
        mesh: Dense landmarks, or None where they could not be trusted in this frame.
        mesh_score: How surely the mesh sits on a face, 0 to 1; 0 without a mesh.
        seen: True where this frame's own pixels showed the face; False where it is carried over.
        identity: The enrolled person this face track is cleared as, or None. None means stranger.
        likely_identity: The enrolled person for whom the evidence speaks so far, or spoke until a doubt came up, or
            None. Somebody may be told of it, and nobody is shown by it.
        quality: How well this frame shows the face; None where nothing had to know.
        unseen_s: For how long the face has not been seen; 0 where it is.
        doubt: Why it has no identity; None where it has one, or nobody is enrolled.
    """

    face_track_id: int
    box_xyxy: Box
    swept_box_xyxy: Box
    mesh: Mesh | None = None
    mesh_score: float = 0.0
    seen: bool = True
    identity: str | None = None
    likely_identity: str | None = None
    quality: FaceQuality | None = None
    unseen_s: float = 0.0
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class FaceTold:
    """What became of one face of a treated frame, for whoever answers for the stream. It holds nothing to know it by.

    Attributes:
        face_track_id: Stable while the face stays in view.
        box: x0, y0, x1, y1 as shares of the frame's width and height, 0 to 1.
        treatment: What it got, by its name.
        is_primary: It is the primary person.
        person: The enrolled person it is cleared as; where it has a doubt, for whom the evidence speaks, or None.
        doubt: Why it is not cleared; None where it is, or nobody is enrolled.
    """

    face_track_id: int
    box: tuple[float, float, float, float]
    treatment: str
    is_primary: bool = False
    person: str | None = None
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class TreatedFrame:
    """A frame every face of which has had its treatment: the only kind of picture that may leave.

    Only the renderer and the slate make one. Encoders and writers take nothing else, so that no code path can send a
    camera picture by mistake.

    Attributes:
        image: The picture to send.
        at: Capture time in seconds.
        counts: How many faces had which treatment, by its name ("swap", "mosaic", "show").
        altered: True where any pixel differs from the camera's on purpose.
        recognised: The enrolled people who were cleared in it.
        faces: Its faces and what became of them, the largest first.
    """

    image: Image
    at: float
    counts: dict[str, int] = field(default_factory=dict)
    altered: bool = False
    recognised: frozenset[str] = frozenset()
    faces: tuple[FaceTold, ...] = ()


def check_image(image: NDArray[np.uint8], *, name: str = "image") -> Image:
    """Return `image` unchanged, or say what is wrong with it.

    Raises:
        ShapeError: It is not a non-empty (H, W, 3) uint8 array.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ShapeError(f"{name} must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
    return image
