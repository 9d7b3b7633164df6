"""How frames of a live session are treated: by which policy, by which pipeline, and how well that can be afforded."""

import asyncio
import math
from collections.abc import Callable
from typing import Final

import av
import structlog

from mien.app.live.choosing import asked_primary, choose_primary
from mien.app.live.encoder_thread import EncoderThread
from mien.app.live.load import STEPS_AT_ONCE, LoadShedder
from mien.app.live.vision_thread import VisionThread
from mien.app.ports import Pipeline, StreamSpec, TakesOver, Withholds
from mien.app.profiles import LADDER, TYPICAL, Choice, Means, Profile, ProfileReport, Wanted, beginning, report_of
from mien.app.states import LiveLimits, Load, PrimaryChoice
from mien.errors import MienError

log = structlog.get_logger()

_THREAD_TIMEOUT_S: Final = 2.0
_REPLACE_TIMEOUT_S: Final = 2.0
_EARLY: Final = 0.8
"""A frame may come so much before its time, in shares of the interval, and is treated: cameras are not exact."""
_REBUILD_AFTER_S: Final = 5.0
_MAX_HUNG: Final = 3
"""So many pipelines may hang at once and are replaced; each holds a thread. With more the slate stays."""


class Treating:
    """Owns the vision thread of a live session. Lives on the event loop, but for `put`.

    Args:
        spec: How frames are treated at first.
        build: Makes pipelines; called off the event loop, also when one hangs.
        limits: Waits and bounds.
        means: What the broadcast may count on; without, it begins with all there is.

    Attributes:
        spec: What the broadcaster wants.
    """

    def __init__(
        self,
        spec: StreamSpec,
        *,
        build: Callable[[StreamSpec], Pipeline],
        limits: LiveLimits,
        means: Means | None = None,
    ) -> None:
        self.spec = spec
        self._build = build
        self._limits = limits
        self._means = means
        self._shedder = LoadShedder(TYPICAL if means is None else means.costs or TYPICAL)
        self._long_side = 0
        self._changing = asyncio.Lock()
        self._put_at = -math.inf
        self._put = self._skipped = 0
        self._dropped_before = 0
        self._errors_before = 0
        self._hung: list[VisionThread] = []
        self._is_replacing = False
        self._is_redrawing = False
        self._redraw_from = -math.inf
        self._pipeline: Pipeline
        self._drawn: StreamSpec
        self._encoder: EncoderThread
        self._group: asyncio.TaskGroup
        self._vision: VisionThread

    # Life ---------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Make the first pipeline.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
        """
        self._pipeline, self._drawn = await self._built(self.spec)
        log.info("profile", profile=self._shedder.profile.name, reason=self._shedder.reason)

    def start(self, encoder: EncoderThread, group: asyncio.TaskGroup) -> None:
        """Treat what comes from now on, for `encoder`. Comes after `prepare`."""
        self._encoder, self._group = encoder, group
        self._vision = self._start_vision(self._pipeline)

    async def stop(self) -> None:
        """Treat nothing any more."""
        self._vision.retire()
        if not await asyncio.to_thread(self._vision.join, timeout_s=_THREAD_TIMEOUT_S):
            log.error("vision_thread_abandoned")

    # Frames -----------------------------------------------------------------------------------------------

    def put(self, frame: av.VideoFrame, at: float) -> None:
        """Take a decoded frame; one that comes sooner than can be afforded is dropped.

        May be called from one other thread. It only counts, and leaves the frame in the vision thread's mailbox.
        """
        most = self._shedder.profile.max_fps
        if most is not None and at - self._put_at < _EARLY / most:
            self._skipped += 1
            return
        self._put_at = at
        self._put += 1
        self._long_side = max(frame.width, frame.height)
        self._vision.frames.put((frame, at))

    def forget(self) -> None:
        """Hand on nothing that is made of the frames so far."""
        self._vision.forget()
        self._shedder.begin_anew()

    async def set_policy(self, spec: StreamSpec) -> None:
        """Treat the next frame by `spec`. When this returns, no frame of the old one follows.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
        """
        self._withhold(spec)
        async with self._changing:
            self._withhold(spec)  # what held the lock may have put another pipeline to work
            step = self._shedder.step
            try:
                pipeline, drawn = await self._built(spec)
            except BaseException:
                self._withhold(self.spec)  # the old policy holds on, all of it
                raise
            self._follow_step(step)
            self.spec = spec
            await self._put_to_work(pipeline, drawn)
            self._encoder.forget(at_once=False)  # a frame of the old policy is not repeated either

    def _withhold(self, spec: StreamSpec) -> None:
        """Hide at once whom `spec` treats otherwise: to make its pipeline may take a while."""
        pipeline, wanted = self._vision.pipeline, spec.policy.people
        if isinstance(pipeline, Withholds):
            pipeline.withhold({name for name, had in self.spec.policy.people.items() if wanted.get(name) != had})

    def choose_primary(self, choice: PrimaryChoice) -> int:
        """Bind the primary person to a face that viewers see; return its id. Raises what `choosing` does."""
        return choose_primary(self._vision.pipeline, self.spec.policy, choice, self._encoder.faces)

    @property
    def asked_primary(self) -> int:
        """The face that is to be the primary person and is not yet; 0 for none."""
        return asked_primary(self._vision.pipeline)

    # Figures ------------------------------------------------------------------------------------------------

    @property
    def vision_ms(self) -> float | None:
        """Median time of the treatment; None before the first frame."""
        return self._vision.durations.median_ms

    @property
    def dropped(self) -> int:
        """How many frames were replaced by newer ones, or not afforded."""
        return self._dropped_before + self._skipped + self._vision.frames.dropped

    @property
    def errors(self) -> int:
        """How many treatments failed."""
        return self._errors_before + self._vision.errors

    @property
    def profile(self) -> ProfileReport:
        """Which profile is on, and what would help."""
        shedder = self._shedder
        return report_of(shedder.step, shedder.reason, self._means, shedder.wanted, falls_behind=shedder.falls_behind)

    def load(self, *, is_paused: bool, is_fed: bool) -> Load:
        """Say whether treatment keeps up.

        Args:
            is_paused: Viewers see the slate.
            is_fed: Frames come in all the same.
        """
        encoder = self._encoder
        if is_paused and is_fed and encoder.on_slate and encoder.out.total > 0 and not self._vision.failing:
            return Load.OVERLOADED
        return self._shedder.load

    # Housekeeping -------------------------------------------------------------------------------------------

    def supervise(self, now: float, *, lost: int | None) -> None:
        """Replace a pipeline that hangs, and take a step of the ladder where one is due; called some times a second.

        Args:
            now: Seconds, of the monotonic clock.
            lost: How many of the publisher's frames never got here; None where nobody publishes.
        """
        self._replace_if_hung(now)
        if lost is not None:
            self._heed_load(now, lost)
        self._follow_swaps(now)

    def _heed_load(self, now: float, lost: int) -> None:
        step = self._shedder.step
        if self._long_side != self._shedder.wanted.long_side and not self._changing.locked():
            self._foresee(self.spec)
        if self._limits.shed_load:
            self._shedder.observe(
                now,
                arrived=self._put + lost,
                left=self._encoder.out.total,
                vision_s=self._vision.spent_s,
                encoding_s=self._encoder.spent_s,
            )
        self._follow_step(step)

    def _foresee(self, spec: StreamSpec) -> None:
        """Be on the profile that fits `spec` and the size of the frames; what is measured on air goes before it."""
        self._shedder.wanted, choice = self._foreseen(spec)
        if choice is not None:
            self._shedder.begin(choice)

    def _foreseen(self, spec: StreamSpec) -> tuple[Wanted, Choice | None]:
        """Return what `spec` would be without any profile, and with which one it begins; None keeps the present one."""
        shedder = self._shedder
        more_swaps = spec.policy.swaps and not shedder.wanted.swaps
        wanted = Wanted(self._long_side, swaps=spec.policy.swaps)
        means = self._means if self._limits.shed_load else None
        choice = beginning(self._limits.profile, means, wanted)
        begins = shedder.is_where_it_began or (more_swaps and choice.step > shedder.step)
        return wanted, choice if begins else None

    def _replace_if_hung(self, now: float) -> None:
        vision = self._vision
        if vision.busy_s(now) > self._limits.hang_after_s and not vision.retired:
            self._hung.append(vision)
            log.error("treatment_hung", times=len(self._hung))
            vision.retire()
            if self._limits.shed_load:
                step = self._shedder.step
                self._shedder.shed(now, steps=STEPS_AT_ONCE)  # if it hangs for want of time, the next must need less
                self._follow_step(step)
        if vision.retired and not self._is_replacing:
            self._hung = [hung for hung in self._hung if not hung.join(timeout_s=0)]
            if len(self._hung) <= _MAX_HUNG:
                self._is_replacing = True
                self._group.create_task(self._replace_hung_vision())

    async def _replace_hung_vision(self) -> None:
        hung = self._vision
        async with self._changing:
            if self._vision is hung:
                try:
                    drawn = self._affordable(self.spec)
                    pipeline = await asyncio.to_thread(self._build, drawn)
                except MienError as error:
                    log.exception("treatment_not_rebuilt", code=error.code)
                    await asyncio.sleep(_REBUILD_AFTER_S)  # the slate is up; then it is tried again
                else:
                    self._change_vision(pipeline, drawn)
        self._is_replacing = False

    def _follow_step(self, before: int) -> None:
        if self._shedder.step == before:
            return
        shedder = self._shedder
        log.info(
            "load_step",
            step=shedder.step,
            profile=shedder.profile.name,
            reason=shedder.reason,
            vision_ms=self.vision_ms,
        )
        self._vision.spend(shedder.profile)

    def _follow_swaps(self, now: float) -> None:
        """See to it that personas are drawn where the profile has them, and nowhere else.

        What is drawn is compared: a step may come amid a change, or its pipeline may not be had.
        """
        if self._is_as_affordable or self._is_redrawing or now < self._redraw_from:
            return
        self._is_redrawing = True
        self._group.create_task(self._redraw(now))

    @property
    def _is_as_affordable(self) -> bool:
        """Whether it is drawn. A pipeline that hangs draws nothing, and the one in its place draws what it should."""
        may_draw = self.spec.policy.swaps and self._shedder.profile.swaps
        return self._drawn.policy.swaps == may_draw or self._vision.retired

    async def _redraw(self, now: float) -> None:
        """Draw personas no more, or again."""
        async with self._changing:
            if not self._is_as_affordable:
                drawn = self._affordable(self.spec)
                try:
                    pipeline = await asyncio.to_thread(self._build, drawn)
                except MienError as error:
                    log.exception("treatment_not_rebuilt", code=error.code)
                    self._redraw_from = now + _REBUILD_AFTER_S  # what was drawn is until then; nobody waits for it
                else:
                    await self._put_to_work(pipeline, drawn)
        self._is_redrawing = False

    async def _built(self, spec: StreamSpec) -> tuple[Pipeline, StreamSpec]:
        """Make a pipeline for a new spec; return it and what of the spec it draws.

        One for the whole of it is also made where that cannot be afforded: it may be wrong.
        """
        pipeline = await asyncio.to_thread(self._build, spec)
        _, choice = self._foreseen(spec)
        drawn = _drawn(spec, self._shedder.profile if choice is None else LADDER[choice.step])
        if drawn is not spec:
            pipeline = await asyncio.to_thread(self._build, drawn)
        self._foresee(spec)  # only now: without a pipeline all stays as it was
        return pipeline, drawn

    def _affordable(self, spec: StreamSpec) -> StreamSpec:
        """Return what of `spec` can be afforded now."""
        return _drawn(spec, self._shedder.profile)

    async def _put_to_work(self, pipeline: Pipeline, drawn: StreamSpec) -> None:
        done = self._vision.replace(pipeline)
        self._drawn = drawn
        if not await asyncio.to_thread(done.wait, _REPLACE_TIMEOUT_S):
            self._change_vision(pipeline, drawn)

    def _change_vision(self, pipeline: Pipeline, drawn: StreamSpec) -> None:
        old = self._vision
        old.retire()
        if isinstance(pipeline, TakesOver):
            pipeline.take_over(old.pipeline, in_scene=False)
        self._dropped_before += old.frames.dropped
        self._errors_before += old.errors
        self._vision, self._drawn = self._start_vision(pipeline), drawn

    def _start_vision(self, pipeline: Pipeline) -> VisionThread:
        vision = VisionThread(pipeline, sink=self._encoder.treated.put, max_pixels=self._limits.max_pixels)
        vision.spend(self._shedder.profile)
        self._shedder.begin_anew()
        return vision


def _drawn(spec: StreamSpec, profile: Profile) -> StreamSpec:
    """Return what of `spec` a profile has."""
    return spec if profile.swaps or not spec.policy.swaps else spec.without_swaps()
