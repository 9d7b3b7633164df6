"""Runs live sessions in this very process: for tests, for embedding, and inside every worker process."""

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import structlog

from mien.app.face_photos import LentFor
from mien.app.frames.session import LocalFrameSession
from mien.app.live.session import LiveSession
from mien.app.ports import PipelineFactory, ReferenceFace, RunnerHealth, StreamSpec
from mien.app.profiles import Means
from mien.app.states import LiveLimits
from mien.media.files.frame_codec import FrameFormat
from mien.media.webrtc.peer import IceServer

log = structlog.get_logger()


class LocalRunner:
    """Runs live sessions on this event loop (the port `Runner`). Use as `async with`; leaving ends them all.

    Args:
        factory: Returns the pipeline factory, building it first if need be; called off the event loop.
        limits: For each live session.
        ice_servers: For all peer connections.
        means: What the next session may count on; None while that is not known.

    Attributes:
        means: The same; may be set anew.
    """

    def __init__(
        self,
        factory: Callable[[], PipelineFactory],
        *,
        limits: LiveLimits,
        ice_servers: Sequence[IceServer] = (),
        means: Means | None = None,
    ) -> None:
        self.means = means
        self._factory = factory
        self._limits = limits
        self._ice_servers = ice_servers
        self._running: set[LiveSession] = set()
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for live in self._running:
            live.end()
        await self._group.__aexit__(kind, error, trace)

    @property
    def health(self) -> tuple[RunnerHealth, str | None]:
        """Always well: what a session lacks shows when it is started."""
        return "ok", None

    async def start(self, spec: StreamSpec, *, name: str) -> LiveSession:
        """Return a session that waits for its publisher.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
        """
        live = LiveSession(
            spec,
            build=lambda changed: self._factory().build(changed),
            limits=self._limits,
            ice_servers=self._ice_servers,
            means=self.means,
        )
        await live.prepare()
        self._group.create_task(self._run(live, name))
        await live.started()
        return live

    async def read_reference(self, photos: Sequence[bytes], *, use: LentFor) -> ReferenceFace:
        """Read photo files of one face, as a persona or to know somebody by, in this process.

        Raises:
            MediaError: A file is no photo that can be used.
            FacePhotoError: A photo cannot serve as a face.
        """

        def read() -> ReferenceFace:
            factory = self._factory()
            return factory.read_person(photos) if use == "show" else factory.read_reference(photos)

        return await asyncio.to_thread(read)

    async def start_frames(self, spec: StreamSpec, *, form: FrameFormat, name: str) -> LocalFrameSession:  # noqa: ARG002  # the port's
        """Return a session that treats single frames.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
        """
        session = LocalFrameSession(
            spec,
            build=lambda changed: self._factory().build(changed),
            form=form,
            max_pixels=self._limits.max_pixels,
        )
        await session.prepare()
        return session

    async def _run(self, live: LiveSession, name: str) -> None:
        self._running.add(live)
        with structlog.contextvars.bound_contextvars(broadcast=name):
            try:
                await live.run()
            except Exception:
                log.exception("live_session_failed")  # this one only; the group carries all the others
            finally:
                self._running.discard(live)
