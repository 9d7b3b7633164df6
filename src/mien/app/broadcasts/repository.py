"""Where broadcasts are found: by id, or by the token that owns them."""

import hmac
from collections.abc import Iterator
from typing import Protocol

from mien.app.broadcasts.broadcast import Broadcast


class BroadcastRepository(Protocol):
    """The broadcasts that there are. `InMemoryBroadcasts` keeps those of one process."""

    def __iter__(self) -> Iterator[Broadcast]:
        """Yield those that there were when the iteration began."""
        ...

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def find(self, broadcast_id: str) -> Broadcast | None:
        """Return a broadcast, or None where there is none of that id."""
        ...

    def by_token(self, token: str) -> Broadcast | None:
        """Return the broadcast whose own token this is, or None."""
        ...

    def add(self, broadcast: Broadcast) -> None:
        """Keep a broadcast."""
        ...

    def remove(self, broadcast: Broadcast) -> None:
        """Forget a broadcast, if it is there."""
        ...


class InMemoryBroadcasts:
    """Keeps broadcasts for as long as the process lives, the oldest first (the port `BroadcastRepository`)."""

    def __init__(self) -> None:
        self._broadcasts: dict[str, Broadcast] = {}

    def __iter__(self) -> Iterator[Broadcast]:
        return iter(tuple(self._broadcasts.values()))

    def __len__(self) -> int:
        return len(self._broadcasts)

    def find(self, broadcast_id: str) -> Broadcast | None:
        """Return a broadcast, or None where there is none of that id."""
        return self._broadcasts.get(broadcast_id)

    def by_token(self, token: str) -> Broadcast | None:
        """Return the broadcast whose own token this is, or None. Each comparison takes as long as any other."""
        shown = token.encode()
        return next((one for one in self if one.token and hmac.compare_digest(shown, one.token.encode())), None)

    def add(self, broadcast: Broadcast) -> None:
        """Keep a broadcast."""
        self._broadcasts[broadcast.id] = broadcast

    def remove(self, broadcast: Broadcast) -> None:
        """Forget a broadcast, if it is there."""
        self._broadcasts.pop(broadcast.id, None)
