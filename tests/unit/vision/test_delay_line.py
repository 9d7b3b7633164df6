"""The delay line: what frames that wait learn, and what that undoes."""

import numpy as np
import pytest

from mien.vision.delay_line import DelayedFrame, DelayLine
from mien.vision.frame_analysis import Amendment, FrameAnalysis, LatePlace
from mien.vision.render.renderer import Drawing
from mien.vision.types import Face

BOX = np.array([10, 10, 50, 60], np.float32)
IMAGE = np.zeros((80, 80, 3), np.uint8)


def face(number, identity=None):
    return Face(number, BOX, BOX, identity=identity, likely_identity=identity)


def frame(at=0.0, *faces, drawn=False, primary_id=None):
    drawing = Drawing(IMAGE.copy()) if drawn else None
    return DelayedFrame(IMAGE, FrameAnalysis(at, faces, primary_id=primary_id), drawing=drawing)


def test_frames_leave_in_order_once_the_line_is_full():
    line, out = DelayLine(2), []
    for at in range(5):
        line.put(frame(float(at)))
        due = line.take_due()
        out.append(None if due is None else due.analysis.at)
    assert out == [None, None, 0.0, 1.0, 2.0]
    assert [line.take().analysis.at, line.take().analysis.at, line.take()] == [3.0, 4.0, None]


def test_news_reaches_the_frame_that_it_is_about():
    line = DelayLine(3)
    for at in range(3):
        line.put(frame(float(at), face(1)))
    line.amend([Amendment(1.0, found=(LatePlace(BOX, 1.2),)), Amendment(2.0, refuted=frozenset({1}))])
    assert [len(waiting.analysis.late_places) for waiting in line] == [0, 1, 0]
    assert [len(waiting.analysis.faces) for waiting in line] == [1, 1, 0]


def test_a_refuted_candidate_takes_the_places_with_it_that_were_marked_for_it():
    known = FrameAnalysis(0.0, (face(1), face(2)), late_places=(LatePlace(BOX, 1.2, 1), LatePlace(BOX, 1.2, None)))
    known = known.amended(Amendment(0.0, refuted=frozenset({1})))
    assert [f.face_track_id for f in known.faces] == [2]
    assert [place.face_track_id for place in known.late_places] == [None]


@pytest.mark.parametrize("drawn", [False, True])
def test_a_lost_name_makes_void_what_was_drawn_for_it_and_nothing_else(drawn):
    waiting = frame(0.0, face(1, "alice"), face(2), drawn=drawn)
    waiting.amend(Amendment(0.0, nameless=frozenset({1, 2})))
    assert [(f.identity, f.likely_identity) for f in waiting.analysis.faces] == [(None, None)] * 2
    assert waiting.void == ({1} if drawn else set())
    assert (waiting.drawing is not None) is drawn


@pytest.mark.parametrize("drawn", [False, True])
def test_who_turns_out_not_to_be_the_primary_person_is_void_where_the_persona_was_drawn(drawn):
    waiting = frame(0.0, face(1), drawn=drawn, primary_id=1)
    waiting.amend(Amendment(0.0, primary_refuted=True))
    assert waiting.analysis.primary_id is None
    assert waiting.void == ({1} if drawn else set())


def test_a_primary_person_known_late_undoes_what_was_drawn_without_the_persona():
    waiting = frame(0.0, face(1), drawn=True)
    waiting.amend(Amendment(0.0, primary_id=1))
    assert (waiting.analysis.primary_id, waiting.drawing) == (1, None)


def test_a_shorter_line_drops_what_would_have_left():
    line = DelayLine(1)
    for at in range(4):
        line.put(frame(float(at)))
    line.drop_overdue()
    assert [waiting.analysis.at for waiting in line] == [3.0]
    line.clear()
    assert line.newest is None
