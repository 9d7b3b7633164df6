import itertools

import pytest

from mien.media.webrtc.aiortc_internals import StreamTerms
from mien.media.webrtc.egress.rtp_stream import RtpStream, stamp
from mien.media.webrtc.packets import PackedFrame, PacketBatch


class Paper:
    """A line that writes down what it shall send."""

    tag = 16
    refused = 0

    def __init__(self):
        self.sent, self.again = [], []

    def send(self, template, sequence, timestamp, ssrc, picture_id):
        assert ssrc == 7
        for number in range(len(template.places)):
            self.sent.append((sequence + number & 0xFFFF, timestamp, picture_id))

    def send_one(self, packet):
        self.again.append(packet)


@pytest.fixture
def line():
    return Paper()


def stream(line, *, rtx=98, rate=1_000_000.0, epoch=0.0):
    terms = StreamTerms("video/vp8", 7, 97, 8, rtx, b"", None, line)
    return RtpStream(terms, clock_rate=90_000, epoch=epoch, resend_rate=rate)


def frame(number, packets=3, *, pts=None):
    payloads = tuple(b"\x80\x80\x80\x00" + bytes([number % 256, index]) for index in range(packets))
    return PackedFrame(payloads, number * 3000 if pts is None else pts, has_picture_id=True)


def push(stream, frame, now):
    for first, end in frame.slices():
        stream.send(PacketBatch(frame, first, end, stamp(now)), now=now)


def test_numbers_go_on_through_wraps_and_equal_times(line):
    out = stream(line)
    for number in range(40_000):
        push(out, frame(number, 2, pts=number // 2 * 3000), number / 30)
    sequences, timestamps, picture_ids = zip(*line.sent, strict=True)
    assert all((b - a) % 65_536 == 1 for a, b in itertools.pairwise(sequences))
    steps = {(b - a) % (1 << 32) for a, b in zip(timestamps[::2], timestamps[2::2], strict=False)}
    assert steps == {1, 2999}
    assert {(b - a) % (1 << 15) for a, b in zip(picture_ids[::2], picture_ids[2::2], strict=False)} == {1}
    assert (out.packets, out.octets) == (80_000, 480_000)


def test_a_packet_is_sent_again_on_its_own_stream_once_a_round_trip(line):
    out = stream(line)
    push(out, frame(5), 1.0)
    (_, _, _), (lost, timestamp, picture_id), _ = line.sent
    for now in (1.01, 1.05, 1.10, 1.12):
        out.resend([lost], now=now, rtt_s=0.1)
    assert len(line.again) == out.resent == 2
    one, other = line.again
    assert one[1] == 98
    assert one[4:12] == timestamp.to_bytes(4, "big") + (8).to_bytes(4, "big")
    assert one[12:] == lost.to_bytes(2, "big") + b"\x80\x80" + (0x8000 | picture_id).to_bytes(2, "big") + b"\x05\x01"
    assert (int.from_bytes(other[2:4], "big") - int.from_bytes(one[2:4], "big")) % 65_536 == 1


def test_without_a_stream_for_it_the_same_bytes_are_sent_again(line):
    out = stream(line, rtx=None)
    push(out, frame(5), 1.0)
    lost, timestamp, picture_id = line.sent[-1]
    out.resend([lost], now=1.2, rtt_s=None)
    (packet,) = line.again
    expected = bytes((0x80, 97 | 128)) + lost.to_bytes(2, "big") + timestamp.to_bytes(4, "big") + bytes((0, 0, 0, 7))
    assert packet == expected + b"\x80\x80" + (0x8000 | picture_id).to_bytes(2, "big") + b"\x05\x02"


def test_what_is_gone_unknown_or_of_another_rung_is_not_sent_again(line):
    out = stream(line)
    push(out, frame(0), 0.0)
    old = line.sent[0][0]
    for number in range(1, 60):
        push(out, frame(number), number / 30)
    newest = line.sent[-1][0]
    out.resend([old, newest + 1 & 0xFFFF, newest + 20_000 & 0xFFFF, newest - 20_000 & 0xFFFF], now=2.0, rtt_s=0.01)
    assert not line.again
    out.resend([newest], now=2.0, rtt_s=0.01)
    out.forget()
    out.resend([newest, newest - 1 & 0xFFFF], now=3.0, rtt_s=0.01)
    assert len(line.again) == 1


def test_what_has_not_left_yet_is_not_sent_again(line):
    out = stream(line)
    large = frame(1, 25)
    first, end = large.slices()[0]
    out.send(PacketBatch(large, first, end, 0), now=0.0)
    base = line.sent[0][0]
    out.resend([base + number & 0xFFFF for number in range(25)], now=0.1, rtt_s=0.05)
    assert len(line.again) == end


def test_a_storm_of_requests_gets_a_burst_and_then_the_steady_rate(line):
    out = stream(line, rate=8_000.0)  # a thousand bytes a second, five hundred at once
    for number in range(20):
        push(out, frame(number, 10), number / 30)
    everything = [sequence for sequence, _, _ in line.sent]
    for step in range(100):
        out.resend(everything, now=0.7 + step / 100, rtt_s=0.0)
    assert 1000 < out.resent_octets <= 500 + 1000 * 1.0
    assert out.packets == 200  # reports count what was sent first


def test_a_report_tells_the_instant_of_now_on_the_streams_clock(line):
    out = stream(line, epoch=100.0)
    push(out, frame(0, pts=90_000), 101.5)
    _, timestamp, _ = line.sent[0]
    report = out.report(101.5)
    assert (report.rtp_timestamp - timestamp) % (1 << 32) == 45_000
    assert (report.packets, report.octets) == (3, 18)
    later = out.report(102.5)
    assert abs((later.ntp_timestamp - report.ntp_timestamp) / (1 << 32) - 1) < 1e-6


def test_a_viewer_who_came_after_a_frame_began_gets_nothing_of_it(line):
    out = stream(line)
    large = frame(1, 25)
    out.send(PacketBatch(large, 10, 20, 0), now=0.0)
    assert not line.sent


def test_padding_is_the_largest_of_the_last_packets_as_a_retransmission_and_takes_nothing_from_them(line):
    out = stream(line, rate=0.0)
    for number in range(40):
        push(out, PackedFrame((bytes(300 + number % 7), bytes(90)), number * 3000), number / 30)
    for _ in range(3):
        assert out.pad(now=1.4) == 306
    assert (out.padded, out.padded_octets, out.resent, out.packets) == (3, 918, 0, 80)
    numbers = [int.from_bytes(packet[2:4], "big") for packet in line.again]
    assert [(b - a) % 65_536 for a, b in itertools.pairwise(numbers)] == [1, 1]
    newest = line.sent[-1][0]
    for packet in line.again:
        assert packet[1] & 0x7F == 98
        assert (newest - int.from_bytes(packet[12:14], "big")) % 65_536 < 48


def test_nothing_is_padded_before_anything_was_sent_or_once_it_is_forgotten(line):
    out = stream(line)
    assert out.can_pad
    assert out.pad(now=0.0) == 0
    large = frame(1, 25)
    first, end = large.slices()[0]
    out.send(PacketBatch(large, first, end, 0), now=0.0)
    out.pad(now=0.1)
    base = line.sent[0][0]
    assert (int.from_bytes(line.again[0][12:14], "big") - base) % 65_536 < end
    out.forget()
    assert out.pad(now=0.2) == 0


def test_where_retransmissions_have_no_stream_of_their_own_nothing_can_be_padded(line):
    assert not stream(line, rtx=None).can_pad
