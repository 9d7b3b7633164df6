"""Photos of faces as files and command lines name them: of people to recognise, and of the face to swap in."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from mien.app.policy.rules import MASK_PREFIX
from mien.errors import MediaError, PersonaError, PolicyError, TooManyPhotosError
from mien.media.files.images import MAX_IMAGE_PIXELS, decode_image, is_image_name
from mien.vision.types import Image

Use: TypeAlias = Literal["swap", "show", "recognise", "hide"]
LentFor: TypeAlias = Literal["swap", "show"]
"""What photos are lent to a server for: as a persona, or for the person to be known and, by a policy, shown."""
MASK_NAMES = ("volto", "marble", "painted")
MAX_PHOTO_BYTES = 64 * 2**20
MAX_PHOTOS_OF_A_PERSON = 100
MAX_PHOTOS_OF_A_PERSONA = 5
"""Each further one fills in less; five already show a face from every side."""


@dataclass(frozen=True, slots=True)
class FacePhoto:
    """A photo of one person's face. Two are equal when their files are.

    Attributes:
        name: What to call the photo in a sentence, usually its file name.
        sha256: Hex digest of the file's bytes.
        image: The upright picture.
    """

    name: str = field(compare=False)
    sha256: str
    image: Image = field(compare=False, repr=False)

    @classmethod
    def from_bytes(cls, data: bytes, *, name: str) -> "FacePhoto":
        """Decode a photo file's bytes.

        Raises:
            MediaError: The bytes are not a picture that can be used.
        """
        image = decode_image(data, name=name, max_pixels=MAX_IMAGE_PIXELS)
        return cls(name=name, sha256=hashlib.sha256(data).hexdigest(), image=image)

    @classmethod
    def read(cls, path: Path) -> "FacePhoto":
        """Read the photo at `path`.

        Raises:
            MediaError: There is no such file, or it is not a picture that can be used.
        """
        try:
            if path.exists() and not path.is_file():
                raise MediaError(f"photo {path} is not a plain file")
            size = path.stat().st_size
            if size > MAX_PHOTO_BYTES:
                raise MediaError(f"photo {path} has {size} bytes, at most {MAX_PHOTO_BYTES} are read")
            data = path.read_bytes()
        except OSError as error:
            raise MediaError(f"cannot read photo {path}: {error.strerror or error}") from error
        return cls.from_bytes(data, name=path.name)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody known by one photo or several."""

    name: str
    photos: tuple[FacePhoto, ...]

    def __post_init__(self) -> None:
        if not self.photos:
            raise PolicyError(f"{self.name!r} has no photo to be known by")

    @classmethod
    def read(cls, path: Path, *, name: str | None = None, at_most: int = MAX_PHOTOS_OF_A_PERSON) -> "Person":
        """Read one photo, or a folder in which every picture shows the same person.

        Without a `name` they are called as the file or folder.

        Raises:
            MediaError: A photo cannot be read.
            PolicyError: The folder holds no picture.
            TooManyPhotosError: It holds more than `at_most`.
        """
        if not path.is_dir():
            return cls(name=name or _printable(path.stem), photos=(FacePhoto.read(path),))
        paths = sorted(found for found in path.iterdir() if found.is_file() and is_image_name(found.name))
        if len(paths) > at_most:
            raise TooManyPhotosError(f"folder {path} holds {len(paths)} pictures, at most {at_most} are read")
        if not paths:
            raise PolicyError(f"folder {path} holds no picture to know anybody by")
        return cls(name=name or _printable(path.resolve().name), photos=tuple(FacePhoto.read(photo) for photo in paths))


@dataclass(frozen=True, slots=True)
class BuiltInMask:
    """A mask that mien draws itself; nobody's face, so nobody's consent."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in MASK_NAMES:
            known = ", ".join(MASK_PREFIX + name for name in MASK_NAMES)
            raise PersonaError(f"there is no mask {self.name!r}; there are {known}")


@dataclass(frozen=True, slots=True)
class Reference:
    """A photo and what it is used for: the thing that consent is asked for."""

    photo: FacePhoto
    use: Use


def read_persona(names: Sequence[str]) -> Person | BuiltInMask:
    """Return the mask that the one name stands for, or read the photos of one face that all of them do.

    Raises:
        PersonaError: There is no such mask.
        PolicyError: A mask is named beside something else, or a folder holds no picture.
        MediaError: A photo cannot be read.
        TooManyPhotosError: A folder holds more than are combined.
    """
    masks = [name for name in names if name.startswith(MASK_PREFIX)]
    if masks and len(names) > 1:
        raise PolicyError(f"{masks[0]} is a face of its own; it cannot be combined with {len(names) - 1} other")
    if masks:
        return BuiltInMask(masks[0].removeprefix(MASK_PREFIX))
    read = [Person.read(Path(name), at_most=MAX_PHOTOS_OF_A_PERSONA) for name in names]
    return Person(name=read[0].name, photos=photos_of(read))


def photos_of(people: Iterable[Person]) -> tuple[FacePhoto, ...]:
    """Return all photos of some people."""
    return tuple(photo for person in people for photo in person.photos)


def _printable(name: str) -> str:
    """Return a file's name as an id: what cannot be printed could not stand in a document."""
    return "".join(sign if sign.isprintable() else "_" for sign in name) or "_"
