"""`mien doctor` on this machine, and on one where something is missing."""

import json
import socket
from types import SimpleNamespace

import pytest

from mien.app.profiles import STEPS, Costs, Means
from mien.cli import main
from mien.cli.doctor import Finding, speed_findings
from mien.cli.measuring import costs_file
from mien.config import Settings

pytestmark = pytest.mark.models


def doctor(capsys) -> tuple[int, dict[str, dict[str, object]]]:
    with pytest.raises(SystemExit) as ending:
        main(["doctor", "--json"])
    return ending.value.code, {finding["subject"]: finding for finding in json.loads(capsys.readouterr().out)}


@pytest.fixture(autouse=True)
def _own_data(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("mien.cli.measuring.FILE", str(tmp_path / "costs.json"))


@pytest.mark.usefixtures("runtime")
def test_with_the_models_here_it_measures_how_long_a_picture_takes(capsys):
    code, findings = doctor(capsys)
    assert code == 0
    assert findings["models"]["verdict"] == "works"
    speed = findings["speed"]
    assert "a 720p frame takes" in speed["detail"]
    costs = {name: ms for name, ms in speed["measured"].items() if name.endswith("_ms")}
    assert len(costs) == 3
    assert all(0.1 < ms < 60_000 for ms in costs.values())
    assert costs["swap_ms"] >= costs["mosaic_ms"]
    assert findings["live mosaic"]["measured"]["profile"] in STEPS
    assert costs_file(Settings().models_dir, ("cpu",)).read() == Costs(**costs)  # a server here measures nothing


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
    assert "--port" in findings["port"]["mend"]


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


def test_whatever_is_slow_or_missing_comes_with_what_mends_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIEN_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("MIEN_HOST", "0.0.0.0")  # noqa: S104  # what is tested
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0}, raising=False)
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=5e8))
    monkeypatch.setattr("shutil.which", lambda _name: None)
    monkeypatch.setattr("mien.cli.doctor._PACKAGES", ("no-such-package",))
    _, findings = doctor(capsys)
    unwell = {name: finding for name, finding in findings.items() if finding["verdict"] != "works"}
    assert unwell.keys() >= {"packages", "processor", "models", "consent records", "model cache", "token", "browser"}
    assert all(finding["mend"] for finding in unwell.values())


@pytest.mark.parametrize("verdict", ["slow", "missing"])
def test_no_check_may_find_fault_without_a_mend(verdict):
    with pytest.raises(ValueError, match="say what mends it"):
        Finding("anything", verdict, "is bad")


def test_a_slow_machine_is_told_its_profile_and_what_helps():
    costs = Costs(mosaic_ms=40.0, swap_ms=54.0, encode_ms=6.0)
    speed, mosaic, swap = speed_findings("auto", Means(costs, 2))
    assert speed.measured == {"mosaic_ms": 40.0, "swap_ms": 54.0, "encode_ms": 6.0, "cores": 2}
    assert (mosaic.verdict, swap.verdict) == ("works", "slow")
    assert swap.detail.startswith("small (measured)")
    assert "mosaic instead of a swap or send smaller frames (640x360)" in swap.mend


def test_a_profile_that_is_set_is_said_to_be():
    _, _, swap = speed_findings("slower", Means(Costs(1.0, 1.0, 1.0), 8))
    assert swap.detail.startswith("slower (set)")
    assert swap.mend == "export MIEN_LIVE__PROFILE=auto"


@pytest.mark.usefixtures("runtime")
def test_where_the_networks_see_no_face_in_a_face_that_is_said(monkeypatch, capsys):
    monkeypatch.setattr("mien.cli.doctor.measure", lambda *_: None)
    code, findings = doctor(capsys)
    assert (code, findings["speed"]["verdict"]) == (1, "missing")
