"""Clearance and the gallery it asks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import ShapeError
from mien.vision.analysis.appearance import appearance_of
from mien.vision.analysis.clearance import STILL, Clearance, ClearanceRules, face_quality_of, judged
from mien.vision.analysis.embedder import Gallery, Match
from mien.vision.swap.masks.preview import nobody
from mien.vision.types import Doubt, FaceQuality

RULES = ClearanceRules()
ALICE = Match("alice", 0.98, 0.05)
BOB = Match("bob", 0.98, 0.05)
GOOD, LOPSIDED, FAIR, POOR = FaceQuality.GOOD, FaceQuality.LOPSIDED, FaceQuality.FAIR, FaceQuality.POOR


def unit(*values):
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def after(*looks, quality=GOOD, enrolled=1, clearance=None, start=0.0):
    clearance = clearance or Clearance()
    for i, look in enumerate(looks):
        clearance.weigh(look, quality, start + 0.2 * i, RULES, enrolled=enrolled)
    return clearance


def cleared():
    """Return a clearance whose last look was at 0.6 s."""
    clearance = after(ALICE, ALICE, ALICE, ALICE)
    assert clearance.identity == "alice"
    return clearance


def test_a_track_starts_as_a_stranger():
    assert Clearance().identity is None


def test_three_looks_are_not_enough_and_four_agreeing_ones_are():
    assert after(ALICE, ALICE, ALICE).identity is None
    assert after(ALICE, ALICE, ALICE, ALICE).identity == "alice"


DOUBTS = [
    pytest.param(BOB, id="somebody else"),
    pytest.param(Match("alice", 0.93, 0.05), id="not alike enough"),
    pytest.param(None, id="nobody"),
]


@pytest.mark.parametrize("doubt", [*DOUBTS, pytest.param(Match("alice", 0.98, 0.001), id="no lead over the next")])
def test_one_doubtful_look_forgets_the_evidence_gathered_so_far(doubt):
    clearance = after(ALICE, ALICE, ALICE, doubt)
    assert after(ALICE, ALICE, ALICE, clearance=clearance, start=0.8).identity is None
    assert after(ALICE, clearance=clearance, start=1.4).identity == "alice"


@pytest.mark.parametrize("doubt", DOUBTS)
def test_one_doubtful_look_takes_the_clearance_and_all_evidence(doubt):
    clearance = cleared()
    clearance.weigh(doubt, GOOD, 1.0, RULES, enrolled=1)
    assert clearance.identity is None
    assert after(ALICE, ALICE, ALICE, clearance=clearance, start=1.2).identity is None


def test_looks_that_each_just_pass_do_not_clear_while_their_mean_does_not():
    just = Match("alice", RULES.wanted(1) - 0.9 * RULES.slack, 0.05)
    assert after(*[just] * 30).identity is None
    assert after(just, ALICE, ALICE, ALICE).identity == "alice"


def test_many_looks_are_weighed_together_not_only_the_best_four_in_a_row():
    just = Match("alice", RULES.wanted(1) - 0.9 * RULES.slack, 0.05)
    above = Match("alice", RULES.wanted(1) + 0.3 * RULES.slack, 0.05)
    assert after(*[above] * 4).identity == "alice"
    assert after(*[just] * 6, *[above] * 4).identity is None


def test_among_more_enrolled_people_a_face_must_be_more_alike():
    alike = Match("alice", 0.96, 0.05)
    assert after(*[alike] * 4, enrolled=1).identity == "alice"
    assert after(*[alike] * 4, enrolled=100).identity is None


def test_fair_looks_one_by_one_clear_nobody():
    assert after(*[ALICE] * 8, quality=FAIR).identity is None
    assert Clearance().wants_sample(FAIR, 0.0, RULES), "several of them may"
    assert not Clearance().wants_sample(FAIR, 0.0, STILL)


def test_a_fair_look_keeps_a_clearance_says_nothing_or_ends_it():
    for similarity, identity_at_2_7 in ((0.95, "alice"), (0.92, None)):
        clearance = cleared()
        clearance.weigh(Match("alice", similarity, 0.0), FAIR, 1.5, RULES, enrolled=1)
        assert clearance.identity == "alice"
        clearance.tick(2.7, RULES)
        assert clearance.identity == identity_at_2_7
    clearance = cleared()
    clearance.weigh(Match("alice", 0.89, 0.0), FAIR, 1.5, RULES, enrolled=1)
    assert clearance.identity is None


@pytest.mark.parametrize("enrolled", [1, 10, 100])
def test_turned_faces_and_grimaces_clear_too_but_must_be_more_alike(enrolled):
    enough = RULES.wanted(enrolled) + RULES.lopsided
    above, below = Match("alice", enough + 1e-4, 0.05), Match("alice", enough - 1e-4, 0.05)
    assert after(*[above] * 3, quality=LOPSIDED, enrolled=enrolled).identity is None
    assert after(*[above] * 4, quality=LOPSIDED, enrolled=enrolled).identity == "alice"
    assert after(*[below] * 30, quality=LOPSIDED, enrolled=enrolled).identity is None
    assert after(*[below] * 4, quality=GOOD, enrolled=enrolled).identity == "alice"
    assert Clearance().wants_sample(LOPSIDED, 0.0, RULES)
    assert not Clearance().wants_sample(LOPSIDED, 0.0, STILL)


def test_a_turned_face_that_is_barely_alike_does_not_help_a_calm_one_that_is_not():
    calm = Match("alice", RULES.wanted(1) - 1e-4, 0.05)
    turned = Match("alice", RULES.wanted(1) + RULES.lopsided / 2, 0.05)
    clearance = Clearance()
    for i in range(30):
        clearance.weigh((calm, turned)[i % 2], (GOOD, LOPSIDED)[i % 2], 0.2 * i, RULES, enrolled=1)
        assert clearance.identity is None


def test_good_and_lopsided_looks_clear_together_where_all_of_them_agree():
    clearance = after(ALICE, ALICE)
    after(ALICE, quality=LOPSIDED, clearance=clearance, start=0.4)
    assert clearance.identity is None
    assert after(ALICE, clearance=clearance, start=0.6).identity == "alice"


def test_a_lopsided_look_that_disagrees_a_little_takes_no_good_look_with_it():
    unlike = Match("alice", 0.93, 0.05)
    clearance = after(ALICE, ALICE, ALICE)
    after(unlike, quality=LOPSIDED, clearance=clearance, start=0.6)
    assert after(ALICE, ALICE, ALICE, quality=LOPSIDED, clearance=clearance, start=0.8).identity is None
    assert after(ALICE, clearance=clearance, start=1.6).identity == "alice"


@pytest.mark.parametrize("doubt", [BOB, None, Match("alice", 0.89, 0.05)])
def test_a_lopsided_look_that_speaks_against_it_forgets_everything(doubt):
    clearance = after(ALICE, ALICE, ALICE)
    after(doubt, quality=LOPSIDED, clearance=clearance, start=0.6)
    assert after(ALICE, clearance=clearance, start=0.8).identity is None


CALM, SHOUT, STRANGER = unit(1.0, 0.0, 0.0), unit(0.97, 0.24, 0.0), unit(0.93, 0.0, 0.37)
SHOUTING = Match("alice", 0.92, 0.0)


def shouting(seconds, *, embedding, start=1.0, change_appearance=False, clearance=None):
    """Return a clearance that was calm until 0.6 s and then had such looks."""
    clearance = clearance or Clearance()
    if clearance.identity is None:
        for i in range(4):
            clearance.weigh(ALICE, GOOD, 0.2 * i, RULES, enrolled=1, embedding=CALM)
    for i in range(round(seconds / 0.4)):
        if change_appearance:
            clearance.watch(OTHER, RULES)
            clearance.watch(SAME, RULES)
        clearance.weigh(SHOUTING, LOPSIDED, start + 0.4 * i, RULES, enrolled=1, embedding=embedding)
        clearance.tick(start + 0.4 * i, RULES)
    return clearance


@pytest.mark.parametrize("change_appearance", [False, True])
def test_a_grimace_keeps_the_clearance_while_it_is_like_the_last_moments_of_the_same_track(change_appearance):
    assert shouting(6, embedding=SHOUT, change_appearance=change_appearance).identity == "alice"


def test_small_faces_are_too_much_alike_to_be_carried_so():
    clearance = after(ALICE, ALICE, ALICE, ALICE)
    clearance.weigh(ALICE, GOOD, 1.0, RULES, enrolled=1, embedding=CALM)
    for i in range(7):
        clearance.weigh(SHOUTING, FAIR, 1.4 + 0.4 * i, RULES, enrolled=1, embedding=CALM)
        clearance.tick(1.4 + 0.4 * i, RULES)
    assert clearance.identity is None


def test_a_grimace_does_not_keep_it_for_ever():
    assert shouting(12, embedding=SHOUT).identity is None


def test_a_stranger_in_the_place_of_somebody_who_shouts_does_not_inherit_the_clearance():
    clearance = shouting(2, embedding=SHOUT, change_appearance=True)
    assert shouting(0.4, embedding=STRANGER, start=3.0, change_appearance=True, clearance=clearance).identity is None


def test_without_a_startle_a_stranger_lasts_no_longer_than_before():
    clearance = shouting(2, embedding=SHOUT)
    assert shouting(3.2, embedding=STRANGER, start=3.0, clearance=clearance).identity is None


def test_what_kept_a_clearance_is_forgotten_with_it():
    clearance = shouting(2, embedding=SHOUT)
    clearance.revoke()
    for i in range(4):
        clearance.weigh(ALICE, GOOD, 4 + 0.2 * i, RULES, enrolled=1)
    clearance.watch(SAME, RULES)
    clearance.watch(OTHER, RULES)
    clearance.weigh(SHOUTING, LOPSIDED, 5.0, RULES, enrolled=1, embedding=SHOUT)
    assert clearance.identity is None


def test_a_poor_look_is_doubt():
    clearance = cleared()
    clearance.weigh(ALICE, POOR, 1.0, RULES, enrolled=1)
    assert clearance.identity is None
    assert not cleared().wants_sample(POOR, 9.0, RULES)


def test_looks_are_spaced_before_clearance_and_renewed_after_it():
    clearance = after(ALICE)
    assert not clearance.wants_sample(GOOD, 0.15, RULES)
    assert clearance.wants_sample(GOOD, 0.21, RULES)
    assert not cleared().wants_sample(GOOD, 0.6 + 0.35, RULES)
    assert cleared().wants_sample(FAIR, 0.6 + 0.41, RULES)


def test_clearance_ends_when_nothing_confirms_it():
    clearance = cleared()
    clearance.tick(0.6 + 1.9, RULES)
    assert clearance.identity == "alice"
    clearance.tick(0.6 + 2.1, RULES)
    assert clearance.identity is None


def test_old_evidence_does_not_add_to_new():
    clearance = after(ALICE, ALICE, ALICE)
    clearance.tick(3.0, RULES)
    assert after(ALICE, clearance=clearance, start=3.0).identity is None


def test_a_still_is_cleared_by_one_look_that_is_better():
    clearance = Clearance()
    clearance.weigh(Match("alice", 0.96, 0.05), GOOD, 0, STILL, enrolled=1)
    assert clearance.identity is None
    clearance.weigh(Match("alice", 0.97, 0.05), GOOD, 0, STILL, enrolled=1)
    assert clearance.identity == "alice"


SAME, OTHER = np.array([1.0, 0.0], np.float32), np.array([0.8, 0.6], np.float32)


def appearance_changed():
    clearance = cleared()
    clearance.watch(SAME, RULES)
    clearance.weigh(ALICE, GOOD, 0.7, RULES, enrolled=1)
    clearance.watch(SAME, RULES)
    assert not clearance.wants_sample(GOOD, 0.74, RULES), "the same picture is no reason for a look"
    clearance.watch(OTHER, RULES)
    return clearance


def test_another_picture_in_the_same_place_is_looked_at_at_once_however_poor():
    assert all(appearance_changed().wants_sample(quality, 0.74, RULES) for quality in FaceQuality)


@pytest.mark.parametrize(
    ("match", "quality", "identity"),
    [
        pytest.param(ALICE, GOOD, "alice", id="still her"),
        pytest.param(ALICE, FAIR, "alice", id="still her, turned"),
        pytest.param(Match("alice", 0.92, 0.05), FAIR, None, id="perhaps her, turned"),
        pytest.param(ALICE, POOR, None, id="cannot be told"),
    ],
)
def test_after_a_sudden_change_only_a_look_that_confirms_keeps_the_clearance(match, quality, identity):
    clearance = appearance_changed()
    clearance.weigh(match, quality, 0.74, RULES, enrolled=1)
    assert clearance.identity == identity


PLACE = np.array([100, 100, 160, 180], np.float32)


@pytest.mark.parametrize(
    ("box", "at", "possible"),
    [
        pytest.param(PLACE + 10, 0.04, True, id="a step"),
        pytest.param(PLACE + np.array([40, 0, 40, 0]), 0.04, False, id="a leap"),
        pytest.param(np.array([85, 80, 175, 200]), 0.04, False, id="growth by half"),
        pytest.param(np.array([110, 113, 150, 167]), 0.04, False, id="shrinking by a third"),
        pytest.param(PLACE, 0.3, False, id="a gap in time"),
    ],
)
def test_a_face_follows_itself_only_where_it_can_have_moved(box, at, possible):
    clearance = Clearance()
    assert clearance.follows(PLACE, 0.0, RULES)
    assert clearance.follows(np.asarray(box, np.float32), at, RULES) is possible


def counted(similarity, quality):
    return similarity - (RULES.lopsided if quality is LOPSIDED else 0.0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["alice", "bob"]),
        st.floats(0.85, 1.0),
        st.floats(0.0, 0.06),
        st.sampled_from([GOOD, LOPSIDED, FAIR]),
        st.floats(0.03, 1.2),
    ),
    max_size=60,
)


@given(STEPS, st.sampled_from([1, 10, 100]))
def test_no_sequence_of_looks_clears_or_keeps_anybody_against_a_doubt(steps, enrolled):
    """Judged from the looks alone, without the state machine's own memory."""
    clearance, at, taken = Clearance(), 0.0, []
    wanted = RULES.wanted(enrolled)
    for identity, similarity, margin, quality, wait in steps:
        at += wait
        was = clearance.identity
        if clearance.wants_sample(quality, at, RULES):
            clearance.weigh(Match(identity, similarity, margin), quality, at, RULES, enrolled=enrolled)
            taken.append((identity, similarity, margin, quality, at))
        clearance.tick(at, RULES)
        now = clearance.identity
        if now is None:
            continue
        if taken[-1][-1] == at:
            assert identity == now
            assert similarity >= (RULES.refute if quality < GOOD else min(RULES.keep, wanted - RULES.slack))
        confirmed = [t for who, alike, _m, _s, t in taken if who == now and alike >= RULES.keep]
        assert at - confirmed[-1] <= RULES.expire_s
        if was is None:
            assert quality in {GOOD, LOPSIDED}
            good = [look for look in taken if look[3] is GOOD][-RULES.samples :]
            last = taken[-RULES.samples :]
            if any(counted(x, s) < wanted - RULES.slack or m < RULES.margin for _w, x, m, s, _t in last):
                last = good
            assert len(last) == RULES.samples
            assert {who for who, *_ in last} == {now}
            assert all(m >= RULES.margin and counted(x, s) >= wanted - RULES.slack for _w, x, m, s, _t in last)
            since = [look for look in taken if look[-1] >= last[0][-1]]
            assert all(who == now and x >= RULES.refute for who, x, *_ in since)
            assert last[-1][-1] - last[0][-1] >= (RULES.samples - 1) * RULES.spacing_s - 1e-9
        elif was != now:
            pytest.fail("a clearance went from one person to another")


FACE = (nobody() * np.float32(0.3) + np.array([32, 32, 0])).astype(np.float32)
SHARP = np.random.default_rng(3).integers(0, 255, (400, 400, 3), np.uint8)


def squeezed(mesh, share):
    """Shift the nose to one side, as in a face turned away."""
    turned = mesh.copy()
    turned[1, 0] += share * float(np.ptp(mesh[:, 0])) / 2
    return turned


def gaping(mesh):
    """Move the lower lip down by a third of the eyes' distance."""
    wide = mesh.copy()
    wide[14, 1] += 0.33 * float(np.linalg.norm(mesh[33] - mesh[263]))
    return wide


@pytest.mark.parametrize(
    ("mesh", "score", "image", "doubt"),
    [
        pytest.param(FACE, 0.99, SHARP, None, id="frontal, near, sharp"),
        pytest.param(FACE, 0.7, SHARP, Doubt.COVERED, id="a doubtful mesh"),
        pytest.param(FACE, 0.99, SHARP // 255 + 90, Doubt.BLURRED, id="blurred"),
        pytest.param(FACE, 0.99, SHARP // 255 + 20, Doubt.DARK, id="dark"),
        pytest.param((FACE * 0.5).astype(np.float32), 0.99, SHARP, None, id="small"),
        pytest.param(gaping((FACE * 0.5).astype(np.float32)), 0.99, SHARP, Doubt.TOO_SMALL, id="small and shouting"),
        pytest.param((FACE * 0.2).astype(np.float32), 0.99, SHARP, Doubt.TOO_SMALL, id="far"),
        pytest.param(squeezed(FACE, 0.9), 0.99, SHARP, Doubt.TURNED, id="turned away"),
    ],
)
def test_the_gate_says_what_keeps_a_look_from_clearing_anybody(mesh, score, image, doubt):
    assert judged(image, mesh, score, RULES)[1] is doubt


@pytest.mark.parametrize(
    ("match", "doubt"),
    [
        pytest.param(Match("alice", 0.98, 0.1), Doubt.UNSURE, id="one look that agrees"),
        pytest.param(Match("alice", 0.93, 0.1), Doubt.UNLIKE, id="not enough alike"),
        pytest.param(Match("alice", 0.8, 0.1), Doubt.STRANGER, id="somebody else"),
        pytest.param(Match("alice", 0.98, 0.001), Doubt.AMBIGUOUS, id="as much like bob"),
    ],
)
def test_a_sample_that_does_not_clear_says_why(match, doubt):
    clearance = Clearance()
    clearance.weigh(match, GOOD, 0.0, RULES, enrolled=2)
    assert (clearance.identity, clearance.doubt) == (None, doubt)


def test_after_a_doubt_it_is_told_who_was_cleared_until_a_sample_speaks_against_it():
    clearance = Clearance()
    for i in range(RULES.samples):
        clearance.weigh(Match("alice", 0.99, 0.1), GOOD, i * RULES.spacing_s, RULES, enrolled=2)
    assert (clearance.identity, clearance.doubt, clearance.likely_identity) == ("alice", None, "alice")
    clearance.revoke()
    assert (clearance.identity, clearance.doubt, clearance.likely_identity) == (None, Doubt.UNSURE, "alice")
    clearance.weigh(Match("alice", 0.93, 0.1), GOOD, 2.0, RULES, enrolled=2)
    assert (clearance.doubt, clearance.likely_identity) == (Doubt.UNLIKE, "alice")
    clearance.weigh(Match("alice", 0.8, 0.1), GOOD, 3.0, RULES, enrolled=2)
    assert (clearance.doubt, clearance.likely_identity) == (Doubt.STRANGER, None)


@pytest.mark.parametrize(
    ("mesh", "score", "image", "quality"),
    [
        pytest.param(FACE, 0.99, SHARP, GOOD, id="frontal, near, sharp"),
        pytest.param(FACE, 0.7, SHARP, POOR, id="a doubtful mesh"),
        pytest.param(FACE, 0.99, SHARP // 255 + 90, POOR, id="blurred or dark"),
        pytest.param((FACE * 0.2).astype(np.float32), 0.99, SHARP, POOR, id="far"),
        pytest.param((FACE * 0.5).astype(np.float32), 0.99, SHARP, FAIR, id="small"),
        pytest.param(squeezed(FACE, 0.55), 0.99, SHARP, LOPSIDED, id="turned"),
        pytest.param(gaping(FACE), 0.99, SHARP, LOPSIDED, id="shouting"),
        pytest.param(squeezed(FACE, 0.9), 0.99, SHARP, POOR, id="turned away"),
    ],
)
def test_the_gate_tells_good_looks_from_fair_and_poor_ones(mesh, score, image, quality):
    assert face_quality_of(image, mesh, score, RULES) is quality


def test_a_glimpse_follows_the_face_and_tells_another_one():
    shifted = np.roll(SHARP, (7, 4), axis=(0, 1))
    moved = FACE + np.array([4, 7, 0], np.float32)
    here = appearance_of(SHARP, FACE)
    assert float(np.vdot(here, appearance_of(shifted, moved))) > RULES.same_appearance
    assert float(np.vdot(here, appearance_of(SHARP[::-1].copy(), FACE))) < RULES.same_appearance


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
