import pytest

from mien.app.live.choosing import face_chosen
from mien.app.states import PrimaryChoice
from mien.errors import NoSuchFaceError, PrimaryRegisteredError
from mien.vision.types import Doubt, FaceTold

LARGE = FaceTold(1, (0.1, 0.1, 0.6, 0.9), "mosaic")
SMALL = FaceTold(2, (0.5, 0.4, 0.6, 0.6), "mosaic", doubt=Doubt.STRANGER)
ANN = FaceTold(3, (0.8, 0.1, 0.9, 0.3), "show", person="7")
MAYBE = FaceTold(4, (0.8, 0.6, 0.9, 0.8), "mosaic", person="7", doubt=Doubt.UNSURE)
FACES = (LARGE, SMALL, ANN, MAYBE)


@pytest.mark.parametrize(
    ("choice", "face"),
    [
        pytest.param(PrimaryChoice(point=(0.3, 0.5)), 1, id="in one"),
        pytest.param(PrimaryChoice(point=(0.55, 0.5)), 2, id="in two, nearer the middle of the smaller"),
        pytest.param(PrimaryChoice(face=2), 2, id="by its id"),
        pytest.param(PrimaryChoice(point=(0.85, 0.7)), 4, id="who only seems to be registered"),
    ],
)
def test_the_face_that_was_pointed_at_is_chosen(choice, face):
    assert face_chosen(choice, FACES) == face


@pytest.mark.parametrize(
    "choice", [PrimaryChoice(point=(0.7, 0.5)), PrimaryChoice(face=9), PrimaryChoice(point=(0, 0))]
)
def test_where_no_face_is_nobody_is_chosen(choice):
    with pytest.raises(NoSuchFaceError):
        face_chosen(choice, FACES)
    with pytest.raises(NoSuchFaceError):
        face_chosen(PrimaryChoice(point=(0.3, 0.5)), ())


@pytest.mark.parametrize("choice", [PrimaryChoice(face=3), PrimaryChoice(point=(0.85, 0.2))])
def test_a_registered_person_is_not_chosen(choice):
    with pytest.raises(PrimaryRegisteredError):
        face_chosen(choice, FACES)
