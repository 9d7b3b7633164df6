"""The rules of a policy document: subjects, treatments, and which subject gets which treatment."""

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mien.vision.render.mosaic import MosaicShape, MosaicStyle

MAX_PERSON_ID_LENGTH: Final = 255
"""People in files are named by their photos' file names, which may be as long."""
MAX_PERSONA_ID_LENGTH: Final = 100
MASK_PREFIX: Final = "mask:"
REFERENCE_PREFIX: Final = "reference:"
WITHHELD_REFERENCE: Final = "reference"
"""Stands for a reference whose id is not for the reader: who knows the id may wear the face."""
PERSON_PREFIX: Final = "person:"
"""Ids of people who are registered with a server begin so."""


def _needs_kind(schema: dict[str, Any]) -> None:
    """Say in the JSON schema that a document names each kind, though Python code need not."""
    schema["properties"]["kind"].pop("default", None)
    schema["required"] = ["kind", *(name for name in schema.get("required", ()) if name != "kind")]


class Part(BaseModel):
    """A part of a document; it never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Kind(Part):
    """A part that is told from others by its `kind`."""

    model_config = ConfigDict(json_schema_extra=_needs_kind)


def _check_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable")
    return text


PersonId: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=MAX_PERSON_ID_LENGTH), AfterValidator(_check_printable)
]
PersonaId: TypeAlias = Annotated[
    str,
    Field(
        max_length=MAX_PERSONA_ID_LENGTH,
        pattern=r"^(mask:[A-Za-z0-9_-]+|reference(:[A-Za-z0-9_-]+)?)$",
        description="`mask:` and the name of a built-in mask, or `reference:` and the id of photos. `reference` alone "
        "stands for an id that is not given out; nothing can be swapped to it.",
    ),
]


# --- subjects ----------------------------------------------------------------------------------------------------


class PersonSubject(_Kind):
    """A person who is known by photos, once surely recognised."""

    kind: Literal["person"] = "person"
    id: PersonId = Field(description="The person's id.")


class PrimarySubject(_Kind):
    """One person: whoever is largest at first, of those that no rule for a person applies to."""

    kind: Literal["primary"] = "primary"


class EveryoneSubject(_Kind):
    """Everybody whom no earlier rule applies to."""

    kind: Literal["everyone"] = "everyone"


Subject: TypeAlias = Annotated[PersonSubject | PrimarySubject | EveryoneSubject, Field(discriminator="kind")]


# --- treatments --------------------------------------------------------------------------------------------------


class ShowTreatment(_Kind):
    """Leave the face as it is."""

    kind: Literal["show"] = "show"


class MosaicTreatment(_Kind):
    """Make the face unrecognisable."""

    kind: Literal["mosaic"] = "mosaic"
    style: MosaicStyle | None = Field(
        default=None,
        description="How the face is painted over; null is the policy's other mosaics' style, or the server's own.",
    )
    shape: MosaicShape | None = Field(
        default=None,
        description="How much is hidden: the face and a margin, or the head's oval with hair line and ears; null is "
        "the policy's other mosaics' shape, or the server's own.",
    )


class SwapTreatment(_Kind):
    """Draw a persona over the face; where that cannot be done, a mosaic."""

    kind: Literal["swap"] = "swap"
    persona: PersonaId
    face_shape: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="How far the face takes on the persona's face shape; null is the swapper's own choice.",
    )
    fallback: MosaicTreatment | None = Field(
        default=None, description="The mosaic where the persona cannot be drawn; null is like the policy's others."
    )


Treatment: TypeAlias = Annotated[ShowTreatment | MosaicTreatment | SwapTreatment, Field(discriminator="kind")]


class Rule(Part):
    """What one subject gets."""

    subject: Subject
    treatment: Treatment


def is_reference(persona: str) -> bool:
    """Tell whether a persona's id names photos, whether or not it is withheld."""
    return persona == WITHHELD_REFERENCE or persona.startswith(REFERENCE_PREFIX)
