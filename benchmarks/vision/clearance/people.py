"""Who is enrolled, who is a stranger, and the real chain that watches them: detector to clearance, no delay line."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Final, TypeAlias

import numpy as np

from benchmarks.vision.films import SHARED
from benchmarks.vision.portraits import Portrait, cut_portrait, is_development
from mien.app.factory import VisionFactory
from mien.app.models import DETECTOR, EMBEDDER, MESH
from mien.config import Settings
from mien.errors import FacePhotoError
from mien.media.files.images import decode_image
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.analysis.analyzer import AnalyzerParts, FaceAnalyzer
from mien.vision.analysis.clearance import STILL, ClearanceRules
from mien.vision.analysis.detector import CenterFaceDetector
from mien.vision.analysis.embedder import DlibEmbedder, Gallery
from mien.vision.analysis.landmarks import MeshLandmarker
from mien.vision.analysis.redetection import RoiRedetector
from mien.vision.analysis.tiled_detector import TiledDetector
from mien.vision.analysis.tracker import FaceTracker
from mien.vision.pipeline import FacePipeline
from mien.vision.policy import Policy, Show, Treatment
from mien.vision.ports import Span, no_span
from mien.vision.render.label import Label
from mien.vision.render.renderer import FrameRenderer
from mien.vision.types import Box, Embedding, Face, Image
from support.photos import astronaut, hopper

ENROLLED: Final = 100
Shown: TypeAlias = list[tuple[Box, str | None]]
"""The faces of a frame: where, and as whom they are shown; None for those that are hidden."""


@dataclass(frozen=True, slots=True)
class Someone:
    """A person of the measurement: a portrait to be moved, and the vector of the enrolment photo."""

    portrait: Portrait
    vector: Embedding


@dataclass(frozen=True)
class NotingPolicy(Policy):
    """Shows the enrolled, and notes where and as whom."""

    shown: Shown = field(default_factory=list)

    def treatment(self, face: Face, *, primary_id: int | None) -> Treatment:
        """Note what the face gets."""
        treatment = super().treatment(face, primary_id=primary_id)
        self.shown.append((face.box_xyxy, face.identity if isinstance(treatment, Show) else None))
        return treatment


class Bench:
    """The networks, the people, and one pipeline at a time."""

    def __init__(self, *, development: bool, composed: bool = False, frames: int | None = None) -> None:
        """Open the networks; `composed` leaves ../shared alone, `frames` ends each clip so soon."""
        self._runtime = Runtime(Store(Settings().models_dir))
        self._maker = VisionFactory(self._runtime)
        self.development = development
        self.composed = composed or not SHARED.is_dir()
        self._frames = frames
        detector = CenterFaceDetector(self._runtime.open(DETECTOR))
        self.redetect = RoiRedetector(detector)
        self.find = TiledDetector(detector, self.redetect)
        self.mesh = MeshLandmarker(self._runtime.open(MESH))
        self.embed = DlibEmbedder(self._runtime.open(EMBEDDER))

    def someone(self, name: str, image: Image) -> Someone:
        """Read a photo as an enrolment would."""
        mesh = self._maker.assessor.one_face(image, name=name).mesh
        return Someone(cut_portrait(name, image, mesh), self.embed(image, mesh))

    @cached_property
    def people(self) -> dict[str, Someone]:
        """Everybody on this side of the split whose photo can be used."""
        found: dict[str, Someone] = {}
        for folder, share in (("media/stills_synth", 0.5), ("faces_real_pd/house", 0.7), ("faces_real_pd/senate", 0.7)):
            for path in () if self.composed else sorted((SHARED / folder).glob("*.jpg")):
                name = f"{path.parent.name}/{path.stem}"
                if is_development(name, share=share) is not self.development:
                    continue
                try:
                    found[name] = self.someone(name, decode_image(path.read_bytes(), name=path.name))
                except FacePhotoError:
                    continue
        return found or {
            "astronaut": self.someone("astronaut", astronaut()),
            "hopper": self.someone("hopper", hopper()),
        }

    def gallery_of(self, names: Sequence[str]) -> dict[str, list[Embedding]]:
        """Return enrolled people as a gallery takes them."""
        return {name: [self.people[name].vector] for name in names}

    def others(self, names: Iterable[str], count: int) -> dict[str, list[Embedding]]:
        """Return `count` people to fill a gallery with, none of them in `names`."""
        left = sorted(set(self.people) - set(names))
        chosen = np.random.default_rng(7).permutation(len(left))[: max(0, count)]
        return self.gallery_of([left[int(i)] for i in chosen])

    def enrolled_and_strangers(self, seed: int = 0) -> tuple[list[str], list[str]]:
        """Return whom the composed clips enrol, by a fixed draw, and all others."""
        names = sorted(self.people)
        order = [names[int(i)] for i in np.random.default_rng(seed).permutation(len(names))]
        count = min(ENROLLED, 2 * len(names) // 3)
        return order[:count], order[count:]

    def watch(
        self,
        frames: Iterable[Image],
        people: dict[str, list[Embedding]],
        *,
        fps: float,
        still: bool = False,
        span: Span = no_span,
    ) -> Iterator[Shown]:
        """Treat frames with everybody in `people` to be shown; yield who was shown where, frame by frame."""
        policy = NotingPolicy(people={name: Show() for name in people})
        rules = STILL if still else ClearanceRules()
        tracker = FaceTracker(self.mesh, self.redetect)
        parts = AnalyzerParts(self.find, tracker, self.redetect, self.embed, Gallery(people), rules)
        pipeline = FacePipeline(FaceAnalyzer(parts, still=still, span=span), FrameRenderer(Label("en")), policy)
        for i, image in enumerate(islice(frames, self._frames)):
            policy.shown.clear()
            pipeline(np.ascontiguousarray(image), at=i / fps)
            yield list(policy.shown)
