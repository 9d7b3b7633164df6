"""Face tracking: which face of this frame is which face of the last one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from mien.vision.analysis.landmarks import box_of_mesh, roi_of_detection, roi_of_mesh
from mien.vision.analysis.redetection import roll_of
from mien.vision.mesh.alignment import five_landmarks
from mien.vision.ports import Landmarker, RoiRedetection
from mien.vision.types import Box, Detection, Image, Mesh, Points

MESH_SCORE = 0.5
"""Below this the network itself says that there is no face under the mesh."""
HOLD_S = 1.0
"""A lost face stays hidden for so long where it was last seen."""
SAME_FACE = 0.25
"""Overlap (of the smaller box) from which a detection and a face track are the same face."""
LEAP = 2.5
"""A detection that is so many times larger than a face track, and than all it reached, is no sign of it: people who
stand together look like one large face to a look that sees them small."""
SAME_FACE_TWICE = 0.5
"""Overlap (of the union) from which a second detection is the same face seen again, not its neighbour."""
SAME_FACE_ASKEW, ASKEW, SEEN_WELL = 0.7, np.radians(50), 0.75
"""Share of a face, its mesh just confirmed, from which on it lies in a detection that is larger, turned by so much
(radians) against it and scored lower than this: a look that is turned sees upright faces too, lying and too large. A
smaller face or one seen well may be somebody else's in front of it."""
TWINS = 0.6
"""Overlap (of the union) from which two face tracks follow one face."""
SWEPT_S = 0.2
"""How slowly the reach of a face shrinks: boxes of one face jitter by a tenth from look to look."""
CROSSING = 0.15
"""Overlap (of the smaller box) from which two face tracks could be taken for each other."""
PEEK = 0.1
"""Where faces cross, each cover grows by this share to every side: who is behind may look out beside the other."""
ASTRAY = 0.22
"""A mesh whose eyes, nose and mouth lie farther on average than this share of the face from where a look sees them sits
beside the face, whatever its own score says. Where both are right they differ by 0.03, turned by 0.2."""
BRIEF_S = 0.2
"""A face followed for less than this that comes to lie on a seen one was that one, badly seen."""
UNAIDED_FRAMES, LONGEST_UNAIDED_FRAMES = 6, 15
"""For so many frames a mesh is followed before a re-detection must agree with it, and before it is given up."""
REDETECTIONS = 6
"""So many faces that no tile showed are re-detected in one frame, those first that were not seen for longest."""


@dataclass(slots=True)
class FaceTrack:
    """One face, followed in time.

    Attributes:
        id: Never used again in this stream.
        box_xyxy: Where the face is, or was last seen, moved on by its speed.
        swept_box_xyxy: Everywhere the face has been a moment ago: grows at once, shrinks slowly. What is to be hidden.
        mesh: Landmarks in this very frame, or None.
        mesh_score: 0 without a mesh.
        seen_at: When its own pixels last showed it.
        first_at: When it was first seen.
        seen: True where this frame showed it.
        roll: Radians from upright when last seen, positive clockwise.
        doubtful: True where something happened in this frame that could have exchanged it for another face.
        velocity: Change of the box in pixels a second.
        last_place: Box and `seen_at` as they were before this frame; if its mesh went astray, when it was last right.
        agreed_at: When a look last saw the face where the mesh lies.
        unaided: For how many frames no look did.
    """

    id: int
    box_xyxy: Box
    swept_box_xyxy: Box
    seen_at: float
    first_at: float
    mesh: Mesh | None = None
    mesh_score: float = 0.0
    seen: bool = True
    roll: float = 0.0
    doubtful: bool = False
    velocity: Box = field(default_factory=lambda: np.zeros(4, np.float32))
    last_place: tuple[Box, float] | None = None
    agreed_at: float = -np.inf
    unaided: int = 0

    def drop_mesh(self) -> None:
        """Trust the mesh no more, nor that the face below it is the one it was."""
        self.mesh, self.mesh_score, self.doubtful = None, 0.0, True

    def lose(self, *, since: float) -> None:
        """Take back what this frame seemed to show of the face."""
        self.box_xyxy, self.seen_at = self.last_place or (self.box_xyxy, since)
        self.seen, self.doubtful = False, True

    def stretch(self, elapsed_s: float) -> None:
        """Let the reach follow the face: at once where it is, slowly away from where it was."""
        follow = np.float32(1 - np.exp(-elapsed_s / SWEPT_S))
        shrunk = self.swept_box_xyxy + (self.box_xyxy - self.swept_box_xyxy) * follow
        self.swept_box_xyxy = _around(shrunk, self.box_xyxy)

    def peeking(self) -> Box:
        """Return the reach and some room around the box."""
        more = (self.box_xyxy[2:] - self.box_xyxy[:2]) * np.float32(PEEK)
        return _around(self.swept_box_xyxy, np.concatenate([self.box_xyxy[:2] - more, self.box_xyxy[2:] + more]))

    def move_to(self, box: Box, at: float) -> None:
        """Take a new place seen at `at`."""
        elapsed = at - self.seen_at
        if 0 < elapsed < HOLD_S:
            self.velocity = 0.5 * self.velocity + 0.5 * (box - self.box_xyxy) / np.float32(elapsed)
        self.box_xyxy, self.seen_at, self.seen = box, at, True


class FaceTracker:
    """Follow faces from frame to frame, by their mesh where there is one and by detections otherwise.

    Args:
        landmarker: Lays meshes; None follows boxes alone, for policies that only hide.
        redetect: Looks again for a face that the frame's looks did not show; None leaves it to the next looks.
    """

    def __init__(self, landmarker: Landmarker | None, redetect: RoiRedetection | None = None) -> None:
        self._landmarker, self._redetect = landmarker, redetect
        self._tracks: list[FaceTrack] = []
        self._next_id = 1
        self._at: float | None = None

    @property
    def seen_xyxy(self) -> list[Box]:
        """The boxes of the faces that the last frame showed."""
        return [track.box_xyxy for track in self._tracks if track.seen]

    def forget(self) -> None:
        """Drop every face track, as after a cut. Numbers are not used again."""
        self._tracks = []

    def take_over(self, other: "FaceTracker") -> None:
        """Follow on what `other` followed, which is not used any more."""
        self._tracks, self._next_id, self._at = other._tracks, other._next_id, other._at  # noqa: SLF001  # its own kind
        if self._landmarker is None:
            for track in self._tracks:  # a mesh that nobody lays anew would stay where it was
                track.mesh, track.mesh_score = None, 0.0

    def drop(self, numbers: Collection[int]) -> None:
        """Drop face tracks that turned out to follow no face."""
        self._tracks = [track for track in self._tracks if track.id not in numbers]

    def __call__(self, image: Image, detections: Sequence[Detection], at: float) -> list[FaceTrack]:
        """Return the face tracks of the frame captured at `at`, including lost ones that still are to be hidden."""
        for track in self._tracks:
            track.seen, track.doubtful = False, False
            track.last_place = (track.box_xyxy, track.seen_at)
            self._follow_mesh(image, track, at)
        self._take_all(image, detections, at)
        self._redetect_missing(image, at)
        self._part_twins(at)
        self._drop_echoes()
        self._tracks = [t for t in self._tracks if at - t.seen_at <= HOLD_S]
        self._mark_crossings()
        self._coast(at)
        self._at = at
        return list(self._tracks)

    def _follow_mesh(self, image: Image, track: FaceTrack, at: float) -> None:
        """Lay the mesh where the last one was; a poor score ends it."""
        if self._landmarker is None or track.mesh is None:
            return
        track.unaided += 1
        mesh, score = self._landmarker(image, roi_of_mesh(track.mesh))
        is_lost = score < MESH_SCORE or _overlap(box_of_mesh(mesh), track.box_xyxy) < SAME_FACE
        if is_lost or track.unaided > LONGEST_UNAIDED_FRAMES:
            track.drop_mesh()
            return
        track.mesh, track.mesh_score, track.roll = mesh, score, roi_of_mesh(mesh).angle
        track.move_to(box_of_mesh(mesh), at)

    def _take_all(self, image: Image, detections: Sequence[Detection], at: float) -> None:
        """Give each detection to the face track it overlaps most, each track one; the rest begin tracks."""
        pairs = sorted(
            (
                (overlap, d, t)
                for d, seen in enumerate(detections)
                for t, track in enumerate(self._tracks)
                if (overlap := iou(seen.box_xyxy, track.box_xyxy)) > 0
                and _overlap(seen.box_xyxy, track.box_xyxy) >= SAME_FACE
                and _area(seen.box_xyxy) < LEAP**2 * max(_area(track.box_xyxy), _area(track.swept_box_xyxy))
            ),
            reverse=True,
        )
        owner: dict[int, int] = {}
        for _shared, d, t in pairs:
            if d not in owner and t not in owner.values():
                owner[d] = t
        known = list(self._tracks)
        for d, t in owner.items():
            self._settle(image, known[t], detections[d], at)
        for d, seen in enumerate(detections):
            if d not in owner and not any(t.seen and _is_again(t, seen) for t in known):
                self._begin(image, seen, at)

    def _begin(self, image: Image, seen: Detection, at: float) -> None:
        track = FaceTrack(self._next_id, seen.box_xyxy, seen.box_xyxy, seen_at=at, first_at=at, roll=roll_of(seen))
        self._next_id += 1
        self._tracks.append(track)
        self._lay_mesh(image, track, seen, at)

    def _settle(self, image: Image, track: FaceTrack, seen: Detection, at: float) -> None:
        """Take a detection, or a closer one in its stead where it contradicts the mesh.

        A face seen by a look that was turned, or cut by its edge, has its eyes anywhere.
        """
        if self._redetect is not None and track.mesh is not None and not lies_on(track.mesh, seen):
            closer = self._redetect(image, track.box_xyxy, track.roll)
            if closer is not None and lies_on(track.mesh, closer):
                self._take(image, track, closer, at)
                if not _is_askew(track, seen):  # then two faces overlap
                    self._begin(image, seen, at)
                return
        self._take(image, track, seen, at)

    def _take(self, image: Image, track: FaceTrack, seen: Detection, at: float) -> None:
        if track.mesh is not None and lies_on(track.mesh, seen):
            track.seen_at, track.agreed_at, track.unaided, track.seen = at, at, 0, True
            return
        strayed = track.mesh is not None
        if strayed:  # it followed something else since a look last agreed with it
            track.drop_mesh()
            track.last_place = (track.box_xyxy, track.agreed_at)
        track.move_to(seen.box_xyxy, at)
        track.roll = roll_of(seen)
        if not strayed:  # or this is the face beside it: now both places are hidden, and the next look will tell
            self._lay_mesh(image, track, seen, at)

    def _redetect_missing(self, image: Image, at: float) -> None:
        """Look again for faces that no look showed, where their speed should have taken them."""
        if self._redetect is None or self._at is None:
            return
        missing = sorted((track for track in self._tracks if not track.seen), key=lambda track: track.seen_at)
        unaided = [track for track in self._tracks if track.mesh is not None and track.unaided > UNAIDED_FRAMES]
        for track in [*missing, *unaided][:REDETECTIONS]:
            expected = track.box_xyxy + track.velocity * np.float32(0 if track.seen else at - self._at)
            seen = self._redetect(image, expected, track.roll)
            if seen is not None and track.mesh is not None:
                self._take(image, track, seen, at)
                continue
            if seen is None or any(iou(seen.box_xyxy, t.box_xyxy) > SAME_FACE_TWICE for t in self._tracks if t.seen):
                continue
            # The mesh waits for a look: where it does not hold, it would be laid in vain.
            track.move_to(seen.box_xyxy, at)
            track.roll = roll_of(seen)

    def _lay_mesh(self, image: Image, track: FaceTrack, seen: Detection, at: float) -> None:
        if self._landmarker is None:
            return
        mesh, score = self._landmarker.settle(image, roi_of_detection(seen))
        if score >= MESH_SCORE and lies_on(mesh, seen):
            track.mesh, track.mesh_score, track.agreed_at, track.unaided = mesh, score, at, 0

    def _part_twins(self, at: float) -> None:
        """Two meshes on one face: the younger face track is lost, and stays hidden where it was before."""
        for i, track in enumerate(self._tracks):
            for older in self._tracks[:i]:
                if older.seen and track.seen and iou(older.box_xyxy, track.box_xyxy) > TWINS:
                    older.doubtful = True  # which of the two faces survives is not known
                    track.lose(since=at)

    def _drop_echoes(self) -> None:
        """Let the face that is seen hide what a brief, lost face track on it would: it would only be found in turns."""
        for echo in [track for track in self._tracks if not track.seen and track.seen_at - track.first_at < BRIEF_S]:
            for track in self._tracks:
                if track.seen and iou(track.box_xyxy, echo.box_xyxy) > SAME_FACE_TWICE:
                    track.swept_box_xyxy = _around(track.swept_box_xyxy, echo.swept_box_xyxy)
                    self._tracks.remove(echo)
                    break

    def _mark_crossings(self) -> None:
        for i, a in enumerate(self._tracks):
            for b in self._tracks[i + 1 :]:
                if _overlap(a.box_xyxy, b.box_xyxy) > CROSSING:
                    a.doubtful = b.doubtful = True
                    a.swept_box_xyxy, b.swept_box_xyxy = a.peeking(), b.peeking()

    def _coast(self, at: float) -> None:
        """Move lost face tracks on by the speed they had, ever less sure."""
        elapsed = 0.0 if self._at is None else at - self._at
        for track in self._tracks:
            if not track.seen:
                track.mesh, track.mesh_score = None, 0.0
                # Its middle only: a box that had just shrunk would go on shrinking, to less than nothing.
                drift: Box = np.tile((track.velocity[:2] + track.velocity[2:]) / 2, 2)
                track.box_xyxy = track.box_xyxy + drift * np.float32(elapsed)
                track.velocity = track.velocity * np.float32(0.8)
            track.stretch(elapsed)


def _around(a: Box, b: Box) -> Box:
    """Return the box around two."""
    return np.concatenate([np.minimum(a[:2], b[:2]), np.maximum(a[2:], b[2:])])


def _overlap(a: Box, b: Box) -> float:
    """Return the share of the smaller box that lies in the other."""
    return _intersection(a, b) / max(min(_area(a), _area(b)), 1e-6)


def iou(a: Box, b: Box) -> float:
    """Return the share of the union of two boxes that both cover."""
    both = _intersection(a, b)
    return both / max(_area(a) + _area(b) - both, 1e-6)


def _intersection(a: Box, b: Box) -> float:
    width = min(float(a[2]), float(b[2])) - max(float(a[0]), float(b[0]))
    height = min(float(a[3]), float(b[3])) - max(float(a[1]), float(b[1]))
    return max(width, 0.0) * max(height, 0.0)


def _area(box: Box) -> float:
    return max(float(box[2] - box[0]), 0.0) * max(float(box[3] - box[1]), 0.0)


def _is_again(track: FaceTrack, seen: Detection) -> bool:
    """Tell whether a detection is a face that this frame showed already."""
    return iou(seen.box_xyxy, track.box_xyxy) > SAME_FACE_TWICE or _is_askew(track, seen)


def _is_askew(track: FaceTrack, seen: Detection) -> bool:
    """Tell whether a detection is a face that this frame showed better, seen by a look that was turned."""
    if track.mesh is None or track.unaided > 0 or turned_by(roll_of(seen), track.roll) <= ASKEW:
        return False
    if iou(seen.box_xyxy, track.box_xyxy) > SAME_FACE_TWICE:  # the quick detector sees upright faces lying, and well
        return True
    if seen.score >= SEEN_WELL:
        return False
    size = _area(track.box_xyxy)
    return _area(seen.box_xyxy) >= size and _intersection(seen.box_xyxy, track.box_xyxy) >= SAME_FACE_ASKEW * size


def turned_by(a: float, b: float) -> float:
    """Return by how much two rolls differ, in radians."""
    return float(abs((a - b + np.pi) % (2 * np.pi) - np.pi))


def lies_on(mesh: Mesh, seen: Detection) -> bool:
    """Tell whether a mesh sits on the face that was detected, and is of its size."""
    mine = box_of_mesh(mesh)
    size, my_size = (float((box[2:] - box[:2]).max()) for box in (seen.box_xyxy, mine))
    middles: Points = (seen.box_xyxy[:2] + seen.box_xyxy[2:] - mine[:2] - mine[2:])[None] / np.float32(2)
    away = middles if seen.landmarks is None else seen.landmarks - five_landmarks(mesh)
    apart = float(np.linalg.norm(away, axis=1).mean())
    return apart < ASTRAY * size and 0.4 * size < my_size < 2.5 * size
