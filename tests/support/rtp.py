"""RTP packets as a publisher sends them, made by aiortc's own packetizers, and ways to lose them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtp import RtpPacket

from mien.media.codecs.encoded import VideoCodec
from mien.vision.types import Image

PAYLOAD_TYPES = {96: VideoCodec.VP8, 102: VideoCodec.H264}
_ENCODERS = {
    VideoCodec.VP8: ("libvpx", {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0"}),
    VideoCodec.H264: ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "crf": "26"}),
}


def noise(size_wh: tuple[int, int], number: int) -> Image:
    """Draw a picture that needs several packets."""
    coarse = np.random.default_rng(number).integers(0, 255, (size_wh[1] // 4, size_wh[0] // 4, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, size_wh, interpolation=cv2.INTER_NEAREST), np.uint8)


def encode(
    codec: VideoCodec,
    count: int,
    *,
    size_wh: tuple[int, int] = (240, 176),
    keyframes: Iterable[int] = (0,),
    options: Mapping[str, str] | None = None,
) -> list[bytes]:
    """Return `count` encoded frames; those of the numbers `keyframes` are key frames. `options` are FFmpeg's."""
    name, defaults = _ENCODERS[codec]
    context: Any = av.CodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt = *size_wh, "yuv420p"
    context.time_base, context.bit_rate, context.gop_size = Fraction(1, 90_000), 1_000_000, 3000
    context.options = defaults | dict(options or {})
    wanted = set(keyframes)
    frames = []
    for number in range(count):
        planes = cv2.cvtColor(noise(size_wh, number), cv2.COLOR_RGB2YUV_I420)
        frame = av.VideoFrame.from_ndarray(np.asarray(planes, np.uint8), format="yuv420p")
        frame.pts, frame.time_base = number * 3000, Fraction(1, 90_000)
        if number in wanted:
            frame.pict_type = av.video.frame.PictureType.I
        frames += [bytes(packet) for packet in context.encode(frame)]
    return frames


def packets_of(
    codec: VideoCodec,
    frames: Iterable[bytes],
    *,
    sequence_number: int = 65_500,
    timestamp: int = 0,
    ssrc: int = 7,
    payloads_of: Callable[[bytes, int], list[bytes]] | None = None,
) -> list[list[RtpPacket]]:
    """Return the packets of each frame: as aiortc's sender makes them, or with the payloads of `payloads_of`."""
    payload_type = next(number for number, each in PAYLOAD_TYPES.items() if each is codec)
    made = []
    for number, data in enumerate(frames):
        payloads = payloads_of(data, number) if payloads_of else _payloads(codec, data, number)
        packets = []
        for index, payload in enumerate(payloads):
            packets.append(
                RtpPacket(
                    payload_type=payload_type,
                    marker=int(index == len(payloads) - 1),
                    sequence_number=sequence_number,
                    timestamp=(timestamp + number * 3000) % (1 << 32),
                    ssrc=ssrc,
                    payload=payload,
                )
            )
            sequence_number = (sequence_number + 1) % (1 << 16)
        made.append(packets)
    return made


def _payloads(codec: VideoCodec, data: bytes, number: int) -> list[bytes]:
    if codec is VideoCodec.VP8:
        return Vp8Encoder._packetize(data, number)
    return H264Encoder._packetize(H264Encoder._split_bitstream(data))


def gstreamer_payloads(data: bytes, _number: int) -> list[bytes]:
    """Cut an H.264 frame as GStreamer's `rtph264pay config-interval=-1` does.

    A delimiter in a packet of its own comes first, and the parameter sets come before every slice of a key frame.
    """
    units = [unit for unit in H264Encoder._split_bitstream(data) if unit[0] & 31 != 9]
    sets = [unit for unit in units if unit[0] & 31 in {7, 8}]
    ordered = [b"\x09\xf0"]
    for unit in units:
        if unit[0] & 31 not in {7, 8}:
            ordered += [*sets, unit]
    return [payload for unit in ordered for payload in H264Encoder._packetize(iter([unit]))]


def flat(frames: Iterable[Iterable[RtpPacket]]) -> Iterator[RtpPacket]:
    """Yield the packets of all frames."""
    for packets in frames:
        yield from packets


def decoded(codec: VideoCodec, frames: Iterable[bytes]) -> int:
    """Return how many pictures a strict decoder makes of `frames`; it raises at the first damaged one."""
    context: Any = av.CodecContext.create({"VP8": "vp8", "H264": "h264"}[codec], "r")
    count = 0
    for data in frames:
        for picture in context.decode(av.Packet(data)):
            assert not picture.is_corrupt
            count += 1
    return count
