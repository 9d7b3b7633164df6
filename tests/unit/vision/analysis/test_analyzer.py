"""The analyzer by itself: what it tells of frames, and what it tells of older ones that wait. Nothing is drawn."""

import numpy as np
import pytest

from mien.errors import PolicyError, ShapeError
from mien.vision.analysis.analyzer import AnalyzerParts, FaceAnalyzer
from mien.vision.analysis.candidates import CandidateReview
from mien.vision.analysis.clearance import ClearanceRules
from mien.vision.analysis.embedder import Gallery
from mien.vision.analysis.tracker import FaceTracker
from mien.vision.frame_analysis import Subjects, WaitingFrame
from mien.vision.types import FaceQuality
from support.two_patches import VECTORS, Place, Shot, TwoPatches

FPS = 25
ALICE, BOB = Place(120, 130, like="alice"), Place(340, 130, like="bob")
RULES = ClearanceRules(samples=3, spacing_s=0.0, min_sharpness=0)


def analyzer(world, *, mesh=True, **parts):
    landmarker = world if mesh else None
    enrolled = Gallery({name: [vector] for name, vector in VECTORS.items()})
    wanted = {"redetect": world.redetect, "embed": world.embed, "gallery": enrolled, "rules": RULES} | parts
    return FaceAnalyzer(AnalyzerParts(world.find, FaceTracker(landmarker, wanted["redetect"]), **wanted))


def watch(analyzer, world, *, delay=0):
    """Analyse every frame; return the analyses, and what is known of the last `delay` frames by the end."""
    waiting, out = [], []
    for number in range(len(world.shots)):
        image = world.frame(number)
        analysis = analyzer(image, at=number / FPS, waiting=waiting)
        waiting = amended(waiting, analysis.amendments)
        waiting = [*waiting, WaitingFrame(image, analysis)][-delay:] if delay else []
        out.append(analysis)
    return out, waiting


def amended(waiting, amendments):
    for amendment in amendments:
        waiting = [
            frame._replace(analysis=frame.analysis.amended(amendment)) if frame.analysis.at == amendment.at else frame
            for frame in waiting
        ]
    return waiting


def test_faces_can_be_counted_and_no_frame_is_changed():
    world = TwoPatches([Shot({"alice": ALICE}), Shot({"alice": ALICE, "bob": BOB}), Shot({})])
    counting, counts = analyzer(world), []
    for number in range(3):
        image = world.frame(number)
        before = image.tobytes()
        analysis = counting(image, at=number / FPS)
        counts.append(sum(face.seen for face in analysis.faces))
        assert image.tobytes() == before
    assert counts == [1, 2, 0]


def test_a_frozen_frame_is_enough():
    """An analyzer that wrote into its frame would raise here."""
    world = TwoPatches([Shot({"alice": ALICE})] * 6)
    seeing = analyzer(world)
    for number in range(6):
        image = world.frame(number)
        image.flags.writeable = False
        assert len(seeing(image, at=number / FPS).faces) == 1


def test_a_face_keeps_its_number_and_its_evidence_adds_up_to_a_name():
    analyses, _waiting = watch(analyzer(world := TwoPatches([Shot({"alice": ALICE})] * 8)), world)
    faces = [analysis.faces[0] for analysis in analyses]
    assert {face.face_track_id for face in faces} == {faces[0].face_track_id}
    assert [(face.likely_identity, face.identity) for face in faces[:2]] == [("alice", None)] * 2
    assert [(face.likely_identity, face.identity) for face in faces[2:]] == [("alice", "alice")] * 6
    assert faces[0].quality is FaceQuality.GOOD
    assert faces[3].quality is None, "nothing had to know"


def test_a_lost_face_is_told_with_the_time_since_it_was_seen():
    world = TwoPatches([Shot({"alice": ALICE})] * 2 + [Shot({})] * 3)
    analyses, _waiting = watch(analyzer(world), world)
    assert [(face.seen, round(face.unseen_s * FPS)) for a in analyses for face in a.faces] == [
        (True, 0),
        (True, 0),
        (False, 1),
        (False, 2),
        (False, 3),
    ]


def test_scenes_begin_at_cuts_and_with_other_sizes():
    world = TwoPatches([Shot({}), Shot({}), Shot({}, scene=1), Shot({}, scene=1)])
    seeing = analyzer(world)
    scenes = [seeing(world.frame(number), at=number / FPS).scene for number in range(4)]
    assert [scene.is_new for scene in scenes] == [True, False, True, False]
    assert [scene.resized for scene in scenes] == [True, False, False, False]
    assert seeing(world.frame(3)[:200].copy(), at=1.0).scene.resized


def test_who_is_the_primary_person_is_told_once_somebody_asked():
    world = TwoPatches([Shot({"alice": ALICE})] * 8)
    nobody, _waiting = watch(analyzer(world), world)
    assert {analysis.primary_id for analysis in nobody} == {None}
    choosing = analyzer(world)
    choosing.set_subjects(Subjects(primary=True))
    chosen, _waiting = watch(choosing, world)
    assert chosen[-1].primary_id == chosen[-1].faces[0].face_track_id


def test_people_who_have_a_treatment_of_their_own_are_not_chosen():
    world = TwoPatches([Shot({"alice": ALICE})] * 8)
    choosing = analyzer(world)
    choosing.set_subjects(Subjects(frozenset({"alice"}), primary=True))
    analyses, _waiting = watch(choosing, world)
    assert analyses[-1].faces[0].identity == "alice"
    assert analyses[-1].primary_id is None


def test_without_an_embedder_nobody_can_be_chosen():
    with pytest.raises(PolicyError):
        analyzer(TwoPatches([Shot({})]), embed=None).set_subjects(Subjects(primary=True))


# --- amendments ----------------------------------------------------------------------------------------------------


def test_a_face_found_late_is_told_of_the_frames_that_wait():
    unseen = Place(120, 130, found=False)
    world = TwoPatches([Shot({"alice": unseen})] * 3 + [Shot({"alice": ALICE})])
    analyses, waiting = watch(analyzer(world, redetect=None), world, delay=4)
    assert [bool(frame.analysis.late_places) for frame in waiting] == [True, True, True, False]
    assert not any(analysis.late_places for analysis in analyses), "what was given does not change"
    (place, *_more) = waiting[2].analysis.late_places
    assert np.abs(place.box_xyxy - ALICE.box_xyxy).max() < 2
    assert place.face_track_id == analyses[3].faces[0].face_track_id


def test_a_lost_name_is_taken_back_in_the_frames_that_wait():
    doubtful = Place(120, 130, mesh_score=0.3, like="alice")
    world = TwoPatches([Shot({"alice": ALICE})] * 6 + [Shot({"alice": doubtful})])
    analyses, waiting = watch(analyzer(world), world, delay=3)
    assert analyses[5].faces[0].identity == "alice"
    assert [frame.analysis.faces[0].identity for frame in waiting] == [None] * 3
    assert {amendment.nameless for amendment in analyses[6].amendments} == {frozenset({1})}


def test_a_refuted_candidate_is_taken_out_of_the_frames_that_wait():
    world = TwoPatches([Shot({"alice": ALICE})] * 8)
    never = CandidateReview([lambda _image, _box, _roll, *, threshold: None], from_px=40)  # noqa: ARG005  # the port's
    analyses, waiting = watch(analyzer(world, mesh=False, review=never), world, delay=6)
    assert analyses[0].faces
    assert not any(frame.analysis.faces or frame.analysis.late_places for frame in waiting)


def test_the_primary_person_is_told_back_to_the_first_frame():
    world = TwoPatches([Shot({"alice": ALICE})] * 6)
    choosing = analyzer(world)
    choosing.set_subjects(Subjects(primary=True))
    analyses, waiting = watch(choosing, world, delay=6)
    assert analyses[0].primary_id is None
    assert {frame.analysis.primary_id for frame in waiting} == {analyses[-1].primary_id}


def test_the_end_of_a_scene_searches_the_last_frame_whole():
    world = TwoPatches([Shot({}), Shot({"bob": BOB})])
    late = []

    def find(image, tiles, _known):
        late.append(len(tiles))
        return world.find(image, tiles) if len(late) == 3 else []

    seeing = FaceAnalyzer(AnalyzerParts(find, FaceTracker(None)))
    waiting = []
    for number in range(2):
        image = world.frame(number)
        waiting.append(WaitingFrame(image, seeing(image, at=number / FPS)))
    waiting = amended(waiting, seeing.end_scene(waiting))
    assert [bool(frame.analysis.late_places) for frame in waiting] == [True, True]
    assert seeing(world.frame(1), at=1.0).scene.resized, "the next frame is searched as the first"


# --- failures ------------------------------------------------------------------------------------------------------


def test_after_a_failure_everybody_is_a_stranger_and_everything_is_searched():
    world, tiles = TwoPatches([Shot({"alice": ALICE})] * 9), []

    def find(image, wanted, _known):
        tiles.append(sum(not tile.quarter_turns for tile in wanted))
        if len(tiles) == 6:
            raise RuntimeError("the network died")
        return world.find(image, wanted)

    parts = AnalyzerParts(find, FaceTracker(world), None, world.embed, Gallery({"alice": [VECTORS["alice"]]}), RULES)
    seeing = FaceAnalyzer(parts)
    for number in range(5):
        known = seeing(world.frame(number), at=number / FPS)
    assert known.faces[0].identity == "alice"
    with pytest.raises(RuntimeError):
        seeing(world.frame(5), at=5 / FPS)
    assert seeing(world.frame(6), at=6 / FPS).faces[0].identity is None
    assert tiles[6] > max(tiles[1:6])


def test_a_failure_while_an_older_frame_is_looked_at_is_one_of_this_frame():
    unseen = Place(120, 130, found=False)
    world = TwoPatches([Shot({"alice": unseen})] * 2 + [Shot({"alice": ALICE})] * 2)

    def redetect(image, _box, _roll):
        raise RuntimeError(f"the network died at frame {image[0, 0, 0]}")

    seeing, waiting = analyzer(world, redetect=redetect), []
    for number in range(2):
        image = world.frame(number)
        waiting.append(WaitingFrame(image, seeing(image, at=number / FPS)))
    with pytest.raises(RuntimeError, match="at frame 1"):
        seeing(world.frame(2), at=2 / FPS, waiting=waiting)


def test_time_must_not_go_backwards():
    world = TwoPatches([Shot({})])
    seeing = analyzer(world)
    seeing(world.frame(0), at=1.0)
    with pytest.raises(ShapeError, match="order of capture"):
        seeing(world.frame(0), at=1.0)
