"""A device that fails costs no frame and lets nothing untreated or old out. Software stands in for the devices here."""

import av
import numpy as np
import pytest
from structlog.testing import capture_logs

from mien.media.codecs.devices import CodecDevice, DeviceH264Encoder
from mien.media.codecs.encoded import VideoCodec
from mien.media.codecs.encoder import new_context
from mien.media.codecs.h264 import H264Encoder
from mien.media.codecs.layers import LayerEncoders
from mien.media.codecs.planes import TreatedPlanes
from mien.vision.types import TreatedFrame

SIZE_WH = (320, 240)
CUDA, VAAPI, VIDEOTOOLBOX = CodecDevice.CUDA, CodecDevice.VAAPI, CodecDevice.VIDEOTOOLBOX


def treated(number=0):
    image = np.full((SIZE_WH[1], SIZE_WH[0], 3), 40, np.uint8)
    image[40:120, 20 + 6 * number : 100 + 6 * number] = (200, 90, 40)
    return TreatedFrame(image, at=0.0)


def planes(number=0):
    return TreatedPlanes(treated(number))


def all_shown(encoded):
    decoder = av.CodecContext.create("h264", "r")
    decoder.options = {"flags": "+low_delay"}
    return [frame.to_ndarray(format="rgb24") for one in encoded for frame in decoder.decode(av.Packet(one.data))]


class Twin(DeviceH264Encoder):
    """Opens x264 where a device is asked for; some are not there, it fails at `fails_at`, or holds frames back."""

    fails_at = None
    holds_back = False

    def __init__(self, devices=(CUDA,), missing=(), **more):
        super().__init__(devices=devices, epoch=0.0, **more)
        self.missing = missing
        self.opened, self.asked = [], 0

    def _open(self, size_wh, bit_rate):
        self.opened.append(self.device)
        if self.device is None:
            return super()._open(size_wh, bit_rate)
        if self.device in self.missing:
            raise av.error.EncoderNotFoundError(-1129203192, "no such device")
        context = new_context("libx264", size_wh, bit_rate)
        context.options = {"preset": "ultrafast", "forced-idr": "1"}
        if not self.holds_back:
            context.options |= {"tune": "zerolatency"}
        self._full_rate = bit_rate
        return context

    def _encoded(self, context, frame):
        if self.device is not None:
            self.asked += 1
            if self.asked - 1 == self.fails_at:
                raise av.error.ExternalError(-542398533, "the device is gone")
        return super()._encoded(context, frame)


class FailsMidStream(Twin):
    fails_at = 4


class HoldsBack(Twin):
    holds_back = True


def test_what_a_device_encodes_is_what_is_seen():
    encoder = Twin()
    encoded = [encoder.encode(planes(number), at=number / 30) for number in range(8)]
    assert encoder.opened == [CUDA]
    shown = all_shown(encoded)
    assert len(shown) == 8
    assert np.abs(shown[-1].astype(int) - treated(7).image).mean() < 6


@pytest.mark.parametrize("device", CodecDevice)
def test_a_device_that_is_not_there_is_given_up_with_the_first_frame(device):
    encoder = DeviceH264Encoder(epoch=0.0, devices=[device])
    with capture_logs() as logs:
        encoded = [encoder.encode(planes(number), at=number / 30) for number in range(3)]
    if encoder.device is not None:
        pytest.skip("this machine has one")
    assert [entry["event"] for entry in logs] == ["encoding_device_given_up"], "told once"
    assert encoded[0].is_keyframe
    assert len(all_shown(encoded)) == 3


@pytest.mark.parametrize("there", [[], [VAAPI], [VIDEOTOOLBOX, VAAPI], [CUDA]])
def test_every_device_is_tried_in_its_order_until_one_is_there(there):
    order = [VIDEOTOOLBOX, VAAPI, CUDA]
    encoder = Twin(order, missing=[device for device in order if device not in there])
    first = there[0] if there else None
    with capture_logs() as logs:
        assert encoder.encode(planes(), at=0.0).is_keyframe
    assert encoder.device == first
    assert encoder.opened == [*order, None][: [*order, None].index(first) + 1]
    assert [entry["device"] for entry in logs] == [device.value for device in encoder.opened[:-1]]


def test_a_device_that_fails_mid_stream_costs_no_frame_and_viewers_begin_anew():
    encoder = FailsMidStream()
    with capture_logs() as logs:
        encoded = [encoder.encode(planes(number), at=number / 30) for number in range(8)]
    assert encoder.opened == [CUDA, None]
    assert [one.is_keyframe for one in encoded] == [number in {0, 4} for number in range(8)]
    assert np.all(np.diff([one.pts for one in encoded]) > 0)
    assert len(all_shown(encoded)) == 8
    assert len(logs) == 1


def test_a_device_that_holds_frames_back_is_given_up_and_none_of_them_leaves():
    encoder = HoldsBack()
    encoded = [encoder.encode(planes(number), at=number / 30) for number in range(4)]
    assert encoder.opened == [CUDA, None]
    shown = all_shown(encoded)
    assert len(shown) == 4, "the first frame is there at once, and once"
    assert np.abs(shown[0].astype(int) - treated(0).image).mean() < 6


def test_a_device_gets_treated_frames_only_and_is_not_blamed_for_others():
    encoder = Twin()
    with pytest.raises(TypeError, match="only TreatedPlanes"):
        encoder.encode(planes().i420, at=0.0)
    assert encoder.device is CUDA


def test_what_software_fails_in_is_raised_as_ever():
    class Broken(FailsMidStream):
        def _encoded(self, context, frame):
            if self.device is None:
                raise av.error.ExternalError(-542398533, "software, too")
            return super()._encoded(context, frame)

    encoder = Broken()
    for number in range(4):
        encoder.encode(planes(number), at=number / 30)
    with pytest.raises(av.error.ExternalError, match="software, too"):
        encoder.encode(planes(4), at=4 / 30)


@pytest.mark.parametrize(("device", "keyframes"), [(CUDA, [0]), (VAAPI, [0, 4])])
def test_a_lower_rate_costs_a_keyframe_where_a_device_cannot_change_it_on_the_run(device, keyframes):
    encoder = Twin()
    encoder._devices[:] = [device]
    encoded = []
    for number in range(8):
        if number == 4:
            encoder.limit_rate(100_000)
        if number == 6:
            encoder.limit_rate(101_000)  # no change to speak of
        encoded.append(encoder.encode(planes(number), at=number / 30))
    assert [number for number, one in enumerate(encoded) if one.is_keyframe] == keyframes


def test_layers_ask_the_devices_for_h264_and_go_on_without():
    layers = LayerEncoders(VideoCodec.H264, epoch=0.0, devices=[CodecDevice.VIDEOTOOLBOX])
    layers.set_audience(frozenset({0, 1}))
    encoded = [frame for number in range(3) for frame in layers.encode(treated(number), at=number / 30)]
    assert [frame.layer for frame in encoded] == [0, 1] * 3
    assert all(isinstance(encoder, H264Encoder) for encoder in layers._encoders)
