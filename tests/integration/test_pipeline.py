"""The real pipeline on a real face: what each treatment must do, judged from the picture that comes out."""

import itertools

import numpy as np
import pytest

from mien.app.face_photos import BuiltInMask, FacePhoto, Person
from mien.app.files.options import file_spec
from mien.app.policy.document import PolicyDocument
from mien.app.policy.rules import PersonSubject, Rule, ShowTreatment
from mien.app.ports import StreamSpec
from mien.errors import (
    DifferentPeopleError,
    ManyFacesError,
    NoFaceError,
    PersonaError,
    ShapeError,
    UnknownPersonError,
)
from mien.vision.render.mosaic import MosaicShape, MosaicStyle
from support.judge import SAME_PERSON, Judge
from support.photos import as_png, astronaut, hopper
from support.policies import hiding, live_swap
from support.scenes import astronaut_boxes, astronaut_frame, astronaut_frames

pytestmark = pytest.mark.models
STRANGER = 0.9


@pytest.fixture(scope="module")
def judge(runtime):
    return Judge(runtime)


def photo(image, name):
    return FacePhoto.from_bytes(as_png(image), name=name)


def run(pipeline, seconds, *, fps=25.0, **scene):
    frames = astronaut_frames(seconds, fps=fps, **scene)
    out = [pipeline(image, at=i / fps) for i, image in enumerate(frames)]
    return [frame for frame in itertools.chain(out, pipeline.flush()) if frame is not None]


def test_in_a_mosaic_nobody_is_found_and_nobody_is_recognised(factory, judge):
    frames = run(factory.build(StreamSpec()), 1.0)
    assert all(frame.counts == {"mosaic": 1} and frame.altered for frame in frames)
    live = judge.embedding(astronaut_frame(0.5))
    assert all(judge.likeness(frame.image, live) < STRANGER for frame in frames[::5])


@pytest.mark.parametrize("shape", MosaicShape)
@pytest.mark.parametrize("style", MosaicStyle)
def test_in_every_kind_of_mosaic_nobody_is_recognised_live_or_in_a_file(factory, judge, style, shape):
    live = judge.embedding(astronaut_frame(0.5))
    for pipeline in (
        factory.build(StreamSpec(hiding(style, shape))),
        factory.pipeline(file_spec(mosaic=True, mosaic_style=style, mosaic_shape=shape)),
    ):
        frames = run(pipeline, 0.4)
        assert all(frame.counts == {"mosaic": 1} for frame in frames)
        assert all(judge.likeness(frame.image, live) < STRANGER for frame in frames[::5])


def held(pipeline):
    """Return how many frames a pipeline takes before it gives one back."""
    frame = astronaut_frame(0.0)
    return next(number for number in range(40) if pipeline(frame.copy(), at=number / 25) is not None)


def test_live_a_frame_waits_for_two_others_a_swapped_one_for_one_and_a_file_has_the_time_for_more(factory):
    assert held(factory.build(StreamSpec())) == 2
    assert held(factory.build(live_swap())) == 1
    assert 4 <= held(factory.pipeline(file_spec(mosaic=True))) <= 12


def test_every_frame_comes_out_once_and_in_order_through_the_delay_line(factory):
    frames = run(factory.pipeline(file_spec(mosaic=True, delay_frames=6)), 0.8)
    assert [round(frame.at * 25) for frame in frames] == list(range(20))


def test_a_face_that_enters_is_hidden_in_the_frames_before_it_was_found(factory):
    pipeline = factory.pipeline(file_spec(mosaic=True, delay_frames=6))
    empty = astronaut_frame(0.0, faces=0)
    shown = [pipeline(empty.copy(), at=i / 25) for i in range(10)]
    shown += [pipeline(astronaut_frame(0.4, face_px=90), at=0.4)]  # small enough to be no cut
    shown += list(pipeline.flush())
    frames = {round(frame.at * 25): frame for frame in shown if frame is not None}
    assert not frames[3].altered
    assert frames[8].altered
    assert frames[10].counts == {"mosaic": 1}


@pytest.mark.parametrize("enters_at", range(20, 28))
@pytest.mark.parametrize("policy", [StreamSpec(), live_swap(everyone=True), live_swap()])
def test_a_near_face_that_enters_a_live_broadcast_is_never_bare(factory, policy, enters_at):
    """Whichever look of the schedule its first frame meets. It is small enough not to be taken for a cut."""
    scene = {"face_px": 100}
    pipeline = factory.build(policy)
    out = [
        pipeline(astronaut_frame(i / 30, faces=int(i >= enters_at), **scene), at=i / 30) for i in range(enters_at + 6)
    ]
    frames = {round(frame.at * 30): frame for frame in (*out, *pipeline.flush()) if frame is not None}
    for i in range(enters_at, enters_at + 6):
        x0, y0, x1, y1 = astronaut_boxes(i / 30, **scene)[0].astype(int)
        middle = np.s_[y0 + 15 : y1 - 15, x0 + 15 : x1 - 15]
        changed = (frames[i].image[middle] != astronaut_frame(i / 30, **scene)[middle]).any(axis=-1)
        assert changed.mean() > 0.75


@pytest.mark.parametrize("mask", ["volto", "marble", "painted"])
def test_a_mask_hides_who_it_is_in_every_frame(factory, judge, mask):
    live = judge.embedding(astronaut_frame(0.5))
    frames = run(factory.pipeline(file_spec(swap_to=BuiltInMask(mask))), 1.0)
    assert all(sum(frame.counts.values()) == 1 for frame in frames)
    assert sum(frame.counts.get("swap", 0) for frame in frames) >= 0.9 * len(frames)
    assert all(judge.likeness(frame.image, live) < SAME_PERSON for frame in frames[::6])


def test_a_swap_moves_the_face_from_the_live_person_to_the_reference(factory, judge):
    reference, live = judge.embedding(hopper()), judge.embedding(astronaut_frame(0.5))
    before = float(live @ reference)
    frames = run(factory.pipeline(file_spec(swap_to=photo(hopper(), "hopper.png"))), 1.0)
    assert all(frame.counts == {"swap": 1} for frame in frames)
    after = [judge.embedding(frame.image) for frame in frames[5::5]]
    to_reference = np.mean([float(e @ reference) for e in after])
    to_live = np.mean([float(e @ live) for e in after])
    assert to_reference > before + 0.05
    assert to_reference > to_live


def test_an_enrolled_person_is_shown_after_a_moment_and_not_a_frame_before(factory):
    alice = Person("alice", (photo(astronaut(), "alice.png"),))
    frames = run(factory.pipeline(file_spec(show=(alice,), delay_frames=0)), 2.0)
    assert frames[0].counts == {"mosaic": 1}
    assert frames[5].counts == {"mosaic": 1}
    assert frames[-1].counts == {"show": 1}
    np.testing.assert_array_equal(frames[-1].image[-1], astronaut_frame(49 / 25)[-1])


def test_a_stranger_is_never_shown_in_place_of_the_enrolled(factory):
    grace = Person("grace", (photo(hopper(), "grace.png"),))
    frames = run(factory.pipeline(file_spec(show=(grace,))), 2.0)
    assert all(frame.counts == {"mosaic": 1} for frame in frames)


def test_a_cut_takes_every_clearance(factory):
    alice = Person("alice", (photo(astronaut(), "alice.png"),))
    pipeline = factory.pipeline(file_spec(show=(alice,), delay_frames=0))
    for i in range(30):
        frame = pipeline(astronaut_frame(i / 25), at=i / 25)
    assert frame.counts == {"show": 1}
    pipeline(np.zeros((720, 1280, 3), np.uint8), at=1.24)
    frame = pipeline(astronaut_frame(1.28), at=1.28)
    assert frame.counts == {"mosaic": 1}


def test_with_several_faces_the_most_prominent_is_swapped_and_the_rest_are_hidden(factory):
    spec = file_spec(swap_to=BuiltInMask("volto"), mosaic=True)
    frames = run(factory.pipeline(spec), 0.6, faces=3, face_px=150)
    assert all(frame.counts == {"swap": 1, "mosaic": 2} for frame in frames[2:])


def test_a_still_of_an_enrolled_person_is_shown_at_one_look(factory):
    alice = Person("alice", (photo(astronaut(), "alice.png"),))
    frame = factory.pipeline(file_spec(show=(alice,)), still=True)(astronaut().copy(), at=0.0)
    assert frame.counts == {"show": 1}
    np.testing.assert_array_equal(frame.image, astronaut())


def test_a_picture_without_faces_is_returned_as_it_was(factory):
    empty = astronaut_frame(0.0, faces=0)
    frame = factory.pipeline(file_spec(mosaic=True), still=True)(empty.copy(), at=0.0)
    assert not frame.altered
    np.testing.assert_array_equal(frame.image, empty)


def test_altered_frames_carry_the_label_and_others_do_not(factory):
    plain, treated = astronaut_frame(0.5), factory.build(StreamSpec())
    frame = None
    for i in range(5):
        frame = treated(astronaut_frame(0.5), at=i / 25) or frame
    changed = (frame.image != plain).any(axis=-1)
    face_rows, face_cols = slice(0, 600), slice(300, 980)
    outside = changed.copy()
    outside[face_rows, face_cols] = False
    assert outside.any(), "no label outside the face"
    label_rows = np.nonzero(outside.any(axis=1))[0]
    assert label_rows.max() - label_rows.min() + 1 >= 0.05 * 720


def test_time_must_not_run_backwards(factory):
    pipeline = factory.build(StreamSpec())
    pipeline(astronaut_frame(0), at=1.0)
    with pytest.raises(ShapeError, match="order of capture"):
        pipeline(astronaut_frame(0), at=1.0)


def test_live_nobody_is_known_and_no_reference_is_there_that_was_not_given(factory):
    ann = Rule(subject=PersonSubject(id="ann"), treatment=ShowTreatment())
    with pytest.raises(UnknownPersonError, match="ann"):
        factory.build(StreamSpec(PolicyDocument(rules=(ann,))))
    with pytest.raises(PersonaError):
        factory.build(live_swap("reference:1"))
    with pytest.raises(PersonaError):
        factory.build(live_swap("mask:nobody"))


def test_a_photo_without_a_face_cannot_be_a_reference(factory):
    with pytest.raises(NoFaceError):
        factory.read_reference([as_png(astronaut_frame(0, faces=0))])


def test_photos_of_one_face_become_one_persona_and_each_is_judged(factory):
    dim = (astronaut() * 0.15).astype(np.uint8)
    read = factory.read_reference([as_png(astronaut()), as_png(dim)])
    assert read.persona.kind == "photo"
    assert ["too_dark" in {finding.code for finding in photo} for photo in read.findings] == [False, True]


def test_photos_of_different_people_are_refused_and_the_odd_one_is_marked(factory):
    photos = [as_png(astronaut()), as_png(hopper()), as_png(astronaut()[:, ::-1])]
    with pytest.raises(DifferentPeopleError, match="photo 2") as refused:
        factory.read_reference(photos)
    marked = ["other_person" in {finding.code for finding in photo} for photo in refused.value.findings]
    assert marked == [False, True, False]


def test_one_bad_photo_refuses_all_and_what_was_found_in_each_is_told(factory):
    beside = np.hstack([astronaut(), astronaut()])
    with pytest.raises(ManyFacesError, match="photo 2") as refused:
        factory.read_reference([as_png(astronaut()), as_png(beside), as_png(np.full((300, 300, 3), 90, np.uint8))])
    first, second, third = ([finding.code for finding in photo] for photo in refused.value.findings)
    assert not {"several_faces", "no_face"} & set(first)
    assert (second, third) == (["several_faces"], ["no_face"])
