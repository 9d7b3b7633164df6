"""The forms of a policy and of network settings on the wire, where JSON does not hold them as they are."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from mien.app.personas.file import PackedReference
from mien.app.ports import LivePolicy, LiveTreatment, OtherFaces
from mien.errors import PersonaError
from mien.media.webrtc.ice.network import IceNetworkSettings
from mien.vision.render.mosaic import MosaicShape, MosaicStyle


@dataclass(frozen=True, slots=True)
class PolicyForm:
    """A `LivePolicy` without the bytes of its persona.

    Attributes:
        treatment: As in `LivePolicy`.
        persona: A built-in persona's id, or None.
        asset: SHA-256 of a packed persona, in hex, or None.
        others: As in `LivePolicy`.
        delay_frames: As in `LivePolicy`.
        mosaic_style: As in `LivePolicy`.
        mosaic_shape: As in `LivePolicy`.
    """

    treatment: LiveTreatment
    persona: str | None
    asset: str | None
    others: OtherFaces
    delay_frames: int | None
    mosaic_style: MosaicStyle
    mosaic_shape: MosaicShape


def digest_of(asset: bytes) -> str:
    """Return the name under which a policy refers to an asset."""
    return hashlib.sha256(asset).hexdigest()


def pack_policy(policy: LivePolicy) -> tuple[PolicyForm, dict[str, bytes]]:
    """Return a policy's form, and the assets that it refers to by their digests.

    Raises:
        PersonaError: The persona was not read for another process.
    """
    persona, assets = policy.persona, dict[str, bytes]()
    if isinstance(persona, PackedReference):
        assets = {digest_of(persona.data): persona.data}
    elif not (persona is None or isinstance(persona, str)):
        raise PersonaError("a persona of photos that were read in this process cannot travel to another")
    form = PolicyForm(
        treatment=policy.treatment,
        persona=persona if isinstance(persona, str) else None,
        asset=next(iter(assets), None),
        others=policy.others,
        delay_frames=policy.delay_frames,
        mosaic_style=policy.mosaic_style,
        mosaic_shape=policy.mosaic_shape,
    )
    return form, assets


def unpack_policy(form: PolicyForm, assets: Mapping[str, bytes]) -> tuple[LivePolicy, dict[str, bytes]]:
    """Return the policy of a form, and those of `assets` that it uses.

    Raises:
        PersonaError: An asset is missing.
    """
    if form.asset is not None and form.asset not in assets:
        raise PersonaError("the policy refers to a persona that did not come with it")
    used = {} if form.asset is None else {form.asset: assets[form.asset]}
    policy = LivePolicy(
        treatment=form.treatment,
        persona=form.persona if form.asset is None else PackedReference(used[form.asset]),
        others=form.others,
        delay_frames=form.delay_frames,
        mosaic_style=form.mosaic_style,
        mosaic_shape=form.mosaic_shape,
    )
    return policy, used


@dataclass(frozen=True, slots=True)
class IceNetworkForm:
    """`IceNetworkSettings` with the first and the last of its ports."""

    bind_to: tuple[str, ...]
    public_addresses: tuple[str, ...]
    udp_ports: tuple[int, int] | None
    peer_networks: tuple[str, ...]

    @classmethod
    def of(cls, network: IceNetworkSettings) -> Self:
        """Return the form of settings."""
        ports = network.udp_ports
        ends = None if ports is None else (ports.start, ports.stop - 1)
        return cls(network.bind_to, network.public_addresses, ends, network.peer_networks)

    @property
    def settings(self) -> IceNetworkSettings:
        """The settings that this is the form of."""
        ports = None if self.udp_ports is None else range(self.udp_ports[0], self.udp_ports[1] + 1)
        return IceNetworkSettings(self.bind_to, self.public_addresses, ports, self.peer_networks)
