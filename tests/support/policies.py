"""Policies that tests and benchmarks ask for, as documents and as they go over HTTP."""

from typing import Any

from mien.app.personas.file import PackedReference
from mien.app.policy.document import PolicyDocument, policy_of
from mien.app.policy.rules import (
    EveryoneSubject,
    MosaicTreatment,
    PersonSubject,
    PrimarySubject,
    Rule,
    ShowTreatment,
    SwapTreatment,
    Treatment,
)
from mien.app.ports import StreamSpec
from mien.vision.render.mosaic import MosaicShape, MosaicStyle


def hiding(style: str | None = None, shape: str | None = None) -> PolicyDocument:
    """Return the policy that hides everybody."""
    return policy_of(everyone=_mosaic(style, shape))


def swapping(
    persona: str = "mask:volto", *, everyone: bool = False, style: str | None = None, shape: str | None = None
) -> PolicyDocument:
    """Return the policy that gives the primary person a persona, or everyone."""
    mosaic = None if style is None and shape is None else _mosaic(style, shape)
    swap = SwapTreatment(persona=persona, fallback=mosaic)
    return policy_of(everyone=swap) if everyone else policy_of(primary=swap, everyone=_mosaic(style, shape))


def live_swap(persona: str = "mask:volto", *, everyone: bool = False) -> StreamSpec:
    """Return what a live session with a swap to a mask is told."""
    return StreamSpec(swapping(persona, everyone=everyone))


def wearing(*photos: bytes) -> StreamSpec:
    """Return what a live session is told where the primary person, and everyone, get packed personas."""
    names = [f"reference:{number}" for number in range(1, len(photos) + 1)]
    swaps = [SwapTreatment(persona=name) for name in names]
    policy = policy_of(primary=swaps[0], everyone=swaps[1] if len(swaps) > 1 else None)
    return StreamSpec(policy, dict(zip(names, map(PackedReference, photos), strict=True)))


def showing(
    *people: str, primary: Treatment | None = None, everyone: Treatment | None = None, **others: Treatment
) -> PolicyDocument:
    """Return the policy that shows `people`, gives `others` what is said of them by name, and hides the rest."""
    treatments: dict[str, Treatment] = {person: ShowTreatment() for person in people} | others
    rules = [Rule(subject=PersonSubject(id=person), treatment=what) for person, what in treatments.items()]
    if primary is not None:
        rules.append(Rule(subject=PrimarySubject(), treatment=primary))
    if everyone is not None:
        rules.append(Rule(subject=EveryoneSubject(), treatment=everyone))
    return PolicyDocument(rules=tuple(rules))


def plain(policy: PolicyDocument) -> dict[str, Any]:
    """Return a policy as it goes over HTTP."""
    return policy.model_dump(mode="json")


def personas_of(shown: dict[str, Any]) -> list[str]:
    """Return the personas that a broadcast, as it is shown, swaps to."""
    return [rule["treatment"]["persona"] for rule in shown["policy"]["rules"] if rule["treatment"]["kind"] == "swap"]


def _mosaic(style: str | None, shape: str | None) -> MosaicTreatment:
    return MosaicTreatment(
        style=None if style is None else MosaicStyle(style), shape=None if shape is None else MosaicShape(shape)
    )
