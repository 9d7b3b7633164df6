"""From the options of a command line, or a policy document in a file, to what is asked of a file."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mien.app.face_photos import MAX_PHOTOS_OF_A_PERSONA, BuiltInMask, FacePhoto, Person, photos_of, read_persona
from mien.app.files.spec import FileSpec, LabelLanguage, names_of
from mien.app.policy.document import PolicyDocument
from mien.app.policy.rules import (
    MASK_PREFIX,
    REFERENCE_PREFIX,
    EveryoneSubject,
    MosaicTreatment,
    PersonSubject,
    PrimarySubject,
    Rule,
    ShowTreatment,
    SwapTreatment,
    Treatment,
)
from mien.errors import PolicyError, PolicyFormatError, PolicyTooLongError
from mien.vision.render.mosaic import MosaicShape, MosaicStyle

PHOTO_PERSONA = REFERENCE_PREFIX + "photo"
"""What a policy made of options calls the photos to swap to."""
MAX_POLICY_BYTES = 2**20
_NOTHING_TO_DO = (
    "nothing to do: choose mosaic (hide everybody), swap-to (a photo or mask:volto, mask:marble, mask:painted), "
    "show (leave these people as they are, hide the rest), or a combination"
)


def file_spec(
    *,
    mosaic: bool = False,
    swap_to: FacePhoto | Person | BuiltInMask | None = None,
    show: Sequence[Person] = (),
    swap_only: Sequence[Person] = (),
    shape: float | None = None,
    mosaic_style: str | None = None,
    mosaic_shape: str | None = None,
    delay_frames: int | None = None,
    label: LabelLanguage = "both",
) -> FileSpec:
    """Return the policy of the short options that command lines have, with what belongs to it.

    Args:
        mosaic: Hide everybody whom no other option names.
        swap_to: The face to swap in: a mask, one photo, or a person with up to `MAX_PHOTOS_OF_A_PERSONA`; or None.
        show: People to leave as they are once surely recognised.
        swap_only: The only people to swap; everybody else gets a mosaic.
        shape: How far the swap takes on the persona's face shape, 0 to 1.
        mosaic_style: How hidden faces are painted over.
        mosaic_shape: How much of a head is hidden.
        delay_frames: As in `FileSpec`.
        label: As in `FileSpec`.

    Raises:
        PolicyError: Nothing is asked for, or the options contradict each other.
        TooManyPhotosError: There are more photos of the face to swap in than are combined.

    Example:
        >>> file_spec(swap_to=BuiltInMask("volto"), mosaic=True).policy.primary.persona
        'mask:volto'
    """
    if not (mosaic or swap_to or show or swap_only):
        raise PolicyError(_NOTHING_TO_DO)
    _check_swap(swap_to, swap_only, shape)
    people = (*show, *swap_only)
    names_of(people)
    hidden = _mosaic(mosaic_style, mosaic_shape)
    rules = [_rule(person, ShowTreatment()) for person in show]
    everyone: Treatment = hidden
    if swap_to is not None:
        everyone = _swap(swap_to, shape, hidden)
    if swap_to is not None and (swap_only or mosaic):
        rules += _rules_of_some(swap_only, everyone)
        everyone = hidden
    rules.append(Rule(subject=EveryoneSubject(), treatment=everyone))
    return FileSpec(PolicyDocument(rules=tuple(rules)), people, _personas(swap_to), delay_frames, label)


def _check_swap(
    swap_to: FacePhoto | Person | BuiltInMask | None, swap_only: Sequence[Person], shape: float | None
) -> None:
    if swap_only and swap_to is None:
        raise PolicyError("swap-only names whom to swap, but swap-to does not say into what")
    if shape is not None and swap_to is None:
        raise PolicyError("shape belongs to a swap, but there is no swap-to")
    if shape is not None and not 0 <= shape <= 1:
        raise PolicyError(f"shape must be between 0 and 1, got {shape}")


def _rules_of_some(people: Sequence[Person], swap: Treatment) -> list[Rule]:
    """Return the rules that swap some: these people, or whoever is primary where nobody is named."""
    return [_rule(person, swap) for person in people] or [Rule(subject=PrimarySubject(), treatment=swap)]


def _swap(swap_to: FacePhoto | Person | BuiltInMask, shape: float | None, hidden: MosaicTreatment) -> SwapTreatment:
    persona = MASK_PREFIX + swap_to.name if isinstance(swap_to, BuiltInMask) else PHOTO_PERSONA
    return SwapTreatment(persona=persona, face_shape=shape, fallback=hidden)


def _personas(swap_to: FacePhoto | Person | BuiltInMask | None) -> dict[str, Person]:
    match swap_to:
        case FacePhoto() as photo:
            return {PHOTO_PERSONA: Person(photo.name, (photo,))}
        case Person() as person:
            return {PHOTO_PERSONA: person}
        case _:
            return {}


def read_options(
    *,
    mosaic: bool = False,
    swap_to: Sequence[str] = (),
    show: Sequence[Path] = (),
    swap_only: Sequence[Path] = (),
    shape: float | None = None,
    mosaic_style: str | None = None,
    mosaic_shape: str | None = None,
    delay_frames: int | None = None,
    label: LabelLanguage = "both",
) -> FileSpec:
    """Return what the short options of a command line mean, reading every photo they name.

    Args:
        mosaic: As in `file_spec`.
        swap_to: `mask:` and a mask's name, or paths of photos of one face and of folders of them.
        show: One path per person: a photo, or a folder of photos.
        swap_only: As `show`.
        shape: As in `file_spec`.
        mosaic_style: As in `file_spec`.
        mosaic_shape: As in `file_spec`.
        delay_frames: As in `FileSpec`.
        label: As in `FileSpec`.

    Raises:
        PolicyError: Nothing is asked for, or the options contradict each other.
        PersonaError: There is no such mask.
        MediaError: A photo cannot be read.
        TooManyPhotosError: There are more photos of a face than are read.
    """
    return file_spec(
        mosaic=mosaic,
        swap_to=read_persona(swap_to) if swap_to else None,
        show=tuple(_people(show)),
        swap_only=tuple(_people(swap_only)),
        shape=shape,
        mosaic_style=mosaic_style,
        mosaic_shape=mosaic_shape,
        delay_frames=delay_frames,
        label=label,
    )


def read_policy(
    path: Path,
    *,
    people: Sequence[str] = (),
    references: Sequence[str] = (),
    mosaic_style: str,
    mosaic_shape: str,
    delay_frames: int | None = None,
    label: LabelLanguage = "both",
) -> FileSpec:
    """Return what a policy document in a file means for a file, reading every photo that is named beside it.

    Args:
        path: The document.
        people: For each person that it names: the id, "=", and the path of a photo or of a folder of them.
        references: For each `reference:ID` that it swaps to: the id, "=", and such a path; several for one id are
            photos of one face.
        mosaic_style: How faces are painted over where the document does not say.
        mosaic_shape: How much of a head is hidden where it does not say.
        delay_frames: As in `FileSpec`.
        label: As in `FileSpec`.

    Raises:
        PolicyError: It is no policy, or what is named beside it does not belong to it.
        PersonaError: It swaps to photos that are not given, or to a mask that there is not.
        MediaError: A photo cannot be read.
        TooManyPhotosError: There are more photos of a face than are read.
    """
    check_mosaic(mosaic_style, mosaic_shape)
    policy = _read_document(path).completed(MosaicStyle(mosaic_style), MosaicShape(mosaic_shape))
    for persona in policy.personas:
        if persona.startswith(MASK_PREFIX):
            BuiltInMask(persona.removeprefix(MASK_PREFIX))
    known = tuple(Person.read(found, name=name) for name, found in map(_named_path, people))
    faces: dict[str, list[Person]] = {}
    for name, found in map(_named_path, references):
        faces.setdefault(REFERENCE_PREFIX + name, []).append(Person.read(found, at_most=MAX_PHOTOS_OF_A_PERSONA))
    personas = {name: Person(read[0].name, photos_of(read)) for name, read in faces.items()}
    return FileSpec(policy, known, personas, delay_frames, label)


def _read_document(path: Path) -> PolicyDocument:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_POLICY_BYTES + 1)
    except OSError as error:
        raise PolicyFormatError(f"cannot read policy {path}: {error.strerror or error}") from error
    if len(text) > MAX_POLICY_BYTES:
        raise PolicyTooLongError(f"a policy has at most {MAX_POLICY_BYTES} bytes, {path} has more")
    return PolicyDocument.from_json(text)


def _named_path(option: str) -> tuple[str, Path]:
    name, equals, path = option.partition("=")
    if not (name and equals and path):
        raise PolicyError(f"a person or reference is given as ID=PATH, got {option!r}")
    return name, Path(path)


def _rule(person: Person, treatment: Treatment) -> Rule:
    return Rule(subject=PersonSubject(id=person.name), treatment=treatment)


def _mosaic(style: str | None, shape: str | None) -> MosaicTreatment:
    check_mosaic(style or MosaicStyle.CELLS, shape or MosaicShape.BOX)
    return MosaicTreatment(
        style=None if style is None else MosaicStyle(style), shape=None if shape is None else MosaicShape(shape)
    )


def check_mosaic(style: str, shape: str) -> None:
    """Refuse a mosaic that there is not.

    Raises:
        PolicyError: No such style or shape.
    """
    for what, name, known in (("style", style, MosaicStyle), ("shape", shape, MosaicShape)):
        if name not in list(known):
            raise PolicyError(f"mosaic {what} must be one of {', '.join(known)}, got {name!r}")


def _people(paths: Iterable[Path]) -> Iterator[Person]:
    return (Person.read(path) for path in paths)
