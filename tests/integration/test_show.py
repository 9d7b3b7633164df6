"""Showing the registered, on real faces, live and in files alike: what is shown, and what a stranger gets out of it."""

import numpy as np
import pytest

from mien.app.face_photos import FacePhoto, Person
from mien.app.files.options import file_spec
from mien.app.policy.rules import SwapTreatment
from mien.app.ports import StreamSpec
from mien.errors import DifferentPeopleError
from support.busy import must_hide
from support.photos import as_png, astronaut, hopper
from support.policies import showing
from support.stage import SHOWN, Stage
from support.two_people import Standing

pytestmark = pytest.mark.models

FPS = 12
FACE_PX = 110
ANN, BOB = Standing(240, 270, FACE_PX), Standing(720, 270, FACE_PX)
LEFT, RIGHT = np.array([0, 0, 480, 540]), np.array([480, 0, 960, 540])


@pytest.fixture(params=["live", "file"])
def pipeline(request, factory):
    """Return a pipeline that shows Ann and hides everybody else."""
    if request.param == "live":
        return factory.build(StreamSpec(showing("1"), people={"1": factory.read_person([as_png(astronaut())])}))
    ann = Person("ann", (FacePhoto.from_bytes(as_png(astronaut()), name="ann.png"),))
    return factory.pipeline(file_spec(show=(ann,)), fps=FPS)


def play(pipeline, stage, seconds):
    """Return the treated frames by their time."""
    out = [pipeline(stage(i / FPS), at=i / FPS) for i in range(round(seconds * FPS))]
    out += pipeline.flush()
    return {round(frame.at, 4): frame for frame in out if frame is not None}


def shown(stage, frame, name, within=None, *, face_px=FACE_PX):
    return stage.likeness(frame.image, name, face_px=face_px, within=within) >= SHOWN


def test_who_is_registered_is_shown_soon_and_a_stranger_never(pipeline, factory):
    stage = Stage(factory, {"ann": astronaut(), "bob": hopper()}, lambda _t: {"ann": ANN, "bob": BOB})
    frames = play(pipeline, stage, 3)
    must_hide(hidden=not any(shown(stage, frame, "bob") for frame in frames.values()))
    assert all(shown(stage, frame, "ann", LEFT) for at, frame in frames.items() if at > 1.7)
    assert not shown(stage, frames[0.0], "ann", LEFT), "nobody is shown before they are surely known"


def test_a_stranger_who_steps_in_front_is_hidden_and_so_is_who_stands_behind(pipeline, factory):
    def places(t):
        x = 720 - 240 * min(max(t - 1.5, 0), 2)  # Bob walks across and stands where Ann is
        return {"ann": ANN, "bob": Standing(x, 270, FACE_PX)}

    stage = Stage(factory, {"ann": astronaut(), "bob": hopper()}, places)
    frames = play(pipeline, stage, 5)
    assert shown(stage, frames[round(16 / FPS, 4)], "ann", LEFT)
    must_hide(hidden=not any(shown(stage, frame, "bob") for frame in frames.values()))


def test_who_leaves_and_comes_back_elsewhere_is_shown_again_only_once_they_are_known_again(pipeline, factory):
    def places(t):
        return {"ann": ANN if t < 1.5 else Standing(700, 270, FACE_PX) if t > 2.5 else None}

    stage = Stage(factory, {"ann": astronaut()}, places)
    frames = play(pipeline, stage, 5)
    back = [at for at in sorted(frames) if at > 2.5]
    assert not shown(stage, frames[back[0]], "ann", RIGHT)
    assert all(shown(stage, frames[at], "ann", RIGHT) for at in back if at > 4)


def test_a_photo_of_the_registered_held_up_by_a_stranger_is_shown_and_the_stranger_is_not(pipeline, factory):
    """There is no test of liveness: a picture of somebody who may be shown is shown. Who holds it stays hidden."""

    def places(t):
        return {"bob": Standing(620, 230, FACE_PX), "ann": Standing(400 + 10 * np.sin(t), 330, 80)}

    stage = Stage(factory, {"ann": astronaut(), "bob": hopper()}, places)
    frames = play(pipeline, stage, 3)
    late = [frame for at, frame in frames.items() if at > 1.5]
    assert np.mean([shown(stage, frame, "ann", face_px=80) for frame in late]) > 0.9
    must_hide(hidden=not any(shown(stage, frame, "bob") for frame in frames.values()))


def test_one_is_shown_one_wears_a_persona_and_the_primary_person_another(factory):
    ann, bob = (factory.read_person([as_png(photo)]) for photo in (astronaut(), hopper()))
    policy = showing("1", primary=SwapTreatment(persona="mask:marble"), **{"2": SwapTreatment(persona="mask:volto")})
    pipeline = factory.build(StreamSpec(policy, people={"1": ann, "2": bob}))
    stage = Stage(factory, {"ann": astronaut(), "bob": hopper()}, lambda _t: {"ann": ANN, "bob": BOB})
    frames = play(pipeline, stage, 3)
    last = frames[max(frames)]
    assert {face.person: face.treatment for face in last.faces if face.person} == {"1": "show", "2": "swap"}
    must_hide(hidden=not any(shown(stage, frame, "bob") for frame in frames.values()))


def test_a_change_of_the_list_hides_who_left_it_in_the_next_frame_and_keeps_the_other(factory):
    ann, bob = (factory.read_person([as_png(photo)]) for photo in (astronaut(), hopper()))
    both = factory.build(StreamSpec(showing("1", "2"), people={"1": ann, "2": bob}))
    one = factory.build(StreamSpec(showing("2"), people={"2": bob}))
    stage = Stage(factory, {"ann": astronaut(), "bob": hopper()}, lambda _t: {"ann": ANN, "bob": BOB})
    before = [both(stage(i / FPS), at=i / FPS) for i in range(2 * FPS)]
    assert shown(stage, before[-1], "ann", LEFT)
    assert shown(stage, before[-1], "bob", RIGHT)
    one.take_over(both, in_scene=True)
    after = [one(stage(i / FPS), at=i / FPS) for i in range(2 * FPS, 4 * FPS)]
    must_hide(hidden=not any(shown(stage, frame, "ann", LEFT) for frame in after))
    assert all(shown(stage, frame, "bob", RIGHT) for frame in after), "nobody else is hidden for it"


def test_photos_of_two_people_register_nobody(factory):
    with pytest.raises(DifferentPeopleError) as refused:
        factory.read_person([as_png(astronaut()), as_png(hopper())])
    assert [finding.code for finding in refused.value.findings[1]] == ["other_person"]


def test_several_photos_make_one_person(factory):
    dim = (astronaut() * 0.7).astype(np.uint8)
    assert len(factory.read_person([as_png(astronaut()), as_png(dim)]).findings) == 2
