"""What covers a face."""

import cv2
import numpy as np
import pytest

from mien.vision.mesh.regions import inner, openings, oval
from mien.vision.swap.occlusion import (
    FINE_SIDE,
    SIDE,
    LearntOcclusion,
    OcclusionRule,
    covered_share,
    shown_skin,
    skin_matte,
)
from support.drawn_heads import drawn_face

LIVE = cv2.resize(drawn_face(4), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
ALL = np.ones((SIDE, SIDE), np.float32)
CHEEK = np.s_[34:40, 16:24]
MOUTH_AND_CHIN = np.s_[36:56, 18:46]


def watched(frames, *, dt=1 / 30):
    rule = OcclusionRule()
    for frame in frames:
        free = rule(frame, dt=dt)
    return free


def judged(*shares, dt=1 / 30):
    """Return what a network leads to that calls so much of a patch face, frame by frame."""
    said = iter(shares)
    net = LearntOcclusion(lambda batch: {"face": face_but(np.s_[..., 60:80, 40:60], next(said), batch)})
    return np.stack([net(np.zeros((FINE_SIDE, FINE_SIDE, 3), np.uint8), dt=dt)[70, 50] for _ in shares])


def face_but(patch, share, batch):
    assert batch.shape == (1, 3, FINE_SIDE, FINE_SIDE)
    assert batch.dtype == np.float32
    face = np.ones((1, 1, FINE_SIDE, FINE_SIDE), np.float32)
    face[patch] = share
    return face


def with_patch(where, colour):
    frame = LIVE.copy()
    frame[where] = colour
    return frame


@pytest.mark.parametrize("tone", [(250, 220, 200), (190, 145, 120), (110, 75, 55), (60, 40, 32)], ids=str)
def test_skin_of_any_tone_is_skin(tone):
    noise = np.random.default_rng(5).normal(size=(SIDE, SIDE, 1)) * 4
    assert skin_matte(np.clip(noise + tone, 0, 255).astype(np.uint8)).mean() > 0.98


@pytest.mark.parametrize("colour", [(20, 15, 12), (240, 240, 40), (60, 90, 200)], ids=["hair", "dye", "scarf"])
def test_what_has_not_the_colour_of_the_cheeks_is_not_skin(colour):
    fringe = np.s_[8:14, 16:48]
    assert skin_matte(with_patch(fringe, colour))[fringe].mean() < 0.2


def test_a_highlight_is_skin():
    forehead = np.s_[10:14, 28:36]
    assert skin_matte(with_patch(forehead, (225, 180, 155)))[forehead].mean() > 0.8


def test_the_inner_face_is_covered_whatever_its_colour():
    bearded = with_patch(MOUTH_AND_CHIN, (40, 30, 25))
    sure = inner(SIDE) > 0.99
    assert watched([bearded] * 10)[sure].min() > 0.8


def test_a_thing_that_comes_in_front_stays_live():
    seen = watched([LIVE] * 30 + [with_patch(CHEEK, (30, 60, 220))] * 15)
    assert seen[CHEEK].mean() < 0.35
    assert seen[34:40, 40:48].mean() > 0.9


def test_what_was_in_front_is_forgotten_when_it_goes():
    gone = watched([LIVE] * 30 + [with_patch(CHEEK, (30, 60, 220))] * 15 + [LIVE] * 30)
    assert gone[CHEEK].mean() > 0.9


def test_a_change_of_light_over_the_whole_face_is_nothing_in_front():
    red = np.clip(LIVE * np.array([1.3, 0.5, 0.4]), 0, 255).astype(np.uint8)
    assert watched([LIVE] * 30 + [red] * 3)[inner(SIDE) > 0.9].min() > 0.8


def test_what_a_network_surely_calls_face_is_covered_and_what_it_surely_does_not_stays_live():
    assert judged(0.95).item() == 1
    assert judged(0.05).item() == 0


def test_a_network_sees_colours_from_minus_one_to_one():
    seen = []
    net = LearntOcclusion(lambda batch: seen.append(batch) or {"face": batch[:, :1]})
    net(np.full((FINE_SIDE, FINE_SIDE, 3), (0, 51, 255), np.uint8), dt=1 / 30)
    assert seen[0][0, :, 5, 9].tolist() == pytest.approx([-1, -0.6, 1])


def test_a_hand_that_comes_is_left_live_within_two_frames_and_covered_skin_is_back_as_soon():
    came = judged(*[1] * 5, *[0] * 2)
    assert came[4] == 1
    assert came[-1] < 0.1
    gone = judged(*[0] * 5, *[1] * 2)
    assert gone[4] == 0
    assert gone[-1] > 0.9


def test_a_doubt_that_wavers_does_not_flicker():
    wavering = judged(*[0.4, 0.55] * 30)[20:]
    raw = np.abs(judged(0.4) - judged(0.55)).item()
    assert np.abs(np.diff(wavering)).max() < 0.4 * raw


def test_cover_counts_what_is_seen_of_the_inner_face():
    half = ALL.copy()
    half[:, : SIDE // 2] = 0
    assert covered_share(ALL, ALL) == pytest.approx(1)
    assert covered_share(half, ALL) == pytest.approx(0.5, abs=0.03)
    assert covered_share(half, half) == pytest.approx(1)  # the bare half looks away
    assert covered_share(1 - inner(SIDE), ALL) < 0.1


def test_eyes_that_stay_live_are_no_gap():
    assert covered_share(1 - openings(SIDE), ALL) == pytest.approx(1, abs=0.02)


def test_a_photos_fringe_and_its_unseen_side_are_not_shown():
    photo = drawn_face(4)
    photo[20:70] = (25, 18, 15)
    seen = np.ones((256, 256), np.float32)
    seen[:, :30] = 0
    shown = shown_skin(photo, seen)
    assert shown[6:12, 20:44].mean() < 0.1
    assert shown[26:36, :5].mean() < 0.2
    assert shown[(inner(SIDE) > 0.99) & (oval(SIDE) > 0.99)].min() > 0.95
