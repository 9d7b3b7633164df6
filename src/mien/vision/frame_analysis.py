"""Frame analysis: what is known of one frame, as plain values that an analyzer gives and a renderer takes.

A frame analysis never changes. What a newer frame tells about an older one that still waits is an `Amendment`, and
applying it gives another analysis. Nothing here knows how a face was found or what is drawn over it.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from mien.vision.types import Box, Doubt, Face, Image


@dataclass(frozen=True, slots=True)
class Subjects:
    """Whom an analysis must tell apart from everybody else.

    Attributes:
        people: The enrolled people who have a treatment of their own.
        primary: Whether one person is to be chosen, and known again: the largest face when it began.
    """

    people: frozenset[str] = frozenset()
    primary: bool = False


@dataclass(frozen=True, slots=True)
class LatePlace:
    """A place in a frame where a face is, or may be, that was found only in a newer frame.

    Attributes:
        box_xyxy: (4,) pixels.
        grow: How much larger than the box the uncertain area is, as a factor.
        face_track_id: The face's track, or None where it has none.
    """

    box_xyxy: Box
    grow: float
    face_track_id: int | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """How a frame follows on the one before.

    Attributes:
        cut: It shows another scene, or may do so: nothing known about the last frame holds for it.
        resized: It has another size than the last frame; the first frame has.
    """

    cut: bool = False
    resized: bool = False

    @property
    def is_new(self) -> bool:
        """True where the frame begins a scene."""
        return self.cut or self.resized


@dataclass(frozen=True, slots=True)
class Amendment:
    """What a newer frame tells about one that still waits.

    Attributes:
        at: Capture time of the frame that waits.
        found: Where a face is that was not found in time.
        astray: Face tracks whose landmarks may lie beside the face in this frame.
        refuted: Face tracks that follow no face.
        nameless: Face tracks that lost their name; the doubt may have begun in this frame.
        primary_refuted: The face that was the primary person turned out to be somebody else.
        primary_id: The face track that was the primary person, which was not known in time.
    """

    at: float
    found: tuple[LatePlace, ...] = ()
    astray: frozenset[int] = frozenset()
    refuted: frozenset[int] = frozenset()
    nameless: frozenset[int] = frozenset()
    primary_refuted: bool = False
    primary_id: int | None = None


@dataclass(frozen=True, slots=True)
class FrameAnalysis:
    """What is known of one frame of a stream.

    Attributes:
        at: Capture time in seconds.
        faces: The faces in it, with those that are carried over because they were lost a moment ago.
        scene: How it follows on the frame before.
        primary_id: The face track that surely is the primary person, or None.
        late_places: Where faces are, or may be, that only newer frames showed.
        astray: Face tracks whose landmarks may lie beside the face.
        amendments: What it tells about older frames that wait, oldest news first.
    """

    at: float
    faces: tuple[Face, ...] = ()
    scene: Scene = Scene()
    primary_id: int | None = None
    late_places: tuple[LatePlace, ...] = ()
    astray: frozenset[int] = frozenset()
    amendments: tuple[Amendment, ...] = ()

    def amended(self, amendment: Amendment) -> "FrameAnalysis":
        """Return what is known of the frame with what a newer one tells."""
        gone, nameless = amendment.refuted, amendment.nameless
        primary_id = None if amendment.primary_refuted else self.primary_id
        return replace(
            self,
            faces=tuple(_nameless(f, nameless) for f in self.faces if f.face_track_id not in gone),
            primary_id=primary_id if amendment.primary_id is None else amendment.primary_id,
            late_places=(*(p for p in self.late_places if p.face_track_id not in gone), *amendment.found),
            astray=self.astray | amendment.astray,
        )

    def named(self) -> frozenset[int]:
        """Return the face tracks that have a name."""
        return frozenset(face.face_track_id for face in self.faces if face.identity is not None)


class WaitingFrame(NamedTuple):
    """A frame that has not left: as it was captured, and what is known of it."""

    image: Image
    analysis: FrameAnalysis


def _nameless(face: Face, nameless: frozenset[int]) -> Face:
    if face.face_track_id not in nameless:
        return face
    return replace(face, identity=None, likely_identity=None, doubt=Doubt.UNSURE)
