"""How flights of DTLS records leave."""

import pytest

from mien.media.webrtc.aiortc_internals.dtls import datagrams


def record(size):
    return bytes([22, 0xFE, 0xFD]) + bytes(8) + size.to_bytes(2) + bytes(size)


@pytest.mark.parametrize(
    ("sizes", "datagram_sizes"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([100], [113], id="one"),
        pytest.param([500, 600], [1126], id="two-that-fit"),
        pytest.param([500, 500, 500], [1026, 513], id="none-is-cut"),
        pytest.param([1400, 10], [1413, 23], id="a-large-one-goes-alone"),
    ],
)
def test_a_datagram_ends_with_a_record(sizes, datagram_sizes):
    flight = b"".join(map(record, sizes))
    cut = list(datagrams(flight))
    assert b"".join(cut) == flight
    assert [len(each) for each in cut] == datagram_sizes
