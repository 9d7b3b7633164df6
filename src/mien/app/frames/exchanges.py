"""Everybody who exchanges frames just now: counted, and reached when a photo is taken back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from mien.errors import TooManySessionsError


class Exchange(Protocol):
    """One client's exchange of frames."""

    def take_off(self, persona_id: str) -> None:
        """End if it wears a photo, or knows a person, that was taken back."""
        ...


class Exchanges:
    """The exchanges of one server.

    Args:
        max_count: More are refused.
    """

    def __init__(self, max_count: int) -> None:
        self._max_count = max_count
        self._going_on: set[Exchange] = set()

    @contextmanager
    def entered(self, exchange: Exchange) -> Iterator[None]:
        """Count an exchange while the block runs.

        Raises:
            TooManySessionsError: There are as many as may be.
        """
        if len(self._going_on) >= self._max_count:
            raise TooManySessionsError(f"this server carries at most {self._max_count} such sessions")
        self._going_on.add(exchange)
        try:
            yield
        finally:
            self._going_on.discard(exchange)

    def take_off(self, persona_id: str) -> None:
        """End every exchange that wears a photo, or knows a person, that was taken back."""
        for exchange in tuple(self._going_on):
            exchange.take_off(persona_id)
