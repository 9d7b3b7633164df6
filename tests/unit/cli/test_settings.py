import pytest

from mien.cli.settings import read_settings
from mien.errors import SettingsError


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        pytest.param("MIEN_RECORDINGS_ENABLED", "MIEN_RECORDINGS__ENABLED", id="one underscore where two belong"),
        pytest.param("MIEN_WHIP_TOKN", "MIEN_WHIP_TOKEN", id="a letter is missing"),
        pytest.param("mien_allowed_host", "MIEN_ALLOWED_HOSTS", id="in lower case"),
        pytest.param("MIEN_LIVES__CODECS", "MIEN_LIVE__CODECS", id="the group is wrong"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_name_that_was_meant(monkeypatch, variable, meant):
    monkeypatch.setenv(variable, "false")
    with pytest.raises(SettingsError, match=f"^{variable} is no setting; {meant} is one$"):
        read_settings()


def test_a_name_that_does_not_exist_in_a_group_is_refused(monkeypatch):
    monkeypatch.setenv("MIEN_RECORDINGS__ENABLD", "false")
    with pytest.raises(SettingsError, match=r"recordings\.enabld"):
        read_settings()


@pytest.mark.parametrize("variable", ["MIEN_SHARED", "MIENNE_PORTS", "OTHER_WHIP_TOKN"])
def test_the_variables_of_other_programs_are_left_alone(monkeypatch, variable):
    monkeypatch.setenv(variable, "x")
    read_settings()


def test_settings_are_read_in_any_case_and_arguments_win(monkeypatch):
    monkeypatch.setenv("mien_recordings__enabled", "false")
    monkeypatch.setenv("MIEN_PORT", "8123")
    settings = read_settings(host="::1", port=8124, root_path=None)
    assert (settings.recordings.enabled, settings.host, settings.port) == (False, "::1", 8124)
