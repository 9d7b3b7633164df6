"""Sound: decoded frames in, Opus packets out, once per broadcast."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from mien.errors import MediaError

SAMPLE_RATE: Final = 48_000
SOUND_TIME_BASE: Final = Fraction(1, SAMPLE_RATE)
_CHANNELS: Final = 2
_PACKET_SAMPLES: Final = 960  # 20 ms, the packet time every browser uses
_LOOK_AHEAD_SAMPLES: Final = 312
"""libopus gives sound out 6.5 ms later than it takes it in (`OPUS_GET_LOOKAHEAD` at 48 kHz)."""
_GAP_SAMPLES: Final = 240
"""Captured and counted time may differ by 5 ms before we call it a gap; it also absorbs clock corrections."""


class OpusEncoder:
    """Cuts sound into packets of 20 ms whose presentation times follow the capture.

    Args:
        epoch: The capture time, in seconds, that becomes presentation time zero.
    """

    def __init__(self, *, epoch: float) -> None:
        self._epoch = epoch
        self._context = _open()
        self._held = np.zeros((0, _CHANNELS), np.int16)
        self._next_pts: int | None = None

    def encode(self, frame: av.AudioFrame, *, at: float) -> "Iterator[av.Packet[av.AudioStream]]":
        """Yield the packets that `frame`, captured at `at` seconds, completes.

        Raises:
            MediaError: The frame is not 16-bit sound at 48 kHz.
        """
        samples = _samples(frame)
        start = round((at - self._epoch) * SAMPLE_RATE)
        if self._next_pts is None or abs(start - self._next_pts - len(self._held)) > _GAP_SAMPLES:
            # After a loss: forget the rest of the broken packet, never run backwards.
            self._held = self._held[:0]
            self._next_pts = max(start, self._next_pts or 0)
        self._held = np.concatenate((self._held, samples))
        while len(self._held) >= _PACKET_SAMPLES:
            packet, self._held = self._held[:_PACKET_SAMPLES], self._held[_PACKET_SAMPLES:]
            yield from self._encode(packet, self._next_pts)
            self._next_pts += _PACKET_SAMPLES

    def _encode(self, samples: NDArray[np.int16], pts: int) -> "Iterator[av.Packet[av.AudioStream]]":
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        for packet in self._context.encode(frame):
            packet.pts = pts - _LOOK_AHEAD_SAMPLES
            packet.time_base = SOUND_TIME_BASE
            yield packet


def _samples(frame: av.AudioFrame) -> NDArray[np.int16]:
    if frame.format.name != "s16" or frame.sample_rate != SAMPLE_RATE:
        raise MediaError(f"sound must be s16 at {SAMPLE_RATE} Hz, got {frame.format.name} at {frame.sample_rate}")
    channels = frame.layout.nb_channels
    packed = np.asarray(frame.to_ndarray(), np.int16).reshape(-1, channels)
    if channels == 1:
        return np.repeat(packed, _CHANNELS, axis=1)
    return packed[:, :_CHANNELS]


def _open() -> AudioCodecContext:
    context = av.CodecContext.create("libopus", "w")
    context.sample_rate = SAMPLE_RATE
    context.layout = "stereo"
    context.format = "s16"
    context.bit_rate = 96_000
    context.time_base = SOUND_TIME_BASE
    context.options = {"application": "audio", "frame_duration": "20", "compression_level": "5"}
    return context
