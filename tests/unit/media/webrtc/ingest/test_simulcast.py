from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.rtp import RtpPacket

from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.ingest.depacketizer import ReceivedFrame
from mien.media.webrtc.ingest.key_frame_size import key_frame_size_wh
from mien.media.webrtc.ingest.simulcast import SimulcastSelector
from support.rtp import PAYLOAD_TYPES, decoded, encode, packets_of

CODECS = list(VideoCodec)
SMALL, MIDDLE, LARGE = (96, 64), (192, 128), (384, 256)
SIZES = {11: SMALL, 22: MIDDLE, 33: LARGE}
FRAMES = {
    (codec, source): packets_of(
        codec, encode(codec, 30, size_wh=size_wh, keyframes=(0, 15)), ssrc=source, timestamp=source * 10**7
    )
    for codec in CODECS
    for source, size_wh in SIZES.items()
}


class Sender:
    """Sends the frames of three layers, one after the other, and notes what is asked of it."""

    def __init__(self, codec, order=(11, 22, 33)):
        self.codec, self.order = codec, order
        self.changes = []
        self.layers = SimulcastSelector(PAYLOAD_TYPES, changed=lambda frame: self.changes.append(frame.timestamp))
        self.now = 100.0
        self.frames, self.asked = [], dict.fromkeys(order, 0)
        self.lost = dict.fromkeys(order, 0)

    def send(self, numbers, *, of=None, without=()):
        for number in numbers:
            self.now += 1 / 30
            for source in of or self.order:
                for index, packet in enumerate(FRAMES[self.codec, source][number]):
                    if (source, number, index) in without:
                        continue
                    self.frames += self.layers.add(packet, self.now)
                    feedback = self.layers.feedback(self.now)
                    self.asked[source] += feedback.keyframe
                    self.lost[source] += len(feedback.lost)

    @property
    def sizes(self):
        """The size of each picture that goes on, by a decoder that is opened anew at each key frame."""
        sizes, context = [], None
        for frame in self.frames:
            if frame.is_keyframe:
                context = av.CodecContext.create({"VP8": "vp8", "H264": "h264"}[self.codec], "r")
            sizes += [(picture.width, picture.height) for picture in context.decode(av.Packet(frame.data))]
        return sizes


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("order", [(11, 22, 33), (33, 22, 11), (22, 33, 11)], ids=str)
def test_the_largest_layer_goes_on_whichever_is_the_first(codec, order):
    sender = Sender(codec, order)
    sender.send(range(30))
    assert sender.layers.source == 33
    assert set(sender.sizes[2:]) == {LARGE}
    assert len(sender.sizes) >= 30
    assert sender.layers.dropped == 0


@pytest.mark.parametrize("codec", CODECS)
def test_a_smaller_layer_takes_over_at_a_key_frame_once_the_largest_was_switched_off(codec):
    sender = Sender(codec)
    sender.send(range(5))
    sender.send(range(5, 15), of=(11, 22))
    assert sender.sizes.count(LARGE) == 5
    assert sender.asked == {11: 0, 22: 0, 33: 0}, "a third of a second is a hiccup"
    for _ in range(4):
        sender.send(range(6, 15), of=(11, 22))  # late packets: nothing that could be shown
    assert sender.asked[22] > 0
    assert sender.asked[11] == 0, "the better one of what is left"
    sender.send(range(15, 20), of=(11, 22))
    assert sender.layers.source == 22
    assert sender.sizes[-4:] == [MIDDLE] * 4
    sender.send(range(15, 30), of=(11, 22, 33))
    assert sender.layers.source == 33
    assert sender.sizes[-10:] == [LARGE] * 10


def test_padding_is_no_sign_of_life():
    """Browsers probe the line with it, on the layer that they may switch on again."""
    sender = Sender(VideoCodec.VP8, (11, 22))
    sender.send(range(10))
    (last, *_) = FRAMES[VideoCodec.VP8, 22][10]
    for step in range(60):
        padding = RtpPacket(
            payload_type=96, sequence_number=last.sequence_number + step, timestamp=last.timestamp, ssrc=22
        )
        sender.layers.add(padding, sender.now)
        sender.send([11] if step % 2 else [12], of=(11,))
    assert sender.asked[11] > 0
    sender.send(range(15, 18), of=(11,))
    assert sender.layers.source == 11


@pytest.mark.parametrize("codec", CODECS)
def test_another_layer_s_clock_is_told_before_its_first_frame(codec):
    sender = Sender(codec, (11, 33))
    sender.send(range(3))
    assert sender.changes == [11 * 10**7, 33 * 10**7]


def test_holes_in_a_layer_that_nobody_looks_at_are_not_asked_for():
    sender = Sender(VideoCodec.VP8)
    lost = {(source, number, 0) for source in (11, 22) for number in range(3, 12)}
    sender.send(range(14), without=lost)
    assert (sender.lost, sender.asked) == ({11: 0, 22: 0, 33: 0}, {11: 0, 22: 0, 33: 0})
    sender.send(range(14, 29), without={(33, 20, 0)})
    assert sender.lost[33] > 0


def test_sources_without_end_cost_a_few_assemblers():
    layers = SimulcastSelector(PAYLOAD_TYPES)
    (packet, *_) = FRAMES[VideoCodec.VP8, 11][0]
    for source in range(1000):
        packet.ssrc = source
        layers.add(packet, 100.0 + source)
    packet.ssrc = 11
    assert len(layers._layers) == 6


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size_wh", [(16, 16), (640, 480), (1280, 720), (320, 1088)])
def test_the_size_of_a_key_frame_is_read_from_it(codec, size_wh):
    (data,) = encode(codec, 1, size_wh=size_wh)
    width, height = key_frame_size_wh(ReceivedFrame(data, codec, 0, is_keyframe=True))
    assert (width, height) == (size_wh if codec is VideoCodec.VP8 else tuple(-(-side // 16) * 16 for side in size_wh))
    assert decoded(codec, [data]) == 1


@pytest.mark.parametrize("profile", ["main", "high", "high422", "high444"])
def test_h264_sizes_are_read_in_every_profile(profile):
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.time_base = 640, 368, Fraction(1, 30)
    context.pix_fmt = {"high422": "yuv422p", "high444": "yuv444p"}.get(profile, "yuv420p")
    context.options = {"profile": profile, "preset": "ultrafast", "x264-params": "cqm=jvt" if "high" in profile else ""}
    frame = av.VideoFrame.from_ndarray(np.zeros((368, 640, 3), np.uint8), format="rgb24").reformat(
        format=context.pix_fmt
    )
    data = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
    assert key_frame_size_wh(ReceivedFrame(data, VideoCodec.H264, 0, is_keyframe=True)) == (640, 368)


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\1", b"\0\0\1\x67", b"\0\0\1\x67" + b"\0" * 400, b"\0\0\1\x67" + b"\xff" * 40]
)
def test_what_is_no_key_frame_has_no_size(data):
    for codec in CODECS:
        size = key_frame_size_wh(ReceivedFrame(data, codec, 0, is_keyframe=True))
        assert size is None or min(size) >= 0
        assert key_frame_size_wh(ReceivedFrame(data, codec, 0, is_keyframe=False)) is None
