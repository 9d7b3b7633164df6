"""A policy that changes on air: what was known stays known, and nobody is shown whom either policy would hide."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.vision.analysis.analyzer import AnalyzerParts, FaceAnalyzer
from mien.vision.analysis.clearance import ClearanceRules
from mien.vision.analysis.embedder import Gallery
from mien.vision.analysis.tracker import FaceTracker
from mien.vision.pipeline import FacePipeline
from mien.vision.policy import Mosaic, Policy, Show, Swap
from mien.vision.render.label import Label
from mien.vision.render.renderer import FrameRenderer
from mien.vision.swap.masks.builtin import builtin_mask
from support.two_patches import VECTORS, Place, Shot, TwoPatches

FPS = 25
SWAP = Swap(builtin_mask("volto"))
HIDE = Policy()
SHOW_ALICE = Policy(people={"alice": Show()})
SHOW_BOB = Policy(people={"bob": Show()})
SHOW_BOTH = Policy(people={"alice": Show(), "bob": Show()})
POLICIES = {
    "hide": HIDE,
    "show alice": SHOW_ALICE,
    "show bob": SHOW_BOB,
    "show both": SHOW_BOTH,
    "swap everybody": Policy(strangers=SWAP),
    "show alice, swap the rest": Policy(strangers=SWAP, people={"alice": Show()}),
    "show alice, hide bob": Policy(people={"alice": Show(), "bob": Mosaic()}),
    "show bob, swap alice": Policy(people={"bob": Show(), "alice": SWAP}),
    "show bob, swap the chosen one": Policy(people={"bob": Show()}, primary=SWAP),
}
# Every good frame is a look, so that what a clearance says depends on the frames since the last doubt alone.
RULES = ClearanceRules(samples=2, spacing_s=0.0, renew_s=0.0, min_sharpness=0, max_leap=1.0)


class NoLabel(Label):
    """Draws nothing."""

    def draw(self, *_args, **_how):
        """Leave the image as it is."""


class Paint:
    """Covers the face with one colour, and remembers nothing."""

    overlay_mask, mosaic_opacity = None, 0.0

    def __init__(self, _persona):
        pass

    def __call__(self, image, mesh, *, at):  # noqa: ARG002  # the port's
        low, high = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
        (x0, y0), (x1, y1) = np.maximum(low, 0).astype(int), np.maximum(high, 0).astype(int) + 1
        image[y0:y1, x0:x1] = (200, 30, 30)
        return True

    def pause(self, *, at):
        pass


def pipeline(world, policy, *, delay=0, enrolled=("alice", "bob")):
    gallery = Gallery({name: [VECTORS[name]] for name in enrolled})
    tracker = FaceTracker(world, world.redetect)
    parts = AnalyzerParts(world.find, tracker, world.redetect, world.embed, gallery, RULES)
    renderer = FrameRenderer(NoLabel("en"), make_swapper=Paint)
    return FacePipeline(FaceAnalyzer(parts), renderer, policy, delay_frames=delay)


@dataclass(frozen=True)
class Treated:
    """Who was bare in a frame, and what else came out with it."""

    bare: frozenset[str]
    counts: dict[str, int]
    recognised: frozenset[str]


def play(world, pipe, changes=(), *, ahead=False):
    """Play all frames; before frame `n` of `changes` the pipeline beside it takes over. Return what came out."""
    out, later = [], dict(changes)
    for number in range(len(world.shots)):
        if number in later:
            later[number].take_over(pipe, in_scene=True)
            pipe = later[number]
        out.append(pipe(world.frame(number), at=number / FPS))
        if ahead:
            pipe.work_ahead()
    frames = {round(frame.at * FPS): frame for frame in (*out, *pipe.flush()) if frame is not None}
    return {
        number: Treated(
            frozenset(n for n in world.shots[number].people if world.is_bare(frame.image, number, n)),
            frame.counts,
            frame.recognised,
        )
        for number, frame in frames.items()
    }


# --- any script, any policies ------------------------------------------------------------------------------------

FATE = st.one_of(
    st.just("there"),
    st.just("there"),
    st.just("there"),
    st.sampled_from(["moved", "missed", "blurred", "gone", "leapt", "doubtful", "taken for the other", "like both"]),
)
FATES = st.lists(st.tuples(FATE, FATE), min_size=8, max_size=16)
CUTS = st.lists(st.integers(2, 14), max_size=2)


def scripted(fates, cuts):
    """Return a world in which two people fare as the script says."""
    places = {"alice": [120.0, 130.0], "bob": [340.0, 130.0]}
    shots = []
    for number, both in enumerate(fates):
        people = {}
        for name, fate in zip(places, both, strict=True):
            if fate == "moved":
                places[name][0] += 12
            if fate == "leapt":
                places[name][0] = 460 - places[name][0]
            other = "bob" if name == "alice" else "alice"
            place = Place(*places[name], like=name)
            match fate:
                case "gone":
                    continue
                case "missed":
                    place = replace(place, found=False)
                case "blurred":
                    place = replace(place, mesh_score=0.3)
                case "doubtful":
                    place = replace(place, like=None)
                case "like both":
                    place = replace(place, like="both")
                case "taken for the other":
                    place = replace(place, like=other)
                case _:
                    pass
            people[name] = place
        shots.append(Shot(people, scene=sum(cut <= number for cut in cuts) % 2))
    return TwoPatches(shots)


@given(
    fates=FATES,
    cuts=CUTS,
    names=st.lists(st.sampled_from(sorted(POLICIES)), min_size=2, max_size=3),
    at=st.lists(st.integers(1, 14), min_size=2, max_size=2, unique=True).map(sorted),
    delay=st.integers(0, 4),
    ahead=st.booleans(),
    enrol_all=st.booleans(),
)
@settings(max_examples=25)
def test_nobody_is_shown_whom_the_old_or_the_new_policy_would_hide(fates, cuts, names, at, delay, ahead, enrol_all):
    world = scripted(fates, cuts)
    everybody = ("alice", "bob")

    def make(name):
        policy = POLICIES[name]
        return pipeline(world, policy, delay=delay, enrolled=everybody if enrol_all else sorted(policy.people))

    changes = [(number, name) for number, name in zip(at, names[1:], strict=False) if number < len(fates)]
    changed = play(world, make(names[0]), [(number, make(name)) for number, name in changes], ahead=ahead)
    alone = {name: play(world, make(name), ahead=ahead) for name in {names[0], *(name for _number, name in changes)}}
    assert changed.keys() == set(range(len(fates)))
    for number, treated in changed.items():
        # The policy when it was captured, and every one that began while it waited.
        first = ([(0, names[0]), *changes])[sum(begins <= number for begins, _name in changes)][1]
        in_force = {first, *(name for begins, name in changes if number < begins <= number + delay)}
        for name in in_force:
            assert treated.bare <= alone[name][number].bare, (number, name)


@given(fates=FATES, cuts=CUTS, names=st.tuples(*[st.sampled_from(sorted(POLICIES))] * 2), at=st.integers(1, 7))
@settings(max_examples=15)
def test_from_the_next_frame_on_all_is_as_if_the_new_policy_had_always_been_there(fates, cuts, names, at):
    """Tracks, clearances and whatever else was known: with the same people enrolled nothing is learnt anew."""
    before, after = (POLICIES[name] for name in names)
    if after.primary is not None:
        after = replace(after, primary=None)  # who is chosen depends on when it began
    world = scripted(fates, cuts)
    changed = play(world, pipeline(world, before), [(at, pipeline(world, after))])
    always = play(world, pipeline(world, after))
    assert [changed[n] for n in range(at, len(fates))] == [always[n] for n in range(at, len(fates))]


# --- one by one --------------------------------------------------------------------------------------------------


def standing(count):
    """Return a world in which both stand still."""
    return TwoPatches([Shot({"alice": Place(120, 130, like="alice"), "bob": Place(340, 130, like="bob")})] * count)


def test_who_was_cleared_is_shown_on_without_a_frame_between():
    world = standing(24)
    seen = play(world, pipeline(world, SHOW_ALICE), [(12, pipeline(world, SHOW_BOTH))])
    assert seen[11].bare == {"alice"}
    assert seen[12].bare == {"alice", "bob"}, "bob was recognised all the time; now he may be shown"


def test_who_may_not_be_shown_any_more_is_hidden_in_the_very_next_frame():
    world = standing(24)
    seen = play(world, pipeline(world, SHOW_BOTH), [(12, pipeline(world, SHOW_BOB))])
    assert (seen[11].bare, seen[12].bare) == ({"alice", "bob"}, {"bob"})


@pytest.mark.parametrize("ahead", [False, True])
def test_frames_that_wait_show_only_whom_both_policies_show(ahead):
    world = standing(24)
    changes = [(12, pipeline(world, SHOW_BOTH, delay=3))]
    seen = play(world, pipeline(world, SHOW_ALICE, delay=3), changes, ahead=ahead)
    assert [seen[n].bare for n in (8, 9, 10, 11)] == [{"alice"}] * 4
    assert seen[12].bare == {"alice", "bob"}
    changes = [(12, pipeline(world, SHOW_BOB, delay=3))]
    seen = play(world, pipeline(world, SHOW_ALICE, delay=3), changes, ahead=ahead)
    assert [seen[n].bare for n in (8, 9, 10, 11, 12)] == [{"alice"}, set(), set(), set(), {"bob"}]


def test_a_policy_that_lasts_shorter_than_the_delay_still_hides_what_was_captured_under_it():
    world = standing(24)
    changes = [(12, pipeline(world, HIDE, delay=4)), (14, pipeline(world, SHOW_BOTH, delay=4))]
    seen = play(world, pipeline(world, SHOW_BOTH, delay=4), changes)
    assert [n for n in range(6, 24) if not seen[n].bare] == [8, 9, 10, 11, 12, 13]


def test_where_somebody_new_is_enrolled_everybody_must_be_recognised_anew():
    world = standing(24)
    old = pipeline(world, SHOW_ALICE, delay=2, enrolled=["alice"])
    seen = play(world, old, [(12, pipeline(world, SHOW_BOTH, delay=2))])
    assert [seen[n].bare for n in (9, 10, 11, 12)] == [{"alice"}, set(), set(), set()]
    assert seen[13].bare == {"alice", "bob"}


def test_a_clearance_against_fewer_people_is_not_kept():
    """Somebody half like each passes for alice while bob is not enrolled."""
    world = TwoPatches([Shot({"alice": Place(120, 130, like="both")})] * 24)
    old = pipeline(world, SHOW_ALICE, enrolled=["alice"])
    seen = play(world, old, [(12, pipeline(world, SHOW_BOTH))])
    assert (seen[11].bare, seen[12].bare, seen[23].bare) == ({"alice"}, set(), set())


def test_where_the_same_name_means_another_face_nobody_keeps_it():
    world = standing(24)
    other = {"alice": [VECTORS["bob"]], "bob": [VECTORS["alice"]]}
    parts = AnalyzerParts(world.find, FaceTracker(world), None, world.embed, Gallery(other), RULES)
    new = FacePipeline(FaceAnalyzer(parts), FrameRenderer(NoLabel("en")), SHOW_ALICE)
    seen = play(world, pipeline(world, SHOW_ALICE), [(12, new)])
    assert (seen[11].bare, seen[12].bare, seen[13].bare) == ({"alice"}, set(), {"bob"})


def test_the_chosen_one_stays_chosen_and_face_tracks_keep_their_numbers():
    world = standing(30)
    old = pipeline(world, Policy(primary=SWAP))
    for number in range(15):
        old(world.frame(number), at=number / FPS)
    before = old._analyzer(world.frame(15), at=15 / FPS)
    new = pipeline(world, Policy(primary=Swap(builtin_mask("marble"))))
    new.take_over(old, in_scene=True)
    after = new._analyzer(world.frame(16), at=16 / FPS)
    assert before.primary_id is not None
    assert after.primary_id == before.primary_id
    assert [face.face_track_id for face in after.faces] == [face.face_track_id for face in before.faces]
    assert not after.scene.is_new
