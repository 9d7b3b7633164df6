"""Calibration: what a frame costs on this machine, measured by the real pipelines and encoder in some two seconds.

The frames are drawn by code and show one built-in mask, which the networks take for a face. Nobody sees them.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, TypeVar

import av
import cv2
import numpy as np
import structlog

from mien.app.face_photos import MASK_NAMES
from mien.app.policy.document import policy_of
from mien.app.policy.rules import MASK_PREFIX, SwapTreatment
from mien.app.ports import Pipeline, StreamSpec, WorksAhead
from mien.app.profiles import USUAL_LONG_SIDE, Costs
from mien.media.codecs.encoded import VideoCodec
from mien.media.codecs.layers import LayerEncoders
from mien.media.frames import to_image
from mien.vision.swap.masks.preview import mask_preview
from mien.vision.types import Image, TreatedFrame

log = structlog.get_logger()

_RUN: Final = 6
"""Frames in a run: the tile schedule comes round in six."""
_RUNS: Final = 3
"""Each frame of a run counts with its best time: what else goes on in the machine makes it longer, and none shorter."""
_SCENE: Final = 19
"""So many frames of a new scene are dearer than those that follow: everything is also searched turned."""
_FEW: Final = 3
"""An encoder's first frame is a keyframe, and its rate settles."""
_LONGEST_S: Final = 4.0
"""A part that has taken longer is not run again: on a machine so slow it does not matter by how much."""
_SWAY: Final = 24
"""Frames in which the face goes from one side to the other."""
_FPS: Final = 30
_LEAST_MS: Final = 0.001

Item = TypeVar("Item")


class _Gone(Exception):  # noqa: N818  # no error: the machine is wanted for something better
    """Somebody wants the machine."""


@dataclass(frozen=True, slots=True)
class _Stopwatch:
    """Times what is done with a frame.

    Attributes:
        clock: Seconds of work. The processor time of the thread that asks, so that programs beside hardly count.
        is_wanted: Whether measuring is to end at once.
    """

    clock: Callable[[], float]
    is_wanted: Callable[[], bool]

    def spent_s(self, do: Callable[[], object]) -> float:
        """Do it, and return what that took."""
        if self.is_wanted():
            raise _Gone
        began = self.clock()
        do()
        return self.clock() - began


class _Part:
    """Something that is measured."""

    def __init__(self, watch: _Stopwatch, do: Callable[[], object], *, warm_up: int) -> None:
        self._watch, self._do = watch, do
        self._best_s = [inf] * _RUN
        self._spent_s = 0.0
        for _ in range(warm_up):
            if self._spent_s > _LONGEST_S / 2:
                break
            self._spent_s += watch.spent_s(do)

    def run(self) -> None:
        """Take the times of another run, unless there was one and that is enough."""
        if self._best_s[0] < inf and self._spent_s > _LONGEST_S:
            return
        times = [self._watch.spent_s(self._do) for _ in range(_RUN)]
        self._spent_s += sum(times)
        self._best_s = list(map(min, self._best_s, times))

    @property
    def frame_ms(self) -> float:
        """What a frame takes, in milliseconds."""
        return max(round(sum(self._best_s) / _RUN * 1000, 3), _LEAST_MS)


class _Scene:
    """A face that sways before a wall, 1280 x 720, and what pipelines made of it.

    Attributes:
        treated: The last treated frames.
    """

    def __init__(self) -> None:
        self.treated: deque[TreatedFrame] = deque(maxlen=2 * _RUN)
        size_wh = USUAL_LONG_SIDE, USUAL_LONG_SIDE * 9 // 16
        noise = np.random.default_rng(1).integers(0, 256, (*size_wh[::-1], 3), np.uint8)
        wall = _bytes(cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 9), noise, 40, 200, cv2.NORM_MINMAX))
        side = size_wh[1] // 2
        head = _bytes(cv2.resize(mask_preview(MASK_NAMES[0]), (side, side), interpolation=cv2.INTER_AREA))
        self._frames = [_frame(wall, head, phase) for phase in np.linspace(-1, 1, _SWAY)]

    def treatment(self, pipeline: Pipeline) -> Callable[[], object]:
        """Return what has the next frame treated, as on the vision thread."""
        numbers = itertools.count()

        def treat() -> None:
            number = next(numbers)
            image = to_image(_to_and_fro(self._frames, number), max_pixels=USUAL_LONG_SIDE**2)
            treated = pipeline(image, at=number / _FPS)
            if isinstance(pipeline, WorksAhead):
                pipeline.work_ahead()
            if treated is not None:
                self.treated.append(treated)

        return treat

    def encoding(self) -> Callable[[], object]:
        """Return what encodes the next of the treated frames in VP8, the codec of all viewers."""
        encoders = LayerEncoders(VideoCodec.VP8, epoch=0.0)
        encoders.set_audience(frozenset({0}))
        frames, numbers = tuple(self.treated), itertools.count()

        def encode() -> None:
            number = next(numbers)
            for _encoded in encoders.encode(_to_and_fro(frames, number), at=number / _FPS):
                pass

        return encode

    @property
    def shows_a_face(self) -> bool:
        """Whether one was treated in the last frame."""
        return bool(self.treated) and sum(self.treated[-1].counts.values()) > 0


def _bytes(image: object) -> Image:
    return np.asarray(image, np.uint8)


def _frame(wall: Image, head: Image, phase: float) -> av.VideoFrame:
    """Return a frame as a decoder gives it, the face off the middle by up to a fortieth of the height."""
    (height, width), side = wall.shape[:2], head.shape[0]
    x, y = (width - side) // 2 + round(height / 40 * phase), (height - side) // 2 + round(height / 72 * phase**2)
    image = wall.copy()
    image[y : y + side, x : x + side] = head
    return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")


def _to_and_fro(items: Sequence[Item], number: int) -> Item:
    """Return an item of a sequence that is gone through and back again, without a jump."""
    last = len(items) - 1
    return items[last - abs(last - number % (2 * last or 1))]


def calibrate(
    build: Callable[[StreamSpec], Pipeline],
    *,
    clock: Callable[[], float] = time.thread_time,
    is_wanted: Callable[[], bool] = lambda: False,
) -> Costs | None:
    """Measure what a frame costs. The caller sees to it that networks and OpenCV use one thread.

    Args:
        build: Makes pipelines.
        clock: Seconds of work; the wall's where networks run elsewhere than on the processor.
        is_wanted: Whether measuring is to end at once.

    Returns:
        None where it ended before, or where no face was seen: then the costs would be those of an empty room.

    Raises:
        ModelError: A model cannot be had.
    """
    watch, scene = _Stopwatch(clock, is_wanted), _Scene()
    try:
        mosaic = _Part(watch, scene.treatment(build(StreamSpec())), warm_up=_SCENE)
        swap = _Part(watch, scene.treatment(build(_masked())), warm_up=_SCENE)
        if not scene.shows_a_face:
            log.warning("calibration_without_face")
            return None
        encoding = _Part(watch, scene.encoding(), warm_up=_FEW)
        for _ in range(_RUNS):  # in turns: what disturbs one run of a part may be over at its next
            for part in (mosaic, swap, encoding):
                part.run()
    except _Gone:
        return None
    # A swap is a mosaic's search and more: where it was the quicker one, the mosaic was disturbed.
    return Costs(mosaic.frame_ms, max(mosaic.frame_ms, swap.frame_ms), encoding.frame_ms)


def _masked() -> StreamSpec:
    return StreamSpec(policy_of(everyone=SwapTreatment(persona=MASK_PREFIX + MASK_NAMES[0])))
