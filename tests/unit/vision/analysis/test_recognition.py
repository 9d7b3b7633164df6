"""Recognition across a change of who is enrolled: what was found out holds only where it still proves as much."""

from dataclasses import replace

import numpy as np
import pytest

from mien.vision.analysis.clearance import ClearanceRules
from mien.vision.analysis.embedder import Gallery
from mien.vision.analysis.recognition import EMBEDDINGS_A_FRAME, Enrolled, Recognition
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

    assert embeddings(saving=True) <= 4 < embeddings(saving=False)


def face_tracks(count, at):
    shift = np.array([70, 0, 0], np.float32)
    return [
        FaceTrack(
            n + 1, BOX + np.tile(shift[:2], 2) * (n - 3), BOX, seen_at=at, first_at=0.0, mesh=MESH + shift * (n - 3),
            mesh_score=0.95,
        )
        for n in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("saving", [False, True])
def test_nobody_waits_for_ever_and_a_crowd_costs_no_more_in_a_frame(saving):
    taken = []
    rules = replace(RULES, samples=4, spacing_s=0.2, renew_s=0.4)
    known = Recognition(
        lambda _image, mesh: taken.append(round(float(mesh[:, 0].mean()))) or ALICE, Enrolled(Gallery(BOTH), rules)
    )
    known.save_time(on=saving)
    most = 0
    for i in range(75):
        before = len(taken)
        for one in face_tracks(6, i / 25):
            known(IMAGE, one, i / 25)
        most = max(most, len(taken) - before)
    counts = [taken.count(who) for who in set(taken)]
    assert most == (1 if saving else EMBEDDINGS_A_FRAME)
    assert len(counts) == 6
    assert max(counts) - min(counts) <= 2


def test_a_face_in_doubt_keeps_nobody_waiting():
    known = recognition(BOTH, replace(RULES, samples=4, spacing_s=0.1))
    first, second, third = face_tracks(3, 0.0)
    for one in (first, second, third):
        known(IMAGE, one, 0.0)
    for i in range(1, 10):
        for one in face_tracks(3, i / 25)[:2]:
            known(IMAGE, replace(one, doubtful=True), i / 25)
        face = known(IMAGE, face_tracks(3, i / 25)[2], i / 25)
    assert face.likely_identity == "alice"


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


def test_after_a_cut_nobody_waits_for_faces_that_are_gone():
    known = recognition(BOTH, replace(RULES, samples=4, spacing_s=0.1))
    for one in face_tracks(6, 0.0):
        known(IMAGE, one, 0.0)
    known.forget()
    later = [replace(one, id=one.id + 100) for one in face_tracks(2, 0.04)]
    assert [known(IMAGE, one, 0.04).likely_identity for one in later] == ["alice"] * 2
