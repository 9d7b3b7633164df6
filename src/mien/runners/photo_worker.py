"""The inside of a process that reads the photos of one face and ends: they are strangers' files."""

import asyncio
import os
import resource
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import structlog

from mien.app.personas.file import pack_persona
from mien.app.ports import PipelineFactory
from mien.errors import FacePhotoError, LiveLostError, MediaError, MediaTooCostlyError, MienError
from mien.runners.channel import Channel

log = structlog.get_logger()

_NICENESS: Final = 5
"""A broadcast goes before a photo."""
_MAX_FILES: Final = 64


@dataclass(frozen=True, slots=True)
class PhotoLimits:
    """What reading the photos of one face may take.

    Attributes:
        memory_bytes: Of the whole process, networks included.
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
    channel = await Channel.over(connected)
    try:
        count = int((await channel.receive()).head["photos"])
        photos = [(await channel.receive()).body for _ in range(count)]
        head, body = _answer(photos, load_models)
        await channel.send(head, body)
    except LiveLostError:
        log.info("worker_alone")  # the web process went away
    finally:
        await channel.close()


def _answer(photos: Sequence[bytes], load_models: Callable[[], PipelineFactory]) -> tuple[dict[str, Any], bytes]:
    try:
        read = load_models().read_reference(photos)
        return {"findings": [[asdict(one) for one in found] for found in read.findings]}, _packed(read)
    except FacePhotoError as error:
        findings = [[asdict(one) for one in found] for found in error.findings]
        return _error(error, findings=findings), b""
    except MienError as error:
        return _error(error), b""
    except MemoryError:
        return _error(MediaTooCostlyError("the photo takes more memory than it may")), b""
    except Exception as error:
        # OpenCV and the networks have errors of their own for memory that they did not get.
        log.exception("photo_not_read")
        if "alloc" in str(error).lower() or "memory" in str(error).lower():
            return _error(MediaTooCostlyError("the photo takes more memory than it may")), b""
        return _error(MediaError("the photo cannot be read")), b""


def _packed(read: Any) -> bytes:
    return pack_persona(read.persona)


def _error(error: MienError, **more: object) -> dict[str, Any]:
    return {"error": {"code": error.code, "text": str(error), **more}}
