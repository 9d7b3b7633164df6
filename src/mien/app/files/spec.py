"""What is asked of a file, before any pixel is seen: a policy, and the photos of the people and personas in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from mien.app.face_photos import (
    MAX_PHOTOS_OF_A_PERSONA,
    FacePhoto,
    Person,
    Reference,
    Use,
    photos_of,
)
from mien.app.policy.document import PolicyDocument
from mien.app.policy.rules import Treatment, is_reference
from mien.errors import (
    PersonaError,
    PolicyError,
    TooManyPhotosError,
)

LabelLanguage: TypeAlias = Literal["en", "ko", "both"]
MAX_DELAY_FRAMES = 30
"""A second of video at the usual rate; at 4K such a delay line already holds 750 MB."""


@dataclass(frozen=True, slots=True)
class FileSpec:
    """How a file is treated; contradictions cannot be constructed.

    Attributes:
        policy: Who gets which treatment.
        people: The people that the policy names; its ids are their names.
        personas: The photos that the policy swaps to, by the ids in it.
        delay_frames: Length of the delay line; None lets the pipeline choose what the policy needs.
        label: Language of the label.

    Raises:
        PolicyError: It contradicts itself, or somebody is given whom the policy does not name.
        UnknownPersonError: The policy names a person who is not given.
        PersonaError: The policy names photos that are not given.
        TooManyPhotosError: There are more photos of a face to swap in than are combined.

    Example:
        >>> FileSpec(PolicyDocument()).references
        ()
    """

    policy: PolicyDocument
    people: tuple[Person, ...] = ()
    personas: Mapping[str, Person] = field(default_factory=dict)
    delay_frames: int | None = None
    label: LabelLanguage = "both"

    def __post_init__(self) -> None:
        if self.delay_frames is not None and not 0 <= self.delay_frames <= MAX_DELAY_FRAMES:
            raise PolicyError(f"delay must be 0 to {MAX_DELAY_FRAMES} frames, got {self.delay_frames}")
        if self.label not in {"en", "ko", "both"}:
            raise PolicyError(f"label must be en, ko or both, got {self.label!r}")
        self._check_people()
        self._check_personas()

    def _check_people(self) -> None:
        names = names_of(self.people)
        self.policy.check_people(names)
        idle = sorted(set(names) - self.policy.people.keys())
        if idle:
            raise PolicyError(f"the policy has no rule for {', '.join(idle)}")
        treated: dict[str, Treatment] = {}
        for person in self.people:
            treatment = self.policy.people[person.name]
            for photo in person.photos:
                if treated.setdefault(photo.sha256, treatment) != treatment:
                    both = " and to be ".join(sorted(_DONE[t.kind] for t in (treated[photo.sha256], treatment)))
                    raise PolicyError(f"{photo.name} is named both to be {both}")

    def _check_personas(self) -> None:
        wanted = {persona for persona in self.policy.personas if is_reference(persona)}
        unknown = sorted(wanted - self.personas.keys())
        if unknown:
            raise PersonaError(f"the policy swaps to {', '.join(unknown)}, whose photos are not given")
        idle = sorted(self.personas.keys() - wanted)
        if idle:
            raise PolicyError(f"the policy swaps nobody to {', '.join(idle)}")
        for person in self.personas.values():
            if len(person.photos) > MAX_PHOTOS_OF_A_PERSONA:
                count = len(person.photos)
                raise TooManyPhotosError(
                    f"at most {MAX_PHOTOS_OF_A_PERSONA} photos of a face are combined, got {count}"
                )

    @property
    def recognised(self) -> tuple[Person, ...]:
        """Those who must be told from others: all, where anybody's rule makes a difference, and nobody otherwise.

        Whoever is to be hidden is compared with, too: then they are less easily taken for somebody who is shown.
        """
        return self.people if self.policy.simplified().people else ()

    @property
    def swap_photos(self) -> tuple[FacePhoto, ...]:
        """The photos of the faces to swap in."""
        return photos_of(self.personas.values())

    @property
    def references(self) -> tuple[Reference, ...]:
        """Every photo in use and what for, each pair once."""
        uses = [Reference(photo, "swap") for photo in self.swap_photos]
        for person in self.people:
            use = _USES[self.policy.people[person.name].kind]
            uses += [Reference(photo, use) for photo in person.photos]
        return tuple(dict.fromkeys(uses))


_DONE: Final = {"show": "shown", "swap": "swapped", "mosaic": "hidden"}
_USES: Final[Mapping[str, Use]] = {"show": "show", "swap": "recognise", "mosaic": "hide"}


def names_of(people: Iterable[Person]) -> list[str]:
    """Return what people are called.

    Raises:
        PolicyError: Two have the same name.
    """
    names = [person.name for person in people]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise PolicyError(f"two people have the same name: {', '.join(sorted(twice))}; rename their photos")
    return names
