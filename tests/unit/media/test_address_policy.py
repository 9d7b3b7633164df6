import pytest

from mien.errors import TargetError
from mien.media.address_policy import Target, Targets

INWARDS = [
    "0.0.0.0",  # noqa: S104  # nothing is bound
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "fc00::1",
    "fd00::2",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "host.local",
    "example.org",
    "fe80::1%eth0",
]


@pytest.mark.parametrize("address", INWARDS)
def test_what_is_not_public_may_not_be_reached(address):
    assert not Targets().may_reach(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "192.0.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"])
def test_what_is_public_may(address):
    assert Targets().may_reach(address)


def test_what_the_operator_allows_may_be_reached_and_nothing_beside_it():
    targets = Targets(allowed=("10.0.0.0/24",))
    assert targets.may_reach("10.0.0.1")
    assert targets.may_reach("::ffff:10.0.0.1")
    assert not targets.may_reach("10.0.1.1")


@pytest.mark.parametrize(
    ("url", "pinned", "authority"),
    [
        ("https://a.example/whip?key=1#x", "https://1.1.1.1:443/whip?key=1", "a.example"),
        ("http://a.example:8080/whip", "http://1.1.1.1:8080/whip", "a.example:8080"),
        ("http://a.example:443/whip", "http://1.1.1.1:443/whip", "a.example:443"),
    ],
)
def test_the_address_that_was_checked_is_asked_under_the_name_of_the_url(url, pinned, authority):
    port = int(pinned.split(":")[2].split("/")[0])
    target = Target(url, "1.1.1.1", "a.example", port)
    assert (target.pinned, target.authority) == (pinned, authority)


async def test_a_url_that_is_too_long_is_refused():
    with pytest.raises(TargetError, match="2048"):
        await Targets().look_up("https://a.example/" + "a" * 2048)


async def test_a_name_with_one_address_inside_is_refused_for_all_of_them(monkeypatch):
    import asyncio

    async def found(*_args, **_more):
        return [(2, 1, 6, "", ("1.1.1.1", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    with pytest.raises(TargetError, match="not public"):
        await Targets().look_up("https://a.example/whip")
