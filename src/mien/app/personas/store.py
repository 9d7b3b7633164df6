"""Photos lent as personas, or for somebody to be known by: kept in memory only, bounded, for a while."""

import asyncio
import hashlib
import itertools
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from mien.app.consent import STATEMENTS, Language
from mien.app.face_photos import MAX_PHOTOS_OF_A_PERSONA, LentFor
from mien.app.policy.rules import PERSON_PREFIX, REFERENCE_PREFIX, is_reference
from mien.app.ports import ReferenceFace
from mien.app.repositories import ConsentLedger, Declaration, PersonaRepository, RegisteredPerson
from mien.errors import (
    BusyError,
    ConsentError,
    InputError,
    MediaTooLargeError,
    PersonaError,
    PhotoFinding,
    TooManyPhotosError,
    UnknownPersonError,
)

MAX_NAME_LENGTH: Final = 100
PEOPLE_FOR_A_PERSONA: Final = 4
_LONGEST_PAUSE_S: Final = 30.0

Findings: TypeAlias = tuple[tuple[PhotoFinding, ...], ...]
"""Those of each photo, in the order in which they were handed in."""


@dataclass(slots=True)
class _Kept:
    face: ReferenceFace
    used_at: float
    number: int
    name: str
    holders: int = 0


class PersonaStore:
    """Takes photos together with the declaration that their owner agreed (the port `PersonaRepository`).

    Args:
        ledger: Keeps the declarations. A photo whose declaration cannot be kept is not used.
        max_count: Above so many personas, the one that was unused for longest goes. There may be `PEOPLE_FOR_A_PERSONA`
            times as many people, who take a hundredth of the memory.
        max_bytes: Larger photos are refused.
        ttl_s: A reference that nobody holds and nobody has used for so long goes.
        now: Clock in seconds.
    """

    def __init__(
        self,
        ledger: ConsentLedger,
        *,
        max_count: int = 64,
        max_bytes: int = 12 * 2**20,
        ttl_s: float = 4 * 3600,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._now = now
        self._kept: dict[str, _Kept] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    async def add(
        self,
        photos: Sequence[bytes],
        *,
        owner_agrees: bool,
        declared_by: str,
        language: Language,
        read: Callable[[Sequence[bytes]], Awaitable[ReferenceFace]],
        use: LentFor = "swap",
        name: str = "",
    ) -> tuple[str, Findings]:
        """Have photos of one face read, record the declaration for each, and keep the face for a while.

        The declaration is recorded in the words of `language`, in which it was shown. A person who is to be known
        needs a `name`, which their owner alone is told.

        Returns:
            The id ("reference:..." or "person:..."), and what could be better about each photo.

        Raises:
            ConsentError: Nobody declared that the owner agreed.
            InputError: The name is none.
            TooManyPhotosError: There are more than `MAX_PHOTOS_OF_A_PERSONA`.
            MediaTooLargeError: A photo has too many bytes.
            BusyError: Too many are being read, or in use.
            MediaError: One is no picture that can be used.
            FacePhotoError: One cannot serve as a face, or they show different people.
            OutputError: The declaration could not be kept.
        """
        declared_by, name = declared_by.strip(), name.strip() if use == "show" else ""
        if not owner_agrees or not declared_by:
            raise ConsentError("a photo needs the declaration that its owner agreed, and who declares it")
        _check_name("declared_by", declared_by)
        if use == "show":
            _check_name("name", name)
        self._check_sizes(photos)
        face = await read(photos)
        await asyncio.to_thread(self._declare, photos, declared_by, language, use)
        # Unguessable and told to nobody but who added it: who knows it may wear the face, or look for it.
        persona_id = (PERSON_PREFIX if use == "show" else REFERENCE_PREFIX) + secrets.token_urlsafe(16)
        with self._lock:
            self._forget_expired()
            self._make_room(use)
            self._kept[persona_id] = _Kept(face, self._now(), next(self._numbers), name)
        return persona_id, face.findings

    def _check_sizes(self, photos: Sequence[bytes]) -> None:
        if len(photos) > MAX_PHOTOS_OF_A_PERSONA:
            raise TooManyPhotosError(
                f"at most {MAX_PHOTOS_OF_A_PERSONA} photos of a face are combined, got {len(photos)}"
            )
        largest = max(map(len, photos), default=0)
        if largest > self._max_bytes:
            raise MediaTooLargeError(f"a photo may have {self._max_bytes} bytes, got {largest}")

    def _make_room(self, use: LentFor) -> None:
        most = self._max_count * (PEOPLE_FOR_A_PERSONA if use == "show" else 1)
        prefix = PERSON_PREFIX if use == "show" else REFERENCE_PREFIX
        alike = [name for name in self._kept if name.startswith(prefix)]
        if len(alike) < most:
            return
        idle = next((name for name in alike if not self._kept[name].holders), None)
        if idle is None:
            raise BusyError(f"all of {most} references are in use")
        del self._kept[idle]  # the one unused for longest

    def get(self, persona_id: str) -> ReferenceFace:
        """Return a face that was added, and keep it for another while.

        Raises:
            PersonaError: It never was there, or is gone.
        """
        with self._lock:
            self._forget_expired()
            return self._used(persona_id).face

    def person(self, person_id: str) -> RegisteredPerson:
        """Return somebody who was registered, and keep them for another while.

        Raises:
            UnknownPersonError: They never were, or are gone.
        """
        with self._lock:
            self._forget_expired()
            if not person_id.startswith(PERSON_PREFIX) or person_id not in self._kept:
                raise UnknownPersonError(
                    f"the policy names {person_id}, whom nobody knows here; they may have expired, so register them "
                    "again",
                    people=(person_id,),
                )
            kept = self._used(person_id)
            return RegisteredPerson(person_id, kept.number, kept.name, kept.face)

    def hold(self, persona_id: str) -> None:
        """Keep a reference, however long ago it was used, until `release` was called as often.

        Raises:
            PersonaError: It never was there, or is gone.
        """
        with self._lock:
            self._forget_expired()
            self._used(persona_id).holders += 1

    def release(self, persona_id: str) -> None:
        """Take back a `hold`; one that was forgotten meanwhile needs none."""
        with self._lock:
            if persona_id in self._kept:
                self._used(persona_id).holders -= 1

    def forget(self, persona_id: str) -> None:
        """Forget a reference at once, even where it is held: whoever asks for it again gets nothing.

        Raises:
            PersonaError: It never was there, or is gone.
        """
        with self._lock:
            self._used(persona_id)
            del self._kept[persona_id]

    def forget_expired(self) -> None:
        """Forget what nobody holds and nobody has used for too long."""
        with self._lock:
            self._forget_expired()

    async def watch_over(self) -> None:
        """Forget what has expired, soon after it has, for as long as this runs."""
        while True:
            await asyncio.sleep(min(self._ttl_s / 4, _LONGEST_PAUSE_S))
            self.forget_expired()

    def _used(self, persona_id: str) -> _Kept:
        """Return a reference, now the one that was used last."""
        kept = self._kept.pop(persona_id, None)
        if kept is None:
            raise PersonaError("there is no such reference photo; it may have expired, so add it again")
        kept.used_at = self._now()
        self._kept[persona_id] = kept
        return kept

    def _declare(self, photos: Sequence[bytes], declared_by: str, language: Language, use: LentFor) -> None:
        at = datetime.now(UTC)
        digests = dict.fromkeys(hashlib.sha256(photo).hexdigest() for photo in photos)
        self._ledger.record([Declaration(digest, use, declared_by, STATEMENTS[language], at) for digest in digests])

    def _forget_expired(self) -> None:
        oldest = self._now() - self._ttl_s
        expired = [name for name, kept in self._kept.items() if kept.used_at < oldest and not kept.holders]
        for name in expired:
            del self._kept[name]


def _check_name(what: str, name: str) -> None:
    if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise InputError(f"{what} must be a printable name of 1 to {MAX_NAME_LENGTH} characters")


class Hold:
    """One holder's grip on references: a broadcast's, for as long as it wears the faces, or knows the people.

    Args:
        references: Where they are kept.

    Attributes:
        held: Their ids.
    """

    def __init__(self, references: PersonaRepository) -> None:
        self._personas = references
        self.held: frozenset[str] = frozenset()

    def people(self, ids: Iterable[str]) -> list[RegisteredPerson]:
        """Return those of `ids` who are registered; who was taken back a moment ago is not."""
        found = []
        for person_id in ids:
            with suppress(UnknownPersonError):
                found.append(self._personas.person(person_id))
        return found

    def move_to(self, ids: Iterable[str]) -> None:
        """Hold those of `ids` that are references or people, and nothing else any more.

        Raises:
            PersonaError: One never was there, or is gone; then what was held before stays so.
        """
        wanted = frozenset(one for one in ids if is_reference(one) or one.startswith(PERSON_PREFIX))
        new: list[str] = []
        try:
            for persona_id in wanted - self.held:
                self._personas.hold(persona_id)
                new.append(persona_id)
        except PersonaError:
            for persona_id in new:
                self._personas.release(persona_id)
            raise
        for persona_id in self.held - wanted:
            self._personas.release(persona_id)
        self.held = wanted
