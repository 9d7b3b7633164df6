"""Opens the pipeline factory behind the first page, and tells how that went."""

import threading
from collections.abc import Callable
from typing import Literal

import structlog

from mien.errors import MienError
from mien.sessions.ports import PipelineFactory

log = structlog.get_logger()


class LateEyes:
    """Calls `open_eyes` once, on whichever thread needs it first; after a failure, again on the next call.

    Args:
        open_eyes: Returns the pipeline factory; may take seconds.
    """

    def __init__(self, open_eyes: Callable[[], PipelineFactory]) -> None:
        self._open_eyes = open_eyes
        self._factory: PipelineFactory | None = None
        self._lock = threading.Lock()
        self.detail: str | None = None

    def __call__(self) -> PipelineFactory:
        """Return the factory. Blocks; never call it on the event loop.

        Raises:
            MienError: It cannot be opened.
        """
        with self._lock:
            if self._factory is None:
                try:
                    self._factory = self._open_eyes()
                except MienError as error:
                    self.detail = str(error)
                    raise
                self.detail = None
            return self._factory

    def warm_up(self) -> None:
        """Open the factory; a failure is logged and shows in `status`, and the pages are served all the same."""
        try:
            self()
        except MienError as error:
            log.warning("eyes_not_opened", code=error.code, reason=str(error))
        except Exception:
            self.detail = "the models could not be opened; the log says why"
            log.exception("eyes_not_opened")

    @property
    def status(self) -> Literal["ok", "warming", "broken"]:
        """Whether the factory is there, on its way, or cannot be opened."""
        if self._factory is not None:
            return "ok"
        return "warming" if self.detail is None else "broken"
