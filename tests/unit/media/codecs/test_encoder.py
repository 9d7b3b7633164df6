from functools import lru_cache

import av
import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from mien.errors import ShapeError
from mien.media.codecs import h264
from mien.media.codecs.encoder import VIDEO_TIME_BASE, bit_rate_of
from mien.media.codecs.h264 import H264Encoder
from mien.media.codecs.planes import TreatedPlanes
from mien.media.codecs.vp8 import Vp8Encoder
from mien.vision.types import TreatedFrame

DECODERS = {Vp8Encoder: "libvpx", H264Encoder: "h264"}
SIZE_WH = (320, 240)

every_codec = pytest.mark.parametrize("codec", [Vp8Encoder, H264Encoder])


def picture(number=0, size_wh=SIZE_WH):
    image = cv2.resize(np.roll(astronaut(), number, axis=1), size_wh, interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(number).normal(0, 3, image.shape)
    return TreatedFrame(np.clip(image + noise, 0, 255).astype(np.uint8), at=0.0)


@lru_cache(maxsize=100)
def planes(number=0, size_wh=SIZE_WH):
    return TreatedPlanes(picture(number, size_wh))


class Decoder:
    def __init__(self, codec):
        self._context = av.CodecContext.create(DECODERS[codec], "r")
        if codec is H264Encoder:
            self._context.options = {"flags": "+low_delay"}  # give each picture out at once

    def __call__(self, encoded):
        (frame,) = self._context.decode(av.Packet(encoded.data))
        return frame


@every_codec
def test_only_a_treated_picture_is_ever_encoded(codec):
    with pytest.raises(TypeError, match="only TreatedPlanes may be encoded, got ndarray"):
        codec(epoch=0.0).encode(planes().i420, at=0.0)


@every_codec
def test_what_was_encoded_is_what_is_seen(codec):
    encoder, decode = codec(epoch=0.0, layer=1), Decoder(codec)
    seen = []
    for number in range(12):
        encoded = encoder.encode(planes(number), at=number / 30)
        assert encoded.layer == 1
        seen.append(cv2.PSNR(decode(encoded).to_ndarray(format="rgb24"), picture(number).image))
    assert min(seen[4:]) > 23


@every_codec
@pytest.mark.parametrize("size_wh", [(320, 238), (322, 242), (318, 270), (34, 18)])
def test_a_picture_of_any_even_size_keeps_its_colours(codec, size_wh):
    drawn = np.empty((*size_wh[::-1], 3), np.uint8)
    drawn[:] = (210, 120, 40)
    drawn[: size_wh[1] // 2] = (40, 120, 210)
    encoder, decode = codec(epoch=0.0), Decoder(codec)
    frame = decode(encoder.encode(TreatedPlanes(TreatedFrame(drawn, at=0.0)), at=0.0))
    assert (frame.width, frame.height) == size_wh
    edges = frame.to_ndarray(format="rgb24")[[0, 2, 4, -4, -1]].mean(axis=1)
    assert np.abs(edges - drawn[[0, 2, 4, -4, -1]].mean(axis=1)).max() < 20


@every_codec
def test_the_first_picture_and_every_one_asked_for_is_a_keyframe(codec):
    encoder = codec(epoch=0.0)
    keys = [encoder.encode(planes(n), at=n / 30, keyframe=n == 5).is_keyframe for n in range(8)]
    assert keys == [True, False, False, False, False, True, False, False]


@every_codec
def test_a_keyframe_can_be_decoded_by_itself(codec):
    encoder = codec(epoch=0.0)
    encoded = [encoder.encode(planes(n), at=n / 30, keyframe=n == 5) for n in range(8)]
    decode = Decoder(codec)
    seen = [decode(late).to_ndarray(format="rgb24") for late in encoded[5:]]
    assert cv2.PSNR(seen[0], picture(5).image) > 24


def test_h264_without_adaptive_quantisation_is_nearer_to_the_picture(monkeypatch):
    def psnr():
        encoder, decode = H264Encoder(epoch=0.0), Decoder(H264Encoder)
        seen = [decode(encoder.encode(planes(n % 4), at=n / 30)).to_ndarray(format="rgb24") for n in range(24)]
        return np.mean([cv2.PSNR(seen[n], picture(n % 4).image) for n in range(12, 24)])

    without = psnr()
    monkeypatch.setitem(h264._OPTIONS, "aq-mode", "1")
    assert without > psnr() + 0.1


@every_codec
def test_a_scene_cut_alone_makes_no_keyframe(codec):
    encoder = codec(epoch=0.0)
    for number in range(5):
        encoder.encode(planes(number), at=number / 30)
    flipped = TreatedFrame(np.ascontiguousarray(255 - picture(5).image[::-1]), at=0.0)
    assert not encoder.encode(TreatedPlanes(flipped), at=5 / 30).is_keyframe


@every_codec
def test_a_new_size_opens_the_encoder_anew_with_a_keyframe(codec):
    encoder, decode = codec(epoch=0.0), Decoder(codec)
    for number in range(3):
        decode(encoder.encode(planes(number), at=number / 30))
    turned = encoder.encode(planes(3, (241, 321)), at=0.1)
    frame = decode(turned)
    assert (turned.is_keyframe, encoder.size_wh, (frame.width, frame.height)) == (True, (240, 320), (240, 320))
    assert not encoder.encode(planes(4, (241, 321)), at=0.2).is_keyframe


@every_codec
def test_presentation_times_follow_the_capture_and_never_run_back(codec):
    encoder = codec(epoch=100.0)
    times = [100.0, 100.5, 100.2, 100.5, 101.0]
    assert [encoder.encode(planes(), at=at).pts for at in times] == [0, 45_000, 45_001, 45_002, 90_000]
    assert VIDEO_TIME_BASE.denominator == 90_000


@every_codec
def test_after_a_reset_the_next_picture_stands_alone_and_time_goes_on(codec):
    encoder = codec(epoch=0.0)
    encoder.encode(planes(), at=5.0)
    encoder.reset()
    encoded = encoder.encode(planes(), at=0.0)
    assert (encoded.is_keyframe, encoded.pts) == (True, 450_001)


def kbps(encoder, seconds, *, start_s=0.0, fps=30, jitter=0.0):
    """Encode pictures that come unevenly; return the rate of all but the first second, and the keyframes."""
    rng = np.random.default_rng(1)
    bits, keys = 0, 0
    for number in range(round(seconds * fps)):
        at = start_s + (number + rng.uniform(-jitter, jitter)) / fps
        encoded = encoder.encode(planes(number % 60 * 2), at=at)
        keys += encoded.is_keyframe
        if number >= fps:
            bits += len(encoded.data) * 8
    return bits / (seconds - 1) / 1000, keys


@every_codec
@pytest.mark.parametrize("fps", [12, 30, 50])
def test_the_rate_is_held_at_any_frame_rate(codec, fps):
    got, keys = kbps(codec(epoch=0.0), 4, fps=fps, jitter=0.3)
    assert 0.7 < got / (bit_rate_of(SIZE_WH, 0) / 1000) < 1.25
    assert keys == 1


@every_codec
def test_the_rate_goes_down_and_up_again_without_a_keyframe(codec):
    encoder = codec(epoch=0.0)
    before, _ = kbps(encoder, 4)
    encoder.limit_rate(100_000)
    limited, limited_keys = kbps(encoder, 5, start_s=4)
    encoder.limit_rate(None)
    after, after_keys = kbps(encoder, 6, start_s=9)
    assert 70 < limited < 130
    assert before > 170
    assert after > 140
    assert (limited_keys, after_keys) == (0, 0)


def test_a_limit_above_the_size_s_own_rate_changes_nothing():
    encoder = H264Encoder(epoch=0.0)
    encoder.limit_rate(10**9)
    assert kbps(encoder, 3)[0] < 300


def nal_units(data):
    """Return the types of the NAL units of Annex B data."""
    starts = [i + 3 for i in range(len(data) - 3) if data[i : i + 3] == b"\0\0\1"]
    return [data[start] & 31 for start in starts]


@pytest.mark.parametrize(
    ("size_wh", "level"),
    [
        pytest.param((640, 360), 30, id="360p"),
        pytest.param((1280, 720), 31, id="720p: what browsers offer"),
        pytest.param((1920, 1080), 40, id="1080p"),
    ],
)
def test_h264_is_constrained_baseline_of_the_level_that_fits(size_wh, level):
    data = H264Encoder(epoch=0.0).encode(planes(0, size_wh), at=0.0).data
    sps = data.index(b"\0\0\1\x67") + 4
    profile, constraints, got = data[sps : sps + 3]
    assert (profile, bool(constraints & 0x40), got) == (66, True, level)


def test_h264_has_its_parameter_sets_before_every_idr():
    encoder = H264Encoder(epoch=0.0)
    units = [nal_units(encoder.encode(planes(n), at=n / 30, keyframe=n == 2).data) for n in range(4)]
    assert [unit for unit in units[0] if unit != 6] == [7, 8, 5]
    assert units[1:] == [[1], [7, 8, 5], [1]]


def test_h264_names_its_colours():
    frame = Decoder(H264Encoder)(H264Encoder(epoch=0.0).encode(planes(), at=0.0))
    assert (frame.colorspace, frame.color_range) == (6, 1)


@every_codec
def test_a_picture_too_thin_to_encode_is_refused(codec):
    with pytest.raises(ShapeError, match="2 x 2"):
        codec(epoch=0.0).encode(planes(0, (1, 9)), at=0.0)
