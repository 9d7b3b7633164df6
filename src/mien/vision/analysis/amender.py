"""Amender: tells what the newest frame means for the frames that wait, as amendments."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mien.vision.analysis.cuts import surely_cut
from mien.vision.analysis.flow import carried
from mien.vision.analysis.primary import Verdict
from mien.vision.analysis.tracker import TWINS, FaceTrack, iou
from mien.vision.frame_analysis import Amendment, FrameAnalysis, LatePlace, WaitingFrame
from mien.vision.ports import RoiRedetection
from mien.vision.types import Box, Face, Image

LATE_GROWTH, LATE_GROWTH_A_FRAME, LATE_GROWTH_FRAMES = 1.15, 0.25, 3
"""How much larger the place of a face is in frames that waited when it was found, and for each without a sign."""


@dataclass(frozen=True, slots=True)
class TracedFace:
    """A face of the newest frame that is to be followed back.

    Attributes:
        image: That frame.
        box_xyxy: Where the face is in it.
        roll: Radians from upright, positive clockwise.
        face_track_id: Its track, or None where it has none.
    """

    image: Image
    box_xyxy: Box
    roll: float
    face_track_id: int | None = None


class Amender:
    """Amend the frames that wait, during one call of an analyzer.

    Args:
        waiting: The frames that wait, oldest first. They are not changed.
        redetect: Follows a face found late back through them; None marks its surroundings in them.
        people: Enrolled people who have a treatment of their own.

    Attributes:
        frames: The frames that wait, with what is known of them by now.
        amendments: What was told of them, oldest news first.
        scene_since: When the scene began that the newest frame shows.
    """

    def __init__(
        self,
        waiting: Sequence[WaitingFrame],
        redetect: RoiRedetection | None,
        people: Collection[str],
        *,
        scene_since: float,
    ) -> None:
        self.frames = list(waiting)
        self.amendments: list[Amendment] = []
        self.scene_since = scene_since
        self._redetect, self._people = redetect, people

    def refute(self, face_track_ids: frozenset[int]) -> None:
        """Tell of face tracks that follow no face."""
        for number, (_image, analysis) in enumerate(self.frames):
            self._tell(number, Amendment(analysis.at, refuted=face_track_ids))

    def judge(self, verdict: Verdict) -> None:
        """Let the newest frame decide in those that wait, too, who the primary person is."""
        for number, (_image, analysis) in enumerate(self.frames):
            refuted = verdict.refuted is not None and analysis.primary_id == verdict.refuted
            known = (refuted or analysis.primary_id is None) and analysis.at >= verdict.since
            if refuted or known:
                primary_id = verdict.wearer if known else None
                self._tell(number, Amendment(analysis.at, primary_refuted=refuted, primary_id=primary_id))

    def doubt(self, faces: Sequence[Face]) -> None:
        """Take back the names that `faces` of the newest frame do not have: the doubt may have begun before it."""
        nameless = {face.face_track_id for face in faces if face.identity is None}
        for number, (_image, analysis) in enumerate(self.frames):
            if lost := analysis.named() & nameless:
                self._tell(number, Amendment(analysis.at, nameless=lost))

    def follow_back(self, image: Image, tracks: Sequence[FaceTrack], at: float) -> None:
        """Mark a face found now, or found again, in the frames of its scene that wait and did not show it.

        A candidate that nothing has confirmed yet is marked, too; if it is refuted, that is taken back.
        """
        for track in tracks:
            since = -np.inf if track.last_place is None else track.last_place[1]
            if track.seen and since < at:
                missed = [n for n, frame in enumerate(self.frames) if self._may_show(frame, image, since)]
                for number in missed:
                    self._tell(number, Amendment(self.frames[number].analysis.at, astray=frozenset({track.id})))
                self.trace(TracedFace(image, track.box_xyxy, track.roll, track.id), missed)

    def _may_show(self, frame: WaitingFrame, newest: Image, since: float) -> bool:
        """Tell whether a face of the newest frame, not seen since then, may have been in an older frame.

        An alarm about a cut may have been false.
        """
        if frame.analysis.at <= since or frame.image.shape != newest.shape:
            return False  # a place in an image of another size is no place in this one
        return frame.analysis.at >= self.scene_since or not surely_cut(frame.image, newest)

    def trace(self, face: TracedFace, numbers: Sequence[int]) -> None:
        """Follow a face back through frames that wait, and mark it and its surroundings in them.

        Not where, before what passed for a cut, the same place showed a face that had its treatment: then it was that
        one, under another number.
        """
        image, box, step, lost = face.image, face.box_xyxy, np.zeros(4, np.float32), 0
        for number in reversed(numbers):
            older, analysis = self.frames[number]
            expected = box + step
            seen = None if self._redetect is None else self._redetect(older, expected, face.roll)
            found = carried(image, box, older) if seen is None else seen.box_xyxy
            lost = min(lost + 1, LATE_GROWTH_FRAMES) if found is None else 0
            if seen is not None and self._is_treated(analysis, expected, seen.box_xyxy):
                image, box, step = older, seen.box_xyxy, seen.box_xyxy - box
                continue
            # Where it should have been is marked in any case: what was found may be somebody beside it.
            places = [LatePlace(expected, LATE_GROWTH + lost * LATE_GROWTH_A_FRAME, face.face_track_id)]
            if found is not None:
                places.append(LatePlace(found, LATE_GROWTH, face.face_track_id))
                step = found - box
            self._tell(number, Amendment(analysis.at, found=tuple(places)))
            image, box = older, expected if found is None else found

    def _is_treated(self, analysis: FrameAnalysis, expected: Box, found: Box) -> bool:
        """Tell whether a face found late is a stranger's that a frame, before what passed for a cut, showed well.

        Within a scene such a one has its number: there it is another face, in front of this one or behind it.
        """
        return analysis.at < self.scene_since and any(
            face.seen
            and face.mesh is not None
            and face.identity not in self._people
            and min(iou(face.box_xyxy, expected), iou(face.box_xyxy, found)) >= TWINS
            for face in analysis.faces
        )

    def _tell(self, number: int, amendment: Amendment) -> None:
        frame = self.frames[number]
        self.amendments.append(amendment)
        self.frames[number] = frame._replace(analysis=frame.analysis.amended(amendment))
