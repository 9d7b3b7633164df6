"""Codecs on devices: the video engines of graphics processors, with software behind them.

A device is used for as long as it does what software does: it opens, takes each frame and gives it out at once. What it
fails in is done again in software, with the same frame, and nothing more is asked of it by that stream. None of these
was run on the hardware: this code was tested with software in their place.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple, cast

import av
import structlog
from av.codec.hwaccel import HWAccel
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from mien.media.codecs.encoded import EncodedFrame
from mien.media.codecs.encoder import MAX_SHARE, NEVER, new_context
from mien.media.codecs.h264 import H264Encoder
from mien.media.codecs.planes import TreatedPlanes

log = structlog.get_logger()

_CHANGE: Final = 0.05
"""A device that cannot change its rate on the run is opened anew for changes larger than this share."""


class CodecDevice(StrEnum):
    """Kinds of devices that decode and encode, by FFmpeg's names."""

    CUDA = "cuda"
    VAAPI = "vaapi"
    QSV = "qsv"
    VIDEOTOOLBOX = "videotoolbox"


class _Codec(NamedTuple):
    """How a device encodes H.264.

    Attributes:
        name: FFmpeg's encoder.
        pixels: What it takes.
        uploads: Whether frames are brought into the device's memory first.
        changes_rate: Whether FFmpeg tells it of a new bit rate on the run.
        options: Constant rate, no frame held back, and an IDR frame for each keyframe asked for.
    """

    name: str
    pixels: str
    uploads: bool
    changes_rate: bool
    options: Mapping[str, str]


_CODECS: Final[Mapping[CodecDevice, _Codec]] = MappingProxyType(
    {
        CodecDevice.CUDA: _Codec(
            "h264_nvenc",
            "yuv420p",
            uploads=False,
            changes_rate=True,
            options={
                "preset": "p3",
                "tune": "ull",
                "zerolatency": "1",
                "delay": "0",
                "rc": "cbr",
                "forced-idr": "1",
                "no-scenecut": "1",
                "profile": "baseline",
            },
        ),
        CodecDevice.VAAPI: _Codec(
            "h264_vaapi",
            "nv12",
            uploads=True,
            changes_rate=False,
            options={"rc_mode": "CBR", "async_depth": "1", "profile": "constrained_baseline"},
        ),
        CodecDevice.QSV: _Codec(
            "h264_qsv",
            "nv12",
            uploads=False,
            changes_rate=True,
            options={"preset": "veryfast", "async_depth": "1", "forced_idr": "1", "profile": "baseline"},
        ),
        CodecDevice.VIDEOTOOLBOX: _Codec(
            "h264_videotoolbox",
            "yuv420p",
            uploads=False,
            changes_rate=False,
            options={"realtime": "1", "prio_speed": "1", "profile": "constrained_baseline"},
        ),
    }
)


class DeviceH264Encoder(H264Encoder):
    """H.264 on the first of some devices that does it, and as `H264Encoder` once none of them does.

    A device that holds frames back is given up, too: a frame from before `forget` must not leave after it.

    Args:
        epoch: As in `Encoder`.
        layer: As in `Encoder`.
        devices: The preferred one first.
    """

    codecs: ClassVar[Mapping[CodecDevice, _Codec]] = _CODECS

    def __init__(self, *, epoch: float, layer: int = 0, devices: Sequence[CodecDevice] = ()) -> None:
        super().__init__(epoch=epoch, layer=layer)
        self._devices = list(devices)

    @property
    def device(self) -> CodecDevice | None:
        """What encodes the next frame; None for software."""
        return self._devices[0] if self._devices else None

    def limit_rate(self, bit_rate: int | None) -> None:
        """Stay below `bit_rate`, as `Encoder.limit_rate` says; some devices take a keyframe for it."""
        before = self._limit
        super().limit_rate(bit_rate)
        device = self.device
        if device is not None and not self.codecs[device].changes_rate and _differ(before, bit_rate):
            self.reset()

    def encode(self, planes: TreatedPlanes, *, at: float, keyframe: bool = False) -> EncodedFrame | None:
        """Encode one frame, as `Encoder.encode` says; in software where the devices fail in it."""
        while self.device is not None:
            try:
                return super().encode(planes, at=at, keyframe=keyframe)
            except TypeError:  # it was no treated frame, and is none for the next device either
                raise
            except Exception as error:  # noqa: BLE001  # drivers fail in many ways, and frames must go on
                self._give_up(error)
        return super().encode(planes, at=at, keyframe=keyframe)

    def _give_up(self, error: Exception) -> None:
        device = self._devices.pop(0)
        log.warning("encoding_device_given_up", device=device.value, layer=self._layer, error=type(error).__name__)
        self.reset()

    def _open(self, size_wh: tuple[int, int], bit_rate: int) -> VideoCodecContext:
        if self.device is None:
            return super()._open(size_wh, bit_rate)
        codec = self.codecs[self.device]
        most = round(bit_rate * MAX_SHARE) if codec.changes_rate else min(bit_rate, self._limit or bit_rate)
        hwaccel = HWAccel(self.device.value) if codec.uploads else None
        context = new_context(codec.name, size_wh, most, hwaccel=hwaccel)
        context.pix_fmt = codec.pixels
        context.options = {**codec.options, "maxrate": str(most), "bufsize": str(bit_rate // 4), "g": str(NEVER)}
        context.open()
        self._full_rate = bit_rate
        return context

    def _pace(self, context: VideoCodecContext, frame: av.VideoFrame, share: float) -> None:
        if self.device is None or self.codecs[self.device].changes_rate:
            super()._pace(context, frame, share)
        else:
            self._count(frame)

    def _encoded(self, context: VideoCodecContext, frame: av.VideoFrame) -> "list[Packet[Any]]":
        packets = super()._encoded(context, frame)
        if self.device is not None and [packet.pts for packet in packets] != [frame.pts]:
            raise RuntimeError("the device does not give each frame out at once")
        return packets


def _differ(one: int | None, other: int | None) -> bool:
    return one != other and (one is None or other is None or abs(one - other) > _CHANGE * one)


def decodes_on(device: CodecDevice, codec: str) -> VideoCodecContext:
    """Return FFmpeg's decoder `codec` on a device, not yet opened; frames come back into the machine's own memory.

    Raises:
        Exception: There is no such device, it is busy, or it knows no such codec.
    """
    context: Any = av.CodecContext.create(codec, "r", hwaccel=HWAccel(device.value))
    if not context.is_hwaccel:  # PyAV takes software where FFmpeg has no such decoder at all
        raise NotImplementedError(f"{codec} is not decoded on {device}")
    return cast("VideoCodecContext", context)
