"""What is kept, and where it is found: ports that memory and files implement today, and a database will.

Broadcasts are kept behind such a port too, in `broadcasts/repository.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from mien.app.ports import ReferenceFace


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


@dataclass(frozen=True, slots=True)
class RegisteredPerson:
    """Somebody who is registered to be known.

    Attributes:
        id: Unguessable: who knows it may look for them.
        number: Stands for the id where that is not told; never used again.
        name: What the owner calls them.
        face: Their photos, as they were read.
    """

    id: str
    number: int
    name: str
    face: ReferenceFace


class PersonaRepository(Protocol):
    """Where the faces of lent photos are found, personas and people. `PersonaStore` keeps them in memory."""

    def get(self, persona_id: str) -> ReferenceFace:
        """Return a face that was added, and keep it for another while.

        Raises:
            PersonaError: It never was there, or is gone.
        """
        ...

    def person(self, person_id: str) -> RegisteredPerson:
        """Return somebody who was registered, and keep them for another while.

        Raises:
            UnknownPersonError: They never were, or are gone.
        """
        ...

    def hold(self, persona_id: str) -> None:
        """Keep a reference, however long ago it was used, until `release` was called as often.

        Raises:
            PersonaError: It never was there, or is gone.
        """
        ...

    def release(self, persona_id: str) -> None:
        """Take back a `hold`; one that was forgotten meanwhile needs none."""
        ...

    def forget(self, persona_id: str) -> None:
        """Forget a reference at once, even where it is held.

        Raises:
            PersonaError: It never was there, or is gone.
        """
        ...


@dataclass(frozen=True, slots=True)
class FinishedRecording:
    """A recording that nothing is added to any more.

    Attributes:
        name: Unique; it begins with the time, in UTC.
        size_bytes: Its size.
        media_type: As in "video/mp4".
        path: Where this machine reads it.
    """

    name: str
    size_bytes: int
    media_type: str
    path: Path


class RecordingRepository(Protocol):
    """Where finished recordings are found. `storage.recordings.RecordingFolder` is the real one."""

    def newest_first(self) -> Sequence[FinishedRecording]:
        """Return all of them."""
        ...

    def get(self, name: str) -> FinishedRecording:
        """Return one.

        Raises:
            NoSuchRecordingError: There is none of that name.
        """
        ...

    def delete(self, name: str) -> None:
        """Delete one for good.

        Raises:
            NoSuchRecordingError: There is none of that name.
        """
        ...
