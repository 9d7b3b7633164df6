"""Reads photos of a person into what they are known by. Files and live streams know people by this one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mien.app.face_photos import Person
from mien.app.models import ModelProvider
from mien.app.people.file import PackedPerson, unpack_person
from mien.app.photos.advice import SPOILS_RECOGNITION
from mien.app.photos.assessor import FacePhotoAssessor
from mien.app.photos.reading import decoded, ordinals, refuse_strangers, refuse_unfit
from mien.app.ports import ReferenceFace
from mien.errors import FacePhotoError, PhotoFinding, UnknownPersonError
from mien.vision.photos.quality import PhotoIssue
from mien.vision.types import Embedding, Image, Mesh

_TOLD: Final = SPOILS_RECOGNITION | {PhotoIssue.OTHER_PERSON}
"""People may wear glasses and smile: of their photos only this is said."""


@dataclass(frozen=True, slots=True)
class PhotoPerson:
    """Photos that were read to know somebody by (the port `ReferenceFace`).

    Attributes:
        templates: What faces are compared with.
        findings: What was found in each photo.
    """

    templates: tuple[Embedding, ...]
    findings: tuple[tuple[PhotoFinding, ...], ...] = ()


class PersonReader:
    """Reads photos of people. Safe to use from any thread.

    Args:
        models: The networks.
        assessor: Looks at photos.
        photo_pixels: Photos of people to be registered that have more are refused.
    """

    def __init__(self, models: ModelProvider, assessor: FacePhotoAssessor, *, photo_pixels: int) -> None:
        self._models, self._assessor = models, assessor
        self._photo_pixels = photo_pixels

    def read(self, photos: Sequence[bytes]) -> PhotoPerson:
        """Read photo files of one person who is to be registered.

        Raises:
            MediaError: One is not a picture that can be used.
            FacePhotoError: One does not show a face well enough, or they show different people; what was found in each
                is in it.
        """
        names = ordinals(len(photos))
        findings: list[tuple[PhotoFinding, ...]] = []
        templates: list[Embedding] = []
        for image in decoded(photos, names, max_pixels=self._photo_pixels):
            found, face = self._assessor.assess(image)
            findings.append(tuple(finding for finding in found if finding.code in _TOLD))
            if face is not None:
                templates += self._templates(image, face.mesh)
        refuse_unfit(findings, names)
        refuse_strangers(templates, findings, names)
        return PhotoPerson(tuple(templates), tuple(findings))

    def templates(self, person: Person) -> list[Embedding]:
        """Return what a person in files is known by; every photo must show one face.

        Raises:
            FacePhotoError: One does not.
        """
        templates = []
        for photo in person.photos:
            try:
                face = self._assessor.one_face(photo.image, name=photo.name)
            except FacePhotoError as error:
                raise type(error)(f"{person.name}: {error}") from error
            templates += self._templates(photo.image, face.mesh)
        return templates

    def _templates(self, image: Image, mesh: Mesh) -> list[Embedding]:
        return [self._models.embedder(image, mesh)]


def templates_of(face: ReferenceFace) -> Sequence[Embedding]:
    """Return what a registered person is known by, read here or in another process.

    Raises:
        UnknownPersonError: They were read by something else.
        MienError: What came from another process is malformed.
    """
    if isinstance(face, PhotoPerson):
        return face.templates
    if isinstance(face, PackedPerson):
        return unpack_person(face.data)
    raise UnknownPersonError(f"a {type(face).__name__} is nobody to be known")
