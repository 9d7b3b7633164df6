"""Single frames, treated one after the other, for clients that cannot do WebRTC."""

import asyncio
from collections.abc import Callable

import structlog

from mien.app.ports import Pipeline, StreamSpec, TakesOver, TreatedStill
from mien.errors import LiveError, MienError
from mien.media.files.frame_codec import FrameFormat, decode_frame, encode_frame
from mien.rate_limit import LogThrottle

log = structlog.get_logger()


class LocalFrameSession:
    """Treats one client's frames in this process (the port `FrameSession`).

    Args:
        spec: How they are treated at first.
        build: Makes pipelines; called off the event loop.
        form: In which form treated frames come back.
        max_pixels: Larger frames are refused.
    """

    def __init__(
        self,
        spec: StreamSpec,
        *,
        build: Callable[[StreamSpec], Pipeline],
        form: FrameFormat,
        max_pixels: int,
    ) -> None:
        self._spec = spec
        self._build = build
        self._form = form
        self._max_pixels = max_pixels
        self._pipeline: Pipeline
        self._busy = asyncio.Lock()
        self._failures = LogThrottle()

    async def prepare(self) -> None:
        """Make the first pipeline.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
        """
        self._pipeline = await asyncio.to_thread(self._build, self._spec)

    async def treat(self, frame: bytes, *, at: float) -> TreatedStill | None:
        """Take a JPEG or WebP frame; return one to show, or None while the delay fills.

        Raises:
            MediaError: It cannot be read.
            LiveError: It could not be treated.
        """
        async with self._busy:
            return await asyncio.to_thread(self._treat, frame, at)

    async def set_policy(self, spec: StreamSpec) -> None:
        """Treat the next frame by `spec`.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
        """
        pipeline = await asyncio.to_thread(self._build, spec)
        async with self._busy:
            if isinstance(pipeline, TakesOver):
                pipeline.take_over(self._pipeline, in_scene=True)
            self._pipeline = pipeline

    def end(self) -> None:
        """Nothing is held that the collector would not free."""

    def _treat(self, frame: bytes, at: float) -> TreatedStill | None:
        image = decode_frame(frame, max_pixels=self._max_pixels)
        try:
            treated = self._pipeline(image, at=at)
            if treated is None:
                return None
            # The encoder takes nothing but a TreatedFrame: whatever a pipeline returns, no camera frame leaves.
            return TreatedStill(encode_frame(treated, self._form), treated.at)
        except MienError:
            raise
        except Exception as error:
            if self._failures.count():
                log.warning(
                    "treatment_failed", error=type(error).__name__, reason=str(error), times=self._failures.times
                )
            raise LiveError("the picture could not be treated") from error
