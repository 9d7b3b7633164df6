"""Results that cannot be written: one line, by the name that was asked for, and nothing left behind."""

import subprocess
import sys

import pytest

from mien.app.files.treat import treat_file
from mien.errors import OutputError
from support.clips import Keep, decode
from support.muxing import Audio, Film, mux


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_a_file_that_may_not_grow_ends_in_one_line_and_leaves_nothing(tmp_path, suffix):
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from support.clips import Keep; from mien.errors import MienError\n"
        "from mien.app.files.treat import treat_file\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: treat_file(Path(sys.argv[1]), Path(sys.argv[2]), lambda **_: Keep())\n"
        "except MienError as error: print(f'{error.code}: {error}')\n"
    )
    source, target = (
        mux(tmp_path / "in.mkv", Film(pts=range(50), size_wh=(320, 240)), Audio(seconds=2)),
        tmp_path / "made",
    )
    target.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, source, target / f"out{suffix}"],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"output: cannot write the video out{suffix}: the file grew larger than files may be here\n"
    assert list(target.iterdir()) == []


def test_a_folder_as_output_and_a_long_name_are_dealt_with(tmp_path):
    source = mux(tmp_path / "in.mkv", Film(pts=range(2)))
    (tmp_path / "there.mp4").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        treat_file(source, tmp_path / "there.mp4", lambda **_: Keep())
    name = "가" * 83 + ".mp4"
    assert len(name.encode()) == 253
    treat_file(source, tmp_path / name, lambda **_: Keep())
    assert len(decode(tmp_path / name)) == 2
    with pytest.raises(OutputError, match="too long"):
        treat_file(source, tmp_path / ("가" * 90 + ".mp4"), lambda **_: Keep())


def test_a_folder_that_may_not_be_written_to_is_refused_before_any_work(tmp_path, monkeypatch):
    # The tests may run as root, whom no mode stops.
    monkeypatch.setattr("os.access", lambda *_: False)
    source = mux(tmp_path / "in.mkv", Film(pts=range(2)))
    with pytest.raises(OutputError, match="the folder may not be written to"):
        treat_file(source, tmp_path / "out.mp4", lambda **_: pytest.fail("made"))
