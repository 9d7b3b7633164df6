"""How a stream's spec travels to a worker: the policy as its canonical JSON, the personas it names beside it."""

from typing import TypedDict

from mien.app.policy.document import PolicyDocument
from mien.app.ports import ReferenceFace, StreamSpec


class PackedSpec(TypedDict):
    """A `StreamSpec` as it travels."""

    policy: str
    personas: dict[str, ReferenceFace]
    delay_frames: int | None


def packed(spec: StreamSpec) -> PackedSpec:
    """Return what to send of `spec`."""
    return {"policy": spec.policy.to_json(), "personas": dict(spec.personas), "delay_frames": spec.delay_frames}


def unpacked(message: PackedSpec) -> StreamSpec:
    """Return the spec that was sent.

    Raises:
        PolicyError: Its policy is none.
    """
    return StreamSpec(PolicyDocument.from_json(message["policy"]), message["personas"], message["delay_frames"])
