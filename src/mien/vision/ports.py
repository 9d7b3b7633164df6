"""Ports of vision: what an analyzer and a renderer need of networks and drawers, as small protocols.

A second implementation (another detector, a neural swapper, an executor on another device) fits in where a protocol
is named here, and changes nothing else. The implementations are in `analysis` and `swap`; this module imports none.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeAlias

from mien.vision.overlay_mask import OverlayMask
from mien.vision.types import Box, Detection, Embedding, Image, Matte, Mesh, Roi

Span: TypeAlias = Callable[[str], AbstractContextManager[object]]
"""Times a stage: `with span("find"): ...`. Vision has no clock of its own."""


def no_span(_name: str) -> AbstractContextManager[object]:
    """Do not time anything."""
    return nullcontext()


class Detector(Protocol):
    """Finds faces in an image: `CenterFaceDetector`, `YuNetDetector`, or a test's own."""

    def __call__(
        self, image: Image, *, long_side: int, quarter_turns: int = 0, room: float = 0.0, threshold: float = ...
    ) -> list[Detection]:
        """Find the faces of `image`.

        Args:
            image: RGB.
            long_side: Pixels that its longer side is scaled to, with the room around it.
            quarter_turns: How often the image is turned to the left by 90 degrees before it is searched. The networks
                know upright faces; one that lies is found in the turned image only.
            room: Empty room around the image, as a share of its sides on each side. A face that the frame cuts is
                found where the network has room for all of it.
            threshold: Least score; the implementation's own by default.

        Returns:
            Faces in pixels of `image`, best first. The landmarks keep the order of the upright face.
        """
        ...


class RoiRedetection(Protocol):
    """Looks for a face where one should be: a `RoiRedetector`, or a test's own."""

    def __call__(self, image: Image, box_xyxy: Box, roll: float, /) -> Detection | None:
        """Return the face near `box_xyxy`, turned by `roll` radians, or None where there is none."""
        ...


class Landmarker(Protocol):
    """Lays dense landmarks on one face: `MeshLandmarker`, or a test's own."""

    def __call__(self, image: Image, roi: Roi, /) -> tuple[Mesh, float]:
        """Return the mesh inside `roi` and how surely it sits on a face, 0 to 1."""
        ...

    def settle(self, image: Image, roi: Roi, /) -> tuple[Mesh, float]:
        """Lay the mesh on a face just found, whose place is not exact."""
        ...


class Embedder(Protocol):
    """Turns a face into a unit vector: `DlibEmbedder`, or a test's own."""

    def __call__(self, image: Image, mesh: Mesh, /) -> Embedding:
        """Return the embedding of the face under `mesh`, of L2 norm 1."""
        ...


class Swapper(Protocol):
    """Draws a persona over one face track: `MeshSwapper`. It holds what must not flicker, so each track has its own."""

    @property
    def overlays(self) -> OverlayMask | None:
        """Where the persona was drawn in the last frame; None where it was not."""
        ...

    @property
    def mosaic_opacity(self) -> float:
        """How much of the face a cover should hide in the last frame, 0 to 1."""
        ...

    def __call__(self, image: Image, mesh: Mesh, *, at: float) -> bool:
        """Draw the persona into `image`, in place; return False, and leave the image as it was, where it cannot."""
        ...

    def pause(self, *, at: float) -> None:
        """Take note that the face is hidden in another way in the frame captured at `at`."""
        ...


class Restorer(Protocol):
    """Improves a drawn face: `DetailMatch`. One serves one face track; it may remember."""

    def __call__(self, face: Image, live: Image, mesh: Mesh, *, dt: float) -> Image:
        """Return the face to blend in.

        Args:
            face: (H, W, 3) RGB, the persona as drawn; outside the face anything.
            live: (H, W, 3) RGB, what it will be blended over.
            mesh: Landmarks in pixels of both.
            dt: Seconds since the last call.
        """
        ...


class Occluder(Protocol):
    """Tells what is in front of a face: `LearntOcclusion`, `OcclusionRule`. One serves one face track."""

    @property
    def side(self) -> int:
        """Side of the flat texture that it is given, and of the matte that it returns, in texels."""
        ...

    def __call__(self, live: Image, *, dt: float) -> Matte:
        """Return where the persona may be drawn, (side, side) 0 to 1.

        Args:
            live: (side, side, 3) flat texture of the live face.
            dt: Seconds since the last call.
        """
        ...
