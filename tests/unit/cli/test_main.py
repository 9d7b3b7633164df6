"""The command line's frame: quick help, one-line errors, exit codes."""

import subprocess
import sys

import click
import pytest

from mien.cli import group, main
from mien.errors import ConsentError, FetchError, MediaError, MienError, SettingsError


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ending:
        main(list(arguments))
    return ending.value.code


@pytest.fixture
def failing(monkeypatch):
    """Return a way to make `mien doctor` fail as told."""

    def fail_with(error: BaseException) -> None:
        @click.command()
        def command() -> None:
            raise error

        monkeypatch.setattr("mien.cli.doctor.doctor", command)

    return fail_with


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        pytest.param(MediaError("in.mp4 is empty"), 2, "error[media.unreadable]: in.mp4 is empty", id="input"),
        pytest.param(ConsentError("no word"), 2, "error[consent.missing]: no word", id="consent"),
        pytest.param(SettingsError("port"), 2, "error[settings]: port", id="settings"),
        pytest.param(FetchError("no source"), 1, "error[model.fetch]: no source", id="model"),
        pytest.param(KeyboardInterrupt(), 130, "stopped", id="Ctrl-C"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(failing, capsys, error, code, line):
    failing(error)
    assert run("doctor") == code
    assert capsys.readouterr().err.strip() == line


def test_with_debug_the_error_itself_comes_through(failing):
    failing(MediaError("in.mp4 is empty"))
    with pytest.raises(MienError, match="is empty"):
        main(["--debug", "doctor"])


def test_an_unknown_option_is_explained_without_a_traceback(capsys):
    assert run("treat", "--sideways") == 2
    assert "No such option" in capsys.readouterr().err


def test_help_lists_every_command_and_loads_nothing_heavy():
    script = (
        "import sys; from mien.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(sorted({'cv2', 'av', 'onnxruntime', 'numpy', 'fastapi'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert result.stdout.strip().endswith("[]")
    assert all(name in result.stdout for name in group.list_commands(click.Context(group)))


@pytest.mark.parametrize("name", ["doctor", "models", "serve", "treat"])
def test_every_command_explains_itself(capsys, name):
    assert run(name, "--help") == 0
    assert "Usage: mien" in capsys.readouterr().out
