import av
import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from mien.media.encoder import VIDEO_TIME_BASE, Vp8Encoder
from mien.vision.faces import TreatedFrame


def treated(size_wh=(320, 240), *, shift=0) -> TreatedFrame:
    image = cv2.resize(np.roll(astronaut(), shift, axis=1), size_wh, interpolation=cv2.INTER_AREA)
    return TreatedFrame(image=np.asarray(image, np.uint8), at=0.0)


def test_only_a_treated_frame_is_ever_encoded():
    with pytest.raises(TypeError, match="only a TreatedFrame may be encoded, got ndarray"):
        Vp8Encoder(epoch=0.0).encode(astronaut(), at=0.0)


def test_what_was_encoded_is_what_is_seen():
    encoder, decoder = Vp8Encoder(epoch=0.0), av.CodecContext.create("libvpx", "r")
    seen = []
    for number in range(12):
        frame = treated(shift=number)
        for packet in encoder.encode(frame, at=number / 30):
            seen += [cv2.PSNR(decoded.to_ndarray(format="rgb24"), frame.image) for decoded in decoder.decode(packet)]
    assert len(seen) == 12
    assert min(seen[4:]) > 26


def test_the_first_picture_and_every_one_asked_for_is_a_keyframe():
    encoder = Vp8Encoder(epoch=0.0)
    keys = [
        packet.is_keyframe
        for number in range(8)
        for packet in encoder.encode(treated(shift=number), at=number / 30, keyframe=number == 5)
    ]
    assert keys == [True, False, False, False, False, True, False, False]


def test_a_new_size_opens_the_encoder_anew_with_a_keyframe():
    encoder = Vp8Encoder(epoch=0.0)
    encoder.encode(treated((320, 240)), at=0.0)
    (packet,) = encoder.encode(treated((241, 321)), at=0.1)
    assert (packet.is_keyframe, encoder.size_wh) == (True, (240, 320))


def test_presentation_times_follow_the_capture_and_never_run_back():
    encoder = Vp8Encoder(epoch=100.0)
    times = [100.0, 100.5, 100.2, 100.5, 101.0]
    pts = [packet.pts for at in times for packet in encoder.encode(treated(), at=at)]
    assert pts == [0, 45_000, 45_001, 45_002, 90_000]
    assert VIDEO_TIME_BASE.denominator == 90_000


def test_after_a_reset_the_next_picture_stands_alone():
    encoder = Vp8Encoder(epoch=0.0)
    encoder.encode(treated(), at=0.0)
    encoder.reset()
    (packet,) = encoder.encode(treated(), at=0.1)
    assert packet.is_keyframe
