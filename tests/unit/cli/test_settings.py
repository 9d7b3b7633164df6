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
    with pytest.raises(SettingsError, match="MIEN_RECORDINGS__ENABLD: "):
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


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("cuda", ("cuda",)),
        ("cuda,vaapi", ("cuda", "vaapi")),
        (" cuda , vaapi ", ("cuda", "vaapi")),
        ('["cuda", "vaapi"]', ("cuda", "vaapi")),
        ("[]", ()),
        ("", ()),
    ],
)
def test_a_list_is_written_with_commas_or_as_json(monkeypatch, written, read):
    monkeypatch.setenv("MIEN_LIVE__CODEC_DEVICES", written)
    assert read_settings().live.codec_devices == read


def test_so_is_one_that_is_in_no_group(monkeypatch):
    monkeypatch.setenv("MIEN_ALLOWED_HOSTS", "a.example, b.example")
    assert read_settings().allowed_hosts == ("a.example", "b.example")


@pytest.mark.parametrize("written", ["cuda,nvenc", '["cuda"', '["nvenc"]', "cuda;vaapi"])
def test_a_list_that_cannot_be_read_is_refused_with_its_variable_and_the_form(monkeypatch, written):
    monkeypatch.setenv("MIEN_LIVE__CODEC_DEVICES", written)
    with pytest.raises(SettingsError, match=r"MIEN_LIVE__CODEC_DEVICES: .*as in a,b, or a JSON list"):
        read_settings()


def test_what_takes_json_alone_is_refused_in_one_line(monkeypatch):
    monkeypatch.setenv("MIEN_ICE_SERVERS", "stun:stun.example.net")
    with pytest.raises(SettingsError, match=r"ice_servers.*JSON"):
        read_settings()


def test_an_argument_is_named_as_it_is_given():
    with pytest.raises(SettingsError, match="--root-path: "):
        read_settings(root_path="/api")
