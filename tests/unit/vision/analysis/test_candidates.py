"""Candidates: who confirms them, when they are refuted, and for how long that is remembered."""

import numpy as np
import pytest

from mien.vision.analysis.candidates import (
    CHECKED_A_FRAME,
    DOUBT_S,
    LEAST_CHECKS,
    RECHECKED_FRAMES,
    CandidateReview,
    MeshCheck,
)
from mien.vision.analysis.landmarks import MeshLandmarker
from mien.vision.analysis.tracker import FaceTracker
from mien.vision.types import Detection

FPS, FROM_PX = 25, 40
SCENE = np.random.default_rng(3).integers(0, 255, (360, 640, 3), np.uint8)
PLACE = (200, 100, 330, 240)


def seen(box=PLACE):
    return Detection(np.array(box, np.float32), 0.9)


class Check:
    """Gives the scores that a test says, call by call, and counts how often it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def __call__(self, _image, box, _roll, *, threshold):
        assert threshold >= 0.3
        self.asked += 1
        score = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Detection(box, float(score)) if score else None


def run(review, frames, *found, tracker=None, fps=FPS, image=SCENE, begin=0):
    """Follow the same detections through some frames; return the numbers refuted in each."""
    tracker = tracker or FaceTracker(None)
    refuted = []
    for number in range(begin, begin + frames):
        tracks = tracker(image, review.believable(image, [seen(box) for box in found or [PLACE]]), number / fps)
        refuted.append(review.weigh(image, tracks, number / fps))
        tracker.drop(refuted[-1])
    return refuted


def test_a_candidate_that_nothing_confirms_is_refuted_after_a_fifth_of_a_second_and_not_before():
    refuted = run(CandidateReview([Check(False)], from_px=FROM_PX), 8)
    assert refuted == [set()] * round(DOUBT_S * FPS) + [{1}] + [set()] * 2


def test_at_few_frames_a_second_it_takes_as_many_checks():
    refuted = run(CandidateReview([Check(False)], from_px=FROM_PX), LEAST_CHECKS, fps=4)
    assert refuted == [set()] * (LEAST_CHECKS - 1) + [{1}]


@pytest.mark.parametrize("when", range(6))
def test_one_clear_look_in_time_is_enough_for_good(when):
    check = Check(*[False] * when, True, False)
    assert run(CandidateReview([check], from_px=FROM_PX), 40) == [set()] * 40
    assert check.asked == when + 1


def test_any_of_several_checks_confirms():
    assert run(CandidateReview([Check(False), Check(False), Check(True)], from_px=FROM_PX), 20) == [set()] * 20


@pytest.mark.parametrize(
    ("answers", "is_face"),
    [((0.6, False), False), ((0.6, False, 0.6, False), True)],
    ids=["one faint look", "two faint looks"],
)
def test_two_faint_looks_confirm_and_one_does_not(answers, is_face):
    refuted = run(CandidateReview([Check(*answers)], from_px=FROM_PX), 8)
    assert (refuted == [set()] * 8) is is_face


def test_a_small_candidate_needs_no_confirmation():
    check = Check(False)
    assert run(CandidateReview([check], from_px=FROM_PX), 20, (200, 100, 200 + FROM_PX - 2, 130)) == [set()] * 20
    assert check.asked == 0


@pytest.mark.parametrize(("logit", "holds"), [(5.0, True), (-5.0, False)])
def test_a_mesh_that_holds_confirms_and_one_that_does_not_hold_does_not(logit, holds):
    points = np.zeros((468, 3), np.float32)
    points[:, :2] = 96 + (np.stack(np.meshgrid(np.linspace(-1, 1, 26), np.linspace(-1, 1, 18)), -1) * 60).reshape(-1, 2)
    points[33, :2], points[263, :2] = (60, 80), (132, 80)
    landmarker = MeshLandmarker(lambda _batch: {"points": points[None], "logits": np.array([[logit]], np.float32)})
    refuted = run(CandidateReview([Check(False)], MeshCheck(landmarker), from_px=FROM_PX), 8)
    assert (refuted == [set()] * 8) is holds


def test_a_refuted_candidate_does_not_come_back_while_it_looks_the_same():
    review, tracker = CandidateReview([Check(False)], from_px=FROM_PX), FaceTracker(None)
    assert {1} in run(review, 8, tracker=tracker)
    for number in range(8, 60):
        noisy = np.clip(SCENE + np.random.default_rng(number).normal(0, 6, SCENE.shape), 0, 255).astype(np.uint8)
        assert review.believable(noisy, [seen()]) == []


def test_beside_a_refuted_candidate_faces_are_believed():
    review = CandidateReview([Check(False)], from_px=FROM_PX)
    run(review, 8)
    beside, small = seen((400, 100, 530, 240)), seen((240, 130, 270, 165))
    assert review.believable(SCENE, [beside, seen(), small]) == [beside, small]


def test_where_something_else_is_seen_the_candidate_is_a_new_one():
    review = CandidateReview([Check(False)], from_px=FROM_PX)
    run(review, 8)
    other = 255 - SCENE
    assert len(review.believable(other, [seen()])) == 1
    assert len(review.believable(SCENE, [seen()])) == 1  # what was refuted there is forgotten


@pytest.mark.parametrize("is_face", [True, False])
def test_where_the_picture_changes_a_little_the_candidate_is_checked_again(is_face):
    check = Check(False)
    review = CandidateReview([check], from_px=FROM_PX)
    run(review, 8)
    check.answers = [is_face]
    changed = SCENE.copy()
    changed[100:130, 200:330] = 255 - changed[100:130, 200:330]
    for _ in range(3):
        assert len(review.believable(changed, [seen()])) == is_face


def test_a_refuted_candidate_is_checked_again_now_and_then_and_comes_back_as_soon_as_it_is_confirmed():
    check = Check(False)
    review = CandidateReview([check], from_px=FROM_PX)
    run(review, 8)
    check.answers = [True]
    back = [len(review.believable(SCENE, [seen()])) for _ in range(RECHECKED_FRAMES + 4)]
    assert 0 < back.index(1) <= RECHECKED_FRAMES
    assert all(back[back.index(1) :])


def test_after_a_cut_nothing_is_remembered():
    review = CandidateReview([Check(False)], from_px=FROM_PX)
    run(review, 8)
    review.forget()
    assert len(review.believable(SCENE, [seen()])) == 1


def test_of_many_candidates_a_few_are_checked_in_each_frame_and_all_in_the_end():
    check = Check(False)
    boxes = [(x, y, x + 100, y + 110) for y in (10, 130) for x in (10, 130, 250, 370, 490)]
    review = CandidateReview([check], from_px=FROM_PX)
    refuted = run(review, 30, *boxes)
    assert check.asked <= 2 * 30 * CHECKED_A_FRAME  # as they lie, and turned otherwise
    assert set().union(*refuted) == set(range(1, len(boxes) + 1))


def test_in_the_last_frame_of_a_scene_only_what_is_confirmed_at_once_counts():
    small = seen((10, 10, 40, 44))
    assert CandidateReview([Check(False)], from_px=FROM_PX).confirmed(SCENE, [seen(), small]) == [small]
    assert len(CandidateReview([Check(0.9)], from_px=FROM_PX).confirmed(SCENE, [seen(), small])) == 2


@pytest.mark.parametrize(
    ("score", "mesh", "is_face"), [(0.9, 0.9, True), (0.9, 0.0, True), (0.0, 0.9, True), (0.0, 0.0, False)]
)
def test_a_candidate_needs_a_mesh_or_another_network(score, mesh, is_face):
    huge = (100, 30, 330, 270)
    refuted = run(CandidateReview([Check(score)], Check(mesh), from_px=FROM_PX), 10, huge)
    assert (refuted == [set()] * 10) is is_face


def test_a_face_that_was_confirmed_and_comes_near_is_not_doubted_again():
    tracker, check = FaceTracker(None), Check(0.9)
    review = CandidateReview([check], Check(0.9), from_px=FROM_PX)
    run(review, 3, tracker=tracker)
    check.answers = [False]
    for number in range(3, 30):
        grown = (200 - 4 * number, 100 - 3 * number, 330 + 4 * number, 240 + 3 * number)
        assert run(review, 1, grown, tracker=tracker, begin=number) == [set()]


def test_a_huge_candidate_made_of_two_faces_is_refuted_at_once_and_they_are_not():
    def check(_image, box, _roll, *, threshold):
        return Detection(box, 0.9) if box[2] - box[0] < 90 and threshold < 0.9 else None

    tracker, review = FaceTracker(None), CandidateReview([check], from_px=FROM_PX)
    faces = [(150, 100, 210, 170), (280, 100, 340, 170)]
    assert run(review, 3, *faces, tracker=tracker) == [set()] * 3
    assert run(review, 1, *faces, (120, 40, 370, 320), tracker=tracker, begin=3) == [{3}]
    assert run(review, 3, *faces, tracker=tracker, begin=4) == [set()] * 3
