"""What the store tells whoever waits for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Stage: TypeAlias = Literal["wait", "fetch", "convert", "ready"]


@dataclass(frozen=True, slots=True)
class Step:
    """How far one piece of work has come.

    Attributes:
        stage: `wait` for another process, `fetch` a package, `convert` a card's weights, or a card is `ready`.
        subject: The package or the card.
        done_bytes: Bytes fetched so far; may pass `total_bytes` by a little where a client keeps notes.
        total_bytes: The size on the card; 0 where bytes mean nothing.
    """

    stage: Stage
    subject: str
    done_bytes: int = 0
    total_bytes: int = 0


Report: TypeAlias = Callable[[Step], None]


def silent(step: Step) -> None:
    """Report to nobody."""
    del step
