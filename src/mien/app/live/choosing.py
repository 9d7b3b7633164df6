"""Which face an owner points at, and how it becomes the primary person's."""

from collections.abc import Sequence

from mien.app.policy.document import PolicyDocument
from mien.app.ports import ChoosesPrimary, Pipeline
from mien.app.states import PrimaryChoice
from mien.errors import NoSuchFaceError, PrimaryNotInPolicyError, PrimaryRegisteredError
from mien.vision.types import FaceTold


def choose_primary(pipeline: Pipeline, policy: PolicyDocument, choice: PrimaryChoice, faces: Sequence[FaceTold]) -> int:
    """Bind the primary person of `pipeline` to a face, from the next frame on; return the face's id.

    Args:
        pipeline: It treats frames now.
        policy: What the broadcaster wants.
        choice: A face or a point.
        faces: Those of the frame that viewers see.

    Raises:
        NoSuchFaceError: There is no such face.
        PrimaryNotInPolicyError: Nobody is to be chosen, by the policy or for want of time.
        PrimaryRegisteredError: A rule for a person applies to it.
    """
    if policy.primary is None or not isinstance(pipeline, ChoosesPrimary):
        raise PrimaryNotInPolicyError("the policy has no rule for the primary person")
    chosen = face_chosen(choice, faces)
    if not pipeline.choose_primary(chosen):
        raise PrimaryNotInPolicyError("there is no time for the primary person's treatment just now")
    return chosen


def asked_primary(pipeline: Pipeline) -> int:
    """Return the face that is to be the primary person and is not yet; 0 for none."""
    return (pipeline.asked_primary or 0) if isinstance(pipeline, ChoosesPrimary) else 0


def face_chosen(choice: PrimaryChoice, faces: Sequence[FaceTold]) -> int:
    """Return the face track that is chosen.

    Args:
        choice: A face or a point.
        faces: Those of the frame that viewers see.

    Raises:
        NoSuchFaceError: There is none.
        PrimaryRegisteredError: It is somebody's who is known.

    Example:
        >>> face_chosen(PrimaryChoice(point=(0.5, 0.5)), [FaceTold(7, (0.4, 0.4, 0.6, 0.6), "mosaic")])
        7
    """
    here = [face for face in faces if face.face_track_id == choice.face]
    if choice.point is not None:
        here = sorted(
            (face for face in faces if _holds(face, choice.point)), key=lambda face: _away(face, choice.point)
        )
    if not here:
        raise NoSuchFaceError("no face is there in the picture that viewers see now")
    if here[0].person is not None and here[0].doubt is None:
        raise PrimaryRegisteredError("this is a registered person, whose own rule applies")
    return here[0].face_track_id


def _holds(face: FaceTold, point: tuple[float, float]) -> bool:
    x0, y0, x1, y1 = face.box
    return x0 <= point[0] <= x1 and y0 <= point[1] <= y1


def _away(face: FaceTold, point: tuple[float, float] | None) -> float:
    """Return how far a point is from a face's middle, in sizes of the face."""
    x0, y0, x1, y1 = face.box
    x, y = point or (0.0, 0.0)
    across, down = (2 * x - x0 - x1) / max(x1 - x0, 1e-6), (2 * y - y0 - y1) / max(y1 - y0, 1e-6)
    return across**2 + down**2
