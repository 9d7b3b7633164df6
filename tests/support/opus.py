"""Opus packets made from samples, for tests that need sound; the product passes on what publishers send."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from mien.media.codecs.encoded import AUDIO_CLOCK_RATE

_PACKET_SAMPLES: Final = 960
_LOOK_AHEAD_SAMPLES: Final = 312
"""libopus gives sound out 6.5 ms later than it takes it in."""


class OpusEncoder:
    """Cuts 16-bit sound at 48 kHz, without gaps, into packets of 20 ms.

    Args:
        epoch: The capture time, in seconds, that becomes presentation time zero.
    """

    def __init__(self, *, epoch: float) -> None:
        self._epoch = epoch
        self._held: NDArray[np.int16] = np.zeros(0, np.int16)
        self._next_pts: int | None = None
        self._context: AudioCodecContext = av.CodecContext.create("libopus", "w")
        self._context.sample_rate = AUDIO_CLOCK_RATE
        self._context.layout = "stereo"
        self._context.format = "s16"
        self._context.bit_rate = 96_000
        self._context.time_base = Fraction(1, AUDIO_CLOCK_RATE)
        self._context.options = {"application": "audio", "frame_duration": "20"}

    def encode(self, frame: av.AudioFrame, *, at: float) -> "Iterator[av.Packet[av.AudioStream]]":
        """Yield the packets that `frame`, captured at `at` seconds, completes."""
        if self._next_pts is None:
            self._next_pts = round((at - self._epoch) * AUDIO_CLOCK_RATE)
        samples = np.asarray(frame.to_ndarray(), np.int16).reshape(-1, frame.layout.nb_channels)[:, 0]
        self._held = np.concatenate((self._held, samples))
        while len(self._held) >= _PACKET_SAMPLES:
            piece, self._held = self._held[:_PACKET_SAMPLES], self._held[_PACKET_SAMPLES:]
            sound = av.AudioFrame.from_ndarray(np.repeat(piece, 2)[None], format="s16", layout="stereo")
            sound.sample_rate = AUDIO_CLOCK_RATE
            for packet in self._context.encode(sound):
                packet.pts = self._next_pts - _LOOK_AHEAD_SAMPLES
                yield packet
            self._next_pts += _PACKET_SAMPLES
