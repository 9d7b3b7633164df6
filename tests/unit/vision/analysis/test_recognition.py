"""Recognition across a change of who is enrolled: what was found out holds only where it still proves as much."""

from dataclasses import replace

import numpy as np
import pytest

from mien.vision.analysis.clearance import ClearanceRules
from mien.vision.analysis.embedder import Gallery
from mien.vision.analysis.recognition import Enrolled, Recognition
from mien.vision.analysis.tracker import FaceTrack
from mien.vision.swap.masks.preview import nobody
from mien.vision.types import Doubt, Face

ALICE, BOB = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
RULES = ClearanceRules(samples=2, spacing_s=0.0, min_sharpness=0)
IMAGE = np.random.default_rng(11).integers(90, 160, (360, 640, 3), np.uint8)
BOX = np.array([250, 120, 330, 220], np.float32)
MESH = nobody() * np.float32(0.3) + np.array([232, 112, 0], np.float32)
BOTH = {"alice": [ALICE], "bob": [BOB]}


def recognition(people, rules=RULES):
    return Recognition(lambda _image, _mesh: ALICE, Enrolled(Gallery(people), rules))


def track(at):
    return FaceTrack(1, BOX, BOX, seen_at=at, first_at=0.0, mesh=MESH, mesh_score=0.95)


def cleared(people):
    """Return what has recognised alice."""
    known = recognition(people)
    assert [known(IMAGE, track(i / 25), i / 25).identity for i in range(3)] == [None, "alice", "alice"]
    return known


@pytest.mark.parametrize(
    ("people", "rules", "name"),
    [
        pytest.param(BOTH, RULES, "alice", id="the same"),
        pytest.param({"alice": [ALICE]}, RULES, "alice", id="one fewer"),
        pytest.param({"bob": [BOB]}, RULES, None, id="alice is not enrolled any more"),
        pytest.param({**BOTH, "carol": [-ALICE]}, RULES, None, id="one more, of whom nothing was known"),
        pytest.param({"alice": [ALICE, BOB], "bob": [BOB]}, RULES, None, id="another photo"),
        pytest.param(BOTH, replace(RULES, similarity=0.97), None, id="other rules"),
        pytest.param({}, RULES, None, id="nobody is enrolled"),
    ],
)
def test_a_clearance_outlives_a_change_where_it_proves_as_much_as_before(people, rules, name):
    old, new = cleared(BOTH), recognition(people, rules)
    new.take_over(old)
    assert new(IMAGE, track(0.12), 0.12).identity == name


@pytest.mark.parametrize(("trusted", "name"), [(True, "alice"), (False, None)])
def test_a_name_in_an_older_frame_is_kept_where_it_is_trusted_and_enrolled(trusted, name):
    older = Face(1, BOX, BOX, MESH, 0.95, identity="alice", likely_identity="alice")
    assert recognition(BOTH).keep_name(older, trusted=trusted).identity == name
    assert recognition({"bob": [BOB]}).keep_name(older, trusted=trusted).identity is None


def test_where_time_is_short_embeddings_are_taken_more_rarely():
    def embeddings(*, saving):
        taken = []
        known = Recognition(
            lambda _image, _mesh: taken.append(1) or ALICE, Enrolled(Gallery(BOTH), replace(RULES, renew_s=0.1))
        )
        known.save_time(on=saving)
        for i in range(25):
            known(IMAGE, track(i / 25), i / 25)
        return len(taken)

    assert embeddings(saving=True) <= 2 < embeddings(saving=False)


@pytest.mark.parametrize(
    ("changed", "doubt"),
    [
        pytest.param({"seen": False}, Doubt.LOST, id="out of sight"),
        pytest.param({"doubtful": True}, Doubt.CROSSING, id="crossing"),
        pytest.param({"mesh": None, "mesh_score": 0.0, "doubtful": True}, Doubt.COVERED, id="no landmarks"),
        pytest.param({"mesh": None, "box_xyxy": BOX * np.float32(0.2)}, Doubt.TOO_SMALL, id="small"),
        pytest.param({"mesh": MESH + np.array([90, 0, 0], np.float32)}, Doubt.MOVING, id="a leap"),
    ],
)
def test_a_face_in_doubt_says_why_and_for_whom_the_evidence_spoke(changed, doubt):
    known = cleared(BOTH)
    face = known(IMAGE, replace(track(0.12), **changed), 0.12)
    assert (face.identity, face.likely_identity, face.doubt) == (None, "alice", doubt)


def test_where_there_is_no_time_the_doubt_says_so():
    known = recognition(BOTH, replace(RULES, samples=4))
    known.save_time(on=True)
    assert [known(IMAGE, track(i / 25), i / 25).doubt for i in range(3)] == [Doubt.UNSURE, *[Doubt.OVERLOAD] * 2]


def test_where_nobody_is_enrolled_there_is_no_doubt():
    assert recognition({})(IMAGE, track(0.0), 0.0).doubt is None


def test_who_is_not_enrolled_any_more_is_not_told_of():
    old, new = cleared(BOTH), recognition({"bob": [BOB]})
    new.take_over(old)
    assert new(IMAGE, track(0.12), 0.12).likely_identity != "alice"


def test_who_is_gone_is_forgotten():
    known = cleared(BOTH)
    known.keep_only([])
    assert known(IMAGE, track(0.12), 0.12).identity is None
