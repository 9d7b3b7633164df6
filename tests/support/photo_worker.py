"""A process that reads photos without models: `python -m support.photo_worker MEMORY_BYTES CPU_S FD`.

It decodes the first photo as the real one does; what the file says after that makes it do worse things than a
decoder should be able to.
"""

import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mien.errors import PhotoFinding
from mien.media.files.images import decode_image
from mien.runners.photo_worker import PhotoLimits, confine, run_photo_worker
from mien.telemetry import set_up_logging
from mien.vision.swap.persona import Persona, persona_from_photo
from mien.vision.types import Embedding
from support.drawn_heads import drawn_head, drawn_mesh

_RUN = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('support.photo_worker', run_name='__main__')"
)
TELL_ENVIRONMENT, SLEEP, CRASH, LIE = (b"%" + word for word in (b"environ", b"sleep", b"crash", b"lie"))


def command(*, memory_bytes: int = 2**30, cpu_s: int = 60) -> list[str]:
    """Return what starts one; the file descriptor comes last."""
    return [sys.executable, "-c", _RUN, str(Path(__file__).parents[1]), str(memory_bytes), str(cpu_s)]


@dataclass(frozen=True)
class Read:
    persona: Persona
    findings: tuple[tuple[PhotoFinding, ...], ...]
    templates: tuple[Embedding, ...] = ()


class Factory:
    """Decodes photos and finds the same face in each."""

    def read_reference(self, photos: Sequence[bytes]) -> Read:
        for photo in photos:
            decode_image(photo, max_pixels=24_000_000)
        findings: tuple[tuple[PhotoFinding, ...], ...] = ((),) * len(photos)
        told = photos[0]
        if told.endswith(TELL_ENVIRONMENT):
            secret = any(name.startswith("MIEN_") for name in os.environ)
            findings = ((PhotoFinding("face_small" if secret else "blurred", "warn", 1.0, 2.0),),)
        elif told.endswith(SLEEP):
            time.sleep(60)
        elif told.endswith(CRASH):
            os.abort()
        elif told.endswith(LIE):
            findings = ((PhotoFinding("no such fault", "warn", 1.0, 2.0),),)
        return Read(persona_from_photo(drawn_head(1, drawn_mesh()), drawn_mesh(), "Ada"), findings)

    def read_person(self, photos: Sequence[bytes]) -> Read:
        read = self.read_reference(photos)
        return replace(read, templates=(np.array([0.6, 0.8], np.float32),) * len(photos))


if __name__ == "__main__":
    *_, memory, cpu, fd = sys.argv
    confine(PhotoLimits(int(memory), int(cpu)))
    set_up_logging(form="json")
    run_photo_worker(socket.socket(fileno=int(fd)), Factory)  # type: ignore[arg-type]  # all that is asked of it here
