"""Small real pipelines and a factory of them, for tests of the live plane that need no models."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from mien.app.personas.store import Findings
from mien.app.ports import PersonaCard, Pipeline, StreamSpec
from mien.errors import MediaError, PersonaError, PhotoFinding
from mien.vision.types import Image, TreatedFrame

SMALL = PhotoFinding("face_small", "warn", 40.0, 50.0)
VOLTO = PersonaCard("mask:volto", "mask", "Volto", "볼토")


class Pixelate:
    """Makes every picture coarse: 16 cells across, none of them like the camera's."""

    name = "mosaic"

    def __call__(self, image: Image, *, at: float) -> TreatedFrame:
        height, width = image.shape[:2]
        small = cv2.resize(image, (16, 9), interpolation=cv2.INTER_AREA)
        coarse = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
        return TreatedFrame(image=np.asarray(coarse, np.uint8), at=at, counts={self.name: 1}, altered=True)

    def flush(self) -> Iterator[TreatedFrame]:
        yield from ()


@dataclass
class Paint:
    """Shows one colour, whatever the camera saw."""

    rgb: tuple[int, int, int]

    def __call__(self, image: Image, *, at: float) -> TreatedFrame:
        painted = np.empty_like(image)
        painted[:] = self.rgb
        return TreatedFrame(image=painted, at=at, counts={"swap": 1}, altered=True)

    def flush(self) -> Iterator[TreatedFrame]:
        yield from ()


@dataclass
class Faulty:
    """Works like `inner` until `broken` is set; then does what `fault` says."""

    inner: Pipeline
    fault: Callable[[], object]
    broken: threading.Event = field(default_factory=threading.Event)

    def __call__(self, image: Image, *, at: float) -> TreatedFrame | None:
        if self.broken.is_set():
            return self.fault()  # type: ignore[return-value]  # that is the fault
        return self.inner(image, at=at)

    def flush(self) -> Iterator[TreatedFrame]:
        yield from ()


@dataclass(frozen=True)
class PlainReference:
    findings: Findings


@dataclass
class SmallFactory:
    """A factory that needs no models: mosaic pixelates, a mask paints blue, a reference paints green.

    Attributes:
        pipelines: When not empty, `build` takes its next pipeline from here.
        built: What was asked for.
        open_s: Time each build takes.
        opening: Builds that were begun.
    """

    pipelines: list[Pipeline] = field(default_factory=list)
    built: list[StreamSpec] = field(default_factory=list)
    open_s: float = 0.0
    opening: int = 0

    def personas(self) -> Sequence[PersonaCard]:
        return [VOLTO]

    def persona_preview(self, persona_id: str) -> bytes:
        if persona_id != VOLTO.id:
            raise PersonaError(f"there is no persona {persona_id!r}")
        return b"\xff\xd8\xff\xd9"

    def read_reference(self, photos: Sequence[bytes]) -> PlainReference:
        if not all(photo.startswith(b"\xff\xd8") for photo in photos):
            raise MediaError("that is no photo")
        return PlainReference(((SMALL,),) * len(photos))

    def read_person(self, photos: Sequence[bytes]) -> PlainReference:
        return self.read_reference(photos)

    def build(self, spec: StreamSpec) -> Pipeline:
        self.opening += 1
        time.sleep(self.open_s)
        self.built.append(spec)
        if self.pipelines:
            return self.pipelines.pop(0)
        if not spec.policy.swaps:
            return Pixelate()
        persona = spec.policy.personas[0]
        if persona != VOLTO.id and persona not in spec.personas:
            raise PersonaError(f"there is no persona {persona!r}")
        return Paint((30, 60, 200) if persona == VOLTO.id else (30, 180, 60))
