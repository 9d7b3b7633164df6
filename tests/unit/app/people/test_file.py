import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.app.people.file import MAX_TEMPLATES, pack_people, pack_person, unpack_people, unpack_person
from mien.errors import MienError


def templates(count, columns=128):
    rng = np.random.default_rng(count)
    vectors = rng.normal(size=(count, columns))
    return [(v / np.linalg.norm(v)).astype(np.float32) for v in vectors]


@pytest.mark.parametrize("count", [1, 5, MAX_TEMPLATES])
def test_a_person_comes_out_as_they_went_in(count):
    before = templates(count)
    after = unpack_person(pack_person(before))
    assert len(after) == count
    assert all((a == b).all() and a.dtype == np.float32 for a, b in zip(after, before, strict=True))


def of(rows, columns, samples):
    return struct.pack("<HH", rows, columns) + np.asarray(samples, "<f4").tobytes()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(of(0, 2, []), id="no template"),
        pytest.param(of(1, 0, []), id="templates of nothing"),
        pytest.param(of(2, 2, [1, 0]), id="too short"),
        pytest.param(of(1, 2, [1, 0, 0]), id="too long"),
        pytest.param(of(1, 2, [3, 4]), id="as alike to everybody as it likes"),
        pytest.param(of(1, 2, [0, 0]), id="of no length"),
        pytest.param(of(1, 2, [np.nan, 1]), id="not a number"),
        pytest.param(of(1, 2, [np.inf, 0]), id="infinite"),
        pytest.param(of(MAX_TEMPLATES + 1, 1, [1] * (MAX_TEMPLATES + 1)), id="too many"),
    ],
)
def test_what_is_no_person_is_refused(data):
    with pytest.raises(MienError, match="malformed"):
        unpack_person(data)


def test_people_come_out_as_they_went_in():
    people = {"1": pack_person(templates(2)), "27": pack_person(templates(5)), "3": b""}
    assert unpack_people(pack_people(people)) == people


def headed(head, rest=b""):
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("!I", len(text)) + text + rest


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(headed(b"{"), id="no JSON"),
        pytest.param(headed(3), id="no list"),
        pytest.param(headed([["1"]]), id="half a person"),
        pytest.param(headed([[1, 0]]), id="a name that is none"),
        pytest.param(headed([["1", True]], b"x"), id="a size that is none"),
        pytest.param(headed([["1", -1]], b"x"), id="less than nothing"),
        pytest.param(headed([["1", 9]], b"x"), id="more than there is"),
        pytest.param(headed([["1", 1]], b"xy"), id="bytes of nobody"),
        pytest.param(headed(b"[" * 100_000), id="nested"),
        pytest.param(struct.pack("!I", 2**32 - 1) + b"[]", id="a head longer than all"),
    ],
)
def test_what_are_no_people_is_refused(data):
    with pytest.raises(MienError, match="malformed"):
        unpack_people(data)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_be_refused(data):
    for unpack in (unpack_person, unpack_people):
        try:
            unpack(data)
        except MienError as error:
            assert "malformed" in str(error)  # noqa: PT017  # any bytes may also be right
