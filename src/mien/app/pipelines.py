"""Pipelines: a policy document and the networks in, what treats one stream of frames out.

Here a document becomes the policy that vision draws by, and a file or a live stream its delay and pace. It may import
all of the app but what carries a live session.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

import numpy as np

from mien.app.face_photos import MASK_NAMES
from mien.app.files.spec import FileSpec
from mien.app.models import ModelProvider
from mien.app.people.reader import PersonReader, templates_of
from mien.app.personas.builder import PersonaBuilder, persona_of
from mien.app.policy.document import PolicyDocument
from mien.app.policy.rules import ShowTreatment, SwapTreatment
from mien.app.policy.rules import Treatment as TreatmentRule
from mien.app.ports import StreamSpec
from mien.vision.analysis.analyzer import AnalyzerParts, FaceAnalyzer
from mien.vision.analysis.clearance import STILL, ClearanceRules
from mien.vision.analysis.embedder import Gallery
from mien.vision.analysis.tile_schedule import Pace
from mien.vision.analysis.tracker import FaceTracker
from mien.vision.pipeline import FacePipeline
from mien.vision.policy import Mosaic, Policy, Show, Swap, Treatment
from mien.vision.ports import Span, no_span
from mien.vision.render.label import Label
from mien.vision.render.mosaic import MosaicShape, MosaicStyle
from mien.vision.render.renderer import FrameRenderer
from mien.vision.swap.masks.builtin import builtin_mask
from mien.vision.swap.masks.preview import SIDE, nobody
from mien.vision.swap.persona import Persona
from mien.vision.swap.rehearsal import rehearse_swaps
from mien.vision.swap.swapper import MeshSwapper
from mien.vision.types import Embedding, Roi

USUAL_FPS = 30.0
FACE_SHAPE = 0.7
"""How far a swap takes on the persona's face shape where the policy does not say."""
FILE_DELAY_FRAMES = 6
LIVE_DELAY_FRAMES = 2
"""Two frames let a face that the detector finds a moment late be covered from its first frame, for 67 ms."""
LIVE_SWAP_DELAY_FRAMES = 1
"""The whole picture is seen in every second frame: one frame of delay, and a near newcomer is never bare."""


class Rehearsal:
    """What is slow the first time, done once, before it is needed. Safe to use from any thread.

    Args:
        part: What to do.
    """

    def __init__(self, part: Callable[[], object]) -> None:
        self._part = part
        self._is_done = False
        self._lock = threading.Lock()

    def advance(self) -> bool:
        """Do it, unless it is done; return whether it was left. Where it raises, the next call tries again."""
        with self._lock:
            if self._is_done:
                return False
            self._part()
            self._is_done = True
            return True


class PipelineBuilder:
    """Makes pipelines. Safe to use from any thread.

    Args:
        models: The networks, shared by all pipelines.
        people: Reads the photos that people are known by.
        personas: Makes the faces to swap in.
        label: Language of the label on altered frames.
        span: Times the stages of every pipeline made here.
    """

    def __init__(
        self,
        models: ModelProvider,
        people: PersonReader,
        personas: PersonaBuilder,
        *,
        label: Literal["en", "ko", "both"] = "both",
        span: Span = no_span,
    ) -> None:
        self._models, self._people, self._personas = models, people, personas
        self._label, self._span = label, span
        self._embedding = Rehearsal(self._embed_nobody)
        self._swaps = Rehearsal(lambda: rehearse_swaps(models.occlusion))
        self._first_mask = Rehearsal(lambda: builtin_mask(MASK_NAMES[0]))

    def pipeline(self, spec: FileSpec, *, still: bool = False, fps: float = 0.0) -> FacePipeline:
        """Return a pipeline for a file.

        Args:
            spec: Who gets which treatment, and the photos that takes.
            still: The file is a picture.
            fps: Frame rate of the video; 0 where it is not known.

        Raises:
            FacePhotoError: A photo cannot serve.
            ModelError: A model cannot be had.
        """
        personas = {name: self._personas.persona(person) for name, person in spec.personas.items()}
        people = {person.name: self._people.templates(person) for person in spec.recognised}
        policy = self._policy(spec.policy, personas)
        delay = FILE_DELAY_FRAMES if spec.delay_frames is None else spec.delay_frames
        parts = self._analyzer_parts(policy, people, STILL if still else ClearanceRules())
        analyzer = FaceAnalyzer(parts, pace=Pace.PATIENT, still=still, span=self._span)
        renderer = self._renderer(spec.policy, policy, Label(spec.label), fps=fps or USUAL_FPS)
        return FacePipeline(analyzer, renderer, policy, delay_frames=0 if still else delay)

    def build(self, spec: StreamSpec) -> FacePipeline:
        """Return a pipeline for one live session.

        Raises:
            PersonaError: There is no such persona.
            UnknownPersonError: The policy has a rule for a person who did not come with it.
            MienError: What came from another process is malformed.
            ModelError: A model cannot be had.
        """
        spec.policy.check_people(spec.people)
        personas = {name: persona_of(face) for name, face in spec.personas.items()}
        policy = self._policy(spec.policy, personas)
        people = {name: templates_of(face) for name, face in spec.people.items()} if policy.people else {}
        # Here, and not on the thread that has to treat a frame every 33 ms; no network that the policy can do without.
        if policy.swaps:
            self._swaps.advance()
        if policy.needs_embedder:
            self._embedding.advance()
        usual = LIVE_SWAP_DELAY_FRAMES if policy.swaps else LIVE_DELAY_FRAMES
        delay = usual if spec.delay_frames is None else spec.delay_frames
        pace = Pace.THRIFTY if policy.swaps else Pace.LIVE
        analyzer = FaceAnalyzer(self._analyzer_parts(policy, people, ClearanceRules()), pace=pace, span=self._span)
        renderer = self._renderer(spec.policy, policy, Label(self._label), fps=USUAL_FPS)
        return FacePipeline(analyzer, renderer, policy, delay_frames=delay)

    def _policy(self, document: PolicyDocument, personas: Mapping[str, Persona]) -> Policy:
        """Translate a document; one swap for all rules that ask for the same persona."""
        simple = document.simplified()
        swaps = {name: Swap(personas.get(name) or self._personas.mask(name)) for name in simple.personas}

        def translated(treatment: TreatmentRule) -> Treatment:
            if isinstance(treatment, SwapTreatment):
                return swaps[treatment.persona]
            return Show() if isinstance(treatment, ShowTreatment) else Mosaic()

        return Policy(
            strangers=translated(simple.everyone),
            people={name: translated(treatment) for name, treatment in simple.people.items()},
            primary=None if simple.primary is None else translated(simple.primary),
        )

    def _analyzer_parts(
        self, policy: Policy, people: Mapping[str, Sequence[Embedding]], rules: ClearanceRules
    ) -> AnalyzerParts:
        models = self._models
        landmarker = models.landmarker if policy.needs_mesh else None
        embedder = models.embedder if people or policy.needs_embedder else None
        gallery = Gallery(people)
        tracker = FaceTracker(landmarker, models.redetect)
        detector = models.tiled_detector if rules is not STILL else models.still_detector
        return AnalyzerParts(detector, tracker, models.redetect, embedder, gallery, rules, models.candidate_review())

    def _renderer(self, document: PolicyDocument, policy: Policy, label: Label, *, fps: float) -> FrameRenderer:
        mosaic, face_shape = document.mosaic, document.face_shape
        shape = FACE_SHAPE if face_shape is None else face_shape
        occlusion = self._models.occlusion if policy.swaps else None
        return FrameRenderer(
            label,
            make_swapper=partial(MeshSwapper, shape=shape, fps=fps, occlusion=occlusion),
            mosaic_style=mosaic.style or MosaicStyle.CELLS,
            mosaic_shape=mosaic.shape or MosaicShape.BOX,
            span=self._span,
        )

    def warm_up(self) -> None:
        """Open the models that every pipeline needs and run them once, so that the first frame is not late.

        Raises:
            ModelError: A model cannot be had.
        """
        blank = np.zeros((360, 640, 3), np.uint8)
        self.build(StreamSpec())(blank, at=0.0)
        self._models.landmarker(blank, Roi(320, 180, 200, 0))

    def rehearse(self) -> bool:
        """Open and run one more part that only a swap needs, so that the first swap of a stream is not late.

        Returns:
            Whether there was one.

        Raises:
            ModelError: A model cannot be had.
        """
        return self._embedding.advance() or self._swaps.advance() or self._first_mask.advance()

    def _embed_nobody(self) -> None:
        self._models.embedder(np.zeros((SIDE, SIDE, 3), np.uint8), nobody())
