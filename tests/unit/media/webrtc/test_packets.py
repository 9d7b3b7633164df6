import struct

import pytest
from aiortc.codecs.h264 import H264PayloadDescriptor
from aiortc.codecs.vpx import VpxPayloadDescriptor
from hypothesis import given
from hypothesis import strategies as st

from mien.media.codecs.encoded import EncodedAudio, EncodedFrame, VideoCodec
from mien.media.webrtc.packets import MAX_PAYLOAD, PackedFrame, PacketBatch, Packetiser, layout, pack_audio

EXTENSION = bytes.fromhex("bede0002103032000000 0000")


def picture(data, **more):
    return EncodedFrame(data, 3000, **({"is_keyframe": False} | more))


def unit(kind, size, *, importance=3):
    return bytes([importance << 5 | kind]) + bytes(1 + number % 255 for number in range(size - 1))


def annex_b(*units):
    return b"".join((b"\0\0\0\1", b"\0\0\1")[number % 2] + one for number, one in enumerate(units))


@given(st.integers(1, 60_000))
def test_vp8_is_cut_into_equal_parts_that_make_the_frame_again(size):
    data = bytes(number * 7 % 256 for number in range(size))
    frame = Packetiser(VideoCodec.VP8).packetise(picture(data))
    parsed = [VpxPayloadDescriptor.parse(payload) for payload in frame.payloads]
    assert b"".join(rest for _, rest in parsed) == data
    assert [descriptor.partition_start for descriptor, _ in parsed] == [1] + [0] * (len(parsed) - 1)
    assert {descriptor.picture_id for descriptor, _ in parsed} == {0}
    sizes = [len(payload) for payload in frame.payloads]
    assert max(sizes) <= MAX_PAYLOAD
    assert len(set(sizes[:-1])) <= 1
    assert sizes[-1] <= sizes[0]
    assert frame.octets == sum(sizes)


@given(st.lists(st.tuples(st.sampled_from([1, 5, 6, 7, 8]), st.integers(2, 5000)), min_size=1, max_size=8))
def test_h264_units_travel_together_or_in_parts_and_come_out_as_they_were(shapes):
    units = [unit(kind, size) for kind, size in shapes]
    frame = Packetiser(VideoCodec.H264).packetise(picture(annex_b(*units)))
    rebuilt = b"".join(H264PayloadDescriptor.parse(payload)[1] for payload in frame.payloads)
    assert rebuilt == b"".join(b"\0\0\0\1" + one for one in units)
    assert max(map(len, frame.payloads)) <= MAX_PAYLOAD


def test_h264_keyframes_carry_the_parameter_sets_though_the_encoder_gave_them_once():
    packetiser = Packetiser(VideoCodec.H264)
    sps, pps, key = unit(7, 20), unit(8, 6), unit(5, 500)
    first = packetiser.packetise(picture(annex_b(unit(9, 2), sps, pps, key), is_keyframe=True))
    again = packetiser.packetise(picture(annex_b(key), is_keyframe=True))
    other_layer = packetiser.packetise(picture(annex_b(key), is_keyframe=True, layer=1))
    assert again.payloads == first.payloads
    assert first.payloads[0][0] & 31 == 24
    assert other_layer.payloads == (key,)


def test_a_picture_of_nothing_gives_no_packets():
    assert Packetiser(VideoCodec.VP8).packetise(picture(b"")).payloads == ()
    assert Packetiser(VideoCodec.H264).packetise(picture(b"\0\0\0\1")).payloads == ()


def test_sound_is_one_packet_without_marker():
    frame = pack_audio(EncodedAudio(b"opus", 960))
    template = PacketBatch(frame, 0, 1, 0).template(layout(111, b"", None, 10))
    assert template.data == bytes((0x80, 111)) + bytes(10) + b"opus" + bytes(10)
    assert template.picture_id_at == 0


@given(st.integers(1, 400))
def test_slices_are_few_small_and_hold_everything_in_order(count):
    slices = PackedFrame((b"x",) * count, 0).slices()
    assert [number for first, end in slices for number in range(first, end)] == list(range(count))
    assert max(end - first for first, end in slices) <= (10 if count <= 80 else 45)
    assert len(slices) <= max(8, -(-count // 45))


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30), st.integers(10, 16))
def test_a_template_says_how_the_kernel_shall_cut_it_up(sizes, tag):
    frame = PackedFrame(tuple(bytes([number]) * size for number, size in enumerate(sizes)), 0, has_picture_id=True)
    template = PacketBatch(frame, 0, len(sizes), 0x123456).template(layout(96, EXTENSION, 19, tag))
    cut = []
    for begin, end, order in template.runs:
        step = end - begin
        if order is not None:
            ((level, kind, data),) = order
            assert (level, kind) == (17, 103)
            (step,) = struct.unpack("=H", data)
        cut += [(at, min(at + step, end)) for at in range(begin, end, step)]
    assert cut == [(at, at + length + tag) for at, length in template.places]
    packets = [template.data[begin:end] for begin, end in cut]
    assert [packet[24 : len(packet) - tag] for packet in packets] == list(frame.payloads)
    assert {packet[19:22] for packet in packets} == {bytes.fromhex("123456")}
    assert [packet[1] for packet in packets] == [96] * (len(sizes) - 1) + [96 | 128]


def test_equal_packets_are_one_run_and_viewers_of_one_layout_share_one_template():
    frame = Packetiser(VideoCodec.VP8).packetise(picture(bytes(8000)))
    batch = PacketBatch(frame, 0, len(frame.payloads), 0)
    template = batch.template(layout(96, EXTENSION, 19, 16))
    assert len(template.runs) == 1
    assert batch.template(layout(96, EXTENSION, 19, 16)) is template
    assert batch.template(layout(97, EXTENSION, 19, 16)) is not template


@pytest.mark.parametrize("marker", [True, False])
def test_a_header_leaves_its_numbers_zero(marker):
    assert layout(96, b"", None, 10).header(98, marker=marker, stamp=7) == bytes((0x80, 98 | marker << 7)) + bytes(10)
