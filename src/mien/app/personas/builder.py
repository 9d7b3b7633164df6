"""Personas: the built-in masks, and what is read from photos of one face.

Photos of one persona must show one person; each is judged, and only what a persona needs is kept of it. It may import
`mien.app.photos`, `mien.app.models` and `mien.vision`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2

from mien.app.face_photos import MASK_NAMES, BuiltInMask, FacePhoto, Person
from mien.app.models import ModelProvider
from mien.app.personas.file import PackedReference, unpack_persona
from mien.app.personas.store import Findings
from mien.app.photos.assessor import FacePhotoAssessor
from mien.app.photos.reading import decoded, ordinals, refuse_strangers, refuse_unfit
from mien.app.policy.rules import MASK_PREFIX
from mien.app.ports import PersonaCard, ReferenceFace
from mien.errors import PersonaError, PhotoFinding
from mien.vision.swap.masks.builtin import builtin_mask
from mien.vision.swap.masks.preview import mask_preview
from mien.vision.swap.persona import Persona, persona_from_photos, reduced_photo
from mien.vision.types import Embedding, Image, Mesh

MAX_PHOTO_PIXELS = 24_000_000
"""What phones and cameras make by default."""

_MASK_TITLES = {
    "volto": ("Volto", "볼토 가면"),
    "marble": ("Marble", "대리석"),
    "painted": ("Painted", "채색 가면"),
}


@dataclass(frozen=True, slots=True)
class PhotoPersona:
    """Photos that were read as a persona, and what was found in each."""

    persona: Persona
    findings: Findings = ()


class PersonaBuilder:
    """Makes personas. Safe to use from any thread.

    Args:
        models: The networks.
        assessor: Looks at photos.
        photo_pixels: Photos with more are refused.
    """

    def __init__(
        self, models: ModelProvider, assessor: FacePhotoAssessor, *, photo_pixels: int = MAX_PHOTO_PIXELS
    ) -> None:
        self._models, self._assessor = models, assessor
        self._photo_pixels = photo_pixels

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

    def read_reference(self, photos: Sequence[bytes]) -> PhotoPersona:
        """Read photo files of one face as a persona.

        Raises:
            MediaError: One is not a picture that can be used.
            FacePhotoError: One cannot serve as a face, or they show different people; what was found in each is in it.
        """
        names = ordinals(len(photos))
        return self._reference(decoded(photos, names, max_pixels=self._photo_pixels), names, "reference")

    def persona(self, wanted: FacePhoto | Person | BuiltInMask) -> Persona:
        """Return a built-in mask, or the persona of photos that were decoded already.

        Raises:
            FacePhotoError: A photo cannot serve as a face, or they show different people.
        """
        if isinstance(wanted, BuiltInMask):
            return builtin_mask(wanted.name)
        photos = (wanted,) if isinstance(wanted, FacePhoto) else wanted.photos
        images = (photo.image for photo in photos)
        return self._reference(images, [photo.name for photo in photos], wanted.name).persona

    def _reference(self, images: Iterable[Image], names: Sequence[str], called: str) -> PhotoPersona:
        """Judge photos one after the other, keeping of each only as much as a persona needs."""
        findings: list[tuple[PhotoFinding, ...]] = []
        read: list[tuple[Image, Mesh]] = []
        embeddings: list[Embedding] = []
        for image in images:
            found, face = self._assessor.assess(image)
            findings.append(found)
            if face is not None:
                read.append(reduced_photo(image, face.mesh))
                embeddings.append(self._models.embedder(image, face.mesh))
        refuse_unfit(findings, names)
        refuse_strangers(embeddings, findings, names)
        return PhotoPersona(persona_from_photos(read, called), tuple(findings))

    def mask(self, persona: str) -> Persona:
        """Return a built-in mask.

        Raises:
            PersonaError: There is no such mask.
        """
        if not persona.startswith(MASK_PREFIX):
            raise PersonaError(f"there is no persona {persona!r}")
        return self.persona(BuiltInMask(persona.removeprefix(MASK_PREFIX)))


def persona_of(face: ReferenceFace) -> Persona:
    """Return the persona of photos that were read, here or in another process.

    Raises:
        PersonaError: They were read by something else.
    """
    if isinstance(face, PhotoPersona):
        return face.persona
    if isinstance(face, PackedReference):
        return unpack_persona(face.data)
    raise PersonaError(f"a {type(face).__name__} is no persona")
