"""Finished recordings in a folder."""

import pytest

from mien.errors import NoSuchRecordingError
from mien.storage.recordings import RecordingFolder


@pytest.fixture
def folder(tmp_path):
    for name, size in (("20260102T000000Z.mp4", 3), ("20260101T000000Z.webm", 5), ("20260103T000000Z.mp4.part", 7)):
        (tmp_path / name).write_bytes(bytes(size))
    (tmp_path / "notes.txt").write_text("no recording")
    (tmp_path / "folder.mp4").mkdir()
    return tmp_path


def test_the_finished_ones_are_listed_newest_first(folder):
    found = RecordingFolder(folder).newest_first()
    assert [(one.name, one.size_bytes, one.media_type) for one in found] == [
        ("20260102T000000Z.mp4", 3, "video/mp4"),
        ("20260101T000000Z.webm", 5, "video/webm"),
    ]


def test_one_that_is_deleted_is_gone(folder):
    recordings = RecordingFolder(folder)
    assert recordings.get("20260102T000000Z.mp4").path.read_bytes() == bytes(3)
    recordings.delete("20260102T000000Z.mp4")
    with pytest.raises(NoSuchRecordingError):
        recordings.delete("20260102T000000Z.mp4")
    assert [one.name for one in recordings.newest_first()] == ["20260101T000000Z.webm"]


@pytest.mark.parametrize("name", ["notes.txt", "folder.mp4", "20260103T000000Z.mp4.part", "../secret.mp4", "", "."])
def test_nothing_else_can_be_had(folder, name):
    (folder.parent / "secret.mp4").write_bytes(b"secret")
    with pytest.raises(NoSuchRecordingError):
        RecordingFolder(folder).get(name)


@pytest.mark.parametrize("where", [None, "nowhere"])
def test_a_folder_that_is_not_there_holds_none(tmp_path, where):
    assert RecordingFolder(where and tmp_path / where).newest_first() == []
