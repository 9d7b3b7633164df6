from ipaddress import ip_address

import pytest
from fastapi import Request

from mien.config import Settings
from mien.server.addresses import addresses_of
from mien.server.proxies import PROXIED

OWN = [ip_address(each) for each in ("127.0.0.1", "fd00::5", "192.168.1.5", "169.254.3.4", "::1")]
EVERYWHERE, EVERYWHERE_6 = "0.0.0.0", "::"  # noqa: S104  # settings that nobody listens with
OPERATOR = "operator-token-0123456789"


def asked(scheme="http", port=8000, *, proxied=False):
    return Request({"type": "http", "scheme": scheme, "server": ("127.0.0.1", port), PROXIED: proxied, "headers": []})


@pytest.mark.parametrize(
    ("settings", "addresses"),
    [
        pytest.param({"host": "127.0.0.1"}, [], id="this machine alone"),
        pytest.param({"host": "localhost"}, [], id="by name"),
        pytest.param({"host": EVERYWHERE}, ["http://192.168.1.5:8000"], id="every IPv4 address that others may reach"),
        pytest.param({"host": EVERYWHERE_6}, ["http://192.168.1.5:8000", "http://[fd00::5]:8000"], id="IPv6 last"),
        pytest.param({"host": "fd00::5"}, ["http://[fd00::5]:8000"], id="one address"),
        pytest.param(
            {"host": EVERYWHERE, "allowed_hosts": ("mien.lan", "*.example.org", "127.0.0.1")},
            ["http://mien.lan:8000"],
            id="the operator's own names alone",
        ),
    ],
)
def test_addresses_are_those_that_others_may_reach(settings, addresses):
    assert addresses_of(asked(), Settings(whip_token=OPERATOR, **settings), own=OWN) == addresses


def test_the_usual_port_is_left_out():
    settings = Settings(host=EVERYWHERE, whip_token=OPERATOR)
    assert addresses_of(asked("https", 443), settings, own=OWN) == ["https://192.168.1.5"]


def test_behind_a_proxy_the_server_knows_of_none():
    settings = Settings(host=EVERYWHERE, whip_token=OPERATOR)
    assert addresses_of(asked(proxied=True), settings, own=OWN) == []
