import av
import numpy as np
import pytest

from mien.errors import MediaError
from mien.media.sound import SAMPLE_RATE, OpusEncoder


def piece(samples: int, *, start: int = 0, layout: str = "stereo") -> av.AudioFrame:
    tone = 8000 * np.sin(2 * np.pi * 440 * (start + np.arange(samples)) / SAMPLE_RATE)
    return as_frame(tone.astype(np.int16), layout=layout)


def as_frame(samples: np.ndarray, *, layout: str = "stereo") -> av.AudioFrame:
    packed = np.repeat(samples, 1 if layout == "mono" else 2).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
    frame.sample_rate = SAMPLE_RATE
    return frame


def encode(encoder, samples, *, count, begin=0.0):
    packets = []
    for number in range(count):
        start = number * samples
        packets += encoder.encode(piece(samples, start=start), at=begin + start / SAMPLE_RATE)
    return packets


@pytest.mark.parametrize("samples", [480, 960, 1920, 2880])
def test_pieces_of_any_length_become_packets_of_20_ms(samples):
    packets = encode(OpusEncoder(epoch=0.0), samples, count=9600 // samples, begin=1.0)
    assert len(packets) == 9600 // samples * samples // 960
    assert np.diff([packet.pts for packet in packets]).tolist() == [960] * (len(packets) - 1)


def test_a_listener_hears_the_sound_at_its_capture_time():
    noise = np.random.default_rng(1).normal(0, 1, 24_000)
    noise = np.convolve(noise, np.ones(8) / 8, "same")
    spoken = (noise / np.abs(noise).max() * 12_000).astype(np.int16)
    encoder, decoder = OpusEncoder(epoch=0.0), av.CodecContext.create("libopus", "r")
    margin = 1000
    heard = np.zeros(26_000)
    for number in range(25):
        frame = as_frame(spoken[number * 960 :][:960])
        for packet in encoder.encode(frame, at=number * 0.02):
            for decoded in decoder.decode(av.Packet(bytes(packet))):
                left = decoded.to_ndarray()[0][::2]
                heard[margin + packet.pts :][: len(left)] = left
    shifts = range(-480, 481)
    likeness = [np.dot(heard[margin + 4000 + shift :][:15_000], spoken[4000:19_000]) for shift in shifts]
    assert abs(shifts[int(np.argmax(likeness))]) < 48  # a millisecond


def test_a_gap_in_the_capture_is_a_gap_in_the_packets_and_never_a_step_back():
    encoder = OpusEncoder(epoch=0.0)
    pts = []
    for at in (0.0, 0.02, 0.04, 1.04, 1.06, 0.5):
        pts += [packet.pts for packet in encoder.encode(piece(960), at=at)]
    steps = np.diff(pts).tolist()
    assert steps == [960, 960, 48_000, 960, 960]


def test_a_clock_that_is_corrected_by_a_little_makes_no_gap():
    encoder = OpusEncoder(epoch=0.0)
    pts = [packet.pts for at in (0.0, 0.021, 0.04, 0.058) for packet in encoder.encode(piece(960), at=at)]
    assert np.diff(pts).tolist() == [960, 960, 960]


def test_one_channel_is_taken_too():
    (packet,) = OpusEncoder(epoch=0.0).encode(piece(960, layout="mono"), at=0.0)
    assert packet.size > 20


def test_other_sound_is_refused():
    frame = piece(960)
    frame.sample_rate = 44_100
    with pytest.raises(MediaError, match="44100"):
        list(OpusEncoder(epoch=0.0).encode(frame, at=0.0))
