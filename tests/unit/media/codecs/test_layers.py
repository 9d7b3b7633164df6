import itertools
import time
from types import SimpleNamespace

import av
import numpy as np
import pytest

from mien.media.codecs import layers
from mien.media.codecs.encoded import VideoCodec
from mien.media.codecs.encoder import Encoder
from mien.media.codecs.layers import LayerEncoders
from mien.vision.types import TreatedFrame

BOTH = frozenset({0, 1})


def frame(number=0, size_wh=(128, 96)):
    rng = np.random.default_rng(number)
    return TreatedFrame(rng.integers(0, 255, (size_wh[1], size_wh[0], 3), np.uint8), at=0.0)


def every_layer(pictures):
    return [(picture.layer, picture.is_keyframe) for picture in pictures]


@pytest.fixture(params=list(VideoCodec))
def layer_encoders(request):
    return LayerEncoders(request.param, epoch=0.0)


def encode(layer_encoders, number):
    return list(layer_encoders.encode(frame(number), at=number / 30))


def test_only_what_is_watched_is_encoded(layer_encoders):
    assert encode(layer_encoders, 0) == []
    layer_encoders.set_audience(frozenset({1}))
    assert every_layer(encode(layer_encoders, 1)) == [(1, True)]
    layer_encoders.set_audience(frozenset())
    assert encode(layer_encoders, 2) == []


def test_a_rung_that_gains_an_audience_begins_with_a_keyframe_and_the_other_goes_on(layer_encoders):
    layer_encoders.set_audience(frozenset({0}))
    encode(layer_encoders, 0)
    layer_encoders.set_audience(BOTH)
    assert every_layer(encode(layer_encoders, 1)) == [(0, False), (1, True)]
    assert every_layer(encode(layer_encoders, 2)) == [(0, False), (1, False)]
    layer_encoders.set_audience(frozenset({0}))
    encode(layer_encoders, 3)
    layer_encoders.set_audience(BOTH)
    assert every_layer(encode(layer_encoders, 4)) == [(0, False), (1, True)]  # though less than the gap has passed


def test_the_lower_rung_has_half_the_sides_and_the_same_times():
    layer_encoders = LayerEncoders(VideoCodec.VP8, epoch=0.0)
    layer_encoders.set_audience(BOTH)
    best, lower = encode(layer_encoders, 3)
    sizes = []
    for picture in (best, lower):
        (decoded,) = av.CodecContext.create("libvpx", "r").decode(av.Packet(picture.data))
        sizes.append((decoded.width, decoded.height))
    assert sizes == [(128, 96), (64, 48)]
    assert best.pts == lower.pts == 9000


def test_a_rung_that_is_asked_for_all_the_time_gets_a_few_keyframes_a_second(layer_encoders, monkeypatch):
    now = 100.0
    monkeypatch.setattr(layers, "time", SimpleNamespace(monotonic=lambda: now))
    layer_encoders.set_audience(BOTH)
    encode(layer_encoders, 0)
    seen = []
    for number in range(1, 31):
        now += 1 / 30
        for _ in range(5):
            layer_encoders.want_keyframe(1)
        seen += every_layer(encode(layer_encoders, number))
    assert [key for layer, key in seen if layer == 0 and key] == []
    assert 2 <= len([key for layer, key in seen if layer == 1 and key]) <= 5


def test_a_fresh_start_waits_for_nothing(layer_encoders):
    layer_encoders.set_audience(BOTH)
    encode(layer_encoders, 0)
    layer_encoders.want_fresh_start()
    assert every_layer(encode(layer_encoders, 1)) == [(0, True), (1, True)]


def test_the_best_picture_leaves_before_the_next_is_encoded(monkeypatch):
    layer_encoders = LayerEncoders(VideoCodec.VP8, epoch=0.0)
    layer_encoders.set_audience(BOTH)
    encoded, original = [], Encoder.encode

    def spy(self, planes, **how):
        encoded.append(planes.size_wh)
        return original(self, planes, **how)

    monkeypatch.setattr(Encoder, "encode", spy)
    assert next(layer_encoders.encode(frame(), at=0.0)).layer == 0
    assert encoded == [(128, 96)]


def test_when_encoding_cannot_keep_up_the_lower_rung_takes_every_second_frame_and_recovers():
    layer_encoders = LayerEncoders(VideoCodec.VP8, epoch=0.0)
    layer_encoders.set_audience(BOTH)
    large = [frame(number, (640, 360)) for number in range(4)]

    def go(number):
        return every_layer(layer_encoders.encode(large[number % 4], at=number / 30))

    hurried = [go(number) for number in range(100)]  # the next frame waits already, always
    assert layer_encoders.overloaded
    late = [len(pictures) for pictures in hurried[-10:]]
    assert set(itertools.pairwise(late)) == {(1, 2), (2, 1)}
    assert all(pictures[0][0] == 0 for pictures in hurried)
    number = 100
    while layer_encoders.overloaded and number < 200:
        time.sleep(0.05)
        go(number)
        number += 1
    assert not layer_encoders.overloaded


def test_a_single_rung_is_never_thinned():
    layer_encoders = LayerEncoders(VideoCodec.VP8, epoch=0.0)
    layer_encoders.set_audience(frozenset({1}))
    assert all(len(encode(layer_encoders, number)) == 1 for number in range(80))


def test_a_rung_that_fails_begins_anew_and_holds_up_no_other(layer_encoders, monkeypatch):
    layer_encoders.set_audience(BOTH)
    encode(layer_encoders, 0)
    original = Encoder.encode

    def fail_on_the_best(self, planes, **how):
        if planes.size_wh == (128, 96):
            raise av.error.ExternalError(1, "out of luck")
        return original(self, planes, **how)

    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "encode", fail_on_the_best)
        seen = []
        with pytest.raises(av.error.ExternalError):
            seen.extend(layer_encoders.encode(frame(1), at=1 / 30))
    assert every_layer(encode(layer_encoders, 2)) == [(0, True), (1, False)]


def test_a_camera_picture_reaches_no_rung(layer_encoders):
    layer_encoders.set_audience(BOTH)
    with pytest.raises(TypeError, match="only a TreatedFrame"):
        list(layer_encoders.encode(frame().image, at=0.0))


def test_there_are_two_rungs(layer_encoders):
    with pytest.raises(ValueError, match="there are the layers 0 to 1, got \\[2\\]"):
        layer_encoders.set_audience(frozenset({2}))
