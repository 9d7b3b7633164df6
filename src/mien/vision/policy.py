"""Policy: which treatment each face gets. Strangers and doubt can never be shown."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

from mien.errors import PolicyError
from mien.vision.frame_analysis import Subjects
from mien.vision.types import Face


class NamedPersona(Protocol):
    """The face that a swap draws. A policy knows its name; whoever draws it checks that it can be drawn."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...


@dataclass(frozen=True, slots=True)
class Show:
    """Leave the face as it is."""

    name = "show"


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Make the face unrecognisable."""

    name = "mosaic"


@dataclass(frozen=True, slots=True)
class Swap:
    """Give the face the persona's face; where that cannot be done, a mosaic."""

    persona: NamedPersona
    name = "swap"


Treatment: TypeAlias = Show | Mosaic | Swap


@dataclass(frozen=True, slots=True)
class Policy:
    """Who gets which treatment.

    Attributes:
        strangers: For every face that is not cleared as somebody named in `people`. Never `Show`.
        people: For those who are surely recognised.
        primary: For one person, if given: the most prominent stranger when it began, known again by the embedding
            (`analysis.primary`). The other strangers get `strangers`. Never `Show`.

    Raises:
        PolicyError: A stranger would be shown.

    Example:
        >>> Policy(strangers=Show())
        Traceback (most recent call last):
        mien.errors.PolicyError: strangers cannot be shown: only an enrolled person can
    """

    strangers: Treatment = field(default_factory=Mosaic)
    people: Mapping[str, Treatment] = field(default_factory=dict)
    primary: Treatment | None = None

    def __post_init__(self) -> None:
        if isinstance(self.strangers, Show) or isinstance(self.primary, Show):
            raise PolicyError("strangers cannot be shown: only an enrolled person can")

    @property
    def subjects(self) -> Subjects:
        """Whom the analysis of a frame must tell apart from everybody else."""
        return Subjects(frozenset(self.people), primary=self.primary is not None)

    @property
    def needs_mesh(self) -> bool:
        """True where every face needs landmarks: a swap may be due to any of them, or a name."""
        return bool(self.people) or self.swaps

    @property
    def swaps(self) -> bool:
        """True where a persona is drawn over somebody."""
        return any(isinstance(t, Swap) for t in (self.strangers, self.primary, *self.people.values()))

    @property
    def needs_embedder(self) -> bool:
        """True where somebody must be known again."""
        return bool(self.people) or self.primary is not None

    @property
    def shows_anybody(self) -> bool:
        """True where some face may leave untreated."""
        return any(isinstance(treatment, Show) for treatment in self.people.values())

    def withholding(self, people: Collection[str]) -> "Policy":
        """Return the policy with a mosaic for some of the people, whatever they got."""
        return replace(self, people={**self.people, **dict.fromkeys(self.people.keys() & people, Mosaic())})

    def treatment(self, face: Face, *, primary_id: int | None) -> Treatment:
        """Return the treatment of `face`. A face not seen in this very frame is never shown.

        Args:
            face: A face of the frame.
            primary_id: The face track that surely is the person whom `primary` is for.
        """
        if face.identity is not None and face.identity in self.people:
            wanted = self.people[face.identity]
            if not isinstance(wanted, Show) or (face.seen and face.mesh is not None):
                return wanted
            return Mosaic()
        if self.primary is not None and face.face_track_id == primary_id:
            return self.primary
        return self.strangers
