"""Tracks of audio and text on their way into a new file: copied packet for packet, or audio encoded anew."""

from __future__ import annotations  # av.Packet takes a type only in its stubs

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, TypeAlias, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Disposition, Stream
from numpy.typing import NDArray

from mien.media.files.demuxing import AudioKind, decode_audio

_Packet: TypeAlias = "av.Packet[Any]"
_MAX_PLAIN_HEADER = 16_384
_IMAGE_MARKS = (b"metadata_block_picture", b"coverart", b"image/", b"\xff\xd8\xff", b"\x89png")
_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})
_OPUS_RATE = 48_000
_CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6, "7.1": 8}
_JITTER_S = 0.04
"""Stamps of audio that are off by less are rounding and jitter; below what anybody hears as out of step."""
_LONGEST_SILENCE_S = 30
"""Longer gaps stay gaps: players bridge them, and a hostile file could ask for hours."""
_KEPT = (
    Disposition.default
    | Disposition.dub
    | Disposition.original
    | Disposition.comment
    | Disposition.forced
    | Disposition.hearing_impaired
    | Disposition.visual_impaired
    | Disposition.captions
    | Disposition.descriptions
)


def describe(source: Stream, target: Stream) -> None:
    """Give a new track the language, the title and the purpose of the old one, and nothing else it said of itself."""
    said = dict(source.metadata)
    for key in list(target.metadata):
        del target.metadata[key]
    # MP4 calls a track's title its name.
    for key, value in (("language", said.get("language")), ("title", said.get("title") or said.get("name"))):
        if value:
            target.metadata[key] = value
    target.disposition = source.disposition & _KEPT


def may_hide_an_image(header: bytes | None) -> bool:
    r"""Say whether a codec's header may carry cover art: Vorbis and FLAC keep their comments there.

    Example:
        >>> may_hide_an_image(b"\x11\x90"), may_hide_an_image(b"..METADATA_BLOCK_PICTURE=..")
        (False, True)
    """
    if not header:
        return False
    low = header.lower()
    return len(header) > _MAX_PLAIN_HEADER or any(mark in low for mark in _IMAGE_MARKS)


def _layout_for(layouts: Sequence[str]) -> str:
    """Return the layout every encoder takes that holds the most channels of any of `layouts`.

    Example:
        >>> _layout_for(["mono", "5.1(side)"]), _layout_for(["quad"]), _layout_for(["mono"])
        ('5.1', 'stereo', 'mono')
    """
    most = max(1, *map(_channels, layouts))
    return max((name for name, channels in _CHANNELS.items() if channels <= most), key=_CHANNELS.__getitem__)


def _channels(layout: str) -> int:
    try:
        return av.AudioLayout(layout).nb_channels
    except (av.FFmpegError, ValueError):
        return 2  # a layout without a name


class Copied:
    """Passes packets on as they are, but for those that would go back in time: no container takes them."""

    def __init__(self, target: Stream) -> None:
        self._target = target
        self._last: Fraction | None = None

    def __call__(self, packet: _Packet | None) -> Iterator[_Packet]:
        """Return what to write of `packet`; None is the end."""
        if packet is None or packet.dts is None or not packet.time_base:
            return
        at = packet.dts * packet.time_base
        if self._last is not None and (at < self._last or (at == self._last and self._target.type == "audio")):
            return
        self._last = at
        packet.stream = self._target
        yield packet


class Converted:
    """Decodes audio and encodes it for the new container, at the same times.

    What comes in may change its layout, rate and format midway; what goes out is one kind without holes: gaps are
    filled with silence, and what overlaps is left out.

    Args:
        container: Where to.
        source: The old track.
        codec: The encoder.
        kinds: The kinds of audio in it; the new track has the most channels and the highest rate among them.
    """

    def __init__(self, container: OutputContainer, source: AudioStream, codec: str, kinds: Sequence[AudioKind]) -> None:
        self._rate = max((kind.rate for kind in kinds), default=source.codec_context.sample_rate)
        if codec != "aac" or self._rate not in _AAC_RATES:
            self._rate = _OPUS_RATE
        self._layout = _layout_for([kind.layout for kind in kinds] or [source.codec_context.layout.name])
        self.target = cast("AudioStream", container.add_stream(codec, rate=self._rate, layout=self._layout))
        self.target.bit_rate = 96_000 * max(self.target.layout.nb_channels, 1)
        self._kind: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None
        self._next: int | None = None
        self._until: Fraction | None = None
        self._skip = 0

    def __call__(self, packet: _Packet | None) -> Iterator[_Packet]:
        """Return what to write once `packet` is decoded; None is the end."""
        if packet is None:
            yield from self._finish_kind()
            yield from self.target.encode(None)
            return
        for frame in decode_audio(packet):
            yield from self._take(frame)

    def _take(self, frame: AudioFrame) -> Iterator[_Packet]:
        if frame.sample_rate <= 0 or not frame.samples:
            return
        start = self._until if frame.pts is None or not frame.time_base else frame.pts * frame.time_base
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        astray = self._until is not None and start is not None and abs(start - self._until) > _JITTER_S
        if kind != self._kind or astray:
            yield from self._finish_kind()
            self._kind = kind
            self._resampler = AudioResampler("fltp", self._layout, self._rate)
            yield from self._go_to(round((start or 0) * self._rate))
            self._until = start or Fraction(0)
        self._until = (self._until or 0) + Fraction(frame.samples, frame.sample_rate)
        yield from self._put_resampled(frame)

    def _finish_kind(self) -> Iterator[_Packet]:
        """Fetch what the resampler still holds."""
        if self._resampler is not None:
            yield from self._put_resampled(None)
        self._resampler = None

    def _put_resampled(self, frame: AudioFrame | None) -> Iterator[_Packet]:
        if self._resampler is None:
            return
        try:
            resampled = self._resampler.resample(frame)
        except (av.FFmpegError, ValueError):
            return  # a layout that nothing is known of; silence takes its place
        for piece in resampled:
            yield from self._put(np.asarray(piece.to_ndarray(), np.float32))

    def _go_to(self, sample: int) -> Iterator[_Packet]:
        """Make `sample` the next one: fill a gap with silence, or leave out what overlaps."""
        if self._next is None or sample - self._next > _LONGEST_SILENCE_S * self._rate:
            self._next = sample
        self._skip = max(self._next - sample, 0)
        while self._next < sample:
            many = min(sample - self._next, self._rate)
            yield from self._put(np.zeros((_CHANNELS[self._layout], many), np.float32))

    def _put(self, samples: NDArray[np.float32]) -> Iterator[_Packet]:
        skipped = min(self._skip, samples.shape[1])
        self._skip -= skipped
        samples = np.ascontiguousarray(samples[:, skipped:])
        if not samples.size or self._next is None:
            return
        frame = AudioFrame.from_ndarray(samples, format="fltp", layout=self._layout)
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._next, Fraction(1, self._rate)
        self._next += samples.shape[1]
        yield from self.target.encode(frame)
