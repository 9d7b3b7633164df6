"""One frame's way through vision: analyse, wait, render. Nothing leaves by another door."""

from collections.abc import Collection, Iterator

from mien.vision.analysis.analyzer import FaceAnalyzer
from mien.vision.analysis.primary import PrimaryPerson
from mien.vision.delay_line import DelayedFrame, DelayLine
from mien.vision.policy import Policy, Show
from mien.vision.render.renderer import Drawing, FrameRenderer
from mien.vision.types import Image, TreatedFrame


class FacePipeline:
    """See every face of every frame and give each its treatment.

    The images passed in become the pipeline's own and are drawn into. One stream, one thread, capture order.

    Args:
        analyzer: Tells what a frame shows.
        renderer: Draws.
        policy: What is to be done with whom.
        delay_frames: Length of the delay line. A face first seen now is hidden in that many frames before.

    Raises:
        PolicyError: A swap is to be bound to one person, and nothing can tell who that is.
    """

    def __init__(
        self, analyzer: FaceAnalyzer, renderer: FrameRenderer, policy: Policy, *, delay_frames: int = 0
    ) -> None:
        self._analyzer, self._renderer, self._policy = analyzer, renderer, policy
        self._withheld = self._heeded = frozenset[str]()
        self._in_force = policy
        self._delay_line = DelayLine(delay_frames)
        analyzer.set_subjects(policy.subjects)

    @property
    def primary_person(self) -> PrimaryPerson | None:
        """Whom the swap is bound to; None where it is not bound to anybody, or not yet."""
        return self._analyzer.primary_person

    @property
    def asked_primary(self) -> int | None:
        """The face track that is to be the primary person and is not yet; None where there is none."""
        return self._analyzer.asked_primary

    def choose_primary(self, face_track_id: int) -> bool:
        """Choose a face as the primary person from the next frame on; return False where nobody is to be chosen.

        May be called from any thread.
        """
        return self._analyzer.choose_primary(face_track_id)

    def withhold(self, people: Collection[str]) -> None:
        """Hide some of the people from the next frame on, those of frames that wait as well, and nobody else.

        May be called from any thread.
        """
        self._withheld = frozenset(people)

    def __call__(self, image: Image, *, at: float) -> TreatedFrame | None:
        """Take the frame captured at `at`; return the frame to send, or None while the delay line fills.

        Args:
            image: RGB frame; the pipeline draws into it.
            at: Capture time in seconds; must grow from call to call.

        Raises:
            ShapeError: Not an image, or time went backwards.
            Exception: Whatever a network raises. Where that is in the analysis, the delay line is empty then, and the
                next frame is searched as after a cut.
        """
        self._analyzer.check(image, at=at)
        self._heed_withheld()
        try:
            analysis = self._analyzer(image, at=at, waiting=self._delay_line.waiting())
        except Exception:
            self._delay_line.clear()
            raise
        if analysis.scene.is_new:
            self._renderer.begin_scene()
        self._delay_line.amend(analysis.amendments)
        self._delay_line.put(DelayedFrame(image, analysis))
        due = self._delay_line.take_due()
        return None if due is None else self._treat(due)

    def work_ahead(self) -> None:
        """Draw what the frames that wait need, while there is time: they then leave sooner, if nothing is found since.

        What comes out is the same without it.
        """
        self._heed_withheld()
        for frame in self._delay_line:
            if frame.drawing is None:
                frame.drawing = self._draw(frame, frame.image.copy())

    def save_time(self, *, on: bool) -> None:
        """Recognise people more rarely, or as often as usual. Faces are looked for as before."""
        self._analyzer.save_time(on=on)

    def take_over(self, previous: object, *, in_scene: bool) -> None:
        """Go on where `previous`, the pipeline of this stream so far, stopped.

        Frames that wait leave by this one's policy, and nobody is shown in them whom the previous one would not have
        shown; what was drawn in them is taken back. Face tracks, clearances and the primary person stay where both
        pipelines can tell them; personas are not taken over.

        Args:
            previous: Not used any more; of another kind, there is nothing to learn from it.
            in_scene: Take its scene over, too: faces, frames that wait, what was searched.
        """
        if not isinstance(previous, FacePipeline):
            return
        old = previous
        if not in_scene:
            self._analyzer.take_over_primary(old._analyzer)  # noqa: SLF001  # its own kind
            return
        waiting = list(old._delay_line)  # noqa: SLF001
        known = self._analyzer.take_over(old._analyzer, [frame.analysis for frame in waiting])  # noqa: SLF001
        self._renderer.take_over(old._renderer)  # noqa: SLF001
        for frame, analysis in zip(waiting, known, strict=True):
            never_show = frame.never_show | old._hidden(frame)  # noqa: SLF001
            self._delay_line.put(DelayedFrame(frame.image, analysis, never_show))
        self._delay_line.drop_overdue()

    def flush(self) -> Iterator[TreatedFrame]:
        """Return the frames that the delay line still holds, oldest first; the next one in is searched as the first.

        Raises:
            Exception: Whatever a network raises. Then the delay line is empty.
        """
        try:
            self._delay_line.amend(self._analyzer.end_scene(self._delay_line.waiting()))
        except Exception:
            self._delay_line.clear()
            raise
        self._heed_withheld()
        while (frame := self._delay_line.take()) is not None:
            yield self._treat(frame)

    def _heed_withheld(self) -> None:
        if self._heeded is self._withheld:
            return
        self._heeded = self._withheld
        self._in_force = self._policy.withholding(self._heeded)
        for frame in self._delay_line:
            frame.drawing = None  # it was drawn by the policy of before

    def _hidden(self, frame: DelayedFrame) -> frozenset[int]:
        """Return the faces of a frame that the policy does not show."""
        primary_id = frame.analysis.primary_id
        return frozenset(
            face.face_track_id
            for face in frame.analysis.faces
            if not isinstance(self._in_force.treatment(face, primary_id=primary_id), Show)
        )

    def _draw(self, frame: DelayedFrame, image: Image) -> Drawing:
        return self._renderer.draw(image, frame.analysis, self._in_force, never_show=frame.never_show)

    def _treat(self, frame: DelayedFrame) -> TreatedFrame:
        """Give every face of a frame its treatment, and hide what turned out since it was drawn."""
        drawing = self._draw(frame, frame.image) if frame.drawing is None else frame.drawing
        treated = self._renderer.finish(drawing, frame.analysis, void=frame.void)
        newest = self._delay_line.newest or frame
        self._renderer.keep_only({f.face_track_id for f in (*newest.analysis.faces, *frame.analysis.faces)})
        return treated
