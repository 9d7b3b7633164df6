"""The renderer by itself: it draws what it is told of a frame, and hides whatever it is not sure of."""

from dataclasses import replace

import numpy as np
import pytest

from mien.errors import PersonaError
from mien.vision.frame_analysis import Amendment, FrameAnalysis, LatePlace
from mien.vision.policy import Policy, Show, Swap
from mien.vision.render.label import Label
from mien.vision.render.renderer import FrameRenderer
from mien.vision.swap.masks.builtin import builtin_mask
from mien.vision.swap.masks.preview import nobody
from mien.vision.types import Doubt, Face

SCENE = np.random.default_rng(11).integers(90, 160, (360, 640, 3), np.uint8)
BOX = np.array([250, 120, 330, 220], np.float32)
BESIDE = BOX + np.array([120, 0, 120, 0], np.float32)
MESH = nobody() * np.float32(0.3) + np.array([232, 112, 0], np.float32)
SHOW_ALICE = Policy(people={"alice": Show()})
VOLTO = Swap(builtin_mask("volto"))


def face(number=1, identity=None, box=BOX, **known):
    return Face(number, box, box, MESH, 0.95, identity=identity, **known)


def renderer():
    return FrameRenderer(Label("en"))


def hidden(image, box=BOX):
    x0, y0, x1, y1 = box.astype(int)
    return bool((image[y0:y1, x0:x1] != SCENE[y0:y1, x0:x1]).any(axis=-1).mean() > 0.95)


def test_one_analysis_can_be_drawn_by_any_policy():
    analysis = FrameAnalysis(0.0, (face(identity="alice"),))
    counts = [
        renderer()(SCENE.copy(), analysis, policy).counts
        for policy in (Policy(), SHOW_ALICE, Policy(strangers=VOLTO), Policy(people={"alice": VOLTO}))
    ]
    assert counts == [{"mosaic": 1}, {"show": 1}, {"swap": 1}, {"swap": 1}]


def test_the_primary_person_gets_the_persona_and_the_rest_does_not():
    analysis = FrameAnalysis(0.0, (face(1), face(2, box=BESIDE)), primary_id=1)
    treated = renderer()(SCENE.copy(), analysis, Policy(primary=VOLTO))
    assert treated.counts == {"swap": 1, "mosaic": 1}
    assert hidden(treated.image, BESIDE)


def test_who_must_never_be_shown_is_hidden_whatever_the_policy_says():
    analysis, drawing_by = FrameAnalysis(0.0, (face(identity="alice"),)), renderer()
    drawing = drawing_by.draw(SCENE.copy(), analysis, SHOW_ALICE, never_show={1})
    treated = drawing_by.finish(drawing, analysis)
    assert treated.counts == {"mosaic": 1}
    assert hidden(treated.image)


@pytest.mark.parametrize("policy", [SHOW_ALICE, Policy(people={"alice": VOLTO})])
def test_what_is_void_by_now_is_hidden_though_it_was_drawn(policy):
    analysis, drawing_by = FrameAnalysis(0.0, (face(identity="alice"),)), renderer()
    drawing = drawing_by.draw(SCENE.copy(), analysis, policy)
    later = analysis.amended(Amendment(0.0, nameless=frozenset({1})))
    treated = drawing_by.finish(drawing, later, void={1})
    assert (treated.counts, treated.recognised) == ({"mosaic": 1}, frozenset())
    x0, y0, x1, y1 = BOX.astype(int)
    assert len(np.unique(treated.image[y0:y1, x0:x1].reshape(-1, 3), axis=0)) < 200, "no mask stands before its cover"


def test_it_tells_what_became_of_each_face_the_largest_first():
    small = BESIDE.copy()
    small[2:] = small[:2] + 20
    faces = (
        replace(face(1, box=small), doubt=Doubt.TOO_SMALL, likely_identity="bob"),
        face(2, identity="alice"),
    )
    treated = renderer()(SCENE.copy(), FrameAnalysis(0.0, faces, primary_id=1), SHOW_ALICE)
    alice, bob = treated.faces
    assert (alice.face_track_id, alice.treatment, alice.person, alice.doubt) == (2, "show", "alice", None)
    assert (bob.face_track_id, bob.treatment, bob.person, bob.doubt) == (1, "mosaic", "bob", Doubt.TOO_SMALL)
    assert (alice.is_primary, bob.is_primary) == (False, True)
    height, width = SCENE.shape[:2]
    np.testing.assert_allclose(alice.box, BOX / [width, height, width, height], atol=1e-6)


def test_a_face_that_the_frame_cuts_is_told_within_it():
    out = np.array([-50, -20, 60, 90], np.float32)
    (told,) = renderer()(SCENE.copy(), FrameAnalysis(0.0, (face(box=out),)), Policy()).faces
    assert told.box[:2] == (0.0, 0.0)
    assert all(0 <= share <= 1 for share in told.box)


def test_a_place_found_late_is_hidden_and_the_frame_counts_as_altered():
    treated = renderer()(SCENE.copy(), FrameAnalysis(0.0, late_places=(LatePlace(BOX, 1.15),)), Policy())
    assert hidden(treated.image)
    assert (treated.counts, treated.altered) == ({}, True)


def test_a_candidate_refuted_since_it_was_drawn_is_not_hidden():
    analysis, drawing_by = FrameAnalysis(0.0, (face(),)), renderer()
    drawing = drawing_by.draw(SCENE.copy(), analysis, Policy())
    treated = drawing_by.finish(drawing, analysis.amended(Amendment(0.0, refuted=frozenset({1}))))
    assert (treated.image == SCENE).all()
    assert (treated.counts, treated.altered) == ({}, False)


def test_a_face_not_seen_for_a_while_is_hidden_farther_around():
    def altered(unseen_s):
        analysis = FrameAnalysis(0.0, (face(unseen_s=unseen_s, seen=False),))
        image = renderer()(SCENE.copy(), analysis, Policy()).image
        return int((image != SCENE).any(axis=-1).sum())

    assert altered(0.5) > 1.3 * altered(0.0)


def test_what_is_no_persona_is_not_drawn():
    class Named:
        name = "volto"

    with pytest.raises(PersonaError):
        renderer()(SCENE.copy(), FrameAnalysis(0.0, (face(),)), Policy(strangers=Swap(Named())))
