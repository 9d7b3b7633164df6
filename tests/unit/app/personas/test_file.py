import dataclasses
import json
import pickle
import struct

import numpy as np
import pytest

from mien.app.personas.file import MAX_PERSONA_BYTES, pack_persona, unpack_persona
from mien.errors import MienError
from mien.vision.swap.persona import SIDE, persona_from_photo
from support.drawn_heads import drawn_head, drawn_mesh, with_irises


@pytest.fixture(scope="module")
def persona():
    mesh = drawn_mesh()
    read = persona_from_photo(with_irises(drawn_head(1, mesh), mesh, (60, 120, 70)), mesh, "Ada")
    assert read.eyes is not None, "all parts of a persona shall travel"
    assert read.lids is not None
    return read


def same(left, right):
    if dataclasses.is_dataclass(left):
        return type(left) is type(right) and all(
            same(getattr(left, field.name), getattr(right, field.name)) for field in dataclasses.fields(left)
        )
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    return left == right


def altered(data, change):
    """Return the bytes with another head."""
    (length,) = struct.unpack_from("!I", data)
    head = json.dumps(change(json.loads(data[4 : 4 + length]))).encode()
    return struct.pack("!I", len(head)) + head + data[4 + length :]


def test_a_persona_comes_back_as_it_was(persona):
    data = pack_persona(persona)
    assert len(data) < MAX_PERSONA_BYTES / 2
    assert same(unpack_persona(data), persona)


def test_arrays_that_come_back_can_be_written(persona):
    assert unpack_persona(pack_persona(persona)).texture.flags.writeable


def test_a_pickle_is_no_persona(persona):
    with pytest.raises(MienError, match="malformed"):
        unpack_persona(pickle.dumps(persona))


def _name(head, name):
    head["object"][0] = name
    return head


def _field(head, field, value):
    head["object"][1][field] = value
    return head


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda head: _name(head, "Popen"), id="a class that is not ours"),
        pytest.param(lambda head: _name(head, "PhotoEye"), id="another class"),
        pytest.param(lambda head: _field(head, "odd", 1), id="a field too many"),
        pytest.param(lambda head: _field(head, "matte", None), id="no matte"),
        pytest.param(lambda head: _field(head, "matte", {"array": ["object", [SIDE, SIDE]]}), id="array of objects"),
        pytest.param(lambda head: _field(head, "matte", {"array": ["float32", [1 << 40, 1 << 40]]}), id="huge array"),
        pytest.param(lambda head: _field(head, "matte", {"array": ["float32", [-1, SIDE]]}), id="negative side"),
        pytest.param(lambda head: _field(head, "texture", {"array": ["uint8", [0, 0, 3]]}), id="empty texture"),
        pytest.param(lambda head: _field(head, "surface", {"tuple": []}), id="no skin"),
        pytest.param(lambda head: _field(head, "eyes", {"tuple": [1, 2]}), id="no eyes"),
        pytest.param(lambda head: _field(head, "name", {"slice": [0, 1, 2]}), id="no name"),
        pytest.param(lambda head: _field(head, "name", ["x"]), id="a bare list"),
        pytest.param(lambda _head: 7, id="a number"),
        pytest.param(lambda _head: {"array": ["uint8", [3]]}, id="an array"),
    ],
)
def test_whatever_is_no_persona_is_refused(persona, change):
    with pytest.raises(MienError, match="malformed"):
        unpack_persona(altered(pack_persona(persona), change))


def test_no_beginning_of_a_persona_breaks_the_reader(persona):
    data = pack_persona(persona)
    for length in (0, 3, 4, 100, 5000, len(data) // 2, len(data) - 1):
        with pytest.raises(MienError, match="malformed"):
            unpack_persona(data[:length])


def test_too_long_a_persona_is_refused(persona):
    with pytest.raises(MienError, match="at most"):
        unpack_persona(pack_persona(persona) + bytes(MAX_PERSONA_BYTES))


def test_a_persona_that_covers_nothing_is_refused(persona):
    bare = dataclasses.replace(persona, matte=np.zeros_like(persona.matte))
    with pytest.raises(MienError, match="covers next to nothing"):
        unpack_persona(pack_persona(bare))


def test_a_matte_beyond_its_range_is_refused(persona):
    with pytest.raises(MienError, match="0 to 1"):
        unpack_persona(pack_persona(dataclasses.replace(persona, matte=persona.matte + 1)))
