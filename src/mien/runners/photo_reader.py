"""Photos as the web process has them read: each upload in a process of its own, which may not take much.

What strangers send is decoded beside nobody's tokens. The process gets the files and gives back findings, which are
checked, and a persona as bytes, which nobody looks into here (see `sessions.persona_file`).
"""

import asyncio
import contextlib
import math
import signal
from collections.abc import Sequence
from typing import Any, Final, Self

import structlog

from mien.app.personas.file import MAX_PERSONA_BYTES, PackedReference
from mien.errors import (
    BusyError,
    FacePhotoError,
    LiveLostError,
    MediaError,
    MediaTooCostlyError,
    MienError,
    PhotoFinding,
)
from mien.media.files.image_header import check_photo_header
from mien.runners.channel import Channel, Frame
from mien.runners.spawning import spawn
from mien.runners.worker_process import error_of
from mien.vision.photos.quality import PhotoIssue

log = structlog.get_logger()

_MAX_ANSWER_BYTES: Final = MAX_PERSONA_BYTES + 2**18
_MAX_TEXT: Final = 500
_MAX_FINDINGS: Final = 64
_TOO_COSTLY: Final = frozenset({-signal.SIGKILL, -signal.SIGXCPU})
"""How a process ends that the kernel stops at a limit."""


class PhotoReader:
    """Has photos read, a few uploads at a time.

    Args:
        command: Starts a process that reads the photos of one face; the number of its socket is appended.
        max_pixels: Photos of more are refused by their header.
        timeout_s: An upload whose reading takes longer is refused.
        at_once: So many processes at a time.
        waiting: So many uploads may wait for one; further ones are turned away.
    """

    def __init__(
        self, command: Sequence[str], *, max_pixels: int, timeout_s: float, at_once: int = 1, waiting: int = 3
    ) -> None:
        self._command = tuple(command)
        self._max_pixels = max_pixels
        self._timeout_s = timeout_s
        self._free = asyncio.Semaphore(at_once)
        self._room = at_once + waiting

    async def read(self, photos: Sequence[bytes]) -> PackedReference:
        """Have photo files of one face read.

        Raises:
            BusyError: As many wait as may.
            MediaTooCostlyError: It took more memory or time than it may.
            MediaError: A file is no photo that can be used.
            FacePhotoError: A photo cannot serve as a face; it carries what was found in every one.
            ModelError: A model cannot be had.
        """
        for number, photo in enumerate(photos, 1):
            name = "the photo" if len(photos) == 1 else f"photo {number}"
            check_photo_header(photo, name=name, max_pixels=self._max_pixels)
        if self._room <= 0:
            raise BusyError("other photos are being read; try again in a moment")
        self._room -= 1
        try:
            async with self._free, _Reading(self._command) as reading, asyncio.timeout(self._timeout_s):
                return await reading.read(photos)
        except TimeoutError:
            log.warning("photo_took_too_long", timeout_s=self._timeout_s)
            raise MediaTooCostlyError(f"the photo cannot be read within {self._timeout_s:.0f} s") from None
        finally:
            self._room += 1


class _Reading:
    """One process. Leaving ends it, whatever it does."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process
        self._channel: Channel

    async def __aenter__(self) -> Self:
        try:
            self._process, self._channel = await spawn(
                self._command,
                max_frame_bytes=_MAX_ANSWER_BYTES,
                # Memory is bounded, and a pool of threads takes some for every processor of the machine.
                OPENBLAS_NUM_THREADS="1",
                OMP_NUM_THREADS="1",
            )
        except OSError as error:
            log.warning("photo_worker_not_started", reason=str(error))
            raise LiveLostError("a process that reads the photo could not be started") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._channel.close()

    async def read(self, photos: Sequence[bytes]) -> PackedReference:
        try:
            await self._channel.send({"photos": len(photos)})
            for photo in photos:
                await self._channel.send({}, photo)
            return _read_answer(await self._channel.receive(), len(photos))
        except LiveLostError:
            code = await self._process.wait()
            log.warning("photo_worker_died", exit_code=code)
            if code in _TOO_COSTLY:
                raise MediaTooCostlyError("the photo takes more memory or time than it may") from None
            raise MediaError("the photo cannot be read") from None


def _read_answer(answer: Frame, count: int) -> PackedReference:
    """Return what a process read, or raise what it says; it is believed no further than that."""
    try:
        if "error" in answer.head:
            raise _error_of(answer.head["error"], count)
        findings = _findings_of(answer.head["findings"], count)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        log.warning("photo_worker_spoke_nonsense", error=type(error).__name__)
        raise MediaError("the photo cannot be read") from error
    if not answer.body:
        raise MediaError("the photo cannot be read")
    return PackedReference(answer.body, findings)


def _error_of(plain: dict[str, Any], count: int) -> MienError:
    text = "".join(sign for sign in str(plain["text"])[:_MAX_TEXT] if sign.isprintable())
    error = error_of(str(plain["code"]), text)
    if isinstance(error, FacePhotoError) and plain.get("findings"):
        return type(error)(text, findings=_findings_of(plain["findings"], count))
    return error


def _findings_of(plain: list[list[dict[str, Any]]], count: int) -> tuple[tuple[PhotoFinding, ...], ...]:
    if len(plain) > count or sum(map(len, plain)) > _MAX_FINDINGS:
        raise ValueError("more findings than photos can have")
    return tuple(tuple(_finding_of(**one) for one in found) for found in plain)


def _finding_of(*, code: str, severity: str, value: float, limit: float) -> PhotoFinding:
    if severity not in {"refuse", "warn"} or not (math.isfinite(value) and math.isfinite(limit)):
        raise ValueError("no such finding")
    return PhotoFinding(PhotoIssue(code).value, severity, float(value), float(limit))  # type: ignore[arg-type]  # checked
