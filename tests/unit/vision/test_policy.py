"""Policy: who gets what."""

import numpy as np
import pytest

from mien.errors import PolicyError
from mien.vision.policy import Mosaic, Policy, Show, Swap
from mien.vision.swap.masks.builtin import builtin_mask
from mien.vision.swap.masks.preview import nobody
from mien.vision.types import Face

VOLTO = Swap(builtin_mask("volto"))


def face(number=1, *, identity=None, seen=True, mesh=True):
    box = np.array([0, 0, 10, 10], np.float32)
    return Face(number, box, box, nobody() if mesh else None, 0.9, seen, identity)


def test_the_default_hides_everybody():
    assert isinstance(Policy().treatment(face(), primary_id=1), Mosaic)


@pytest.mark.parametrize("where", ["strangers", "primary"])
def test_a_policy_that_shows_strangers_cannot_be_made(where):
    with pytest.raises(PolicyError):
        Policy(**{where: Show()})


def test_an_enrolled_person_gets_what_the_policy_says():
    policy = Policy(people={"alice": Show(), "bob": VOLTO})
    assert isinstance(policy.treatment(face(identity="alice"), primary_id=None), Show)
    assert policy.treatment(face(identity="bob"), primary_id=None) is VOLTO
    assert isinstance(policy.treatment(face(identity="carol"), primary_id=None), Mosaic)


@pytest.mark.parametrize(
    "doubt", [pytest.param({"seen": False}, id="not seen"), pytest.param({"mesh": False}, id="no mesh")]
)
def test_a_face_not_surely_seen_in_this_very_frame_is_not_shown(doubt):
    policy = Policy(strangers=VOLTO, people={"alice": Show()})
    assert isinstance(policy.treatment(face(identity="alice", **doubt), primary_id=None), Mosaic)


def test_only_the_foremost_stranger_is_swapped():
    policy = Policy(primary=VOLTO)
    assert policy.treatment(face(1), primary_id=1) is VOLTO
    assert isinstance(policy.treatment(face(2), primary_id=1), Mosaic)
