"""Opens the pipeline factory behind the first page."""

import threading
from collections.abc import Callable

from mien.app.ports import PipelineFactory


class LateEyes:
    """Calls `open_eyes` once, on whichever thread needs it first; after a failure, again on the next call.

    Args:
        open_eyes: Returns the pipeline factory; may take seconds.
    """

    def __init__(self, open_eyes: Callable[[], PipelineFactory]) -> None:
        self._open_eyes = open_eyes
        self._factory: PipelineFactory | None = None
        self._lock = threading.Lock()

    def __call__(self) -> PipelineFactory:
        """Return the factory. Blocks; never call it on the event loop.

        Raises:
            MienError: It cannot be opened.
        """
        with self._lock:
            if self._factory is None:
                self._factory = self._open_eyes()
            return self._factory
