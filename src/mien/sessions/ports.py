"""The small ports through which sessions reach the outside; adapters live in `storage`, `media` and `vision`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mien.vision.faces import Image, TreatedFrame


class Pipeline(Protocol):
    """What a live session or a file job asks of vision. `vision.pipeline.FacePipeline` is the real one.

    One pipeline serves one stream of frames, from one thread at a time, in the order of capture.
    """

    def __call__(self, image: Image, *, at: float) -> TreatedFrame | None:
        """Take the frame captured at `at` seconds; return the frame to send, or None while the delay fills."""
        ...

    def flush(self) -> Iterator[TreatedFrame]:
        """Return the frames that the delay line still holds, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Declaration:
    """Somebody's word that the owner of a face agreed to its use.

    Attributes:
        photo_sha256: Hex digest of the photo's bytes.
        use: What for: "swap" or "show".
        declared_by: Who said so (an operating-system user, or the name given in the page).
        statement: The sentence that was agreed to, as it was shown.
        at: When, with time zone.
    """

    photo_sha256: str
    use: str
    declared_by: str
    statement: str
    at: datetime


class ConsentLedger(Protocol):
    """Where declarations are kept. Later this port carries verified, revocable consent."""

    def record(self, declarations: Sequence[Declaration]) -> None:
        """Keep the declarations, all or none.

        Raises:
            OutputError: They could not be written; then the photos must not be used.
        """
        ...
