"""The parts of vision put together behind the port `PipelineFactory`: for the command line, workers and web process.

Each part can be had by itself from here. It may import all of the app.
"""

from collections.abc import Sequence
from typing import Literal

from mien.app.files.spec import FileSpec
from mien.app.models import ModelProvider
from mien.app.people.reader import PersonReader, PhotoPerson
from mien.app.personas.builder import MAX_PHOTO_PIXELS, PersonaBuilder, PhotoPersona
from mien.app.photos.assessor import FacePhotoAssessor
from mien.app.pipelines import PipelineBuilder
from mien.app.ports import PersonaCard, StreamSpec
from mien.registry.runtime import Runtime
from mien.vision.pipeline import FacePipeline
from mien.vision.ports import Span, no_span


class VisionFactory:
    """Makes pipelines and personas; shares the networks between them. Safe to call from any thread.

    Args:
        runtime: Opens models.
        label: Language of the label on altered frames.
        span: Times the stages of every pipeline made here.
        quick: Use the detector in 8-bit numbers; by default, where the processor runs it exactly.
        photo_pixels: Photos of personas, and of people to be registered, with more are refused.

    Attributes:
        models: The networks.
        assessor: Looks at photos of faces.
        builder: Makes pipelines.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        label: Literal["en", "ko", "both"] = "both",
        span: Span = no_span,
        quick: bool | None = None,
        photo_pixels: int = MAX_PHOTO_PIXELS,
    ) -> None:
        self.models = ModelProvider(runtime, quick=quick)
        self.assessor = FacePhotoAssessor(self.models)
        self._personas = PersonaBuilder(self.models, self.assessor, photo_pixels=photo_pixels)
        self._people = PersonReader(self.models, self.assessor, photo_pixels=photo_pixels)
        self.builder = PipelineBuilder(self.models, self._people, self._personas, label=label, span=span)

    def personas(self) -> Sequence[PersonaCard]:
        """Return the built-in masks."""
        return self._personas.personas()

    def persona_preview(self, persona_id: str) -> bytes:
        """Return a JPEG of a built-in mask.

        Raises:
            PersonaError: There is no such mask.
        """
        return self._personas.persona_preview(persona_id)

    def read_reference(self, photos: Sequence[bytes]) -> PhotoPersona:
        """Read photo files of one face as a persona.

        Raises:
            MediaError: One is not a picture that can be used.
            FacePhotoError: One cannot serve as a face, or they show different people; what was found in each is in it.
        """
        return self._personas.read_reference(photos)

    def read_person(self, photos: Sequence[bytes]) -> PhotoPerson:
        """Read photo files of somebody who is to be known.

        Raises:
            MediaError: One is not a picture that can be used.
            FacePhotoError: One does not show a face well enough, or they show different people; what was found in each
                is in it.
        """
        return self._people.read(photos)

    def build(self, spec: StreamSpec) -> FacePipeline:
        """Return a pipeline for one live session; raises what `PipelineBuilder.build` does."""
        return self.builder.build(spec)

    def pipeline(self, spec: FileSpec, *, still: bool = False, fps: float = 0.0) -> FacePipeline:
        """Return a pipeline for a file; raises what `PipelineBuilder.pipeline` does."""
        return self.builder.pipeline(spec, still=still, fps=fps)

    def warm_up(self) -> None:
        """Open the models that every pipeline needs, so that the first frame is not late.

        Raises:
            ModelError: A model cannot be had.
        """
        self.builder.warm_up()

    def rehearse(self) -> bool:
        """Prepare one more part of what only swaps need; return whether there was one. See `PipelineBuilder`."""
        return self.builder.rehearse()
