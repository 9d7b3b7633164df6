"""The delay line: frames that wait, each with what is known of it by now and what was drawn of it ahead of time."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mien.vision.frame_analysis import Amendment, FrameAnalysis, WaitingFrame
from mien.vision.render.renderer import Drawing
from mien.vision.types import Image


@dataclass(slots=True)
class DelayedFrame:
    """A frame that waits.

    Attributes:
        image: As it was captured; nothing is drawn into it while it waits.
        analysis: What is known of it by now.
        never_show: Face tracks that an earlier policy would not have shown in it; no later one may.
        drawing: The copy in which its swaps were drawn ahead of time, or None. Dropping it undoes them.
        void: Face tracks that lost the name, or the place of the primary person, by which they were drawn.
    """

    image: Image
    analysis: FrameAnalysis
    never_show: frozenset[int] = frozenset()
    drawing: Drawing | None = None
    void: frozenset[int] = frozenset()

    def amend(self, amendment: Amendment) -> None:
        """Take what a newer frame tells about this one."""
        before, self.analysis = self.analysis, self.analysis.amended(amendment)
        if self.drawing is not None:
            self.void |= amendment.nameless & before.named()
            if amendment.primary_refuted and before.primary_id is not None:
                self.void |= {before.primary_id}
        if amendment.primary_id is not None:  # the persona was not drawn, and is due
            self.drawing = None


class DelayLine:
    """Hold frames back, oldest first, so that newer ones can still amend what is known of them.

    Args:
        capacity: How many frames wait.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._frames: deque[DelayedFrame] = deque()

    def __iter__(self) -> Iterator[DelayedFrame]:
        return iter(self._frames)

    def waiting(self) -> list[WaitingFrame]:
        """Return the frames that wait, oldest first, as an analyzer takes them."""
        return [WaitingFrame(frame.image, frame.analysis) for frame in self._frames]

    def amend(self, amendments: Iterable[Amendment]) -> None:
        """Take what a newer frame tells about those that wait."""
        by_time = {frame.analysis.at: frame for frame in self._frames}
        for amendment in amendments:
            by_time[amendment.at].amend(amendment)

    def put(self, frame: DelayedFrame) -> None:
        """Add the newest frame."""
        self._frames.append(frame)

    def take_due(self) -> DelayedFrame | None:
        """Return the oldest frame, which waits no longer, or None while the line fills."""
        return self._frames.popleft() if len(self._frames) > self._capacity else None

    def take(self) -> DelayedFrame | None:
        """Return the oldest frame, due or not, or None where none waits."""
        return self._frames.popleft() if self._frames else None

    def drop_overdue(self) -> None:
        """Drop what would have left a shorter line by now."""
        while len(self._frames) > self._capacity:
            self._frames.popleft()

    def clear(self) -> None:
        """Drop every frame."""
        self._frames.clear()

    @property
    def newest(self) -> DelayedFrame | None:
        """The frame that came last, or None where none waits."""
        return self._frames[-1] if self._frames else None
