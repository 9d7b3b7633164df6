"""Result files appear whole or not at all."""

import errno
import os
import stat

import pytest

from mien.errors import OutputError
from mien.media.files.atomic import check_target, new_file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_when_the_block_ends_well_and_not_before(tmp_path):
    target = tmp_path / "out.png"
    with new_file(target, overwrite=False) as part:
        part.write_bytes(b"picture")
        assert part.parent == tmp_path
        assert not target.exists()
    assert target.read_bytes() == b"picture"
    assert names(tmp_path) == ["out.png"]


def test_it_has_the_rights_that_new_files_have_here(tmp_path):
    before = os.umask(0o027)
    try:
        with new_file(tmp_path / "out.png", overwrite=False) as part:
            part.write_bytes(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.png").stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_stays_after_an_error_and_the_older_file_is_whole(tmp_path, error):
    target = tmp_path / "out.png"
    target.write_bytes(b"older")

    def fail():
        with new_file(target, overwrite=True) as part:
            part.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert target.read_bytes() == b"older"
    assert names(tmp_path) == ["out.png"]


def test_a_file_made_by_somebody_else_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "out.png"

    def race():
        with new_file(target, overwrite=False) as part:
            part.write_bytes(b"ours")
            target.write_bytes(b"theirs")

    with pytest.raises(OutputError, match="meanwhile"):
        race()
    assert target.read_bytes() == b"theirs"
    assert names(tmp_path) == ["out.png"]


def test_a_full_disk_is_called_so(tmp_path):
    def fill():
        with new_file(tmp_path / "out.png", overwrite=False):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match="the disk is full"):
        fill()
    assert names(tmp_path) == []


def test_a_long_name_still_has_room_for_the_part_file(tmp_path):
    target = tmp_path / ("n" * 250 + ".png")
    with new_file(target, overwrite=False) as part:
        part.write_bytes(b"x")
    assert target.exists()


def test_the_input_a_folder_and_a_device_are_no_targets(tmp_path):
    source = tmp_path / "in.png"
    source.write_bytes(b"in")
    with pytest.raises(OutputError, match="input itself"):
        check_target(source, source=source, overwrite=True)
    with pytest.raises(OutputError, match="folder"):
        check_target(tmp_path, source=source, overwrite=True)
    with pytest.raises(OutputError, match="not a plain file"):
        check_target(type(tmp_path)("/dev/null"), source=source, overwrite=True)
    with pytest.raises(OutputError, match="no folder"):
        check_target(tmp_path / "missing" / "out.png", source=source, overwrite=True)
