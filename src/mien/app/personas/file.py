"""A persona as bytes: how one that a process of its own read from photos travels to where it is drawn.

Photos are read where a hostile one can do no harm, so what comes from there is hostile too. These bytes hold numbers,
names and arrays; reading them makes the few classes named here and runs nothing, unlike a pickle.

    u32 length of the head ─ head: JSON ─ samples of the arrays, one after the other
"""

import json
import struct
from dataclasses import dataclass, fields
from math import prod
from typing import Any, Final

import numpy as np

from mien.errors import MienError, PhotoFinding, ShapeError
from mien.vision.swap.harmonise import Skin
from mien.vision.swap.persona import SIDE, Persona, check_mesh
from mien.vision.swap.photo_eyes import PhotoEye
from mien.vision.swap.photo_lids import PhotoLids

MAX_PERSONA_BYTES: Final = 8 * 2**20
"""A persona takes 2 MB, however many photos it was read from."""

_LENGTH: Final = struct.Struct("!I")
_CLASSES: Final[dict[str, type[Any]]] = {kind.__name__: kind for kind in (Persona, Skin, PhotoEye, PhotoLids)}
_DTYPES: Final = frozenset({"uint8", "float32", "int64"})
_MAX_DEPTH: Final = 12
_ROUNDING: Final = 1e-3
_LEAST_COVER: Final = 0.05
"""Mean share of the texture that a persona covers; a face from the front covers 0.3."""


@dataclass(frozen=True, slots=True)
class PackedReference:
    """Photos that were read as a persona, somewhere else (the port `ReferenceFace`).

    Attributes:
        data: The persona, as `pack_persona` writes it; nobody looks into it before it is drawn.
        findings: What was found in each photo.
    """

    data: bytes
    findings: tuple[tuple[PhotoFinding, ...], ...] = ()


def pack_persona(persona: Persona) -> bytes:
    """Return a persona of photos as bytes.

    Raises:
        TypeError: It holds something that this form cannot.
    """
    samples: list[bytes] = []
    tree = _plain(persona, samples)
    head = json.dumps(tree, allow_nan=False, separators=(",", ":")).encode()
    return _LENGTH.pack(len(head)) + head + b"".join(samples)


def unpack_persona(data: bytes) -> Persona:
    """Return the persona that `pack_persona` made these bytes of.

    Raises:
        MienError: They are none.
    """
    try:
        if len(data) > MAX_PERSONA_BYTES:
            raise ValueError(f"{len(data)} bytes, at most {MAX_PERSONA_BYTES}")  # noqa: TRY301  # told below with the rest
        (length,) = _LENGTH.unpack_from(data)
        reader = _Reader(data, _LENGTH.size + length)
        head = data[_LENGTH.size : _LENGTH.size + length]
        persona = reader.read(json.loads(head, parse_constant=_refuse_constant))
        return _checked(persona)
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        OverflowError,
        RecursionError,
        struct.error,
        ShapeError,
    ) as error:
        raise MienError(f"the persona that came from reading photos is malformed: {error}") from error


def _plain(value: Any, samples: list[bytes]) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case np.ndarray():
            samples.append(np.ascontiguousarray(value).tobytes())
            return {"array": [value.dtype.name, list(value.shape)]}
        case tuple():
            return {"tuple": [_plain(item, samples) for item in value]}
        case slice():
            return {"slice": [value.start, value.stop, value.step]}
        case _ if type(value).__name__ in _CLASSES:
            named = {field.name: _plain(getattr(value, field.name), samples) for field in fields(value)}
            return {"object": [type(value).__name__, named]}
        case np.generic():
            return _plain(value.item(), samples)
    raise TypeError(f"a persona cannot hold a {type(value).__name__}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


class _Reader:
    """Makes values of a head; takes the arrays' samples in their order."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def read(self, plain: Any, depth: int = 0) -> Any:
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        if not isinstance(plain, dict):
            if isinstance(plain, list):
                raise TypeError("a list stands for nothing")
            return plain
        ((kind, what),) = plain.items()
        match kind:
            case "array":
                return self._array(*what)
            case "tuple":
                return tuple(self.read(item, depth + 1) for item in what)
            case "slice":
                return slice(*(None if bound is None else int(bound) for bound in what))
            case "object":
                name, named = what
                made = _CLASSES[name]
                if set(named) != {field.name for field in fields(made)}:
                    raise ValueError(f"a {name} with other fields than it has")
                return made(**{field: self.read(value, depth + 1) for field, value in named.items()})
        raise ValueError(f"{kind!r} stands for nothing")

    def _array(self, dtype: str, shape: list[int]) -> np.ndarray[Any, Any]:
        if dtype not in _DTYPES or not all(type(side) is int and side >= 0 for side in shape):
            raise ValueError(f"an array of {dtype} {shape}")
        count = prod(shape)
        samples = np.frombuffer(self._data, dtype, count, self._at) if count else np.empty(0, dtype)
        self._at += samples.nbytes
        return samples.reshape(shape).copy()


def _checked(persona: Any) -> Persona:
    """Let pass a persona of a photo whose parts have the shapes and ranges that drawing takes for granted."""
    _expect(persona, Persona)
    _expect(persona.name, str)
    _expect(persona.surface, Skin)
    _check_array(persona.texture, (SIDE, SIDE, 3), np.uint8)
    _check_array(persona.surface.detail, (SIDE, SIDE, 3), np.float32)
    # A matte beyond its range, or of nothing, would leave the live face bare and call it swapped.
    for matte in (persona.matte,) if persona.eye_matte is None else (persona.matte, persona.eye_matte):
        _check_array(matte, (SIDE, SIDE), np.float32)
        if matte.min() < -_ROUNDING or matte.max() > 1 + _ROUNDING:
            raise ShapeError("a matte goes from 0 to 1")
    if persona.matte.mean() < _LEAST_COVER:
        raise ShapeError("the persona covers next to nothing")
    if persona.mesh is not None:
        _expect(persona.mesh, np.ndarray)
        check_mesh(persona.mesh)
    if persona.eyes is not None:
        left, right = persona.eyes
        _expect(left, PhotoEye)
        _expect(right, PhotoEye)
    if persona.lids is not None:
        _expect(persona.lids, PhotoLids)
    made: Persona = persona
    return made


def _expect(value: object, kind: type[Any]) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"a {type(value).__name__} in the place of a {kind.__name__}")


def _check_array(array: Any, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    _expect(array, np.ndarray)
    if array.shape != shape or array.dtype != dtype or not np.isfinite(array).all():
        raise ShapeError(f"wanted finite {dtype.__name__} of {shape}, got {array.dtype} of {array.shape}")
