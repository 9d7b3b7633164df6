"""Where a stranger's candidates may lead."""

from ipaddress import ip_interface, ip_network

import pytest

from mien.errors import SdpError, SdpLimitError
from mien.media.webrtc.ice.candidates import Candidate, Neighbours, is_fit, read_candidate
from mien.media.webrtc.ice.network import IceNetworkSettings, own_interfaces

LINE = "1 1 udp 2130706431 192.0.2.7 50000 typ host"


@pytest.mark.parametrize(
    ("value", "address", "kind"),
    [
        pytest.param(LINE, "192.0.2.7", "host", id="host"),
        pytest.param(LINE.replace("udp", "UDP"), "192.0.2.7", "host", id="capitals"),
        pytest.param(
            LINE.replace("host", "srflx raddr 10.0.0.1 rport 9 generation 0 ufrag x network-id 1 network-cost 50"),
            "192.0.2.7",
            "srflx",
            id="all that Chromium adds",
        ),
        pytest.param(LINE.replace("192.0.2.7", "2001:DB8:0::7"), "2001:db8::7", "host", id="another form of it"),
        pytest.param(
            "842163049 1 udp 1677729535 1.1.1.1 46154 typ relay raddr 0.0.0.0 rport 0", "1.1.1.1", "relay", id="relay"
        ),
    ],
)
def test_a_candidate_is_read(value, address, kind):
    read = read_candidate(value)
    assert (read.address, read.kind) == (address, kind)
    given = read.for_aiortc("0", number=3)
    assert (given.ip, given.port, given.foundation, given.relatedAddress, given.sdpMid) == (
        address,
        read.port,
        "3",
        None,
        "0",
    )


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(LINE.replace("udp", "tcp") + " tcptype active", id="TCP"),
        pytest.param(LINE.replace("1 1", "1 2"), id="another component"),
        pytest.param(LINE.replace("192.0.2.7", "5d3c.local"), id="a multicast name"),
        pytest.param(LINE.replace("192.0.2.7", "host.example.org"), id="a name"),
        pytest.param(LINE.replace("192.0.2.7", "fe80::1%eth0"), id="a zone"),
        pytest.param(LINE.replace("50000", "0"), id="port 0"),
        pytest.param(LINE.replace("host", "prflx"), id="seen by itself"),
        pytest.param(LINE.replace("192.0.2.7", "192.0.2"), id="half an address"),
        pytest.param(LINE.replace("192.0.2.7", "3221225991"), id="an address as a number"),
        pytest.param(LINE.replace("192.0.2.7", "0300.0.2.7"), id="an address with octal digits"),
    ],
)
def test_what_no_check_can_be_sent_to_is_left_out(value):
    assert read_candidate(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1 1 udp",
        LINE.replace("50000", "70000"),
        LINE.replace("2130706431", "4294967296"),
        LINE.replace("host", "home"),
        LINE.replace("typ ", ""),
        LINE.replace(" ", "\t"),
        LINE.replace(" ", "\xa0"),
        LINE.replace("50000", "\u0665\u0660"),
    ],
)
def test_what_is_no_candidate_is_refused(value):
    with pytest.raises(SdpError):
        read_candidate(value)


def test_a_candidate_has_a_length():
    with pytest.raises(SdpLimitError, match="512"):
        read_candidate(LINE + " x" * 300)


NEVER = [
    "0.0.0.0",  # noqa: S104  # nothing is bound
    "0.1.2.3",
    "224.0.0.251",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "ff02::fb",
    "ff0e::1",
    "64:ff9b::e000:1",
    "::ffff:224.0.0.1",
]
NOT_PUBLIC = [
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "fc00::1",
    "fd12::1",
    "fe80::1",
]


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_sent_to(address):
    assert not Neighbours().may_reach(address)
    everything = Neighbours((ip_network("0.0.0.0/0"), ip_network("::/0")))
    assert not everything.may_reach(address), "whatever the operator allows"


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_public_is_sent_to_only_where_we_are(address):
    assert not Neighbours().may_reach(address)
    assert not Neighbours((ip_network("192.168.7.0/24"), ip_network("fd77::/64"))).may_reach(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_what_is_public_is_sent_to(address):
    assert Neighbours().may_reach(address)


@pytest.mark.parametrize(
    ("port", "address", "fit"),
    [
        (1, "1.1.1.1", False),
        (53, "1.1.1.1", False),
        (123, "2606:4700::1111", False),
        (1023, "1.1.1.1", False),
        (80, "1.1.1.1", True),
        (443, "1.1.1.1", True),
        (443, "192.168.7.9", False),
        (443, "::ffff:192.168.7.9", False),
        (1024, "1.1.1.1", True),
        (1024, "192.168.7.9", True),
        (65_535, "1.1.1.1", True),
    ],
)
def test_ports_of_services_are_not_sent_to(port, address, fit):
    home = Neighbours((ip_network("192.168.7.0/24"),))
    assert is_fit(Candidate(1, address, port, "host"), home.may_reach) is fit


OWN = [
    (name, ip_interface(address))
    for name, address in (
        ("lo", "127.0.0.1/8"),
        ("lo", "::1/128"),
        ("eth0", "10.0.0.5/24"),
        ("eth0", "fd12::5/64"),
        ("docker0", "172.17.0.1/16"),
    )
]


@pytest.mark.parametrize(
    ("reach", "near", "far"),
    [
        pytest.param(
            IceNetworkSettings(),
            ["10.0.0.9", "fd12::9", "172.17.0.9"],
            ["10.0.1.9", "127.0.0.1", "::1"],
            id="by default",
        ),
        pytest.param(
            IceNetworkSettings(bind_to=("eth0",)), ["10.0.0.9"], ["172.17.0.9", "127.0.0.1"], id="one interface"
        ),
        pytest.param(
            IceNetworkSettings(bind_to=("lo",)), ["127.0.0.1", "127.9.9.9", "::1"], ["10.0.0.9"], id="the loopback"
        ),
        pytest.param(
            IceNetworkSettings(public_addresses=("203.0.113.7/10.0.0.5",)),
            ["172.17.0.9", "fd12::9"],
            ["10.0.0.9"],
            id="an address that is announced as another",
        ),
        pytest.param(
            IceNetworkSettings(bind_to=("lo",), peer_networks=("10.0.0.0/8",)),
            ["127.0.0.1", "10.7.7.7"],
            ["172.17.0.9"],
            id="what the operator allows",
        ),
    ],
)
def test_neighbours_are_where_media_listen(reach, near, far):
    neighbours = Neighbours(reach.networks(OWN))
    assert [address for address in (*near, *far) if neighbours.may_reach(address)] == near


def test_a_machine_without_a_network_has_its_loopback_for_neighbours():
    assert Neighbours(IceNetworkSettings().networks(OWN[:2])).may_reach("127.0.0.1")


def test_this_machine_says_which_networks_it_is_in():
    found = dict(own_interfaces())
    assert found
    assert all(interface.ip in interface.network for interface in found.values())
