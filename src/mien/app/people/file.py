"""Registered people as bytes: how the templates that were read from their photos travel to where faces are compared.

They come from a process that reads strangers' photos, so they are hostile: reading them makes arrays and nothing else.

    a person:  u16 rows ─ u16 columns ─ float32 samples, little-endian
    people:    u32 length of the head ─ head: JSON, [[name, bytes], ...] ─ the people, one after the other
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mien.errors import MienError, PhotoFinding
from mien.vision.types import Embedding

MAX_TEMPLATES: Final = 32
"""A person has no more; five photos make fewer."""
_MAX_COLUMNS: Final = 1024
_SHAPE: Final = struct.Struct("<HH")
_LENGTH: Final = struct.Struct("!I")
_ROUNDING: Final = 1e-3


@dataclass(frozen=True, slots=True)
class PackedPerson:
    """Photos that somebody is to be known by, read somewhere else (the port `ReferenceFace`).

    Attributes:
        data: The templates, as `pack_person` writes them; nobody looks into them before faces are compared.
        findings: What was found in each photo.
    """

    data: bytes
    findings: tuple[tuple[PhotoFinding, ...], ...] = ()


def pack_person(templates: Sequence[Embedding]) -> bytes:
    """Return templates as bytes.

    Example:
        >>> templates = unpack_person(pack_person([np.array([0.6, 0.8], np.float32)]))
        >>> [template.round(1).tolist() for template in templates]
        [[0.6000000238418579, 0.800000011920929]]
    """
    samples = np.asarray(templates, "<f4")
    return _SHAPE.pack(*samples.shape) + samples.tobytes()


def unpack_person(data: bytes) -> list[Embedding]:
    """Return the templates that `pack_person` made these bytes of, each of L2 norm 1.

    Raises:
        MienError: They are none.
    """
    try:
        rows, columns = _SHAPE.unpack_from(data)
        if not 0 < rows <= MAX_TEMPLATES or not 0 < columns <= _MAX_COLUMNS:
            raise ValueError(f"templates of {rows} x {columns}")  # noqa: TRY301  # told below with the rest
        if len(data) != _SHAPE.size + 4 * rows * columns:
            raise ValueError(f"{len(data)} bytes for {rows} x {columns}")  # noqa: TRY301
        samples = np.frombuffer(data, "<f4", offset=_SHAPE.size).reshape(rows, columns).astype(np.float32)
        if not np.allclose(np.linalg.norm(samples, axis=1), 1, atol=_ROUNDING):  # not for NaN either
            raise ValueError("a template that is no unit vector")  # noqa: TRY301
    except (ValueError, struct.error) as error:
        raise MienError(f"the person that came from reading photos is malformed: {error}") from error
    return list(samples)


def pack_people(people: Mapping[str, bytes]) -> bytes:
    """Return packed people, by name, as one file."""
    head = json.dumps([[name, len(data)] for name, data in people.items()], separators=(",", ":")).encode()
    return _LENGTH.pack(len(head)) + head + b"".join(people.values())


def unpack_people(data: bytes) -> dict[str, bytes]:
    """Return the packed people that `pack_people` made these bytes of.

    Raises:
        MienError: They are none.
    """
    try:
        (length,) = _LENGTH.unpack_from(data)
        at = _LENGTH.size + length
        people: dict[str, bytes] = {}
        for name, size in json.loads(data[_LENGTH.size : at]):
            if not isinstance(name, str) or type(size) is not int or not 0 <= size <= len(data) - at:
                raise ValueError(f"a person of {size!r} bytes")  # noqa: TRY301  # told below with the rest
            people[name] = data[at : at + size]
            at += size
        if at != len(data):
            raise ValueError(f"{len(data) - at} bytes of nobody")  # noqa: TRY301
    except (ValueError, TypeError, RecursionError, struct.error) as error:
        raise MienError(f"the people that came with a policy are malformed: {error}") from error
    return people
