import pytest
from pydantic import BaseModel, ValidationError

from mien.config import Settings
from mien.vision.render.mosaic import MosaicShape, MosaicStyle


def fields(model: type[BaseModel], prefix: str = ""):
    for name, field in model.model_fields.items():
        yield prefix + name, field
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{prefix}{name}.")


@pytest.mark.parametrize(("name", "field"), [pytest.param(*item, id=item[0]) for item in fields(Settings)])
def test_every_setting_says_what_it_is_for(name, field):
    assert field.description, name
    assert field.description.endswith(".")


def test_settings_come_from_the_environment_and_secrets_stay_secret(monkeypatch):
    monkeypatch.setenv("MIEN_WHIP_TOKEN", "operator-token-0123456789")
    monkeypatch.setenv("MIEN_LIVE__MAX_BROADCASTS", "3")
    monkeypatch.setenv("MIEN_ICE_SERVERS", '[{"url": "stun:stun.example.net:3478"}]')
    settings = Settings()
    assert (settings.live.max_broadcasts, settings.live.max_viewers) == (3, 64)
    assert settings.ice_servers[0].url == "stun:stun.example.net:3478"
    assert "operator-token" not in repr(settings)


def test_every_mosaic_there_is_can_be_set():
    made = [Settings.model_validate({"mosaic": {"style": s, "shape": f}}) for s in MosaicStyle for f in MosaicShape]
    assert len(made) == len(MosaicStyle) * len(MosaicShape)
    assert (Settings().mosaic.style, Settings().mosaic.shape) == (MosaicStyle.CELLS, MosaicShape.BOX)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"prot": 80}, id="a typo"),
        pytest.param({"whip_token": "short"}, id="a token to guess"),
        pytest.param({"whip_token": "한글" * 8}, id="a token that no header carries"),
        pytest.param({"ice_servers": [{"url": "http://example.net"}]}, id="no ICE server"),
        pytest.param({"ice_servers": [{"url": 'stun:a>; rel="x'}]}, id="a header in a URL"),
        pytest.param({"live": {"slate_after_s": -1}}, id="a negative time"),
        pytest.param({"turn": {"urls": ["turn:a.example"]}}, id="a TURN server without a secret"),
        pytest.param({"turn": {"secret": "0123456789abcdef"}}, id="a secret for no TURN server"),
        pytest.param({"turn": {"urls": ["stun:a.example"], "secret": "0123456789abcdef"}}, id="STUN with a secret"),
        pytest.param({"turn": {"urls": ["turn:a.example"], "secret": "short"}}, id="a secret to guess"),
        pytest.param({"live": {"udp_ports": "50100-50000"}}, id="ports that run backwards"),
        pytest.param({"live": {"udp_ports": "80-443"}}, id="ports of others"),
        pytest.param({"live": {"udp_ports": "50000"}}, id="no range"),
        pytest.param({"live": {"public_addresses": ["media.example"]}}, id="a name for an address"),
        pytest.param({"live": {"peer_networks": ["10.0.0.0/33"]}}, id="a network that is none"),
        pytest.param({"live": {"peer_networks": ["intranet"]}}, id="a name for a network"),
        pytest.param({"live": {"public_addresses": ["203.0.113.7/fd00::1"]}}, id="two families in one"),
        pytest.param({"live": {"bind_to": ["eth0; reboot"]}}, id="no interface"),
        pytest.param({"mosaic": {"style": "stars"}}, id="no such mosaic"),
    ],
)
def test_wrong_settings_fail(wrong):
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("::", False)],  # noqa: S104  # only said
)
def test_whether_others_can_reach_the_server_is_known(host, local):
    assert Settings(host=host).is_local is local
