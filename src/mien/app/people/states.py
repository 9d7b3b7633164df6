"""What became of each registered person, by the faces of the frame that viewers see, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mien.app.policy.rules import MosaicTreatment, Treatment
from mien.app.states import FaceReport
from mien.vision.types import Doubt


class PersonState(StrEnum):
    """What viewers see of a registered person. The values are stable."""

    SHOWN = "shown"
    SWAPPED = "swapped"
    """They are known, and wear the persona of their rule."""
    HIDDEN = "hidden"
    """A face in the picture is, or seems to be, theirs, and is hidden."""
    NOT_SEEN = "not_seen"


@dataclass(frozen=True, slots=True)
class PersonReport:
    """What viewers see of a registered person, and why it is no more.

    Attributes:
        state: See there.
        reason: Why they are not shown or swapped, or None; of somebody not seen, what keeps a face from being told that
            may be theirs.
        face_id: The face meant; None where nobody is.
    """

    state: PersonState
    reason: Doubt | None = None
    face_id: int | None = None


_SEEN_AS: Final = {"show": PersonState.SHOWN, "swap": PersonState.SWAPPED}
_SAYS_NOTHING: Final = frozenset({"", Doubt.STRANGER, Doubt.LOST})


def report_of(person: str, treatment: Treatment, faces: Sequence[FaceReport]) -> PersonReport:
    """Return what viewers see of a person.

    Args:
        person: Their number.
        treatment: What the policy gives them.
        faces: Those of the frame that viewers see, the largest first.

    Example:
        >>> face = FaceReport(7, (0.1, 0.1, 0.2, 0.3), "mosaic", person="1", doubt="turned")
        >>> report_of("1", MosaicTreatment(), [face])
        PersonReport(state=<PersonState.HIDDEN: 'hidden'>, reason=<Doubt.TURNED: 'turned'>, face_id=7)
    """
    theirs = sorted((face for face in faces if face.person == person), key=lambda face: face.doubt != "")
    if theirs:
        face = theirs[0]
        if not face.doubt and face.treatment in _SEEN_AS:
            return PersonReport(_SEEN_AS[face.treatment], None, face.id)
        wanted = isinstance(treatment, MosaicTreatment)
        # Known, and hidden all the same: the policy has just changed, or the persona cannot be drawn.
        because = None if wanted and not face.doubt else Doubt(face.doubt or Doubt.UNSURE)
        return PersonReport(PersonState.HIDDEN, because, face.id)
    untold = next((face for face in faces if not face.person and face.doubt not in _SAYS_NOTHING), None)
    return PersonReport(PersonState.NOT_SEEN, None if untold is None else Doubt(untold.doubt))
