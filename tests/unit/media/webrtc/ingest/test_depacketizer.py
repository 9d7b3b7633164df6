import random

import pytest
from aiortc.rtp import RtpPacket
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.ingest.depacketizer import MAX_FRAME_BYTES, Depacketizer
from mien.media.webrtc.ingest.payloads import h264_piece, vp8_piece
from support.rtp import PAYLOAD_TYPES, decoded, encode, flat, gstreamer_payloads, packets_of

CODECS = list(VideoCodec)
FRAMES = {codec: encode(codec, 24, keyframes=(0, 12)) for codec in CODECS}


class Receiver:
    """Feeds packets to an assembler, one each 5 ms, and keeps what comes out."""

    def __init__(self):
        self.depacketizer = Depacketizer(PAYLOAD_TYPES)
        self.now = 100.0
        self.frames, self.lost, self.keyframes_asked = [], [], 0

    def take(self, packet, *, after_s=0.005):
        self.now += after_s
        frames = self.depacketizer.add(packet, self.now)
        self.frames += frames
        feedback = self.depacketizer.feedback(self.now)
        self.lost += feedback.lost
        self.keyframes_asked += feedback.keyframe
        return frames

    @property
    def data(self):
        return [frame.data for frame in self.frames]


@pytest.fixture
def receiver():
    return Receiver()


@pytest.mark.parametrize("codec", CODECS)
def test_a_frame_is_there_with_its_last_packet(receiver, codec):
    for number, packets in enumerate(packets_of(codec, FRAMES[codec])):
        for packet in packets[:-1]:
            assert receiver.take(packet) == []
        (frame,) = receiver.take(packets[-1])
        assert (frame.timestamp, frame.is_keyframe) == (number * 3000, number in {0, 12})
    assert decoded(codec, receiver.data) == 24
    assert (receiver.lost, receiver.keyframes_asked) == ([], 0)


@pytest.mark.parametrize("codec", CODECS)
def test_packets_may_come_in_any_order_near_their_own(receiver, codec):
    first, *rest = packets_of(codec, FRAMES[codec])
    for packet in first:
        receiver.take(packet)
    packets = list(flat(rest))
    for at in range(0, len(packets) - 4, 4):
        packets[at : at + 4] = reversed(packets[at : at + 4])
    for packet in packets:
        receiver.take(packet, after_s=0.001)
    assert decoded(codec, receiver.data) == 24
    assert receiver.keyframes_asked == 0


@pytest.mark.parametrize("codec", CODECS)
def test_a_frame_with_a_hole_waits_for_the_packet_sent_again(receiver, codec):
    frames = packets_of(codec, FRAMES[codec][:4])
    missing = frames[1].pop(1)
    for packet in flat(frames):
        receiver.take(packet)
    assert receiver.lost == [missing.sequence_number]
    assert len(receiver.frames) == 1
    assert len(receiver.take(missing)) == 3
    assert decoded(codec, receiver.data) == 4


def test_a_request_that_is_not_answered_is_made_again_after_a_round_trip(receiver):
    frames = packets_of(VideoCodec.VP8, FRAMES[VideoCodec.VP8])
    missing = frames[1].pop(1)
    packets = flat(frames)
    asked = []
    began = receiver.now
    for packet in packets:
        receiver.take(packet)
        asked += [receiver.now - began for _ in receiver.lost]
        receiver.lost.clear()
        if len(asked) == 2:
            break
    assert asked[1] - asked[0] > receiver.depacketizer.rtt_s
    receiver.take(missing)
    assert receiver.keyframes_asked == 0


@pytest.mark.parametrize("codec", CODECS)
def test_a_packet_that_never_comes_costs_the_frames_up_to_a_keyframe_that_is_asked_for(receiver, codec):
    frames = packets_of(codec, encode(codec, 30, keyframes=(0, 24)))
    frames[1].pop(1)
    for packets in frames:
        for packet in packets:
            receiver.take(packet, after_s=0.033 / len(packets))
    assert [frame.timestamp // 3000 for frame in receiver.frames] == [0, *range(24, 30)]
    assert decoded(codec, receiver.data) == 7
    assert 1 <= receiver.keyframes_asked <= 2
    assert receiver.depacketizer.lost == 1


@pytest.mark.parametrize("codec", CODECS)
def test_a_keyframe_is_shown_without_waiting_for_what_was_lost_long_before_it(receiver, codec):
    frames = packets_of(codec, FRAMES[codec])
    frames[8].pop(1)
    for packets in frames:
        for packet in packets:
            receiver.take(packet, after_s=0.033 / len(packets))
    assert [frame.timestamp // 3000 for frame in receiver.frames] == [*range(8), *range(12, 24)]
    assert decoded(codec, receiver.data) == 20
    assert receiver.keyframes_asked == 0


KEY, DELTA = {7: 1, 8: 1, 5: 3}, {1: 3}


def kinds_of(data):
    """Count the parameter sets and slices of a picture by their kind."""
    kinds = [unit[0] & 31 for unit in data.split(b"\0\0\0\1")[1:]]
    return {kind: kinds.count(kind) for kind in kinds if kind in {1, 5, 7, 8}}


@pytest.mark.parametrize("first", [pytest.param(0, id="from-the-start"), pytest.param(40, id="joined-later")])
def test_parameter_sets_before_every_slice_cut_no_picture(receiver, first):
    encoded = encode(VideoCodec.H264, 12, keyframes=(0, 6), options={"x264-params": "slices=3:threads=1"})
    frames = packets_of(VideoCodec.H264, encoded, payloads_of=gstreamer_payloads)
    assert sum(packet.payload[0] & 31 == 7 for packet in frames[0]) >= 3, "the input is what it says"
    for packet in list(flat(frames))[first:]:
        receiver.take(packet)
    assert list(map(kinds_of, receiver.data)) == ([KEY, *5 * [DELTA], KEY, *5 * [DELTA]])[0 if first == 0 else 6 :]
    assert decoded(VideoCodec.H264, receiver.data) == len(receiver.frames)


def test_parameter_sets_before_every_slice_cut_no_picture_after_a_loss(receiver):
    encoded = encode(VideoCodec.H264, 12, keyframes=(0, 6), options={"x264-params": "slices=3:threads=1"})
    frames = packets_of(VideoCodec.H264, encoded, payloads_of=gstreamer_payloads)
    frames[3].pop(1)
    for packets in frames:
        for packet in packets:
            receiver.take(packet, after_s=0.033 / len(packets))
    assert [frame.timestamp // 3000 for frame in receiver.frames] == [0, 1, 2, *range(6, 12)]
    assert list(map(kinds_of, receiver.data)) == [KEY, DELTA, DELTA, KEY, *5 * [DELTA]]
    assert decoded(VideoCodec.H264, receiver.data) == 9


def test_keyframes_are_asked_for_again_but_not_with_every_packet(receiver):
    packets = list(flat(packets_of(VideoCodec.VP8, FRAMES[VideoCodec.VP8][1:12])))
    for packet in packets:
        receiver.take(packet, after_s=1.0 / len(packets))
    assert receiver.frames == []
    assert 3 <= receiver.keyframes_asked <= 4


@pytest.mark.parametrize("codec", CODECS)
def test_joining_in_the_middle_gives_nothing_before_a_keyframe(receiver, codec):
    for packet in list(flat(packets_of(codec, FRAMES[codec])))[3:]:
        receiver.take(packet)
    assert [frame.timestamp // 3000 for frame in receiver.frames] == list(range(12, 24))


def test_after_a_failed_decode_nothing_comes_before_a_keyframe(receiver):
    frames = packets_of(VideoCodec.VP8, FRAMES[VideoCodec.VP8])
    for packet in flat(frames[:5]):
        receiver.take(packet)
    receiver.depacketizer.start_over()
    for packet in flat(frames[5:]):
        receiver.take(packet)
    assert [frame.timestamp // 3000 for frame in receiver.frames] == [*range(5), *range(12, 24)]


def test_padding_between_frames_takes_numbers_and_nothing_else(receiver):
    number = 10
    for packets in packets_of(VideoCodec.VP8, FRAMES[VideoCodec.VP8][:6]):
        for packet in packets:
            packet.sequence_number = number
            number += 1
            receiver.take(packet)
        for _ in range(3):
            last = packets[-1]
            receiver.take(RtpPacket(96, 0, number, last.timestamp, last.ssrc))
            number += 1
    assert decoded(VideoCodec.VP8, receiver.data) == 6


def test_a_sender_without_markers_is_understood_one_frame_late(receiver):
    for packet in flat(packets_of(VideoCodec.VP8, FRAMES[VideoCodec.VP8][:6])):
        packet.marker = 0
        receiver.take(packet)
    assert decoded(VideoCodec.VP8, receiver.data) == 5


def test_a_publisher_that_begins_a_new_count_is_followed_from_its_keyframe(receiver):
    for packet in flat(packets_of(VideoCodec.VP8, FRAMES[VideoCodec.VP8][:6], sequence_number=100)):
        receiver.take(packet)
    for packet in flat(packets_of(VideoCodec.VP8, FRAMES[VideoCodec.VP8][:6], sequence_number=40_000)):
        receiver.take(packet)
    for packet in flat(packets_of(VideoCodec.VP8, FRAMES[VideoCodec.VP8][:6], sequence_number=5, ssrc=8)):
        receiver.take(packet)
    assert len(receiver.frames) == 18


def test_copies_and_old_packets_change_nothing(receiver):
    packets = list(flat(packets_of(VideoCodec.VP8, FRAMES[VideoCodec.VP8][:6])))
    for at, packet in enumerate(packets):
        receiver.take(packet)
        receiver.take(packet)
        receiver.take(packets[max(at - 7, 0)])
    assert decoded(VideoCodec.VP8, receiver.data) == 6


def test_the_time_from_a_request_to_its_answer_is_learned(receiver):
    frames = packets_of(VideoCodec.VP8, encode(VideoCodec.VP8, 80))
    late = []
    for packets in frames:
        for index, packet in enumerate(packets):
            if index == 1:
                late.append((receiver.now + 0.03, packet))
            else:
                receiver.take(packet)
            while late and late[0][0] <= receiver.now:
                receiver.take(late.pop(0)[1], after_s=0)
    assert 0.02 < receiver.depacketizer.rtt_s < 0.05


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("loss", [0.02, 0.1])
def test_whatever_is_lost_no_frame_with_a_hole_comes_out_and_pictures_come_back(receiver, codec, loss):
    dice = random.Random(4)  # noqa: S311  # dice, no secret
    again = []
    frames = packets_of(codec, encode(codec, 300, keyframes=range(0, 300, 30)))
    by_number = {packet.sequence_number: packet for packet in flat(frames)}
    for packets in frames:
        for packet in packets:
            if dice.random() > loss:
                receiver.take(packet, after_s=0.033 / len(packets))
            while again and again[0][0] <= receiver.now:
                receiver.take(again.pop(0)[1], after_s=0)
            again += [(receiver.now + 0.04, by_number[number]) for number in receiver.lost if dice.random() > loss]
            receiver.lost.clear()
    assert decoded(codec, receiver.data) == len(receiver.frames)
    assert len(receiver.frames) > 250


def held(depacketizer):
    return len(depacketizer._held), sum(each.size for each in depacketizer._held.values()), len(depacketizer._holes)


@given(
    packets=st.lists(
        st.builds(
            RtpPacket,
            payload_type=st.sampled_from([96, 102, 111]),
            marker=st.sampled_from([0, 0, 1]),
            sequence_number=st.one_of(st.integers(0, 40), st.integers(0, 65_535)),
            timestamp=st.sampled_from([0, 3000, 6000, 2**32 - 1]),
            ssrc=st.sampled_from([7, 7, 7, 8]),
            payload=st.binary(max_size=40),
        ),
        max_size=60,
    )
)
def test_no_packet_raises(packets):
    receiver = Receiver()
    for packet in packets:
        receiver.take(packet)


@given(payload=st.binary(min_size=1, max_size=1400))
def test_no_payload_raises(payload):
    for read in (vp8_piece, h264_piece):
        piece = read(payload)
        assert piece is None or len(piece.data) <= 5 * len(payload)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
@pytest.mark.parametrize("codec", CODECS)
def test_a_real_stream_with_flipped_bytes_never_raises_and_is_left_within_a_keyframe(codec, seed):
    dice = random.Random(seed)  # noqa: S311  # dice, no secret
    receiver = Receiver()
    for number, packets in enumerate(packets_of(codec, FRAMES[codec])):
        for packet in packets:
            if number < 12 and dice.random() < 0.2:
                payload = bytearray(packet.payload)
                payload[dice.randrange(min(len(payload), 6))] ^= dice.randrange(1, 256)
                packet.payload = bytes(payload)
            if number < 12 and dice.random() < 0.1:
                packet.sequence_number = dice.randrange(1 << 16)
            receiver.take(packet)
    tail = packets_of(codec, FRAMES[codec], sequence_number=30_000)
    for packet in flat(tail):
        receiver.take(packet, after_s=0.02)
    assert [frame.timestamp // 3000 for frame in receiver.frames[-12:]] == list(range(12, 24))
    assert decoded(codec, receiver.data[-12:]) == 12


def test_what_waits_has_a_bound(receiver):
    payload = bytes([0x10, 1]) + bytes(1200)
    for number in range(0, 3_000_000, 400):  # every packet leaves a gap
        receiver.take(RtpPacket(96, 0, number % 65_536, 0, 7, payload), after_s=0.0001)
        packets, size, holes = held(receiver.depacketizer)
        assert packets <= 2048
        assert holes <= 2048
        assert size <= MAX_FRAME_BYTES
        if number > 400_000:
            break
    for number in range(5000):  # one frame without an end
        receiver.take(RtpPacket(96, 0, number, 0, 9, payload), after_s=0.0001)
        assert held(receiver.depacketizer)[1] <= MAX_FRAME_BYTES
    assert receiver.frames == []
