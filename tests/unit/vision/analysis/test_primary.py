"""A swap is bound to one person: with people whose faces are textures, and an embedder that knows them apart."""

import numpy as np
import pytest

from mien.vision.analysis.landmarks import box_of_mesh
from mien.vision.analysis.primary import LargestInStill, PrimaryFace, PrimaryPerson, PrimaryRules, Verdict
from mien.vision.analysis.tracker import FaceTrack
from mien.vision.swap.masks.preview import nobody

RULES = PrimaryRules()
FPS = 25
MIDDLE = 4
"""Half the side of the patch in the middle of each face by whose colour the embedder tells who it is."""


def at_cosine(cosine, axis):
    """Return a unit vector of this cosine to Ann's."""
    vector = np.zeros(8, np.float32)
    vector[0], vector[axis] = cosine, np.sqrt(1 - cosine**2)
    return vector


PEOPLE = {
    "ann": at_cosine(1.0, 1),
    "ann, turned": at_cosine(0.975, 1),
    "ann, in the dark": at_cosine(0.962, 2),
    "ann, shouting": at_cosine(0.92, 3),
    "lookalike": at_cosine(0.955, 4),
    "bob": at_cosine(0.88, 5),
    "cat": at_cosine(0.85, 6),
}
TEXTURES = {name: np.random.default_rng(i).integers(0, 255, (12, 12)) for i, name in enumerate(PEOPLE)}


class Embedder:
    """Tells people apart by the colour in the middle of their faces, and counts."""

    def __init__(self):
        self.count = 0

    def __call__(self, image, mesh):
        self.count += 1
        x, y = ((box_of_mesh(mesh)[:2] + box_of_mesh(mesh)[2:]) / 2).astype(int)
        return PEOPLE[list(PEOPLE)[int(image[y, x, 0]) // 20]]


def face(number, who, x=300, size=120, *, texture=None, **more):
    """Return a face to be drawn: its track's number, who it is, where its middle is and how high it is."""
    return {"number": number, "who": who, "x": x, "size": size, "texture": texture or who.split(",")[0]} | more


class Stage:
    """Draws frames of faces and asks who wears the persona."""

    def __init__(self, rules=RULES):
        self.embed = Embedder()
        self.chosen = PrimaryFace(self.embed, rules)
        self.frame = 0

    def __call__(self, *faces, others=(), fps=FPS):
        self.frame += 1
        image = np.full((360, 900, 3), 127, np.uint8)
        return self.chosen(image, [self._track(image, **one) for one in faces], self.frame / fps, others)

    def _track(self, image, *, number, who, x, size, texture, seen=True, score=0.95, doubtful=False, flat=False):
        mesh = nobody()
        mesh = (mesh - mesh.mean(axis=0)) * np.float32(size / np.ptp(mesh[:, 1])) + np.array([x, 180, 0], np.float32)
        box = box_of_mesh(mesh)
        x0, y0, x1, y1 = box.astype(int)
        if not flat:
            rows = np.linspace(0, 11.99, y1 - y0).astype(int)
            columns = np.linspace(0, 11.99, x1 - x0).astype(int)
            image[y0:y1, x0:x1] = TEXTURES[texture][rows][:, columns, None]
            middle_x, middle_y = (x0 + x1) // 2, (y0 + y1) // 2
            place = np.s_[middle_y - MIDDLE : middle_y + MIDDLE, middle_x - MIDDLE : middle_x + MIDDLE]
            image[place] = 20 * list(PEOPLE).index(who) + 10
        mesh = mesh.astype(np.float32) if seen else None
        return FaceTrack(number, box, box, self.frame / FPS, 0.0, mesh, score if seen else 0.0, seen, doubtful=doubtful)

    def play(self, count, *faces, **more):
        """Return who wore the persona in so many frames of the same faces."""
        return [self(*faces, **more).wearer for _ in range(count)]


def chosen(*, alone=True):
    """Return a stage on which Ann was chosen, as track 1."""
    stage = Stage()
    others = () if alone else (face(2, "bob", 700, 90),)
    assert stage.play(30, face(1, "ann"), *others)[-1] == 1
    return stage


ANN, BOB = face(1, "ann"), face(2, "bob", 700)


def test_the_largest_face_is_chosen_once_it_was_steady_for_some_frames():
    worn_by = Stage().play(30, face(1, "ann", size=120), face(2, "bob", 700, 100))
    assert worn_by == [None] * (RULES.steady_frames - 1) + [1] * (30 - RULES.steady_frames + 1)


def test_the_verdict_reaches_back_to_the_first_frame_in_which_it_was_there():
    stage = Stage()
    verdicts = [stage(ANN) for _ in range(RULES.steady_frames)]
    assert verdicts[-1] == Verdict(1, since=1 / FPS)


def test_who_passes_by_in_the_first_frames_is_not_chosen():
    stage = Stage()
    assert stage.play(2, face(1, "ann"), face(2, "bob", 700, 200)) == [None, None]
    assert stage.play(10, face(1, "ann"))[-1] == 1


def test_a_candidate_whose_size_wavers_beside_another_is_chosen_all_the_same():
    stage = Stage()
    worn_by = [stage(face(1, "ann", size=120 + 6 * (i % 2)), face(2, "bob", 700, 123)).wearer for i in range(12)]
    assert worn_by[-1] in {1, 2}


def test_a_larger_face_that_nobody_could_be_told_by_holds_a_smaller_one_back_only_for_a_while():
    stage = Stage()
    worn_by = stage.play(60, face(1, "ann", size=100), face(2, "bob", 700, 180, flat=True))
    begun = worn_by.index(1)
    assert set(worn_by[:begun]) == {None}
    assert RULES.patience_s <= begun / FPS <= RULES.patience_s + 0.3


@pytest.mark.parametrize("poor", [{"flat": True}, {"score": 0.6}, {"size": 24}], ids=["no detail", "mesh", "small"])
def test_a_face_that_cannot_be_known_is_not_chosen(poor):
    stage = Stage()
    assert set(stage.play(60, face(1, "ann", **poor))) == {None}
    assert stage.embed.count == 0


def test_whoever_comes_nearer_the_persona_stays_and_nobody_else_is_even_compared():
    stage = chosen(alone=False)
    taken = stage.embed.count
    worn_by = [stage(ANN, face(2, "bob", 700, 90 + 4 * i)).wearer for i in range(40)]
    assert set(worn_by) == {1}
    assert stage.embed.count - taken <= 2 + 40 / FPS / RULES.renew_s, "a wearer in sight costs an embedding a second"


def test_when_the_chosen_one_leaves_nobody_wears_it_and_who_returns_is_known_at_once():
    stage = chosen(alone=False)
    other = face(2, "bob", 700, 200)
    assert set(stage.play(5 * FPS, other)) == {None}
    assert stage.play(3, face(7, "ann", 200), other) == [7] * 3


def test_a_lost_track_that_goes_on_is_compared_before_it_wears_the_persona_again():
    stage = chosen()
    taken = stage.embed.count
    assert stage.play(2, face(1, "ann", seen=False)) == [None, None]
    assert stage.play(1, ANN) == [1]
    assert stage.embed.count == taken + 1
    assert stage.play(1, face(1, "ann", seen=False)) == [None]
    assert set(stage.play(3 * FPS, face(1, "bob"))) == {None}


def test_after_a_cut_to_somebody_else_nobody_wears_it_and_after_the_cut_back_the_chosen_one_does():
    stage = chosen()
    stage.chosen.forget_tracks()
    taken = stage.embed.count
    assert set(stage.play(10 * FPS, face(3, "bob", size=200))) == {None}
    assert stage.embed.count - taken <= RULES.patient_after + 10 / RULES.patient_spacing_s + 1
    stage.chosen.forget_tracks()
    assert stage.play(2, face(4, "ann", 600)) == [4, 4]


@pytest.mark.parametrize("who", ["bob", "cat", "lookalike"])
def test_whoever_is_put_into_the_same_place_does_not_wear_it_in_any_frame(who):
    """One frame to the next, same track, same place: as an exchange behind a pillar, or a tracker's mistake."""
    stage = chosen()
    verdict = stage(face(1, who))
    assert verdict.wearer is None
    assert set(stage.play(20 * FPS, face(1, who))) == {None}


def test_an_exchange_is_refuted_so_that_frames_that_wait_can_be_taken_back():
    stage = chosen()
    assert stage(face(1, "bob")) == Verdict(refuted=1)


def test_while_faces_cross_the_wearer_is_compared_again_and_again():
    stage = chosen(alone=False)
    taken = stage.embed.count
    crossing = [face(1, "ann", doubtful=True), face(2, "bob", 450, doubtful=True)]
    assert set(stage.play(2 * FPS, *crossing)) == {1}
    assert stage.embed.count - taken >= 2 / RULES.spacing_s


def test_a_wearer_that_cannot_be_told_while_faces_cross_loses_the_persona():
    stage = chosen(alone=False)
    blurred = [face(1, "ann", doubtful=True, score=0.7), face(2, "bob", 450, doubtful=True)]
    assert stage.play(FPS, *blurred)[-1] is None


def test_who_slides_in_front_while_faces_cross_takes_the_persona_for_no_longer_than_a_tenth_of_a_second():
    """So slowly that no frame differs from the last: the texture stays Ann's, the embedding is Bob's."""
    stage = chosen(alone=False)
    crossing = [face(1, "bob", texture="ann", doubtful=True), face(2, "ann", 450, doubtful=True)]
    worn_by = stage.play(10, *crossing)
    assert worn_by.index(2 if 2 in worn_by else None) <= RULES.spacing_s / 2 * FPS
    assert 1 not in worn_by[worn_by.index(None) :]


def test_the_wearer_is_found_out_within_a_second_even_without_any_sign():
    stage = chosen()
    worn_by = stage.play(2 * FPS, face(1, "bob", texture="ann"))
    assert worn_by.count(1) <= RULES.renew_s * FPS
    assert worn_by[-1] is None


def test_who_pulls_a_face_keeps_the_persona_while_followed_without_a_doubt():
    stage = chosen()
    assert set(stage.play(5 * FPS, face(1, "ann, shouting", texture="ann"))) == {1}


def test_a_lookalike_never_passes_however_long_it_tries():
    stage = chosen()
    stage.chosen.forget_tracks()
    assert set(stage.play(60 * FPS, face(5, "lookalike"))) == {None}


def test_poses_seen_while_the_persona_was_worn_are_known_when_the_person_returns():
    stage = chosen()
    turned = PEOPLE["ann, in the dark"]
    assert stage.chosen.person.likeness(turned) < RULES.at_once
    stage.play(2 * FPS, face(1, "ann, in the dark", texture="ann"))
    assert stage.chosen.person.likeness(turned) == pytest.approx(1.0, abs=1e-5)
    assert stage.play(3, BOB) == [None] * 3
    assert stage.play(1, face(9, "ann, in the dark")) == [9]


def test_a_person_who_returns_in_another_light_is_known_by_several_embeddings():
    stage = chosen()
    stage.chosen.forget_tracks()
    worn_by = stage.play(FPS, face(9, "ann, in the dark"))
    assert worn_by[0] is None
    assert worn_by.index(9) / FPS < 0.6


def test_so_much_is_learnt_and_the_first_embeddings_stay():
    person = PrimaryPerson((PEOPLE["ann"],))
    for i in range(40):
        person = person.having_learnt(at_cosine(0.96, 1 + i % 6), RULES.learnt)
    assert len(person.learnt) == RULES.learnt
    assert person.first == (PEOPLE["ann"],)


def test_an_enrolled_person_gives_way_and_the_next_one_is_chosen():
    stage = chosen(alone=False)
    assert stage(ANN, BOB, others=[1]).wearer is None
    assert stage.play(10, ANN, BOB, others=[1])[-1] == 2


@pytest.mark.parametrize("fps", [0.7, 2, 3, 6])
def test_pictures_that_come_slowly_are_enough(fps):
    stage = Stage()
    for i in range(8):
        if fps < 1:  # as the pipeline does: a new scene
            stage.chosen.forget_tracks()
        verdict = stage(face(i if fps < 1 else 1, "ann"), fps=fps)
    assert verdict.wearer is not None
    assert stage(face(50, "bob"), fps=fps).wearer is None


def test_the_person_outlives_the_pipeline():
    old, new = chosen(), Stage()
    new.chosen.person = old.chosen.person
    assert new.play(FPS, BOB) == [None] * FPS
    assert new.play(1, face(9, "ann"), BOB) == [9]


def test_in_a_still_the_largest_face_with_a_mesh_is_chosen():
    image = np.zeros((360, 900, 3), np.uint8)
    draw = Stage()._track
    small, large = draw(image, **face(1, "ann", size=80)), draw(image, **face(2, "bob", 700, 160))
    false = draw(image, **face(3, "cat", 500, 300, seen=False))
    still = LargestInStill()
    assert still(image, [small, large, false], 0.0).wearer == 2
    assert still(image, [small, large, false], 0.0, [2]).wearer == 1
    assert still(image, [false], 0.0).wearer == 3
    assert still(image, [], 0.0).wearer is None


class TestAsked:
    def test_a_face_that_is_asked_for_is_chosen_instead_though_it_is_smaller_and_nobody_wears_it_meanwhile(self):
        stage, small = chosen(), face(2, "bob", 700, 60)
        stage(ANN, small)
        stage.chosen.asked = 2
        worn_by = stage.play(20, ANN, small)
        assert worn_by == [None] * (RULES.steady_frames - 1) + [2] * (20 - RULES.steady_frames + 1)
        assert stage.chosen.asked is None

    def test_it_is_held_as_one_who_was_chosen_by_itself(self):
        stage = chosen()
        stage(ANN, BOB)
        stage.chosen.asked = 2
        stage.play(10, ANN, BOB)
        assert set(stage.play(10, ANN)) == {None}
        assert stage.play(20, ANN, face(9, "bob", 600))[-1] == 9

    def test_until_it_is_shown_well_enough_nobody_is_chosen(self):
        stage, unclear = chosen(), face(2, "bob", 700, flat=True)
        stage(ANN, BOB)
        stage.chosen.asked = 2
        assert set(stage.play(20, ANN, unclear)) == {None}
        assert stage.chosen.asked == 2
        assert stage.play(10, ANN, BOB)[-1] == 2

    def test_a_face_that_is_gone_is_forgotten_and_the_largest_is_chosen(self):
        stage = chosen()
        stage(ANN, BOB)
        stage.chosen.asked = 2
        stage(ANN, BOB)
        assert stage.play(20, ANN)[-1] == 1
        assert stage.chosen.asked is None

    def test_a_face_that_never_was_changes_nothing(self):
        stage = chosen()
        stage.chosen.asked = 77
        assert set(stage.play(5, ANN, BOB)) == {1}

    def test_a_person_with_a_rule_of_their_own_cannot_be_chosen(self):
        stage = chosen()
        stage(ANN, BOB)
        stage.chosen.asked = 2
        assert set(stage.play(10, ANN, BOB, others=(2,))) == {1}
