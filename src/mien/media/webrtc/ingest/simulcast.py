"""Simulcast: one frame that comes in several sizes, of which the largest goes on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aiortc.rtp import RtpPacket

from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.feedback import RtcpFeedback
from mien.media.webrtc.ingest.depacketizer import Depacketizer, ReceivedFrame
from mien.media.webrtc.ingest.key_frame_size import key_frame_size_wh

_SILENT_S: Final = 1.0
"""A layer that sends nothing for so long was switched off: senders drop the largest where their line is narrow."""
_MAX_LAYERS: Final = 6
"""Browsers send three at most; a sender that begins anew has new sources for all of them."""


@dataclass(slots=True)
class _Layer:
    """One simulcast layer, by its source.

    Attributes:
        depacketizer: Puts its packets together.
        last_packet_at: When its last packet came.
        pixels: How many its last key frame has; 0 before one came.
    """

    depacketizer: Depacketizer
    last_packet_at: float
    pixels: int = 0


class SimulcastSelector:
    """Puts the packets of one media track together, and hands on the frames of its largest layer.

    An offer says which layers there are, but not which is the best: by RFC 8853 the first is preferred, yet
    applications list the smallest first as often. So what counts is the size of what comes. Another layer takes over
    at a key frame of its own: a larger one at once, a smaller one when the present one has fallen silent.

    Args:
        payload_types: The codec of each payload type.
        changed: Called before the first frame of another layer, whose RTP clock has nothing to do with the last.

    Attributes:
        source: The SSRC of the layer that goes on; None before the first frame.
    """

    def __init__(
        self, payload_types: Mapping[int, VideoCodec], *, changed: Callable[[ReceivedFrame], None] = lambda _: None
    ) -> None:
        self.source: int | None = None
        self._payload_types = payload_types
        self._changed = changed
        self._layers: dict[int, _Layer] = {}
        self._asked = RtcpFeedback()
        self._dropped_before = 0

    @property
    def dropped(self) -> int:
        """Frames that came but could not be used, of all layers."""
        return self._dropped_before + sum(layer.depacketizer.dropped for layer in self._layers.values())

    def add(self, packet: RtpPacket, now: float) -> list[ReceivedFrame]:
        """Take a packet that came at `now`; return the frames that it completes, of the layer that goes on."""
        layer = self._layer(packet.ssrc, now)
        if packet.payload:
            layer.last_packet_at = now  # to a layer that is switched off browsers send padding, to probe the line
        frames = layer.depacketizer.add(packet, now)
        for frame in frames:
            if size_wh := key_frame_size_wh(frame):
                layer.pixels = size_wh[0] * size_wh[1]
                if packet.ssrc != self.source and self._takes_over(layer, now):
                    self.source = packet.ssrc
                    self._changed(frame)
                    frames = frames[frames.index(frame) :]
        self._asked = self._specs_of(packet.ssrc, layer, now)
        return frames if packet.ssrc == self.source else []

    def feedback(self, _now: float) -> RtcpFeedback:
        """Return what to ask the sender of the last packet for."""
        return self._asked

    def start_over(self) -> None:
        """Hand on nothing until the next key frame: what was handed on could not be decoded."""
        if self.source in self._layers:
            self._layers[self.source].depacketizer.start_over()

    def _layer(self, source: int, now: float) -> _Layer:
        if source not in self._layers:
            while len(self._layers) >= _MAX_LAYERS:
                oldest = min(self._layers, key=lambda each: self._layers[each].last_packet_at)
                self._dropped_before += self._layers.pop(oldest).depacketizer.dropped
            self._layers[source] = _Layer(Depacketizer(self._payload_types), now)
        return self._layers[source]

    def _takes_over(self, layer: _Layer, now: float) -> bool:
        present = self._present(now)
        return present is None or layer.pixels > present.pixels

    def _present(self, now: float) -> _Layer | None:
        """Return the layer that goes on, or None where it has fallen silent."""
        present = self._layers.get(self.source) if self.source is not None else None
        return present if present is not None and now - present.last_packet_at < _SILENT_S else None

    def _specs_of(self, source: int, layer: _Layer, now: float) -> RtcpFeedback:
        """Ask for what one layer needs. Holes in a layer that nobody looks at are of no concern."""
        feedback = layer.depacketizer.feedback(now)
        if source == self.source:
            return feedback
        if self._present(now) is not None and layer.pixels:
            return RtcpFeedback()
        if not feedback.keyframe and self._is_best(layer, now):
            layer.depacketizer.start_over()
            feedback = layer.depacketizer.feedback(now)
        return RtcpFeedback(feedback.lost, keyframe=feedback.keyframe)

    def _is_best(self, layer: _Layer, now: float) -> bool:
        alive = [each for each in self._layers.values() if now - each.last_packet_at < _SILENT_S]
        return self._present(now) is None and layer.pixels >= max((each.pixels for each in alive), default=0)
