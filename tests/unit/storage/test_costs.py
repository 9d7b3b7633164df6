"""The file that keeps what a frame costs: found again where it holds, and no file where it does not."""

import json
import math
import os

import pytest

from mien.app.profiles import Costs
from mien.storage.costs import CostsFile

COSTS = Costs(18.25, 27.5, 4.9)
HERE = {"processor": "a", "mien": "1"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".costs.json"


@pytest.fixture
def file(path):
    return CostsFile(path, of=HERE)


def test_what_was_measured_is_found_again(file, path):
    assert file.read() is None
    assert file.write(COSTS)
    assert file.read() == COSTS
    assert CostsFile(path, of=dict(reversed(HERE.items()))).read() == COSTS
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208  # hidden drafts as well


@pytest.mark.parametrize("other", [{"processor": "b"}, {"mien": "2"}, {"more": "x"}])
def test_on_another_machine_or_version_it_is_not_known(file, path, other):
    file.write(COSTS)
    assert CostsFile(path, of=HERE | other).read() is None
    assert CostsFile(path, of=HERE | other).write(Costs(1, 2, 3))
    assert file.read() is None


def test_a_file_cut_off_anywhere_is_none(file, path):
    file.write(COSTS)
    whole = path.read_bytes().rstrip()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert file.read() is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, 0, 1e300, "5", None, True, [1], {"a": 1}])
@pytest.mark.parametrize("name", ["mosaic_ms", "encode_ms"])
def test_a_number_that_is_none_is_not_believed(file, path, name, value):
    file.write(COSTS)
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    assert file.read() is None


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"\x00" * 100, b"\xff\xfe", b"[" * 4000, b"[" * 10**6, b" " * 10**6, b'{"key": 1e999}'],
    ids=lambda data: repr(data[:8]),
)
def test_whatever_lies_there_is_no_error(file, path, data):
    path.write_bytes(data)
    assert file.read() is None
    assert file.write(COSTS)
    assert file.read() == COSTS


def test_a_huge_file_is_not_read(file, path):
    file.write(COSTS)
    with path.open("ab") as target:
        target.truncate(10**12)  # as large as it says, with nothing in it
    assert file.read() is None


def test_a_pipe_or_a_folder_in_its_place_holds_nobody_up(file, path):
    os.mkfifo(path)
    assert file.read() is None
    path.unlink()
    path.mkdir()
    assert file.read() is None
    assert not file.write(COSTS)


def test_where_nothing_can_be_written_that_is_all(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "not there"):
        file = CostsFile(folder / ".costs.json", of=HERE)
        assert file.read() is None
        assert not file.write(COSTS)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_file_is_readable_to_whom_the_umask_lets_read(path, umask, mode):
    before = os.umask(umask)
    try:
        assert CostsFile(path, of=HERE).write(COSTS)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode
