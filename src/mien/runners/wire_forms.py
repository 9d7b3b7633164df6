"""The forms of a stream's spec and of network settings on the wire, where JSON does not hold them as they are."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from mien.app.people.file import PackedPerson, pack_people, unpack_people
from mien.app.personas.file import PackedReference
from mien.app.policy.document import PolicyDocument
from mien.app.ports import ReferenceFace, StreamSpec
from mien.errors import PersonaError, UnknownPersonError
from mien.media.webrtc.ice.network import IceNetworkSettings


@dataclass(frozen=True, slots=True)
class StreamForm:
    """A `StreamSpec` without the bytes of its personas and people.

    Attributes:
        policy: The policy document, as its canonical JSON text.
        assets: SHA-256 of each packed persona, in hex, by the id that the policy has for it.
        delay_frames: As in `StreamSpec`.
        people: SHA-256 of the packed people, in hex; None where there are none.
    """

    policy: str
    assets: dict[str, str]
    delay_frames: int | None
    people: str | None = None


def digest_of(asset: bytes) -> str:
    """Return the name under which a policy refers to an asset."""
    return hashlib.sha256(asset).hexdigest()


def pack_stream(spec: StreamSpec) -> tuple[StreamForm, dict[str, bytes]]:
    """Return a spec's form, and the assets that it refers to by their digests.

    Raises:
        PersonaError: A persona was not read for another process.
        UnknownPersonError: A person was not.
    """
    digests, assets = dict[str, str](), dict[str, bytes]()
    for persona, face in spec.personas.items():
        if not isinstance(face, PackedReference):
            raise PersonaError("a persona of photos that were read in this process cannot travel to another")
        digests[persona] = digest_of(face.data)
        assets[digests[persona]] = face.data
    people = _pack_people(spec.people)
    if people is not None:
        assets[digest_of(people)] = people
    named = None if people is None else digest_of(people)
    return StreamForm(spec.policy.to_json(), digests, spec.delay_frames, named), assets


def _pack_people(people: Mapping[str, ReferenceFace]) -> bytes | None:
    packed = {name: person.data for name, person in people.items() if isinstance(person, PackedPerson)}
    if len(packed) < len(people):
        raise UnknownPersonError("a person whose photos were read in this process cannot travel to another")
    return pack_people(packed) if packed else None


def unpack_stream(form: StreamForm, assets: Mapping[str, bytes]) -> tuple[StreamSpec, dict[str, bytes]]:
    """Return the spec of a form, and those of `assets` that it uses.

    Raises:
        PolicyError: Its policy is none.
        PersonaError: An asset is missing.
        MienError: The people are none.
    """
    policy = PolicyDocument.from_json(form.policy)
    wanted = {*form.assets.values()} | ({form.people} if form.people else set())
    if not assets.keys() >= wanted:
        raise PersonaError("the policy refers to a persona, or to people, that did not come with it")
    personas = {persona: PackedReference(assets[digest]) for persona, digest in form.assets.items()}
    packed = unpack_people(assets[form.people]) if form.people else {}
    people = {name: PackedPerson(data) for name, data in packed.items()}
    return StreamSpec(policy, personas, form.delay_frames, people), {digest: assets[digest] for digest in wanted}


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
