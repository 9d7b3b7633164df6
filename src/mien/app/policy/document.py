"""The policy document, version 1: an ordered list of rules, each a subject and its treatment. The first match wins.

A rule for a person applies to a face that is surely recognised as that person. `primary` is the most prominent of all
faces that no rule for a person applies to. `everyone` is everybody else; without such a rule they get a mosaic, and so
does every face in doubt.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError, WrapValidator

from mien.app.policy.rules import (
    PERSON_PREFIX,
    WITHHELD_REFERENCE,
    EveryoneSubject,
    MosaicTreatment,
    Part,
    PersonSubject,
    PrimarySubject,
    Rule,
    ShowTreatment,
    SwapTreatment,
    Treatment,
    is_reference,
)
from mien.errors import (
    PolicyDuplicateError,
    PolicyFormatError,
    PolicyOrderError,
    PolicyShowError,
    PolicyTooLongError,
    PolicyUnsupportedError,
    PolicyVersionError,
    UnknownPersonError,
)
from mien.vision.render.mosaic import MosaicShape, MosaicStyle

POLICY_VERSION: Final = 1
MAX_RULES: Final = 128
_RANKS: Final = {"person": 0, "primary": 1, "everyone": 2}


def _describe_document(schema: dict[str, Any]) -> None:
    """Say in the JSON schema that a document names its version, and leave out what is for readers of the code."""
    schema["description"] = schema["description"].partition("\n\n")[0]
    schema["properties"]["version"].pop("default", None)
    schema["required"] = ["version"]


def _check_version(version: object) -> object:
    if type(version) is not int or version != POLICY_VERSION:
        raise PolicyVersionError(f"policies of version {POLICY_VERSION} are understood, got {version!r}"[:200])
    return version


def _checked(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return rules that do not contradict each other, with the implied last one.

    Raises:
        PolicyError: They do.
    """
    if len(rules) > MAX_RULES:
        raise PolicyTooLongError(f"a policy has at most {MAX_RULES} rules, got {len(rules)}")
    subjects = [rule.subject for rule in rules]
    for number, subject in enumerate(subjects, 1):
        if subject in subjects[: number - 1]:
            raise PolicyDuplicateError(f"rule {number} is the second one for {_name(subject)}")
    ranks = [_RANKS[subject.kind] for subject in subjects]
    for number in range(1, len(rules)):
        if ranks[number] < ranks[number - 1]:
            raise PolicyOrderError(
                f"rule {number + 1}, for {_name(subjects[number])}, comes after the one for "
                f"{_name(subjects[number - 1])}: people come first, then primary, then everyone"
            )
    for rule in rules:
        if isinstance(rule.treatment, ShowTreatment) and not isinstance(rule.subject, PersonSubject):
            raise PolicyShowError(f"{_name(rule.subject)} cannot be shown: only a known person can")
    if not ranks or ranks[-1] != _RANKS["everyone"]:
        rules = (*rules, Rule(subject=EveryoneSubject(), treatment=MosaicTreatment()))
    mosaics = _mosaics(rules)
    _only("style of mosaic", [mosaic.style for mosaic in mosaics])
    _only("shape of mosaic", [mosaic.shape for mosaic in mosaics])
    _only("face_shape", [rule.treatment.face_shape for rule in rules if isinstance(rule.treatment, SwapTreatment)])
    return rules


class PolicyDocument(Part):
    """Who gets which treatment: an ordered list of rules, the first match wins; a face in doubt gets a mosaic.

    Two documents are equal when their rules are. The rule for everyone is always there: a document that has none gets
    a mosaic for everyone.

    Raises:
        PolicyError: The rules contradict each other; each way has a class and a code of its own.

    Example:
        >>> policy = PolicyDocument.from_json('{"version": 1, "rules": []}')
        >>> policy.everyone
        MosaicTreatment(kind='mosaic', style=None, shape=None)
    """

    model_config = ConfigDict(json_schema_extra=_describe_document)

    version: Annotated[Literal[1], BeforeValidator(_check_version)] = Field(
        default=POLICY_VERSION, description="Version of this document's form."
    )
    rules: Annotated[tuple[Rule, ...], AfterValidator(_checked)] = Field(
        default=(),
        validate_default=True,
        description="The first whose subject a face is says what happens to it: people first, then primary, then "
        "everyone, each at most once. Without a rule for everyone the others get a mosaic.",
        json_schema_extra={"maxItems": MAX_RULES},  # refused with a code of its own
    )

    # --- as text ---------------------------------------------------------------------------------------------

    @classmethod
    def read(cls, data: object) -> Self:
        """Return the document that plain values (of JSON) stand for.

        Raises:
            PolicyFormatError: They are no document; it says where.
            PolicyVersionError: It is of an unknown version, or of none.
            PolicyError: Its rules contradict each other.
        """
        if isinstance(data, Mapping) and "version" not in data:
            raise PolicyVersionError(f"the policy does not say its version; {POLICY_VERSION} is understood")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise PolicyFormatError(_faults(error)) from error

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the document that JSON text holds.

        Raises:
            PolicyFormatError: It is no JSON, or no document.
            PolicyVersionError: It is of an unknown version, or of none.
            PolicyError: Its rules contradict each other.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PolicyFormatError(f"a policy is a JSON document: {error}") from error
        return cls.read(data)

    def to_json(self) -> str:
        """Return the canonical JSON text: equal documents give equal texts."""
        plain = self.model_dump(mode="json", exclude_none=True)
        return json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON text, in hex."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    # --- what it says ----------------------------------------------------------------------------------------

    @property
    def everyone(self) -> Treatment:
        """The treatment of everybody whom no other rule applies to."""
        return self.rules[-1].treatment

    @property
    def primary(self) -> Treatment | None:
        """The treatment of the primary person; None where there is no such rule."""
        return next((rule.treatment for rule in self.rules if isinstance(rule.subject, PrimarySubject)), None)

    @property
    def people(self) -> dict[str, Treatment]:
        """The treatments of known people, by their ids."""
        return {rule.subject.id: rule.treatment for rule in self.rules if isinstance(rule.subject, PersonSubject)}

    @property
    def personas(self) -> tuple[str, ...]:
        """The ids of all personas that are swapped in, each once."""
        return tuple(dict.fromkeys(swap.persona for swap in self._swaps))

    @property
    def lent(self) -> tuple[str, ...]:
        """The ids of all references and people that it names: what must be there for it to be followed."""
        return (*filter(is_reference, self.personas), *self.people)

    @property
    def treatments(self) -> tuple[str, ...]:
        """The kinds of treatment in use, each once."""
        return tuple(dict.fromkeys(rule.treatment.kind for rule in self.rules))

    @property
    def swaps(self) -> bool:
        """True where somebody gets a persona."""
        return bool(self._swaps)

    @property
    def mosaic(self) -> MosaicTreatment:
        """How every mosaic looks; what no rule says is None."""
        mosaics = _mosaics(self.rules)
        return MosaicTreatment(
            style=_only("style of mosaic", [mosaic.style for mosaic in mosaics]),
            shape=_only("shape of mosaic", [mosaic.shape for mosaic in mosaics]),
        )

    @property
    def face_shape(self) -> float | None:
        """How far every swap takes on its persona's face shape; None where no rule says so."""
        face_shape: float | None = _only("face_shape", [swap.face_shape for swap in self._swaps])
        return face_shape

    @property
    def _swaps(self) -> tuple[SwapTreatment, ...]:
        return tuple(rule.treatment for rule in self.rules if isinstance(rule.treatment, SwapTreatment))

    def check_people(self, known: Iterable[str]) -> None:
        """Refuse a rule for somebody who is not known.

        Raises:
            UnknownPersonError: There is one.
        """
        unknown = sorted(self.people.keys() - set(known))
        if unknown:
            raise UnknownPersonError(
                f"the policy names {', '.join(unknown)}, whom nobody knows here", people=tuple(unknown)
            )

    # --- made from it ----------------------------------------------------------------------------------------

    def completed(self, style: MosaicStyle, shape: MosaicShape) -> Self:
        """Return the document with every mosaic spelt out; `style` and `shape` are for what no rule says."""
        said = self.mosaic
        mosaic = MosaicTreatment(style=said.style or style, shape=said.shape or shape)

        def spelt_out(treatment: Treatment) -> Treatment:
            if isinstance(treatment, MosaicTreatment):
                return mosaic
            if isinstance(treatment, SwapTreatment):
                return treatment.model_copy(update={"fallback": mosaic})
            return treatment

        return self._with(spelt_out)

    def without_swaps(self, persona: str | None = None) -> Self:
        """Return the document with the fallback in place of every swap, or of those to `persona`, simplified."""

        def hidden(treatment: Treatment) -> Treatment:
            if isinstance(treatment, SwapTreatment) and persona in {None, treatment.persona}:
                return treatment.fallback or MosaicTreatment()
            return treatment

        return self._with(hidden).simplified()

    def without_person(self, person: str) -> Self:
        """Return the document without the rule for a person: they get what everybody else gets."""
        return type(self)(rules=tuple(rule for rule in self.rules if rule.subject != PersonSubject(id=person)))

    def simplified(self) -> Self:
        """Return the document without the rules that change nothing: nobody need be told apart for their sake."""
        rules = self.rules
        if self.primary == self.everyone:
            rules = tuple(rule for rule in rules if not isinstance(rule.subject, PrimarySubject))
        if not any(isinstance(rule.subject, PrimarySubject) for rule in rules):
            rules = (*(rule for rule in rules[:-1] if rule.treatment != self.everyone), rules[-1])
        return type(self)(rules=rules)

    def with_personas(self, names: Mapping[str, str]) -> Self:
        """Return the document with personas called by other ids."""

        def renamed(treatment: Treatment) -> Treatment:
            if isinstance(treatment, SwapTreatment):
                return treatment.model_copy(update={"persona": names.get(treatment.persona, treatment.persona)})
            return treatment

        return self._with(renamed)

    def with_people(self, names: Mapping[str, str]) -> Self:
        """Return the document with people called by other ids.

        Raises:
            PolicyDuplicateError: Two would have the same.
        """

        def renamed(rule: Rule) -> Rule:
            if not isinstance(rule.subject, PersonSubject):
                return rule
            known = rule.subject.id
            return Rule(subject=PersonSubject(id=names.get(known, known)), treatment=rule.treatment)

        return type(self)(rules=tuple(map(renamed, self.rules)))

    def withheld(self) -> Self:
        """Return the document as everybody may see it: ids of photos are keys, and those of people are theirs.

        Who knows the id of a reference may wear the face, and who knows a person's may look for them.
        """
        people = {person: f"{PERSON_PREFIX}{number}" for number, person in enumerate(self.people, 1)}
        personas = {name: WITHHELD_REFERENCE for name in self.personas if is_reference(name)}
        return self.with_people(people).with_personas(personas)

    def _with(self, change: Callable[[Treatment], Treatment]) -> Self:
        rules = tuple(Rule(subject=rule.subject, treatment=change(rule.treatment)) for rule in self.rules)
        return type(self)(rules=rules)


def _refusing_with_codes(data: object, _handler: object) -> PolicyDocument:
    return data if isinstance(data, PolicyDocument) else PolicyDocument.read(data)


PolicyIn: TypeAlias = Annotated[PolicyDocument, WrapValidator(_refusing_with_codes)]
"""A document as a field of a request: what is wrong with it has a code of its own, unlike with other fields."""


def policy_of(*, everyone: Treatment | None = None, primary: Treatment | None = None) -> PolicyDocument:
    """Return a document without rules for people."""
    rules = [] if primary is None else [Rule(subject=PrimarySubject(), treatment=primary)]
    if everyone is not None:
        rules.append(Rule(subject=EveryoneSubject(), treatment=everyone))
    return PolicyDocument(rules=tuple(rules))


def _name(subject: PersonSubject | PrimarySubject | EveryoneSubject) -> str:
    return repr(subject.id) if isinstance(subject, PersonSubject) else subject.kind


def _mosaics(rules: tuple[Rule, ...]) -> list[MosaicTreatment]:
    found = [rule.treatment.fallback if isinstance(rule.treatment, SwapTreatment) else rule.treatment for rule in rules]
    return [mosaic for mosaic in found if isinstance(mosaic, MosaicTreatment)]


def _only(what: str, values: list[Any]) -> Any:
    """Return the one value that is not None, or None.

    Raises:
        PolicyUnsupportedError: There are several: a stream is drawn with one.
    """
    known = list(dict.fromkeys(value for value in values if value is not None))
    if len(known) > 1:
        raise PolicyUnsupportedError(f"a policy has one {what} as yet, got {', '.join(map(str, known))}")
    return known[0] if known else None


def _faults(error: ValidationError) -> str:
    """Say where a document does not fit, without its values."""
    faults = [f"{'.'.join(map(str, fault['loc'])) or 'the policy'}: {fault['msg']}" for fault in error.errors()]
    return "; ".join(faults[:5])
