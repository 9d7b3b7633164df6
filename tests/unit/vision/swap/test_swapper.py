"""The swap's promises: it covers the face, touches nothing else, and refuses where it would not cover."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.errors import ShapeError
from mien.vision.mesh.regions import inner, openings
from mien.vision.mesh.texture_map import unwrap
from mien.vision.mesh.topology import EYE_LEFT, EYE_RIGHT, lid_pairs, with_outer_rings
from mien.vision.swap.masks.builtin import builtin_mask
from mien.vision.swap.occlusion import FINE_SIDE
from mien.vision.swap.swapper import MeshSwapper, persona_from_photo
from support.drawn_heads import drawn_face, drawn_head, drawn_mesh

REFERENCE_MESH = drawn_mesh()
PHOTO = persona_from_photo(drawn_head(1, REFERENCE_MESH), REFERENCE_MESH, "Ada")
MASK = builtin_mask("volto")
PERSONAS = [pytest.param(PHOTO, id="photo"), pytest.param(MASK, id="mask")]
SKIN = (inner(256) > 0.99) & (openings(256) < 0.01)
SKIN &= ~(cv2.dilate(openings(256), np.ones((15, 15))) > 0.01)


def swapped(persona, person=2, *, frames=1, light=1.0, **pose):
    """Return a frame before and after, and whether the swap was made."""
    mesh = drawn_mesh(**pose)
    before, swapper = drawn_head(person, mesh, light=light), MeshSwapper(persona)
    for i in range(frames):
        after = before.copy()
        made = swapper(after, mesh, at=i / 30)
    return before, after, made, mesh


def likeness(image, mesh, person):
    """Return how much the cheeks in an image correlate with somebody's."""
    seen, drawn = unwrap(image, mesh, 256)[..., 1], drawn_face(person)[..., 1]
    return np.corrcoef(seen[SKIN].astype(float), drawn[SKIN].astype(float))[0, 1]


@pytest.mark.parametrize("yaw", [-30, 0, 30])
def test_the_face_becomes_the_personas(yaw):
    before, after, made, mesh = swapped(PHOTO, yaw=yaw)
    assert made
    assert likeness(before, mesh, 2) > likeness(before, mesh, 1) + 0.3
    assert likeness(after, mesh, 1) > likeness(after, mesh, 2) + 0.2


@pytest.mark.parametrize("persona", PERSONAS)
def test_nothing_beyond_the_hem_of_the_face_is_touched(persona):
    before, after, _, mesh = swapped(persona)
    x0, y0 = np.floor(with_outer_rings(mesh)[:, :2].min(axis=0)).astype(int) - 6
    x1, y1 = np.ceil(with_outer_rings(mesh)[:, :2].max(axis=0)).astype(int) + 6
    changed = (before != after).any(axis=2)
    assert changed.any()
    changed[y0:y1, x0:x1] = False
    assert not changed.any()


@pytest.mark.parametrize("persona", PERSONAS)
@pytest.mark.parametrize(
    "pose",
    [
        pytest.param({"yaw": 80}, id="profile"),
        pytest.param({"pitch": 75}, id="looking up"),
        pytest.param({"scale": 0.08}, id="too small"),
        pytest.param({"at": (-40, 240)}, id="half outside"),
        pytest.param({"at": (5000, 5000)}, id="far outside"),
    ],
)
def test_what_it_would_not_cover_it_refuses_and_leaves_alone(persona, pose):
    mesh = drawn_mesh(**pose)
    frame = drawn_head(2, drawn_mesh())
    before = frame.copy()
    assert MeshSwapper(persona)(frame, mesh, at=0.0) is False
    np.testing.assert_array_equal(frame, before)


def test_a_thing_held_before_most_of_the_face_ends_the_swap():
    mesh, swapper = drawn_mesh(), MeshSwapper(PHOTO)
    frame = drawn_head(2, mesh)
    for i in range(30):
        assert swapper(frame.copy(), mesh, at=i / 30)
    frame[240:, 240:400] = (20, 60, 230)  # chin, mouth and half the cheeks
    made = [swapper(frame.copy(), mesh, at=(30 + i) / 30) for i in range(10)]
    assert made[-1] is False


def test_a_refused_face_must_do_clearly_better_before_it_is_swapped_again():
    swapper = MeshSwapper(MASK)
    frame = drawn_head(2, drawn_mesh())
    made = [swapper(frame.copy(), drawn_mesh(yaw=yaw), at=i) for i, yaw in enumerate((60, 66, 60, 50))]
    assert made == [True, False, False, True]


@pytest.mark.parametrize("persona", PERSONAS)
def test_a_cover_comes_before_a_swap_ends_and_lifts_slowly_when_it_is_back(persona):
    swapper, opacities = MeshSwapper(persona), []
    for i, yaw in enumerate((*range(30, 72), *[0] * 15)):
        mesh = drawn_mesh(yaw=yaw)
        made = swapper(drawn_head(2, mesh), mesh, at=i / 30)
        opacities.append(swapper.mosaic_opacity)
        assert made == (swapper.mosaic_opacity < 1)
    turning, back = np.array(opacities[:42]), np.array(opacities[42:])
    assert turning[0] == 0
    assert turning[-1] == 1
    assert (np.diff(turning) >= 0).all(), "ever more of it is hidden"
    assert np.diff(turning).max() < 0.6, "and not at one blow"
    assert back[0] > 0.8
    assert (np.diff(back[:6]) < 0).all()
    assert back[6:].max() == 0


def test_a_swap_that_was_hidden_in_another_way_comes_back_slowly():
    swapper, mesh = MeshSwapper(MASK), drawn_mesh()
    swapper.pause(at=0.0)
    assert swapper(drawn_head(2, mesh), mesh, at=1 / 30)
    assert 0.8 < swapper.mosaic_opacity < 1


@pytest.mark.parametrize("persona", PERSONAS)
def test_a_face_that_jumps_is_covered_where_it_is_and_not_where_it_was(persona):
    swapper = MeshSwapper(persona)
    for i, x in enumerate((180, 182, 184)):
        mesh = drawn_mesh(at=(x, 240))
        swapper(drawn_head(2, mesh), mesh, at=i / 30)
    there = drawn_mesh(at=(460, 240))
    after = drawn_head(2, there)
    fresh = after.copy()
    assert swapper(after, there, at=3 / 30)
    MeshSwapper(persona)(fresh, there, at=3 / 30)
    np.testing.assert_array_equal(after, fresh)


@pytest.mark.parametrize("persona", PERSONAS)
def test_a_still_scene_does_not_flicker(persona):
    _, early, _, _ = swapped(persona, frames=20)
    _, late, _, _ = swapped(persona, frames=24)
    assert np.abs(early.astype(int) - late).max() <= 2


def test_a_mask_shows_nothing_of_the_skin_below():
    _, one, _, mesh = swapped(MASK, person=2)
    _, two, _, _ = swapped(MASK, person=3)
    difference = np.abs(unwrap(one, mesh, 256).astype(int) - unwrap(two, mesh, 256))
    assert difference[SKIN].mean() < 6  # what is left is the guess of the lamp
    betrayal = likeness(one, mesh, 2) - likeness(two, mesh, 2)  # brows and lips lie alike on everybody
    assert abs(betrayal) < 0.05


def test_the_eyes_stay_live():
    before, after, _, mesh = swapped(PHOTO)
    eyes = openings(256) > 0.999
    difference = np.abs(unwrap(before, mesh, 256).astype(int) - unwrap(after, mesh, 256))[eyes]
    assert np.median(difference) < 20


def test_the_open_mouth_stays_live():
    mesh = drawn_mesh()
    mesh[[14, 87, 317, 88, 178, 402, 318, 95, 324, 17, 84, 314, 152, 175, 199, 200, 18], 1] += 26
    frame = drawn_head(2, mesh)
    middle = mesh[[13, 14], :2].mean(axis=0).astype(int)
    inside = np.s_[middle[1] - 5 : middle[1] + 5, middle[0] - 8 : middle[0] + 8]
    frame[inside] = (10, 200, 30)
    for persona in (PHOTO, MASK):
        after = frame.copy()
        MeshSwapper(persona, shape=0)(after, mesh, at=0.0)
        assert np.abs(after[inside].astype(int) - frame[inside]).max() < 30


@pytest.mark.parametrize("light", [0.15, 0.5, 1.2])
def test_a_photo_is_as_bright_as_the_face_it_covers(light):
    before, after, _, mesh = swapped(PHOTO, light=light)
    levels = [unwrap(image, mesh, 256)[SKIN].mean() for image in (before, after)]
    assert levels[1] == pytest.approx(levels[0], rel=0.15, abs=4)


def test_a_face_cut_by_the_border_of_the_frame_is_swapped_where_it_is_seen():
    mesh = drawn_mesh(at=(85, 240))
    frame = drawn_head(2, mesh)
    assert MeshSwapper(MASK)(frame, mesh, at=0.0)


@given(arrays(np.float32, (468, 3), elements=st.floats(-1e6, 1e6, width=32), fill=st.floats(-900, 900, width=32)))
@settings(max_examples=40)
def test_no_mesh_however_wild_does_harm(mesh):
    frame = np.full((120, 160, 3), 128, np.uint8)
    assert MeshSwapper(MASK)(frame, mesh, at=0.0) in {True, False}


def test_a_mesh_that_is_not_finite_is_refused_loudly():
    mesh = drawn_mesh()
    mesh[3, 1] = np.inf
    with pytest.raises(ShapeError, match="mesh"):
        MeshSwapper(MASK)(np.zeros((48, 64, 3), np.uint8), mesh, at=0.0)


def eye_colour(image, mesh):
    return unwrap(image, mesh, 256)[openings(256) > 0.999].reshape(-1, 3).mean(axis=0)


def test_open_eyes_take_on_the_light_of_the_photos_eyes_and_closed_ones_do_not():
    dark = drawn_head(1, REFERENCE_MESH)
    eyes = cv2.convexHull(REFERENCE_MESH[EYE_LEFT, :2]), cv2.convexHull(REFERENCE_MESH[EYE_RIGHT, :2])
    for eye in eyes:
        cv2.fillPoly(dark, [np.round(eye).astype(np.int32)], (60, 50, 45))
    persona = persona_from_photo(dark, REFERENCE_MESH, "Ada")
    changes = []
    for opened in (True, False):
        mesh = drawn_mesh()
        for ring in () if opened else (EYE_LEFT, EYE_RIGHT):
            upper, lower = lid_pairs(ring)
            mesh[upper] = mesh[lower]
        after = drawn_head(2, drawn_mesh())
        before = eye_colour(after, drawn_mesh())
        MeshSwapper(persona, shape=0)(after, mesh, at=0.0)
        changes.append(float((before - eye_colour(after, drawn_mesh())).mean()))
    assert changes[0] > 30
    assert changes[0] > 2 * changes[1]


CHEEK_PART = np.s_[70:82, 28:42]
LOWER_THIRD = np.s_[80:]
MOST = np.s_[56:]


def shown(*hidden):
    """Swap a face frame by frame while a network says that a part of it is hidden: which frames were swapped?"""
    said = iter(hidden)

    def net(_batch):
        face = np.ones((1, 1, FINE_SIDE, FINE_SIDE), np.float32)
        if (part := next(said)) is not None:
            face[0, 0][part] = 0
        return {"face": face}

    mesh = drawn_mesh()
    before, swapper, made = drawn_head(2, mesh), MeshSwapper(PHOTO, shape=0, occlusion=net), []
    for i in range(len(hidden)):
        after = before.copy()
        made.append(swapper(after, mesh, at=i / 30))
        assert made[-1] or (after == before).all()
    return before, after, made, mesh


def test_what_a_network_sees_in_front_of_the_face_stays_as_it_was():
    before, after, made, mesh = shown(CHEEK_PART)
    assert made == [True]
    change = np.abs(unwrap(after, mesh, FINE_SIDE).astype(int) - unwrap(before, mesh, FINE_SIDE)).max(axis=2)
    assert change[73:79, 31:39].max() == 0
    assert change[70:82, 86:100].mean() > 2  # the other cheek


def test_a_hand_that_passes_in_front_does_not_end_the_swap():
    entering = [np.s_[row:] for row in (100, 95, 90, 85, 80)]
    assert all(shown(None, *entering, *[LOWER_THIRD] * 10, *entering[::-1], None)[2])


def test_a_swap_does_not_begin_behind_a_hand_and_begins_when_it_is_gone():
    made = shown(*[LOWER_THIRD] * 5, *[None] * 5)[2]
    assert not any(made[:5])
    assert made[-1]


def test_a_swap_begins_behind_spectacles_but_not_behind_as_large_a_hand():
    spectacles = np.s_[36:58, 22:106]
    assert all(shown(*[spectacles] * 5)[2])
    assert not any(shown(*[LOWER_THIRD] * 5)[2])


def test_cover_that_is_lost_at_once_is_a_mesh_beside_the_face():
    made = shown(*[None] * 5, *[LOWER_THIRD] * 8)[2]
    assert made == [True] * 5 + [False] * 8


def test_a_face_that_is_mostly_hidden_is_refused_however_slowly_it_went():
    slowly = [np.s_[row:] for row in range(110, 55, -5)]
    assert shown(None, *slowly, *[MOST] * 5)[2][-5:] == [False] * 5
