"""The parent side of reading photos: each upload goes to a process of its own, which may not take much.

What strangers send is decoded beside nobody's tokens. The process gets the files and gives back findings, which are
checked, and a persona or a person as bytes, which nobody looks into here (see `mien.app.personas.file` and
`mien.app.people.file`).
"""

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from typing import Final, Self

import structlog

from mien.app.face_photos import LentFor
from mien.app.people.file import PackedPerson
from mien.app.personas.file import PackedReference
from mien.errors import BusyError, LiveLostError, MediaError, MediaTooCostlyError, MessageError
from mien.media.files.image_header import check_photo_header
from mien.runners.channel import NO_CALL, Channel, Said
from mien.runners.messages import Failed
from mien.runners.photo_messages import Photo, PhotosRead, ReadPhotos
from mien.runners.spawning import Child, spawn
from mien.runners.verbs import FROM_PHOTO_WORKER

log = structlog.get_logger()

_TOO_COSTLY: Final = frozenset({-signal.SIGKILL, -signal.SIGXCPU})
"""How a process ends that the kernel stops at a limit."""


class PhotoWorkerPool:
    """Has photos read by processes, a few uploads at a time.

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

    async def read(self, photos: Sequence[bytes], *, use: LentFor = "swap") -> PackedReference | PackedPerson:
        """Have photo files of one face read, as a persona or to know somebody by.

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
            async with self._free, _PhotoWorkerProcess(self._command) as reading, asyncio.timeout(self._timeout_s):
                return await reading.read(photos, use)
        except TimeoutError:
            log.warning("photo_took_too_long", timeout_s=self._timeout_s)
            raise MediaTooCostlyError(f"the photo cannot be read within {self._timeout_s:.0f} s") from None
        finally:
            self._room += 1


class _PhotoWorkerProcess:
    """One process. Leaving ends it, whatever it does."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: Child
        self._channel: Channel

    async def __aenter__(self) -> Self:
        try:
            self._process, self._channel = await spawn(
                self._command,
                hears=FROM_PHOTO_WORKER,
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

    async def read(self, photos: Sequence[bytes], use: LentFor) -> PackedReference | PackedPerson:
        try:
            asked = ReadPhotos(len(photos), use)
            await self._channel.send((NO_CALL, asked), *((NO_CALL, Photo(photo)) for photo in photos))
            packed = _read(await self._channel.receive(), len(photos))
            return (PackedPerson if use == "show" else PackedReference)(packed.body, packed.findings)
        except MessageError as error:
            log.warning("photo_worker_protocol_error", reason=str(error))
            raise MediaError("the photo cannot be read") from None
        except LiveLostError:
            code = await self._process.wait()
            log.warning("photo_worker_died", exit_code=code)
            if code in _TOO_COSTLY:
                raise MediaTooCostlyError("the photo takes more memory or time than it may") from None
            raise MediaError("the photo cannot be read") from None


def _read(said: Said, count: int) -> PhotosRead:
    """Return what a process read, or raise what it says; it is believed no further than that."""
    answer = said.message
    if isinstance(answer, Failed | PhotosRead) and len(answer.findings) > count:
        raise MessageError("more findings than photos")
    if isinstance(answer, Failed):
        raise answer.error
    if not isinstance(answer, PhotosRead) or not answer.body:
        raise MessageError("nothing was read")
    return answer
