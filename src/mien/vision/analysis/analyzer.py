"""The analyzer: turns each frame of a stream into a frame analysis. It owns all memory of the stream, and never draws.

What it knows of a frame leaves as a `FrameAnalysis`; what a frame tells about older ones, as amendments in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from mien.errors import PolicyError, ShapeError
from mien.vision.analysis.amender import Amender, TracedFace
from mien.vision.analysis.candidates import CandidateReview
from mien.vision.analysis.clearance import ClearanceRules
from mien.vision.analysis.embedder import Gallery
from mien.vision.analysis.primary import LargestInStill, PrimaryFace, PrimaryPerson, Verdict
from mien.vision.analysis.recognition import Enrolled, Recognition
from mien.vision.analysis.redetection import roll_of
from mien.vision.analysis.scene_search import SceneSearch
from mien.vision.analysis.tile_schedule import Pace
from mien.vision.analysis.tiles import Tile
from mien.vision.analysis.tracker import FaceTrack, FaceTracker
from mien.vision.frame_analysis import Amendment, FrameAnalysis, Scene, Subjects, WaitingFrame
from mien.vision.ports import Embedder, RoiRedetection, Span, no_span
from mien.vision.types import Box, Detection, Face, Image, check_image

FindFaces: TypeAlias = Callable[[Image, Sequence[Tile], Sequence[Box]], list[Detection]]
"""Finds the faces in some tiles of a frame: a `TiledDetector`, or a test's own."""


@dataclass(frozen=True, slots=True)
class AnalyzerParts:
    """The parts by which a stream is analysed.

    Attributes:
        find: Detects faces.
        tracker: Follows them; holds state.
        redetect: Follows a face found late back through the frames that wait; None marks its surroundings in them.
        embed: Turns a face into a vector; None where nobody is to be recognised, and no primary person to be known.
        gallery: The enrolled people.
        rules: When a face counts as recognised.
        review: Refutes large candidates that nothing confirms; None believes them all.
    """

    find: FindFaces
    tracker: FaceTracker
    redetect: RoiRedetection | None = None
    embed: Embedder | None = None
    gallery: Gallery = field(default_factory=lambda: Gallery({}))
    rules: ClearanceRules = field(default_factory=ClearanceRules)
    review: CandidateReview | None = None


class FaceAnalyzer:
    """Tell of every frame which faces it shows: where, since when, how well, whose, and who the primary person is.

    It looks at frames and changes none. One stream, one thread, capture order.

    Args:
        parts: What it sees with.
        pace: How much of each frame is searched.
        still: Every frame is an image by itself, to be searched as thoroughly as can be.
        span: Times the stages.
    """

    def __init__(
        self,
        parts: AnalyzerParts,
        *,
        pace: Pace = Pace.LIVE,
        still: bool = False,
        span: Span = no_span,
    ) -> None:
        self._parts, self._review = parts, parts.review
        self._still, self._span = still, span
        self._search = SceneSearch(pace, still=still)
        self._recognition = Recognition(parts.embed, Enrolled(parts.gallery, parts.rules))
        self._last_at = -np.inf
        self._subjects = Subjects()
        self._primary: PrimaryFace | LargestInStill | None = None

    def set_subjects(self, subjects: Subjects) -> None:
        """Tell `subjects` apart from everybody else. Until this is called, nobody is.

        Raises:
            PolicyError: One person is to be told apart, and nothing can tell who that is.
        """
        self._subjects, self._primary = subjects, None
        if subjects.primary:
            if self._parts.embed is None:
                raise PolicyError("a swap that is bound to one person needs an embedder")
            self._primary = LargestInStill() if self._still else PrimaryFace(self._parts.embed)

    @property
    def primary_person(self) -> PrimaryPerson | None:
        """Who the primary person is; None where nobody is to be chosen, or nobody has been yet."""
        return None if self._primary is None else self._primary.person

    @property
    def asked_primary(self) -> int | None:
        """The face track that is to be the primary person and is not yet; None where there is none."""
        return None if self._primary is None else self._primary.asked

    def choose_primary(self, face_track_id: int) -> bool:
        """Choose a face as the primary person from the next frame on; return False where nobody is to be chosen.

        May be called from any thread.
        """
        if self._primary is None:
            return False
        self._primary.asked = face_track_id
        return True

    def __call__(self, image: Image, *, at: float, waiting: Sequence[WaitingFrame] = ()) -> FrameAnalysis:
        """Analyse the frame captured at `at`.

        Args:
            image: RGB frame; it is not changed.
            at: Capture time in seconds; must grow from call to call.
            waiting: Older frames that can still be amended, oldest first.

        Raises:
            ShapeError: Not an image, or time went backwards.
            Exception: Whatever a network raises. Then nothing is known of the frames that wait any more, and the next
                frame is searched as after a cut.
        """
        self.check(image, at=at)
        try:
            analysis = self._analyse(image, at, self._amender(waiting))
        except Exception:
            self._distrust()
            raise
        finally:
            self._last_at = at
        self._search.trust(on=True)
        return analysis

    def check(self, image: Image, *, at: float) -> None:
        """Let pass what can be the next frame.

        Raises:
            ShapeError: Not an image, or time went backwards.
        """
        check_image(image)
        if at <= self._last_at:
            raise ShapeError(f"frames must come in the order of capture: {at} s after {self._last_at} s")

    def end_scene(self, waiting: Sequence[WaitingFrame]) -> tuple[Amendment, ...]:
        """Search what was not searched in the last frame; the next one is searched as the first.

        Returns:
            What that tells about the frames that wait.
        """
        amender = self._amender(waiting)
        self._finish_search(amender)
        self._search.restart()
        return tuple(amender.amendments)

    def save_time(self, *, on: bool) -> None:
        """Recognise people more rarely, or as often as usual. Faces are looked for as before."""
        self._recognition.save_time(on=on)

    # --- one frame ---------------------------------------------------------------------------------------------

    def _analyse(self, image: Image, at: float, amender: Amender) -> FrameAnalysis:
        """Search, follow, recognise; then tell what that means for the frames that wait."""
        with self._span("cut"):
            scene = self._search.watch(image, at=at, last_at=self._last_at)
        if scene.is_new:
            self._finish_search(amender)
            self._begin_scene(at)
            amender.scene_since = at
        tracks = self._follow(image, at, scene, amender)
        with self._span("know"):
            faces = [self._recognition(image, track, at) for track in tracks]
            self._recognition.keep_only([track.id for track in tracks])
            verdict = self._choose(image, tracks, faces, at)
        amender.judge(verdict)
        amender.follow_back(image, tracks, at)
        amender.doubt(faces)
        primary_id = verdict.wearer if at >= verdict.since else None
        return FrameAnalysis(at, tuple(faces), scene, primary_id, amendments=tuple(amender.amendments))

    def _follow(self, image: Image, at: float, scene: Scene, amender: Amender) -> list[FaceTrack]:
        """Find and follow the faces of a frame; drop candidates that turn out to be none."""
        known, review = self._parts.tracker.seen_xyxy, self._review
        tiles = self._search.tiles(image, scene, known)
        with self._span("find"):
            found = self._parts.find(image, tiles, known)
            if review is not None:
                found = _on_a_still(image, found, review) if self._still else review.believable(image, found)
        with self._span("follow"):
            tracks = self._parts.tracker(image, found, at)
        if review is None or self._still:
            return tracks
        with self._span("find"):
            refuted = frozenset(review.weigh(image, tracks, at))
        if not refuted:
            return tracks
        self._parts.tracker.drop(refuted)
        amender.refute(refuted)
        return [track for track in tracks if track.id not in refuted]

    def _choose(self, image: Image, tracks: Sequence[FaceTrack], faces: Sequence[Face], at: float) -> Verdict:
        """Tell which face is the primary person."""
        if self._primary is None:
            return Verdict()
        others = [face.face_track_id for face in faces if face.identity in self._subjects.people]
        return self._primary(image, tracks, at, others)

    # --- scenes ------------------------------------------------------------------------------------------------

    def _amender(self, waiting: Sequence[WaitingFrame]) -> Amender:
        return Amender(waiting, self._parts.redetect, self._subjects.people, scene_since=self._search.since)

    def _begin_scene(self, at: float) -> None:
        """Nothing known about the last scene holds for this one, and nothing of this one for the last."""
        self._search.begin_scene(at)
        self._parts.tracker.forget()
        if self._review is not None:
            self._review.forget()
        self._recognition.forget()
        if self._primary is not None:
            self._primary.forget_tracks()

    def _finish_search(self, amender: Amender) -> None:
        """Search what was not searched in the last frame of a scene: no later frame will tell who entered."""
        if not amender.frames:
            return
        image, analysis = amender.frames[-1]
        missing = self._search.unsearched()
        known = [face.box_xyxy for face in analysis.faces if face.seen]
        with self._span("find"):
            found = self._parts.find(image, missing, known) if missing else []
            if self._review is not None:
                found = self._review.confirmed(image, found)
        for seen in found:
            if not any(_holds(face.swept_box_xyxy, seen.box_xyxy) for face in analysis.faces):
                amender.trace(TracedFace(image, seen.box_xyxy, roll_of(seen)), range(len(amender.frames)))

    def _distrust(self) -> None:
        """Trust nothing that a frame half seen may have changed.

        A face begun in it would not be new in the next frame, nor a doubt that came up in it.
        """
        self._search.trust(on=False)
        self._recognition.forget()
        if self._primary is not None:
            self._primary.forget_tracks()

    # --- from one analyzer to the next ---------------------------------------------------------------------------

    def take_over_primary(self, other: "FaceAnalyzer") -> None:
        """Look for the primary person of `other`, if both look for one. Its scene stays its own."""
        if self._primary is not None:
            self._primary.person = other.primary_person

    def take_over(self, other: "FaceAnalyzer", waiting: Sequence[FrameAnalysis]) -> list[FrameAnalysis]:
        """Go on in the middle of the scene of `other`, which is not used any more.

        Face tracks keep their numbers. Clearances stay where the same people are enrolled, and the primary person
        stays who it is where both look for one.

        Args:
            other: The analyzer of this stream so far.
            waiting: What it knew of the frames that wait.

        Returns:
            The same, as far as it holds here.
        """
        self._last_at = other._last_at  # noqa: SLF001  # its own kind
        self._search.take_over(other._search)  # noqa: SLF001
        self._parts.tracker.take_over(other._parts.tracker)  # noqa: SLF001
        self._review = other._review  # noqa: SLF001  # what is refuted stays so
        names_hold = self._recognition.take_over(other._recognition)  # noqa: SLF001
        self.take_over_primary(other)
        primary_holds = isinstance(self._primary, PrimaryFace) and isinstance(other._primary, PrimaryFace)  # noqa: SLF001
        if primary_holds:
            self._primary = other._primary  # noqa: SLF001
        return [
            replace(
                analysis,
                faces=tuple(self._recognition.keep_name(face, trusted=names_hold) for face in analysis.faces),
                primary_id=analysis.primary_id if primary_holds else None,
            )
            for analysis in waiting
        ]


def _on_a_still(image: Image, found: Sequence[Detection], review: CandidateReview) -> list[Detection]:
    """Return what of `found` is confirmed at once: no later frame can refute it.

    One about as large as the image is kept all the same: of a face so near hardly anything else can speak.
    """
    nearest = [seen for seen in found if float((seen.box_xyxy[2:] - seen.box_xyxy[:2]).max()) > min(image.shape[:2])]
    return nearest + review.confirmed(image, [seen for seen in found if not any(seen is n for n in nearest)])


def _holds(outer: Box, box: Box) -> bool:
    """Tell whether the middle of `box` lies in `outer`."""
    middle = (box[:2] + box[2:]) / 2
    return bool((outer[:2] <= middle).all() and (middle <= outer[2:]).all())
