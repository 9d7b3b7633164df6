"""Photos lent as personas: kept in memory only, bounded, for a while."""

import asyncio
import hashlib
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from mien.errors import (
    ConsentError,
    InputError,
    MediaTooLargeError,
    PersonaError,
    PhotoFinding,
    TooManyPhotosError,
)
from mien.sessions.consent import STATEMENTS, Language
from mien.sessions.ports import ConsentLedger, Declaration, ReferenceFace
from mien.sessions.wishes import MAX_PHOTOS_OF_A_PERSONA

REFERENCE_PREFIX: Final = "reference:"
MAX_NAME_LENGTH: Final = 100

Findings: TypeAlias = tuple[tuple[PhotoFinding, ...], ...]
"""Those of each photo, in the order in which they were handed in."""


@dataclass(slots=True)
class _Kept:
    face: ReferenceFace
    used_at: float


class References:
    """Takes photos together with the declaration that their owner agreed.

    Args:
        ledger: Keeps the declarations. A photo whose declaration cannot be kept is not used.
        max_count: Above it, the reference that was unused for longest goes.
        max_bytes: Larger photos are refused.
        ttl_s: A reference that nobody uses for so long goes.
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
        self._lock = threading.Lock()

    async def add(
        self,
        photos: Sequence[bytes],
        *,
        owner_agrees: bool,
        declared_by: str,
        language: Language,
        read: Callable[[Sequence[bytes]], Awaitable[ReferenceFace]],
    ) -> tuple[str, Findings]:
        """Have photos of one face read, record the declaration for each, and keep the face for a while.

        The declaration is recorded in the words of `language`, in which it was shown.

        Returns:
            The persona's id ("reference:..."), and what could be better about each photo.

        Raises:
            ConsentError: Nobody declared that the owner agreed.
            TooManyPhotosError: There are more than `MAX_PHOTOS_OF_A_PERSONA`.
            MediaTooLargeError: A photo has too many bytes.
            BusyError: Too many are being read.
            MediaError: One is no picture that can be used.
            FacePhotoError: One cannot serve as a face, or they show different people.
            OutputError: The declaration could not be kept.
        """
        declared_by = declared_by.strip()
        if not owner_agrees or not declared_by:
            raise ConsentError("a photo needs the declaration that its owner agreed, and who declares it")
        if len(declared_by) > MAX_NAME_LENGTH or not declared_by.isprintable():
            raise InputError(f"declared_by must be a printable name of at most {MAX_NAME_LENGTH} characters")
        if len(photos) > MAX_PHOTOS_OF_A_PERSONA:
            raise TooManyPhotosError(
                f"at most {MAX_PHOTOS_OF_A_PERSONA} photos of a face are combined, got {len(photos)}"
            )
        largest = max(map(len, photos), default=0)
        if largest > self._max_bytes:
            raise MediaTooLargeError(f"a photo may have {self._max_bytes} bytes, got {largest}")
        face = await read(photos)
        await asyncio.to_thread(self._declare, photos, declared_by, language)
        persona_id = REFERENCE_PREFIX + secrets.token_urlsafe(16)
        with self._lock:
            self._forget_expired()
            while len(self._kept) >= self._max_count:
                del self._kept[next(iter(self._kept))]  # the one unused for longest
            self._kept[persona_id] = _Kept(face, self._now())
        return persona_id, face.findings

    def get(self, persona_id: str) -> ReferenceFace:
        """Return a face that was added, and keep it for another while.

        Raises:
            PersonaError: It never was there, or is gone.
        """
        with self._lock:
            self._forget_expired()
            kept = self._kept.pop(persona_id, None)
            if kept is None:
                raise PersonaError("there is no such reference photo; it may have expired, so add it again")
            self._kept[persona_id] = _Kept(kept.face, self._now())  # now the youngest
            return kept.face

    def _declare(self, photos: Sequence[bytes], declared_by: str, language: Language) -> None:
        at = datetime.now(UTC)
        digests = dict.fromkeys(hashlib.sha256(photo).hexdigest() for photo in photos)
        self._ledger.record([Declaration(digest, "swap", declared_by, STATEMENTS[language], at) for digest in digests])

    def _forget_expired(self) -> None:
        oldest = self._now() - self._ttl_s
        for name in [name for name, kept in self._kept.items() if kept.used_at < oldest]:
            del self._kept[name]
