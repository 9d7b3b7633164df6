"""The child side of reading photos: a process that reads those of one face and ends. They are strangers' files."""

import asyncio
import os
import resource
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from mien.app.face_photos import LentFor
from mien.app.people.file import pack_person
from mien.app.personas.file import pack_persona
from mien.app.ports import PipelineFactory
from mien.errors import LiveLostError, MediaError, MediaTooCostlyError, MessageError, MienError
from mien.runners.channel import NO_CALL, Channel
from mien.runners.messages import Failed, Message
from mien.runners.photo_messages import Photo, PhotosRead, ReadPhotos
from mien.runners.verbs import TO_PHOTO_WORKER

log = structlog.get_logger()

_NICENESS: Final = 5
"""A broadcast goes before a photo."""
_MAX_FILES: Final = 64


@dataclass(frozen=True, slots=True)
class PhotoLimits:
    """What reading the photos of one face may take.

    Attributes:
        memory_bytes: Bound of the whole process, networks included.
        cpu_s: Time of the processor.
    """

    memory_bytes: int
    cpu_s: int


def confine(limits: PhotoLimits) -> None:
    """Bound what this process may take from now on; the kernel sees to it."""
    os.nice(_NICENESS)
    # DATA, not AS: mapped files and reserved address space cost nothing.
    for kind, bound in (
        (resource.RLIMIT_DATA, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_NOFILE, _MAX_FILES),
        (resource.RLIMIT_CORE, 0),  # a dump would hold the photo
    ):
        _soft, hard = resource.getrlimit(kind)
        wanted = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(kind, (wanted, wanted))


def run_photo_worker(connected: socket.socket, load_models: Callable[[], PipelineFactory]) -> None:
    """Read the photos that come over the line, answer once, and return.

    Args:
        connected: The worker's end of the line.
        load_models: Returns the pipeline factory; may take seconds.
    """
    asyncio.run(_serve(connected, load_models))


async def _serve(connected: socket.socket, load_models: Callable[[], PipelineFactory]) -> None:
    channel = await Channel.over(connected, hears=TO_PHOTO_WORKER)
    try:
        photos, use = await _photos(channel)
        await channel.send((NO_CALL, _answer(photos, use, load_models)))
    except LiveLostError as error:
        log.info("web_process_gone", reason=str(error))  # the web process went away
    finally:
        await channel.close()


async def _photos(channel: Channel) -> tuple[list[bytes], LentFor]:
    asked = (await channel.receive()).message
    if not isinstance(asked, ReadPhotos):
        raise MessageError(f"the first message must be {ReadPhotos.kind}, got {asked.kind}")
    photos = []
    for _ in range(asked.count):
        photo = (await channel.receive()).message
        if not isinstance(photo, Photo):
            raise MessageError(f"{Photo.kind} must follow, got {photo.kind}")
        photos.append(photo.body)
    return photos, asked.use


def _answer(photos: Sequence[bytes], use: LentFor, load_models: Callable[[], PipelineFactory]) -> Message:
    too_much = MediaTooCostlyError("the photo takes more memory than it may")
    try:
        models = load_models()
        read: Any = models.read_person(photos) if use == "show" else models.read_reference(photos)
        return PhotosRead(read.findings, pack_person(read.templates) if use == "show" else pack_persona(read.persona))
    except MienError as error:
        return Failed.of(error)
    except MemoryError:
        return Failed.of(too_much)
    except Exception as error:
        # OpenCV and the networks have errors of their own for memory that they did not get.
        log.exception("photo_not_read")
        is_of_memory = "alloc" in str(error).lower() or "memory" in str(error).lower()
        return Failed.of(too_much if is_of_memory else MediaError("the photo cannot be read"))
