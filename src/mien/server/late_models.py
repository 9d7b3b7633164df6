"""Opens the pipeline factory behind the first page."""

import threading
from collections.abc import Callable

from mien.app.ports import PipelineFactory


class LateModels:
    """Calls `load_models` once, on whichever thread needs it first; after a failure, again on the next call.

    Args:
        load_models: Returns the pipeline factory; may take seconds.
    """

    def __init__(self, load_models: Callable[[], PipelineFactory]) -> None:
        self._load_models = load_models
        self._factory: PipelineFactory | None = None
        self._lock = threading.Lock()

    def __call__(self) -> PipelineFactory:
        """Return the factory. Blocks; never call it on the event loop.

        Raises:
            MienError: It cannot be opened.
        """
        with self._lock:
            if self._factory is None:
                self._factory = self._load_models()
            return self._factory
