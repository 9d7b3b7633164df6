"""Who gets a place among a broadcast's viewers: those who are connected count, those who never connect wait elsewhere.

An offer costs nothing to make. If it took a viewer's place, 64 of them would lock everybody out, the broadcaster's own
preview too. So whoever is not connected yet waits in a small pool, in which each address has its share; where there is
no room, whoever has waited for longest goes, and nobody is turned away for them.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from mien.errors import TooManySessionsError

CONNECT_WITHIN_S: Final = 10.0
"""A viewer who is not connected by then never will be; a publisher may take longer."""
MAX_WAITING: Final = 32
MAX_WAITING_OF_ONE: Final = 16
"""Several people behind one address may come at once."""
MAX_PREVIEWS: Final = 4
"""A broadcaster's own tabs, and those that were closed without a word."""


class Seated(Protocol):
    """What of a viewer matters here. `media.egress.Viewer` is the real one."""

    is_audience: bool

    @property
    def is_connected(self) -> bool:
        """Whether media flow to them."""
        ...

    def leave(self) -> None:
        """Let them go."""
        ...


_Viewer = TypeVar("_Viewer", bound=Seated)


class Seats(Generic[_Viewer]):
    """The viewers of one broadcast, connected or not.

    Args:
        count: So many connected viewers, the broadcaster's own previews not among them.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: dict[_Viewer, str] = {}

    def admit(self, make: Callable[[], _Viewer], *, is_audience: bool, source: str) -> _Viewer:
        """Let a viewer in, and return them, who is not connected yet; others who are not may have to go for them.

        Args:
            make: Returns the viewer; called where there is room.
            is_audience: False for the broadcaster's own preview.
            source: Stands for the address that they come from.

        Raises:
            TooManySessionsError: As many are connected as may be.
        """
        if is_audience:
            self._check_room()
        viewer = make()  # may be refused, and then nobody has to go
        if is_audience:
            self._make_room(source)
        else:
            self._make_room_for_preview()
        self._taken[viewer] = source
        return viewer

    def may_stay(self, viewer: _Viewer) -> bool:
        """Tell whether somebody who has just connected is not one too many."""
        connected = sum(other.is_connected for other in self._taken if other.is_audience and other is not viewer)
        return not viewer.is_audience or connected < self._count

    def discard(self, viewer: _Viewer) -> None:
        """Forget somebody who has left."""
        self._taken.pop(viewer, None)

    def _check_room(self) -> None:
        if sum(viewer.is_connected for viewer in self._taken if viewer.is_audience) >= self._count:
            raise TooManySessionsError(f"this broadcast has its {self._count} viewers")

    def _make_room(self, source: str) -> None:
        waiting = [viewer for viewer in self._taken if viewer.is_audience and not viewer.is_connected]
        by_source = Counter(self._taken[viewer] for viewer in waiting)
        if by_source[source] >= MAX_WAITING_OF_ONE:
            crowd = source
        elif len(waiting) >= MAX_WAITING:
            crowd = by_source.most_common(1)[0][0]
        else:
            return
        self._let_go(next(viewer for viewer in waiting if self._taken[viewer] == crowd))

    def _make_room_for_preview(self) -> None:
        previews = [viewer for viewer in self._taken if not viewer.is_audience]
        if len(previews) >= MAX_PREVIEWS:
            self._let_go(min(previews, key=lambda viewer: viewer.is_connected))  # the oldest that is not, else is

    def _let_go(self, viewer: _Viewer) -> None:
        del self._taken[viewer]
        viewer.leave()
