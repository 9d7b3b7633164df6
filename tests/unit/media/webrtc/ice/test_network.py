import errno
from ipaddress import ip_address

import pytest

from mien.errors import NoPortError, SettingsError
from mien.media.webrtc.ice.network import IceNetworkSettings, bind_udp, own_addresses

OWN = [
    (name, ip_address(address))
    for name, address in (
        ("lo", "127.0.0.1"),
        ("lo", "::1"),
        ("eth0", "10.0.0.5"),
        ("eth0", "2001:db8::5"),
        ("docker0", "172.17.0.1"),
    )
]


@pytest.mark.parametrize(
    ("bind_to", "chosen"),
    [
        pytest.param((), ["10.0.0.5", "2001:db8::5", "172.17.0.1"], id="everything but the loopback"),
        pytest.param(("eth0",), ["10.0.0.5", "2001:db8::5"], id="an interface"),
        pytest.param(("10.0.0.0/8", "2001:db8::/32"), ["10.0.0.5", "2001:db8::5"], id="networks"),
        pytest.param(("10.0.0.5",), ["10.0.0.5"], id="an address"),
        pytest.param(("::1",), ["::1"], id="the loopback, when told"),
    ],
)
def test_media_use_the_addresses_that_are_meant(bind_to, chosen):
    assert IceNetworkSettings(bind_to=bind_to).choose(OWN) == chosen


def test_a_machine_without_a_network_still_has_its_loopback():
    assert IceNetworkSettings().choose(OWN[:2]) == ["127.0.0.1", "::1"]


def test_an_address_that_the_machine_does_not_have_is_told_at_once():
    with pytest.raises(SettingsError, match=r"10\.9\.9\.9"):
        IceNetworkSettings(bind_to=("10.9.9.9",)).choose(OWN)


@pytest.mark.parametrize(
    ("public", "local", "announced"),
    [
        pytest.param(("203.0.113.7",), "10.0.0.5", "203.0.113.7", id="every address of the family"),
        pytest.param(("203.0.113.7",), "2001:db8::5", "2001:db8::5", id="another family stays"),
        pytest.param(("203.0.113.7/10.0.0.5",), "10.0.0.5", "203.0.113.7", id="one address"),
        pytest.param(("203.0.113.7/10.0.0.5",), "172.17.0.1", "172.17.0.1", id="other addresses stay"),
    ],
)
def test_peers_hear_of_the_public_address(public, local, announced):
    assert IceNetworkSettings(public_addresses=public).announced(local) == announced


def test_this_machine_has_addresses_and_none_that_needs_a_zone():
    found = [address for _, address in own_addresses()]
    assert ip_address("127.0.0.1") in found
    assert not any(address.version == 6 and address.is_link_local for address in found)


def test_ports_are_each_tried_once_and_begin_anywhere():
    orders = [list(IceNetworkSettings(udp_ports=range(50_000, 50_016)).ports()) for _ in range(50)]
    assert all(sorted(order) == list(range(50_000, 50_016)) for order in orders)
    assert len({order[0] for order in orders}) > 1


def test_the_next_port_is_taken_where_one_is_taken_and_the_last_failure_says_what_to_do():
    with bind_udp("127.0.0.1", [0]) as first:
        taken = first.getsockname()[1]
        with bind_udp("127.0.0.1", [taken, 0]) as second:
            assert second.getsockname()[1] not in {0, taken}
        with pytest.raises(NoPortError, match="MIEN_LIVE__UDP_PORTS"):
            bind_udp("127.0.0.1", [taken])


def test_an_address_of_somebody_else_is_no_shortage_of_ports():
    with pytest.raises(OSError, match="assign requested address") as refused:
        bind_udp("198.51.100.1", [0])
    assert refused.value.errno == errno.EADDRNOTAVAIL
