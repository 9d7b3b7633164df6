"""Everybody who listens to broadcasts: one look for all of a broadcast's listeners, and what each was told last."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple, Self

from mien.app.broadcasts.broadcast import Broadcast
from mien.app.states import BroadcastState, LiveReport
from mien.server.schemas import BroadcastOut

_POLL_EVERY_S: Final = 0.25
"""As often as a live session reports."""
_NUMBERS_EVERY_S: Final = 1.0

NUMBERS: Final = {"fps_in", "fps_out", "dropped", "vision_ms", "server_delay_ms", "vision_errors"}
"""What of a broadcast never rests, so that it can wait for its second."""


class Sees(NamedTuple):
    """What a listener is told besides what everybody is.

    Attributes:
        ids: Those of photos and people.
        faces: What becomes of each face.
    """

    ids: bool = False
    faces: bool = False


PUBLIC: Final = Sees()


class View(NamedTuple):
    """What a broadcast is at one moment.

    Attributes:
        facts: All but the numbers that never rest.
        text: The message.
    """

    facts: dict[str, object]
    text: str

    @classmethod
    def of(cls, broadcast: Broadcast, report: LiveReport | None = None, sees: Sees = PUBLIC) -> Self:
        """Look at a broadcast."""
        model = BroadcastOut.of(broadcast, report, to_owner=sees.ids, with_faces=sees.faces)
        return cls(model.model_dump(exclude=NUMBERS), model.model_dump_json())


class Views:
    """Looks at one broadcast for all who listen to it: once in each interval, however many they are.

    Everybody looks when an interval begins, so whoever is first looks for the others, and nobody sees what is old.

    Args:
        view: Returns the broadcast as it is, or as a report says.
    """

    def __init__(self, view: Callable[[LiveReport | None], View]) -> None:
        self._view_of = view
        self._interval: int | None = None
        self._view: View
        self._ended: View | None = None

    def at(self, now: float) -> View:
        """Return the view of the interval that `now` is in."""
        interval = int(now / _POLL_EVERY_S)
        if interval != self._interval:
            self._interval, self._view = interval, self._view_of(None)
        return self._view

    def ended(self) -> View:
        """Return the last view of all."""
        if self._ended is None:
            self._ended = self._view_of(LiveReport(BroadcastState.ENDED))
        return self._ended

    def forget(self) -> None:
        """Look anew: who just came is told what is, and what has just changed is in it."""
        self._interval = None

    @staticmethod
    def until_next_s(now: float) -> float:
        """Return the time to the next interval."""
        return (int(now / _POLL_EVERY_S) + 1) * _POLL_EVERY_S - now


class Listeners:
    """Everybody who listens, and what they share."""

    def __init__(self) -> None:
        self._views: dict[tuple[Broadcast, Sees], Views] = {}
        self._counts: Counter[tuple[Broadcast, Sees]] = Counter()

    def __len__(self) -> int:
        return self._counts.total()

    @contextlib.contextmanager
    def listening(self, broadcast: Broadcast, sees: Sees = PUBLIC) -> Iterator[Views]:
        """Listen to a broadcast, and share what is seen with all who see as much."""
        shared = broadcast, sees
        views = self._views.setdefault(shared, Views(partial(View.of, broadcast, sees=sees)))
        views.forget()
        self._counts[shared] += 1
        try:
            yield views
        finally:
            self._counts[shared] -= 1
            if not self._counts[shared]:
                del self._counts[shared], self._views[shared]


class News:
    """What one listener was told last."""

    def __init__(self) -> None:
        self._told: dict[str, object] | None = None
        self._told_at = 0.0

    def is_new(self, view: View, *, at: float) -> bool:
        """Whether to tell `view` at `at` seconds; then it counts as told."""
        # A little early beats a whole poll late.
        is_due = at - self._told_at > _NUMBERS_EVERY_S - _POLL_EVERY_S / 2
        if view.facts == self._told and not is_due:
            return False
        self._told, self._told_at = view.facts, at
        return True
