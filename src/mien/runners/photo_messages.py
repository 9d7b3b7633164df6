"""What the web process and its photo workers say to each other, besides `messages.Failed`: a closed set as well."""

from dataclasses import dataclass
from typing import ClassVar

from mien.app.face_photos import LentFor
from mien.app.personas.file import MAX_PERSONA_BYTES
from mien.errors import PhotoFinding
from mien.runners.checks import MAX_PHOTOS, check_findings, need
from mien.runners.messages import MAX_FILE_BYTES, Message


@dataclass(frozen=True, slots=True)
class ReadPhotos(Message):
    """Read so many photos of one face, which follow, as a persona or to know somebody by."""

    kind: ClassVar = "read_photos"
    count: int
    use: LentFor = "swap"

    def __post_init__(self) -> None:
        need(0 < self.count <= MAX_PHOTOS, f"there are 1 to {MAX_PHOTOS} photos")


@dataclass(frozen=True, slots=True)
class Photo(Message):
    """One of them."""

    kind: ClassVar = "photo"
    max_body: ClassVar = MAX_FILE_BYTES
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class PhotosRead(Message):
    """What photos were read as, a persona or a person, packed, and what was found in each."""

    kind: ClassVar = "photos_read"
    max_body: ClassVar = MAX_PERSONA_BYTES
    findings: tuple[tuple[PhotoFinding, ...], ...]
    body: bytes = b""

    def __post_init__(self) -> None:
        check_findings(self.findings)
