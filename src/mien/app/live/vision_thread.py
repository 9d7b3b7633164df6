"""The thread that treats frames: newest first, one at a time, and nothing passes on an error."""

import contextlib
import math
import threading
import time
from collections.abc import Callable
from typing import Final

import av
import structlog

from mien.app.ports import Pipeline, SavesTime, TakesOver, WorksAhead
from mien.app.profiles import LADDER, Profile
from mien.media.frames import shrunk, to_image
from mien.media.meters import DurationMeter
from mien.media.newest import Newest
from mien.rate_limit import LogThrottle
from mien.tracing import span
from mien.vision.types import Image, TreatedFrame

log = structlog.get_logger()

_STALE_S: Final = 3.0
"""What a delay line has held for so long is old: viewers have seen the slate since."""


class VisionThread:
    """Runs frames through one pipeline at a time and hands on what it returns.

    A frame whose treatment raises is dropped and counted. A thread that hangs cannot be stopped from
    outside, so `retire` cuts it off instead: whatever it still returns goes nowhere.

    Args:
        pipeline: The first pipeline.
        sink: Called on this thread with every treated frame.
        max_pixels: Larger frames are refused.

    Attributes:
        frames: Where frames come in; the newest waits.
        durations: How long the last treatments took.
        spent_s: Seconds that all treatments took.
        failing: The last one failed.
    """

    def __init__(self, pipeline: Pipeline, *, sink: Callable[[TreatedFrame], None], max_pixels: int) -> None:
        self.frames = Newest[tuple[av.VideoFrame, float]]()
        self.durations = DurationMeter()
        self._failures = LogThrottle()
        self.spent_s = 0.0
        self.failing = False
        self._profile = LADDER[0]
        self._pipeline = pipeline
        self._next: tuple[Pipeline, threading.Event] | None = None
        self._sink = sink
        self._max_pixels = max_pixels
        self._busy_since: float | None = None
        self.retired = False
        self._generation = 0
        self._begun = 0
        self._last_at = -math.inf
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="mien-vision", daemon=True)
        self._thread.start()

    def spend(self, profile: Profile) -> None:
        """Do so much for each frame from the next one on. Its rate is the sender's matter."""
        self._profile = profile

    def replace(self, pipeline: Pipeline) -> threading.Event:
        """Use `pipeline` from the next frame on; the event is set when the old one is done."""
        done = threading.Event()
        with self._gate:
            if self._next is not None:
                self._next[1].set()  # overtaken before it was taken up
            self._next = (pipeline, done)
        self.frames.nudge()
        return done

    def forget(self) -> None:
        """Hand on nothing that is made of the frames so far, not even of those in the pipeline's delay line."""
        with self._gate:
            self._generation += 1
            self.frames.clear()
        self.frames.nudge()

    @property
    def errors(self) -> int:
        """So many treatments failed."""
        return self._failures.times

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that treats frames now."""
        return self._pipeline

    def busy_s(self, now: float) -> float:
        """Return for how long the present frame has been under treatment."""
        since = self._busy_since
        return 0.0 if since is None else now - since

    def retire(self) -> None:
        """Hand on nothing any more, and end when the present frame is done."""
        with self._gate:
            self.retired = True
            if self._next is not None:
                self._next[1].set()
        self.frames.close()

    def join(self, *, timeout_s: float) -> bool:
        """Wait for the thread to end; return whether it did."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self.retired:
            generation = self._generation
            item = self.frames.get()
            self._take_up_next()
            if item is not None and generation == self._generation:  # else it may be from before `forget`
                self._treat(*item, generation)
                self._work_ahead()

    def _take_up_next(self) -> None:
        with self._gate:
            if self._next is None:
                return
            old, (self._pipeline, done) = self._pipeline, self._next
            self._next = None
            done.set()
        if isinstance(self._pipeline, TakesOver):
            # Without, its first frame is searched all over: that takes as long as ten others.
            try:
                self._pipeline.take_over(old, in_scene=True)
            except Exception as error:  # noqa: BLE001  # then it searches, as without
                self._count(error)

    def _treat(self, frame: av.VideoFrame, at: float, generation: int) -> None:
        self._busy_since = began = time.monotonic()
        try:
            if generation != self._begun or at - self._last_at > _STALE_S:
                for _stale in self._pipeline.flush():
                    pass
            self._begun, self._last_at = generation, at
            with span("frame to RGB"):
                image = self._frame(frame)
            with span("treat"):
                treated = self._pipeline(image, at=at)
        except Exception as error:  # noqa: BLE001  # whatever breaks in there, viewers keep the last safe picture
            self._count(error)
            self.failing = True
            return
        finally:
            self._busy_since = None
            self.spent_s += time.monotonic() - began
        self.failing = False
        self.durations.add(time.monotonic() - began)
        if treated is None:
            return
        if not isinstance(treated, TreatedFrame):
            self._count(TypeError(f"a pipeline must return a TreatedFrame, got {type(treated).__name__}"))
            return
        with self._gate:
            if not self.retired and generation == self._generation:
                self._sink(treated)

    def _frame(self, frame: av.VideoFrame) -> Image:
        """Return what the pipeline gets to see, as large as can be afforded."""
        if isinstance(self._pipeline, SavesTime):
            self._pipeline.save_time(on=self._profile.knows_rarely)
        image = to_image(frame, max_pixels=self._max_pixels)
        return image if self._profile.long_side is None else shrunk(image, self._profile.long_side)

    def _work_ahead(self) -> None:
        """Use the time until the next frame. What fails here fails again when it is needed, and is counted then."""
        if not self.retired and self.frames.is_empty and isinstance(self._pipeline, WorksAhead):
            self._busy_since = began = time.monotonic()
            with contextlib.suppress(Exception), span("work ahead"):
                self._pipeline.work_ahead()
            self._busy_since = None
            self.spent_s += time.monotonic() - began

    def _count(self, error: Exception) -> None:
        if self._failures.count():
            log.warning("treatment_failed", error=type(error).__name__, reason=str(error), times=self.errors)
