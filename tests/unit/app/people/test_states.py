import pytest

from mien.app.people.states import PersonReport, PersonState, report_of
from mien.app.policy.rules import MosaicTreatment, ShowTreatment, SwapTreatment
from mien.app.states import FaceReport
from mien.vision.types import Doubt, FaceTold

BOX = (0.1, 0.1, 0.2, 0.3)
SHOW, SWAP, HIDE = ShowTreatment(), SwapTreatment(persona="mask:volto"), MosaicTreatment()


def face(treatment="mosaic", person="", doubt="", number=7):
    return FaceReport(number, BOX, treatment, person=person, doubt=doubt)


@pytest.mark.parametrize(
    ("treatment", "faces", "state", "reason", "face_id"),
    [
        pytest.param(SHOW, [], "not_seen", None, None, id="nobody there"),
        pytest.param(SHOW, [face("show", "1")], "shown", None, 7, id="shown"),
        pytest.param(SWAP, [face("swap", "1")], "swapped", None, 7, id="wearing a persona"),
        pytest.param(HIDE, [face("mosaic", "1")], "hidden", None, 7, id="hidden by the policy"),
        pytest.param(SHOW, [face("mosaic", "1")], "hidden", "unsure", 7, id="known, and the policy has just changed"),
        pytest.param(SHOW, [face("mosaic", "1", "turned")], "hidden", "turned", 7, id="turned"),
        pytest.param(SHOW, [face("mosaic", "2", "turned")], "not_seen", None, None, id="it is another"),
        pytest.param(SHOW, [face(doubt="too_small")], "not_seen", "too_small", None, id="a face that cannot be told"),
        pytest.param(SHOW, [face(doubt="stranger")], "not_seen", None, None, id="a stranger"),
        pytest.param(
            SHOW, [face("mosaic", "1", "lost", 8), face("show", "1")], "shown", None, 7, id="shown beside an old place"
        ),
        pytest.param(
            SHOW,
            [face(doubt="dark"), face("mosaic", "1", "turned", 9)],
            "hidden",
            "turned",
            9,
            id="the face that is theirs",
        ),
    ],
)
def test_what_viewers_see_of_a_person_and_why(treatment, faces, state, reason, face_id):
    assert report_of("1", treatment, faces) == PersonReport(
        PersonState(state), None if reason is None else Doubt(reason), face_id
    )


def test_a_face_is_reported_without_anything_to_know_it_by():
    told = FaceTold(3, (1 / 3, 0.0, 2 / 3, 1.0), "show", person="1")
    assert FaceReport.of(told) == FaceReport(3, (0.3333, 0.0, 0.6667, 1.0), "show", person="1")
