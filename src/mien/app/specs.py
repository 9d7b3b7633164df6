"""What somebody asks for, before any pixel is seen: who is swapped, who is shown, who is hidden."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, TypeAlias

from mien.errors import MediaError, PersonaError, PolicyError, TooManyPhotosError
from mien.media.files.images import MAX_IMAGE_PIXELS, decode_image, is_image_name
from mien.vision.render.mosaic import MosaicShape, MosaicStyle
from mien.vision.types import Image

LabelLanguage: TypeAlias = Literal["en", "ko", "both"]
MASK_PREFIX = "mask:"
MASK_NAMES = ("volto", "marble", "painted")
MAX_DELAY_FRAMES = 30
"""A second of video at the usual rate; at 4K such a delay line already holds 750 MB."""
MAX_PHOTO_BYTES = 64 * 2**20
MAX_PHOTOS_OF_A_PERSON = 100
MAX_PHOTOS_OF_A_PERSONA = 5
"""Each further one fills in less; five already show a face from every side."""


class SwapScope(StrEnum):
    """Whose face becomes the persona."""

    NOBODY = "nobody"
    EVERYBODY = "everybody"
    MOST_PROMINENT = "most_prominent"
    RECOGNISED = "recognised"


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
    def read(cls, path: Path, *, at_most: int = MAX_PHOTOS_OF_A_PERSON) -> "Person":
        """Read one photo, or a folder in which every picture shows the same person.

        Raises:
            MediaError: A photo cannot be read.
            PolicyError: The folder holds no picture.
            TooManyPhotosError: It holds more than `at_most`.
        """
        if not path.is_dir():
            return cls(name=path.stem, photos=(FacePhoto.read(path),))
        paths = sorted(found for found in path.iterdir() if found.is_file() and is_image_name(found.name))
        if len(paths) > at_most:
            raise TooManyPhotosError(f"folder {path} holds {len(paths)} pictures, at most {at_most} are read")
        if not paths:
            raise PolicyError(f"folder {path} holds no picture to know anybody by")
        return cls(name=path.resolve().name, photos=tuple(FacePhoto.read(photo) for photo in paths))


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
    use: Literal["swap", "show", "recognise"]


@dataclass(frozen=True, slots=True)
class TreatmentSpec:
    """The treatments asked for; contradictions cannot be constructed.

    Whoever is in doubt gets a mosaic, whatever is wished.

    Attributes:
        mosaic: Hide everybody whom no other wish names.
        swap_to: The face to swap in: a mask, one photo, or a person with up to `MAX_PHOTOS_OF_A_PERSONA`; or None.
        show: People to leave as they are once surely recognised.
        swap_only: The only people to swap; everybody else gets a mosaic. Empty means `swap_scope` decides.
        shape: How far the swap takes on the reference's face shape, 0 to 1; None is the swapper's own choice.
        delay_frames: Length of the delay line; None lets the pipeline choose what the wishes need.
        label: Language of the label.
        mosaic_style: How hidden faces are painted over.
        mosaic_shape: How much of a head is hidden.

    Raises:
        PolicyError: Nothing is wished for, or the wishes contradict each other.
        TooManyPhotosError: There are more photos of the face to swap in than are combined.

    Example:
        >>> TreatmentSpec(swap_to=BuiltInMask("volto"), mosaic=True).swap_scope
        <SwapScope.MOST_PROMINENT: 'most_prominent'>
    """

    mosaic: bool = False
    swap_to: FacePhoto | Person | BuiltInMask | None = None
    show: tuple[Person, ...] = ()
    swap_only: tuple[Person, ...] = ()
    shape: float | None = None
    delay_frames: int | None = None
    label: LabelLanguage = "both"
    mosaic_style: MosaicStyle = MosaicStyle.CELLS
    mosaic_shape: MosaicShape = MosaicShape.BOX

    def __post_init__(self) -> None:
        if not (self.mosaic or self.swap_to or self.show or self.swap_only):
            raise PolicyError(
                "nothing to do: choose mosaic (hide everybody), swap-to (a photo or mask:volto, mask:marble, "
                "mask:painted), show (leave these people as they are, hide the rest), or a combination"
            )
        if self.swap_only and self.swap_to is None:
            raise PolicyError("swap-only names whom to swap, but swap-to does not say into what")
        if self.shape is not None and self.swap_to is None:
            raise PolicyError("shape belongs to a swap, but there is no swap-to")
        if self.shape is not None and not 0 <= self.shape <= 1:
            raise PolicyError(f"shape must be between 0 and 1, got {self.shape}")
        if self.delay_frames is not None and not 0 <= self.delay_frames <= MAX_DELAY_FRAMES:
            raise PolicyError(f"delay must be 0 to {MAX_DELAY_FRAMES} frames, got {self.delay_frames}")
        if self.label not in {"en", "ko", "both"}:
            raise PolicyError(f"label must be en, ko or both, got {self.label!r}")
        check_mosaic(self.mosaic_style, self.mosaic_shape)
        if len(self.swap_photos) > MAX_PHOTOS_OF_A_PERSONA:
            count = len(self.swap_photos)
            raise TooManyPhotosError(f"at most {MAX_PHOTOS_OF_A_PERSONA} photos of a face are combined, got {count}")
        shown = _photos(self.show)
        for photo in _photos(self.swap_only):
            if photo in shown:
                raise PolicyError(f"{photo.name} is named both to be shown and to be swapped")
        names = [person.name for person in (*self.show, *self.swap_only)]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise PolicyError(f"two people have the same name: {', '.join(sorted(twice))}; rename their photos")

    @property
    def swap_scope(self) -> SwapScope:
        """Whose face becomes the persona, of those who are not to be shown."""
        if self.swap_to is None:
            return SwapScope.NOBODY
        if self.swap_only:
            return SwapScope.RECOGNISED
        return SwapScope.MOST_PROMINENT if self.mosaic else SwapScope.EVERYBODY

    @property
    def swap_photos(self) -> tuple[FacePhoto, ...]:
        """The photos of the face to swap in; none where it is a mask."""
        match self.swap_to:
            case FacePhoto() as photo:
                return (photo,)
            case Person(photos=photos):
                return photos
            case _:
                return ()

    @property
    def references(self) -> tuple[Reference, ...]:
        """Every photo in use and what for, each pair once."""
        uses = [Reference(photo, "swap") for photo in self.swap_photos]
        uses += [Reference(photo, "show") for photo in _photos(self.show)]
        uses += [Reference(photo, "recognise") for photo in _photos(self.swap_only)]
        return tuple(dict.fromkeys(uses))


def read_spec(
    *,
    mosaic: bool = False,
    swap_to: Sequence[str] = (),
    show: Sequence[Path] = (),
    swap_only: Sequence[Path] = (),
    shape: float | None = None,
    delay_frames: int | None = None,
    label: LabelLanguage = "both",
    mosaic_style: str = MosaicStyle.CELLS,
    mosaic_shape: str = MosaicShape.BOX,
) -> TreatmentSpec:
    """Turn what a command line says into wishes, reading every photo it names.

    Args:
        mosaic: As in `TreatmentSpec`.
        swap_to: `mask:` and a mask's name, or paths of photos of one face and of folders of them.
        show: One path per person: a photo, or a folder of photos.
        swap_only: As `show`.
        shape: As in `TreatmentSpec`.
        delay_frames: As in `TreatmentSpec`.
        label: As in `TreatmentSpec`.
        mosaic_style: As in `TreatmentSpec`.
        mosaic_shape: As in `TreatmentSpec`.

    Raises:
        PolicyError: Nothing is wished for, or the wishes contradict each other.
        PersonaError: There is no such mask.
        MediaError: A photo cannot be read.
        TooManyPhotosError: There are more photos of a face than are read.
    """
    check_mosaic(mosaic_style, mosaic_shape)
    return TreatmentSpec(
        mosaic=mosaic,
        swap_to=read_persona(swap_to) if swap_to else None,
        show=tuple(_people(show)),
        swap_only=tuple(_people(swap_only)),
        shape=shape,
        delay_frames=delay_frames,
        label=label,
        mosaic_style=MosaicStyle(mosaic_style),
        mosaic_shape=MosaicShape(mosaic_shape),
    )


def check_mosaic(style: str, shape: str) -> None:
    """Refuse a mosaic that there is not.

    Raises:
        PolicyError: No such style or shape.
    """
    for what, name, known in (("style", style, MosaicStyle), ("shape", shape, MosaicShape)):
        if name not in list(known):
            raise PolicyError(f"mosaic {what} must be one of {', '.join(known)}, got {name!r}")


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
    return Person(name=read[0].name, photos=_photos(read))


def _people(paths: Iterable[Path]) -> Iterator[Person]:
    return (Person.read(path) for path in paths)


def _photos(people: Iterable[Person]) -> tuple[FacePhoto, ...]:
    return tuple(photo for person in people for photo in person.photos)
