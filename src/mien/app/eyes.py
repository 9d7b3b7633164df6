"""Put the eyes together: models from the registry, a policy from a document, one pipeline per stream."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypedDict

import cv2
import numpy as np

from mien.app.face_photos import MASK_NAMES, BuiltInMask, FacePhoto, Person
from mien.app.files.spec import FileSpec, check_people_known
from mien.app.personas.file import PackedReference, unpack_persona
from mien.app.personas.store import Findings
from mien.app.photos.advice import ADVICE
from mien.app.policy.document import MASK_PREFIX, PolicyDocument, ShowTreatment, SwapTreatment
from mien.app.policy.document import Treatment as TreatmentRule
from mien.app.ports import PersonaCard, ReferenceFace, StreamSpec
from mien.errors import (
    DifferentPeopleError,
    FacePhotoError,
    ManyFacesError,
    NoFaceError,
    PersonaError,
    PhotoFinding,
)
from mien.inference.hardware import has_int8_dot_products
from mien.media.files.image_header import PHOTO_FORMATS
from mien.media.files.images import READABLE_FORMATS, decode_image
from mien.registry.runtime import Runtime
from mien.vision.analysis.clearance import STILL, ClearanceRules
from mien.vision.analysis.detector import EXPECTED, SURE, CenterFaceDetector, YuNetDetector
from mien.vision.analysis.embedder import DlibEmbedder, Gallery
from mien.vision.analysis.evidence import DOUBTED_FROM_PX, Evidence, MeshCheck
from mien.vision.analysis.landmarks import MeshLandmarker, Roi, roi_of_detection
from mien.vision.analysis.redetection import Check, RoiRedetector
from mien.vision.analysis.tiles import Pace, Tile, TiledDetector, overlapping_parts
from mien.vision.analysis.tracker import MESH_SCORE, FaceTracker
from mien.vision.photos.quality import LIMITS, PhotoAssessor, PhotoIssue
from mien.vision.pipeline import Eyes, FacePipeline, Span, no_span
from mien.vision.policy import Mosaic, Policy, Show, Swap, Treatment
from mien.vision.render.label import Label
from mien.vision.render.mosaic import MosaicShape, MosaicStyle
from mien.vision.swap.masks.builtin import builtin_mask
from mien.vision.swap.masks.preview import mask_preview
from mien.vision.swap.persona import Persona, persona_from_photos, reduced_photo
from mien.vision.types import Detection, Embedding, Image, Mesh, Net

FINDER, DETECTOR, MESH, EMBEDDER, OCCLUSION = "yunet", "centerface", "face-mesh", "dlib-face", "face-occlusion"
QUICK_DETECTOR = "centerface-int8"
DEFAULT_MODELS = (FINDER, DETECTOR, QUICK_DETECTOR, MESH, EMBEDDER, OCCLUSION)

SURE_OF_QUICK = 0.7
"""Least score of the quick detector from which a candidate is hidden before the other has seen it."""
CHECKED_AT_PX = (40, 56, 24)
"""Sizes at which large candidates are shown to the other detector: of real ones seen in single frames of real clips 96
of 98 are confirmed at one of them or by a mesh, of wrong ones one in eight."""
USUAL_FPS = 30.0
FACE_SHAPE = 0.7
"""How far a swap takes on the persona's face shape where the policy does not say."""
FILE_DELAY_FRAMES = 6
LIVE_DELAY_FRAMES = 2
"""Two frames let a face that the detector finds a moment late be covered from its first frame, for 67 ms."""
LIVE_SWAP_DELAY_FRAMES = 1
"""The whole picture is seen in every second frame: one frame of delay, and a near newcomer is never bare."""
RIVAL = LIMITS[PhotoIssue.SEVERAL_FACES].warn
"""A second face of more than this share of the largest one's size makes a photo ambiguous."""
SAME_PERSON = 0.92
"""Photos of one face are at least so alike; `benchmarks/quality_coach.py` counts who is."""
MAX_PHOTO_PIXELS = 24_000_000
"""What phones and cameras make by default."""
_PHOTO_FORMATS = tuple(form for form in READABLE_FORMATS if form in PHOTO_FORMATS)

_MASK_TITLES = {
    "volto": ("Volto", "볼토 가면"),
    "marble": ("Marble", "대리석"),
    "painted": ("Painted", "채색 가면"),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """Photos that were read as a persona, and what was found in each."""

    persona: Persona
    findings: Findings = ()


@dataclass(frozen=True, slots=True)
class FoundFace:
    """The one face of a photo."""

    mesh: Mesh
    score: float


class PipelineBuilder:
    """Makes pipelines; shares the networks between them. Safe to call from any thread.

    Args:
        runtime: Opens models.
        label: Language of the label on altered frames.
        span: Times the stages of every pipeline made here.
        quick: Use the detector in 8-bit numbers; by default, where the processor runs it exactly.
        photo_pixels: Photos of personas with more are refused.
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
        self._runtime, self._label, self._span = runtime, label, span
        self._quick = has_int8_dot_products() if quick is None else quick
        self._photo_pixels = photo_pixels
        self._lock = threading.RLock()

    # --- pipelines -------------------------------------------------------------------------------------------

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
        personas = {name: self._persona(person) for name, person in spec.personas.items()}
        policy = self._policy(spec.policy, personas)
        delay = FILE_DELAY_FRAMES if spec.delay_frames is None else spec.delay_frames
        return FacePipeline(
            self._eyes(policy, spec.recognised, STILL if still else ClearanceRules()),
            policy,
            Label(spec.label),
            delay_frames=0 if still else delay,
            pace=Pace.PATIENT,
            fps=fps or USUAL_FPS,
            still=still,
            span=self._span,
            **_looks_of(spec.policy),
        )

    def build(self, spec: StreamSpec) -> FacePipeline:
        """Return a pipeline for one live session.

        Raises:
            PersonaError: There is no such persona.
            UnknownPersonError: The policy has a rule for a person; nobody is enrolled for live streams yet.
            ModelError: A model cannot be had.
        """
        check_people_known(spec.policy, ())
        personas = {name: _live_persona(face) for name, face in spec.personas.items()}
        policy = self._policy(spec.policy, personas)
        usual = LIVE_SWAP_DELAY_FRAMES if policy.needs_mesh else LIVE_DELAY_FRAMES
        return FacePipeline(
            self._eyes(policy, (), ClearanceRules()),
            policy,
            Label(self._label),
            delay_frames=usual if spec.delay_frames is None else spec.delay_frames,
            pace=Pace.THRIFTY if policy.needs_mesh else Pace.LIVE,
            span=self._span,
            **_looks_of(spec.policy),
        )

    def _policy(self, document: PolicyDocument, personas: Mapping[str, Persona]) -> Policy:
        """Translate a document; one swap for all rules that ask for the same persona."""
        simple = document.simplified()
        swaps = {name: Swap(personas.get(name) or self._mask(name)) for name in simple.personas}

        def translated(treatment: TreatmentRule) -> Treatment:
            if isinstance(treatment, SwapTreatment):
                return swaps[treatment.persona]
            return Show() if isinstance(treatment, ShowTreatment) else Mosaic()

        return Policy(
            strangers=translated(simple.everyone),
            people={name: translated(treatment) for name, treatment in simple.people.items()},
            primary=None if simple.primary is None else translated(simple.primary),
        )

    def _mask(self, persona: str) -> Persona:
        if not persona.startswith(MASK_PREFIX):
            raise PersonaError(f"there is no persona {persona!r}")
        return self._persona(BuiltInMask(persona.removeprefix(MASK_PREFIX)))

    def _eyes(self, policy: Policy, people: Sequence[Person], rules: ClearanceRules) -> Eyes:
        landmarker = self._landmarker if policy.needs_mesh else None
        occlusion = self._occlusion if policy.needs_mesh else None
        embedder = self._embedder if people or policy.needs_embedder else None
        gallery = Gallery({person.name: self._embeddings(person) for person in people})
        tracker = FaceTracker(landmarker, self._redetect)
        finder = self._finder if rules is not STILL else self._still_finder
        return Eyes(finder, tracker, self._redetect, embedder, gallery, rules, occlusion, self._evidence())

    def _evidence(self) -> Evidence:
        with self._lock:
            return Evidence(self._checks, self._mesh_check)

    # --- personas --------------------------------------------------------------------------------------------

    def personas(self) -> Sequence[PersonaCard]:
        """Return the built-in masks."""
        return [PersonaCard(MASK_PREFIX + name, "mask", *_MASK_TITLES.get(name, (name, name))) for name in MASK_NAMES]

    def persona_preview(self, persona_id: str) -> bytes:
        """Return a JPEG of a built-in mask.

        Raises:
            PersonaError: There is no such mask.
        """
        mask = BuiltInMask(persona_id.removeprefix(MASK_PREFIX))
        image = mask_preview(mask.name)
        _ok, jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
        return bytes(jpeg.tobytes())

    def read_reference(self, photos: Sequence[bytes]) -> Reference:
        """Read photo files of one face as a persona.

        Raises:
            MediaError: One is not a picture that can be used.
            FacePhotoError: One cannot serve as a face, or they show different people; what was found in each is in it.
        """
        names = _ordinals(len(photos))
        decoded = (
            decode_image(photo, name=name, max_pixels=self._photo_pixels, formats=_PHOTO_FORMATS)
            for photo, name in zip(photos, names, strict=True)
        )
        return self._reference(decoded, names, "reference")

    def judge_photo(self, image: Image) -> tuple[PhotoFinding, ...]:
        """Return what the coach says of a photo as the reference of a swap."""
        return self._judge(image)[0]

    def _persona(self, wanted: FacePhoto | Person | BuiltInMask) -> Persona:
        if isinstance(wanted, BuiltInMask):
            return builtin_mask(wanted.name)
        photos = (wanted,) if isinstance(wanted, FacePhoto) else wanted.photos
        images = (photo.image for photo in photos)
        return self._reference(images, [photo.name for photo in photos], wanted.name).persona

    def _reference(self, images: Iterable[Image], names: Sequence[str], called: str) -> Reference:
        """Judge photos one after the other, keeping of each only as much as a persona needs."""
        findings: list[tuple[PhotoFinding, ...]] = []
        read: list[tuple[Image, Mesh]] = []
        embeddings: list[Embedding] = []
        for image in images:
            found, face = self._judge(image)
            findings.append(found)
            if face is not None:
                read.append(reduced_photo(image, face.mesh))
                embeddings.append(self._embedder(image, face.mesh))
        _refuse_unfit(findings, names)
        _refuse_strangers(embeddings, findings, names)
        return Reference(persona_from_photos(read, called), tuple(findings))

    # --- photos ----------------------------------------------------------------------------------------------

    def one_face(self, image: Image, *, name: str) -> FoundFace:
        """Return the one face of a photo.

        Raises:
            NoFaceError: None was found.
            ManyFacesError: Several of similar size were.
        """
        seen, rivals = self._largest_first(image)
        if not seen:
            raise NoFaceError(f"no face was found in {name}")
        if rivals and rivals[0] > RIVAL:
            count = 1 + sum(rival > RIVAL for rival in rivals)
            raise ManyFacesError(f"{name} shows {count} faces; use a photo of one person, or crop it")
        face = self._lay(image, seen[0])
        if face.score < MESH_SCORE:
            raise NoFaceError(f"the face in {name} cannot be read: use a frontal photo in good light")
        return face

    def _judge(self, image: Image) -> tuple[tuple[PhotoFinding, ...], FoundFace | None]:
        """Return what the coach says of a photo, and the face in it where it can serve."""
        seen, rivals = self._largest_first(image)
        face = self._lay(image, seen[0]) if seen else None
        found = PhotoAssessor(self._occlusion)(
            image,
            face.mesh if face is not None else None,
            score=face.score if face is not None else 0.0,
            rival=rivals[0] if rivals else 0.0,
        )
        return found, None if _refused(found) else face

    def _largest_first(self, image: Image) -> tuple[list[Detection], list[float]]:
        """Return the faces of a photo, and the heights of all but the largest as shares of its."""
        height, width = image.shape[:2]
        looks = [Tile((0, 0, width, height), side) for side in (320, 640)]
        seen = self._photo_finder(image, looks)
        if not seen:
            parts = overlapping_parts((width, height), 2)
            seen = self._photo_finder(image, [Tile(part, 640) for part in parts])
        seen = sorted(seen, key=_height_of, reverse=True)
        return seen, [_height_of(face) / _height_of(seen[0]) for face in seen[1:]]

    def _lay(self, image: Image, seen: Detection) -> FoundFace:
        return FoundFace(*self._landmarker.settle(image, roi_of_detection(seen), rounds=3))

    def _embeddings(self, person: Person) -> list[Embedding]:
        """Embed every photo of a person; each must show one face."""
        embeddings = []
        for photo in person.photos:
            try:
                face = self.one_face(photo.image, name=photo.name)
            except FacePhotoError as error:
                raise type(error)(f"{person.name}: {error}") from error
            embeddings.append(self._embedder(photo.image, face.mesh))
        return embeddings

    # --- models, opened once -----------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Open the models that every pipeline needs and run them once, so that the first frame is not late.

        Raises:
            ModelError: A model cannot be had.
        """
        blank = np.zeros((360, 640, 3), np.uint8)
        self.build(StreamSpec())(blank, at=0.0)
        self._landmarker(blank, Roi(320, 180, 200, 0))

    @property
    def _finder(self) -> TiledDetector:
        with self._lock:
            return self._finder_once

    @property
    def _still_finder(self) -> TiledDetector:
        """Reports what is faint, too: of a face larger than a still hardly more can be seen."""
        with self._lock:
            return TiledDetector(
                YuNetDetector(self._runtime.open(FINDER)), self._redetect_once, self._detector, sure=SURE
            )

    @property
    def _photo_finder(self) -> TiledDetector:
        with self._lock:
            return self._photo_finder_once

    @property
    def _redetect(self) -> RoiRedetector:
        with self._lock:
            return self._redetect_once

    @property
    def _landmarker(self) -> MeshLandmarker:
        with self._lock:
            return self._landmarker_once

    @property
    def _embedder(self) -> DlibEmbedder:
        with self._lock:
            return self._embedder_once

    @property
    def _occlusion(self) -> Net:
        with self._lock:
            return self._occlusion_once

    @cached_property
    def _detector(self) -> CenterFaceDetector:
        return CenterFaceDetector(self._runtime.open(QUICK_DETECTOR if self._quick else DETECTOR))

    @cached_property
    def _finder_once(self) -> TiledDetector:
        quick = YuNetDetector(self._runtime.open(FINDER))
        checks: list[tuple[Check, float]] = [(self._mesh_check, DOUBTED_FROM_PX)]
        checks += [(check, DOUBTED_FROM_PX) for check in self._checks[1:]]  # the first is the glance
        return TiledDetector(
            quick, self._redetect_once, self._detector, checks=checks, suspect=EXPECTED, sure=SURE_OF_QUICK
        )

    @cached_property
    def _mesh_check(self) -> MeshCheck:
        return MeshCheck(self._landmarker_once)

    @cached_property
    def _checks(self) -> tuple[RoiRedetector, ...]:
        return tuple(RoiRedetector(self._detector, face_px=size) for size in CHECKED_AT_PX)

    @cached_property
    def _photo_finder_once(self) -> TiledDetector:
        return TiledDetector(self._detector, self._redetect_once)

    @cached_property
    def _redetect_once(self) -> RoiRedetector:
        return RoiRedetector(self._detector)

    @cached_property
    def _landmarker_once(self) -> MeshLandmarker:
        return MeshLandmarker(self._runtime.open(MESH))

    @cached_property
    def _embedder_once(self) -> DlibEmbedder:
        return DlibEmbedder(self._runtime.open(EMBEDDER))

    @cached_property
    def _occlusion_once(self) -> Net:
        return self._runtime.open(OCCLUSION)


class _Looks(TypedDict):
    """How a pipeline draws, as its constructor takes it."""

    shape: float
    mosaic_style: MosaicStyle
    mosaic_shape: MosaicShape


def _looks_of(document: PolicyDocument) -> _Looks:
    mosaic, face_shape = document.mosaic, document.face_shape
    return {
        "shape": FACE_SHAPE if face_shape is None else face_shape,
        "mosaic_style": mosaic.style or MosaicStyle.CELLS,
        "mosaic_shape": mosaic.shape or MosaicShape.BOX,
    }


def _live_persona(face: ReferenceFace) -> Persona:
    if isinstance(face, Reference):
        return face.persona
    if isinstance(face, PackedReference):
        return unpack_persona(face.data)
    raise PersonaError(f"a {type(face).__name__} is no persona")


def _height_of(seen: Detection) -> float:
    return float(seen.box_xyxy[3] - seen.box_xyxy[1])


def _ordinals(count: int) -> list[str]:
    return ["the photo"] if count == 1 else [f"photo {n}" for n in range(1, count + 1)]


def _refused(found: Sequence[PhotoFinding]) -> list[str]:
    return [finding.code for finding in found if finding.severity == "refuse"]


def _refuse_unfit(findings: Sequence[tuple[PhotoFinding, ...]], names: Sequence[str]) -> None:
    """Raise for the first photo that cannot serve, with the findings of all."""
    for name, found in zip(names, findings, strict=True):
        for code in _refused(found):
            kind = {PhotoIssue.NO_FACE: NoFaceError, PhotoIssue.SEVERAL_FACES: ManyFacesError}.get(
                PhotoIssue(code), FacePhotoError
            )
            raise kind(f"{name}: {ADVICE[PhotoIssue(code)]['en']}", findings=tuple(findings))


def _refuse_strangers(
    embeddings: Sequence[Embedding], findings: Sequence[tuple[PhotoFinding, ...]], names: Sequence[str]
) -> None:
    """Raise where photos do not show one person, and mark the one that is least like the others."""
    alike = np.array(embeddings) @ np.array(embeddings).T
    if alike.min() >= SAME_PERSON:
        return
    odd = len(names) - 1 - int(np.argmin(alike.sum(axis=1).round(4)[::-1]))  # of two equally odd ones the later
    lowest = float(alike[odd].min())
    marked = list(findings)
    marked[odd] = (PhotoFinding(PhotoIssue.OTHER_PERSON.value, "refuse", lowest, SAME_PERSON), *findings[odd])
    raise DifferentPeopleError(
        f"{names[odd]} seems to show somebody else: {lowest:.2f} alike, {SAME_PERSON} are needed",
        findings=tuple(marked),
    )
