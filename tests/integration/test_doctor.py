"""`mien doctor` on this machine, and on one where something is missing."""

import json
import socket

import pytest

from mien.cli import main

pytestmark = pytest.mark.models


def doctor(capsys) -> tuple[int, dict[str, dict[str, object]]]:
    with pytest.raises(SystemExit) as ending:
        main(["doctor", "--json"])
    return ending.value.code, {finding["subject"]: finding for finding in json.loads(capsys.readouterr().out)}


@pytest.fixture(autouse=True)
def _own_data(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_DATA_DIR", str(tmp_path / "data"))


@pytest.mark.usefixtures("runtime")
def test_with_the_models_here_it_measures_how_long_a_picture_takes(capsys):
    code, findings = doctor(capsys)
    assert code == 0
    assert findings["models"]["verdict"] == "works"
    assert "ms to look at a 720p picture" in findings["speed"]["detail"]


def test_without_models_it_names_the_command_that_gets_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIEN_MODELS_DIR", str(tmp_path / "models"))
    code, findings = doctor(capsys)
    assert code == 1
    assert (findings["models"]["verdict"], findings["models"]["mend"]) == ("missing", "mien models pull")


def test_a_taken_port_is_said_with_another_one(tmp_path, monkeypatch, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("MIEN_PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("MIEN_MODELS_DIR", str(tmp_path / "models"))
        _, findings = doctor(capsys)
    assert findings["port"]["verdict"] == "missing"
    assert "mien serve --port" in findings["port"]["mend"]


def test_a_data_folder_that_cannot_be_written_is_vital(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MIEN_DATA_DIR", str(tmp_path / "file" / "data"))
    monkeypatch.setenv("MIEN_MODELS_DIR", str(tmp_path / "models"))
    code, findings = doctor(capsys)
    assert code == 1
    assert findings["consent records"]["verdict"] == "missing"


def test_for_people_it_ends_with_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIEN_MODELS_DIR", str(tmp_path / "models"))
    with pytest.raises(SystemExit):
        main(["doctor"])
    assert "the arrows say what helps" in capsys.readouterr().out.splitlines()[-1]
