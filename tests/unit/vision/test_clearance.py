"""Clearance and the gallery it asks."""

import numpy as np
import pytest

from mien.errors import ShapeError
from mien.vision.clearance import STILL, Clearance, ClearanceRules
from mien.vision.embedder import Gallery, Match

RULES = ClearanceRules()
ALICE = Match("alice", 0.97, 0.05)
BOB = Match("bob", 0.97, 0.05)


def after(*looks):
    clearance = Clearance()
    for i, look in enumerate(looks):
        clearance.weigh(look, 0.2 * i, RULES)
    return clearance


def test_a_track_starts_as_a_stranger():
    assert Clearance().identity is None


def test_one_look_is_not_enough_and_three_agreeing_ones_are():
    assert after(ALICE, ALICE).identity is None
    assert after(ALICE, ALICE, ALICE).identity == "alice"


@pytest.mark.parametrize(
    "doubt",
    [
        pytest.param(BOB, id="somebody else"),
        pytest.param(Match("alice", 0.90, 0.05), id="not alike enough"),
        pytest.param(Match("alice", 0.97, 0.001), id="no lead over the runner-up"),
        pytest.param(None, id="nobody"),
    ],
)
def test_one_doubtful_look_takes_the_clearance_and_all_evidence(doubt):
    clearance = after(ALICE, ALICE, ALICE, doubt)
    assert clearance.identity is None
    clearance.weigh(ALICE, 1.0, RULES)
    assert clearance.identity is None


def test_looks_are_spaced_before_clearance_and_renewed_after_it():
    clearance = after(ALICE)
    assert not clearance.wants_look(0.1, RULES)
    assert clearance.wants_look(0.16, RULES)
    cleared = after(ALICE, ALICE, ALICE)
    assert not cleared.wants_look(0.4 + 0.9, RULES)
    assert cleared.wants_look(0.4 + 1.01, RULES)


def test_clearance_ends_when_nothing_confirms_it():
    clearance = after(ALICE, ALICE, ALICE)
    clearance.tick(0.4 + 2.4, RULES)
    assert clearance.identity == "alice"
    clearance.tick(0.4 + 2.6, RULES)
    assert clearance.identity is None


def test_a_still_is_cleared_by_one_look_that_is_better():
    clearance = Clearance()
    clearance.weigh(Match("alice", 0.95, 0.05), 0, STILL)
    assert clearance.identity is None
    clearance.weigh(Match("alice", 0.96, 0.05), 0, STILL)
    assert clearance.identity == "alice"


def unit(*values):
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def test_the_gallery_names_the_nearest_person_by_their_best_photo_and_the_lead():
    gallery = Gallery({"alice": [unit(1, 0, 0), unit(0, 0, 1)], "bob": [unit(0, 1, 0)]})
    match = gallery.match(unit(0, 0.6, 0.8))
    assert match.identity == "alice"
    assert match.similarity == pytest.approx(0.8)
    assert match.margin == pytest.approx(0.2)


def test_an_empty_gallery_knows_nobody():
    assert Gallery({}).match(unit(1, 0)) is None


def test_a_person_without_embeddings_is_refused():
    with pytest.raises(ShapeError, match="alice"):
        Gallery({"alice": []})
