import base64
import random
import re
import threading
import time
from contextlib import contextmanager

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from mien.media.codecs.devices import CodecDevice
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.ingest import decoder_thread
from mien.media.webrtc.ingest.decoder_thread import DecoderThread
from mien.media.webrtc.ingest.depacketizer import ReceivedFrame
from support.rtp import encode

CODECS = list(VideoCodec)
FRAMES = {codec: encode(codec, 10, keyframes=(0, 5)) for codec in CODECS}


class Screen:
    """Takes what a decoder gives."""

    def __init__(self):
        self.pictures = []
        self.asked = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.began = threading.Event()

    def show(self, picture, at):
        self.began.set()
        self.may_go_on.wait(5)
        self.pictures.append((picture, at))

    def ask(self):
        self.asked += 1

    def settles(self, true, *, timeout_s=5.0):
        until = time.monotonic() + timeout_s
        while not true() and time.monotonic() < until:
            time.sleep(0.002)
        return true()


@contextmanager
def decoding(screen, *, max_pixels=1280 * 720, parameter_sets="", devices=()):
    decoder = DecoderThread(
        sink=screen.show,
        ask_for_keyframe=screen.ask,
        max_pixels=max_pixels,
        parameter_sets=parameter_sets,
        devices=devices,
    )
    try:
        yield decoder
    finally:
        screen.may_go_on.set()
        assert decoder.close(timeout_s=5)


def bare(encoded):
    """Take the parameter sets out of an H.264 frame; return both."""
    units = encoded.split(b"\0\0\0\1")[1:]
    sets = [unit for unit in units if unit[0] & 31 in {7, 8}]
    others = [unit for unit in units if unit[0] & 31 not in {7, 8}]
    return sets, b"".join(b"\0\0\0\1" + unit for unit in others)


def h264_with_long_start_codes():
    codec = VideoCodec.H264
    return [re.sub(rb"\x00?\x00\x00\x01", b"\0\0\0\1", data) for data in FRAMES[codec]]


@pytest.mark.parametrize("named", ["in-the-stream", "in-the-offer"])
def test_key_frames_without_parameter_sets_have_those_that_were_named_before(named):
    frames = h264_with_long_start_codes()
    (first, *_), sets = frames, bare(frames[0])[0]
    assert sets, "the input is what it says"
    sent = [first if named == "in-the-stream" else bare(first)[1], *(bare(data)[1] for data in frames[1:])]
    value = ",".join(base64.b64encode(unit).decode() for unit in sets)
    screen = Screen()
    with decoding(screen, parameter_sets=value if named == "in-the-offer" else "") as decoder:
        for number, each in enumerate(stream(VideoCodec.H264, sent)):
            decoder.put(each, float(number))
        assert screen.settles(lambda: len(screen.pictures) == len(frames))
        assert decoder.errors == 0


@pytest.mark.parametrize("value", ["====", "Z0LAFdkBQfsBagw", "//,," * 400, "AAAA,aGVsbG8="])
def test_no_sprop_of_an_offer_raises(value):
    screen = Screen()
    with decoding(screen, parameter_sets=value) as decoder:
        for number, each in enumerate(stream(VideoCodec.H264)):
            decoder.put(each, float(number))
        assert screen.settles(lambda: len(screen.pictures) == 10)


def frame(data, codec, *, is_keyframe):
    return ReceivedFrame(data, codec, 0, is_keyframe)


def stream(codec, frames=None):
    return [frame(data, codec, is_keyframe=number % 5 == 0) for number, data in enumerate(frames or FRAMES[codec])]


@pytest.mark.parametrize("codec", CODECS)
def test_every_frame_becomes_a_picture_with_its_capture_time(codec):
    screen = Screen()
    with decoding(screen) as decoder:
        for number, each in enumerate(stream(codec)):
            decoder.put(each, 5000.0 + number / 30)
            assert screen.settles(lambda: len(screen.pictures) == number + 1)  # noqa: B023  # waits here
    assert [at for _, at in screen.pictures] == pytest.approx([5000.0 + n / 30 for n in range(10)], abs=1e-6)
    assert {(picture.width, picture.height) for picture, _ in screen.pictures} == {(240, 176)}
    assert (screen.asked, decoder.errors, decoder.dropped) == (0, 0, 0)


@pytest.mark.parametrize("codec", CODECS)
def test_the_size_and_the_codec_may_change_at_a_keyframe(codec):
    screen = Screen()
    other = next(each for each in CODECS if each is not codec)
    with decoding(screen) as decoder:
        for each in (
            *stream(codec),
            *stream(codec, encode(codec, 3, size_wh=(480, 272))),
            *stream(codec),
            *stream(other),
        ):
            decoder.put(each, 1.0)
            time.sleep(0.005)
        assert screen.settles(lambda: len(screen.pictures) == 33)
    sizes = [(picture.width, picture.height) for picture, _ in screen.pictures]
    assert sizes == [(240, 176)] * 10 + [(480, 272)] * 3 + [(240, 176)] * 20
    assert decoder.errors == 0


@pytest.mark.parametrize("codec", CODECS)
def test_too_large_a_picture_is_refused_and_the_next_fitting_one_is_shown(codec):
    screen = Screen()
    with decoding(screen, max_pixels=240 * 176) as decoder:
        decoder.put(frame(encode(codec, 1, size_wh=(480, 272))[0], codec, is_keyframe=True), 1.0)
        assert screen.settles(lambda: decoder.errors == 1)
        assert screen.asked == 1
        for each in stream(codec)[:5]:
            decoder.put(each, 2.0)
        assert screen.settles(lambda: len(screen.pictures) == 5)


def test_a_huge_size_in_a_vp8_header_takes_no_memory():
    screen = Screen()
    data = bytearray(FRAMES[VideoCodec.VP8][0])
    data[6:10] = bytes([0xFF, 0x3F, 0xFF, 0x3F])  # 16383 x 16383: 400 MB
    before = peak_bytes()
    with decoding(screen) as decoder:
        decoder.put(frame(bytes(data), VideoCodec.VP8, is_keyframe=True), 1.0)
        assert screen.settles(lambda: decoder.errors == 1)
    assert peak_bytes() - before < 50e6
    assert screen.pictures == []


def peak_bytes():
    with open("/proc/self/status") as status:  # noqa: PTH123  # a line of the kernel's, no file
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmPeak"))


def test_a_damaged_frame_is_not_shown_nor_what_builds_on_it():
    screen = Screen()
    frames = stream(VideoCodec.H264)
    damaged = frames[2].data[: len(frames[2].data) // 2]
    frames[2] = frame(damaged, VideoCodec.H264, is_keyframe=False)
    with decoding(screen) as decoder:
        for number, each in enumerate(frames):
            decoder.put(each, float(number))
        assert screen.settles(lambda: len(screen.pictures) + decoder.dropped == 9)
    assert [at for _, at in screen.pictures] == [0, 1, 5, 6, 7, 8, 9]
    assert (decoder.errors, decoder.dropped) == (1, 2)


def test_nothing_is_decoded_before_the_first_keyframe_and_one_is_asked_for():
    screen = Screen()
    with decoding(screen) as decoder:
        for each in stream(VideoCodec.VP8)[3:]:
            decoder.put(each, 1.0)
        assert screen.settles(lambda: len(screen.pictures) == 5)
    assert (screen.asked, decoder.dropped) == (2, 2)


def test_a_decoder_that_is_late_by_a_second_goes_on_at_the_next_keyframe():
    screen = Screen()
    screen.may_go_on.clear()
    frames = stream(VideoCodec.VP8)
    with decoding(screen) as decoder:
        decoder.put(frames[0], 0.0)
        assert screen.began.wait(5)  # it hangs with the first picture
        for number in range(1, 62):
            decoder.put(frames[0 if number == 60 else 1], float(number))
            assert len(decoder._waiting) <= 30
        screen.may_go_on.set()
        assert screen.settles(lambda: len(screen.pictures) == 3)
    assert [at for _, at in screen.pictures] == [0.0, 60.0, 61.0]
    assert (decoder.dropped, screen.asked) == (59, 29)


def test_after_closing_nothing_is_shown():
    screen = Screen()
    with decoding(screen) as decoder:
        decoder.close(timeout_s=5)
        decoder.put(stream(VideoCodec.VP8)[0], 1.0)
    assert screen.pictures == []


@given(seed=st.integers(0, 2**32))
@pytest.mark.parametrize("codec", CODECS)
def test_no_frame_ends_the_thread_or_outlives_a_keyframe(codec, seed):
    dice = random.Random(seed)  # noqa: S311  # dice, no secret
    screen = Screen()
    with decoding(screen, max_pixels=640 * 480) as decoder:
        for number, data in enumerate(FRAMES[codec]):
            wild = bytearray(data)
            for _ in range(dice.randrange(1, 8)):
                wild[dice.randrange(min(len(wild), 60) if dice.random() < 0.5 else len(wild))] = dice.randrange(256)
            decoder.put(frame(bytes(wild[: dice.randrange(len(wild)) + 1]), codec, is_keyframe=number % 5 == 0), 1.0)
        for each in stream(codec):
            decoder.put(each, 2.0)
        assert screen.settles(lambda: sum(at == 2.0 for _, at in screen.pictures) == 10)


# Devices: software stands in for them ---------------------------------------------------------------------------------


class Twin:
    """Opens software where a device is asked for.

    Its decoders fail at the frames `fails_at`, or hold back those of `holds_back`, counted over all.
    """

    def __init__(self, *fails_at, holds_back=()):
        self.opened = []
        self.asked = 0
        self._fails_at = fails_at
        self._holds_back = holds_back

    def __call__(self, device, codec):
        self.opened.append((device, codec))
        return TwinDecoder(self, av.CodecContext.create(codec, "r"))

    def ask(self):
        """Return whether the frame comes out."""
        self.asked += 1
        if self.asked - 1 in self._fails_at:
            raise av.error.ExternalError(-542398533, "the device is gone")
        return self.asked - 1 not in self._holds_back


class TwinDecoder:
    """Decodes in software, as long as its twin lets it."""

    def __init__(self, twin, context):
        self.__dict__.update(_twin=twin, _context=context)

    def __getattr__(self, name):
        return getattr(self._context, name)

    def __setattr__(self, name, value):
        setattr(self._context, name, value)

    def decode(self, packet):
        comes_out = self._twin.ask()
        frames = self._context.decode(packet)
        return frames if comes_out else []


def decode_on_twin(monkeypatch, twin, frames):
    """Decode `frames`, each once the one before is done, on a device that `twin` stands for; return the screen."""
    monkeypatch.setattr(decoder_thread, "decodes_on", twin)
    screen = Screen()
    with decoding(screen, devices=[CodecDevice.CUDA]) as decoder:
        for number, each in enumerate(frames, 1):
            decoder.put(each, float(number))
            assert screen.settles(lambda: len(screen.pictures) + decoder.errors + decoder.dropped >= number)  # noqa: B023  # waits here
    return screen


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("device", CodecDevice)
def test_a_device_that_is_not_there_costs_no_frame(codec, device):
    try:
        decoder_thread.decodes_on(device, codec.lower())
        pytest.skip("this machine has one")
    except Exception:  # noqa: BLE001, S110  # each misses in its own way
        pass
    screen = Screen()
    with capture_logs() as logs, decoding(screen, devices=[device]) as decoder:
        for number, each in enumerate(stream(codec)):
            decoder.put(each, float(number))
        assert screen.settles(lambda: len(screen.pictures) == 10)
        assert (screen.asked, decoder.errors) == (0, 0)
    assert [entry["event"] for entry in logs] == ["decoding_device_given_up"], "told once"


@pytest.mark.parametrize("codec", CODECS)
def test_a_device_is_opened_once_for_a_stream_and_again_for_another_codec(codec, monkeypatch):
    twin, other = Twin(), next(each for each in CODECS if each is not codec)
    screen = decode_on_twin(monkeypatch, twin, [*stream(codec), *stream(other)])
    assert [name for _, name in twin.opened] == [codec.lower(), other.lower()]
    assert (len(screen.pictures), twin.asked) == (20, 20)


@pytest.mark.parametrize("fails_at", [0, 5])
def test_a_key_frame_that_a_device_fails_in_is_decoded_in_software_and_so_are_all_after_it(fails_at, monkeypatch):
    twin = Twin(fails_at)
    screen = decode_on_twin(monkeypatch, twin, stream(VideoCodec.VP8))
    assert len(screen.pictures) == 10
    assert screen.asked == 0
    assert twin.asked == fails_at + 1


def test_a_device_that_fails_between_key_frames_begins_anew_with_the_next(monkeypatch):
    twin = Twin(2)
    screen = decode_on_twin(monkeypatch, twin, stream(VideoCodec.VP8))
    assert [at for _, at in screen.pictures] == [1.0, 2.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    assert screen.asked >= 1
    assert len(twin.opened) == 2


@pytest.mark.parametrize("fault", ["fails", "holds-back"])
@pytest.mark.parametrize("codec", CODECS)
def test_a_device_that_decodes_key_frames_and_nothing_between_them_is_given_up_at_the_third(codec, fault, monkeypatch):
    between = [number for number in range(40) if number % 2]  # a key frame is decoded, the one after it is not
    twin = Twin(*between) if fault == "fails" else Twin(holds_back=between)
    with capture_logs() as logs:
        screen = decode_on_twin(monkeypatch, twin, stream(codec) * 10)
    assert len(twin.opened) == 3
    assert len(screen.pictures) == 100 - 3 * 4
    assert twin.asked == 6, "all others are decoded in software"
    assert [entry["event"] for entry in logs].count("decoding_device_given_up") == 1


def test_a_device_that_calls_every_key_frame_damaged_is_given_up_too(monkeypatch):
    class Damaged:
        is_corrupt = True

    twin = Twin()
    monkeypatch.setattr(TwinDecoder, "decode", lambda self, _packet: self._twin.ask() and [Damaged()])
    screen = decode_on_twin(monkeypatch, twin, stream(VideoCodec.VP8) * 10)
    assert (len(twin.opened), twin.asked) == (3, 3)
    assert len(screen.pictures) == 100 - 3 * 5


def test_failures_with_frames_decoded_in_between_are_the_senders_and_the_device_is_kept(monkeypatch):
    # In each five: the key frame and the first after it are decoded, the next is not, the rest wait.
    twin = Twin(*range(2, 60, 3))
    screen = decode_on_twin(monkeypatch, twin, stream(VideoCodec.VP8) * 10)
    assert len(twin.opened) == 20
    assert len(screen.pictures) == 40


def test_a_frame_that_is_held_back_is_noticed_and_never_shown(monkeypatch):
    twin = Twin(holds_back=[2])
    screen = decode_on_twin(monkeypatch, twin, stream(VideoCodec.VP8))
    assert [at for _, at in screen.pictures] == [1.0, 2.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    assert screen.asked >= 1
    assert len(twin.opened) == 2


def test_a_vp8_frame_that_is_not_to_be_shown_is_not_taken_for_one_held_back(monkeypatch):
    frames = stream(VideoCodec.VP8)
    hidden = bytes([frames[2].data[0] & ~0x10]) + frames[2].data[1:]
    frames[2] = frame(hidden, VideoCodec.VP8, is_keyframe=False)
    monkeypatch.setattr(decoder_thread, "decodes_on", twin := Twin())
    screen = Screen()
    with decoding(screen, devices=[CodecDevice.CUDA]) as decoder:
        for number, each in enumerate(frames):
            decoder.put(each, float(number))
        assert screen.settles(lambda: len(screen.pictures) == 9)
        assert (screen.asked, decoder.errors, decoder.dropped, len(twin.opened)) == (0, 0, 0, 1)
