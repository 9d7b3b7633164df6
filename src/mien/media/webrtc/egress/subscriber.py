"""The sending half of one peer connection: a viewer's, or that of a push to a server elsewhere."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender
from aiortc.mediastreams import MediaStreamError

from mien.media.codecs.encoded import AUDIO_CLOCK_RATE, VIDEO_CLOCK_RATE, VideoCodec
from mien.media.webrtc.aiortc_internals import StreamReport, StreamTerms, round_trip_s, take_over
from mien.media.webrtc.egress.layer_selector import LayerSelector
from mien.media.webrtc.egress.rtp_stream import RtpStream
from mien.media.webrtc.packets import PackedFrame, PacketBatch
from mien.media.webrtc.peer import codecs
from mien.rate_limit import TokenBucket

log = structlog.get_logger()

_WORD: Final = 1 << 32
_MAX_STEP: Final = 1 << 15
"""Reports that came out of order, or lie, seem to be further apart."""
_RATE_SPAN_S: Final = 2.0
_LEAST_SPAN_S: Final = 0.25
_KEYFRAME_RETRY_S: Final = 0.5
_RESEND_SHARE: Final = 0.25
"""Retransmissions may take a quarter of the layer's bit rate: enough for a tenth of loss and its own losses,
too little to keep a congested line congested."""
_MOST_PADDING: Final = 4
"""Packets that a probe may send at a time."""
_ASK_ROUND_TRIP_S: Final = 0.2
"""A probe cannot wait for the report of every second or so."""


def _do_nothing() -> None:
    pass


class SilentTrack(MediaStreamTrack):
    """A media track that gives aiortc nothing to send; who has it sends by other means."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._ended = asyncio.Event()

    async def recv(self) -> None:  # type: ignore[override]  # it never returns anything
        """Wait for the end of the track.

        Raises:
            MediaStreamError: It ended.
        """
        await self._ended.wait()
        raise MediaStreamError

    def stop(self) -> None:
        """End the track."""
        super().stop()
        self._ended.set()


@dataclass(frozen=True, slots=True)
class SubscriberStats:
    """The numbers of one subscriber.

    Attributes:
        packets: Sent, of frames and audio, without retransmissions.
        octets: Bytes of payload in them.
        resent: Retransmissions.
        padded: Packets that probes sent.
        dropped: Packets that the kernel or the transport did not take.
        layer: What goes out; None before the first frame.
        estimate: What the far end believes its line carries, bits a second; None if it does not say.
        loss: The share of packets lost, as last reported.
        rtt_s: Round trip time; None before the first report.
    """

    packets: int
    octets: int
    resent: int
    padded: int
    dropped: int
    layer: int | None
    estimate: int | None
    loss: float
    rtt_s: float | None


class _Reports:
    """What the far end reports about one stream, handed on to its subscriber."""

    def __init__(self, subscriber: "Subscriber", kind: str) -> None:
        self._subscriber = subscriber
        self._kind = kind
        self._highest: int | None = None
        self._highest_again: int | None = None

    def on_rtcp(self) -> None:
        self._subscriber.last_report_at = time.monotonic()

    def on_nack(self, sequence_numbers: Sequence[int]) -> None:
        if self._kind == "video":
            self._subscriber.layer_selector.on_nack(len(sequence_numbers))
            self._subscriber.resend(sequence_numbers)

    def wants_keyframe(self) -> None:
        if self._kind == "video":
            self._subscriber.ask_for_keyframe()

    def on_loss(self, fraction: float, highest: int) -> None:
        if self._kind != "video":
            return
        since, self._highest = _since(self._highest, highest), highest
        self._subscriber.layer_selector.on_loss(fraction, since, now=time.monotonic())

    def on_receiver_report(self, fraction: float, highest: int) -> None:
        since, self._highest_again = _since(self._highest_again, highest), highest
        self._subscriber.layer_selector.on_receiver_report(fraction, since, now=time.monotonic())

    def round_trip(self, rtt_s: float) -> None:
        if self._kind == "video":
            self._subscriber.layer_selector.round_trip(rtt_s, now=time.monotonic())

    def on_estimate(self, bit_rate: int) -> None:
        self._subscriber.layer_selector.on_estimate(bit_rate, now=time.monotonic())

    def report(self) -> StreamReport:
        return self._subscriber.report(self._kind)


def _since(before: int | None, highest: int) -> int:
    """Return how many packets a report covers; none where it cannot be."""
    since = 0 if before is None else (highest - before) % _WORD
    return since if since < _MAX_STEP else 0


class Subscriber(ABC):
    """Sends a broadcast over one peer connection, on the layer that its line carries.

    Args:
        codec: The codec of the broadcast's frames.
        bit_rates: The bit rates of its layers, best first, in bits a second.
        want_keyframe: Called with a layer when the far end cannot go on without a keyframe of it.
        epoch: The monotonic time that presentation times count from.

    Attributes:
        gone: Set when it is over.
        may_be_silent: Whether the far end may live and report nothing.
        layer: What goes out.
        layer_selector: Tells what should go out.
        last_report_at: When the far end last reported anything; None before it could.
        begun: Called when frames can go out.
    """

    gone: asyncio.Event
    may_be_silent = False

    def __init__(
        self,
        *,
        codec: VideoCodec,
        bit_rates: Sequence[int],
        want_keyframe: Callable[[int], None],
        epoch: float,
    ) -> None:
        self.codec = codec
        self.layer = 0
        self.last_report_at: float | None = None
        self.begun: Callable[[], None] = _do_nothing
        self.layer_selector = LayerSelector(bit_rates, now=time.monotonic())
        self._bit_rates = bit_rates
        self._want_keyframe = want_keyframe
        self._epoch = epoch
        self._senders: dict[str, RTCRtpSender] = {}
        self._report_frames: Callable[[], None] = _do_nothing
        self._reported_at = 0.0
        self._streams: dict[str, RtpStream] = {}
        self._frames: RtpStream | None = None
        self._audio_packets: RtpStream | None = None
        self._in_step = False
        self._asked_at = 0.0
        self._requests = TokenBucket(rate=1.0, burst=3.0)
        self._sent: deque[tuple[float, int]] = deque()

    @abstractmethod
    def leave(self) -> None:
        """Let whoever serves this connection close it."""

    def send_over(self, connection: RTCPeerConnection, kinds: Sequence[str]) -> None:
        """Add a sending transceiver for each of `kinds`, "video" and "audio", in this order."""
        for kind in kinds:
            transceiver = connection.addTransceiver(SilentTrack(kind), direction="sendonly")
            # The sender takes the first common codec without asking what the packets hold.
            transceiver.setCodecPreferences(codecs(kind, self.codec if kind == "video" else "opus"))
            self._senders[kind] = transceiver.sender
            report = take_over(
                transceiver.sender,
                _Reports(self, kind),
                begun=self._begin_frames if kind == "video" else self._begin_audio,
                ended=self._end,
            )
            if kind == "video":
                self._report_frames = report

    def _begin_frames(self, terms: StreamTerms) -> None:
        if terms.mime_type != f"video/{self.codec}".lower():
            log.warning("subscriber_without_codec", codec=self.codec)
            self.leave()
            return
        self._frames = self._streams["video"] = RtpStream(
            terms,
            clock_rate=VIDEO_CLOCK_RATE,
            epoch=self._epoch,
            resend_rate=self._bit_rates[self.layer] * _RESEND_SHARE,
        )
        self.layer_selector.can_probe = self._frames.can_pad
        self.last_report_at = time.monotonic()
        self.begun()
        self._request_keyframe(self.last_report_at)

    def _begin_audio(self, terms: StreamTerms) -> None:
        self._audio_packets = self._streams["audio"] = RtpStream(
            terms, clock_rate=AUDIO_CLOCK_RATE, epoch=self._epoch, keeps=False
        )
        self.last_report_at = time.monotonic()

    def _end(self) -> None:
        self._frames = self._audio_packets = None

    # Media --------------------------------------------------------------------------------------------------

    def start(self, frame: PackedFrame, now: float) -> bool:
        """Return whether this frame goes out; it then must get all its slices."""
        if self._frames is None:
            return False
        wanted = self.layer_selector.layer
        if frame.is_keyframe and frame.layer == wanted and (wanted != self.layer or not self._in_step):
            if wanted != self.layer:
                self._frames.forget()
                self._frames.allow(self._bit_rates[wanted] * _RESEND_SHARE)
            self.layer, self._in_step = wanted, True
        if not self._in_step or wanted != self.layer:
            self._request_keyframe(now)
        return self._in_step and frame.layer == self.layer

    def send_frame(self, batch: PacketBatch, now: float) -> None:
        """Send a slice of a frame that goes out."""
        if self._frames is not None:
            self._frames.send(batch, now=now)

    def send_audio(self, batch: PacketBatch, now: float) -> None:
        """Send a piece of audio."""
        if self._audio_packets is not None:
            self._audio_packets.send(batch, now=now)

    def consider(self, now: float, *, may_probe: bool = True) -> None:
        """Look at what the far end reported, and choose the layer; begin a probe only if `may_probe`."""
        stream = self._frames
        if stream is None:
            return
        self._sent.append((now, stream.octets + stream.resent_octets))
        while len(self._sent) > 2 and self._sent[1][0] <= now - _RATE_SPAN_S:
            self._sent.popleft()
        since, octets = self._sent[0]
        rate = (self._sent[-1][1] - octets) * 8 / max(now - since, _LEAST_SPAN_S)
        if self.layer_selector.choose(rate, now=now, may_probe=may_probe) != self.layer:
            self._request_keyframe(now)
        if self.layer_selector.wonders:
            self._report_frames()

    @property
    def is_probing(self) -> bool:
        """Whether `fill` wants to be called every few milliseconds."""
        return self.layer_selector.probe is not None and self._frames is not None

    def fill(self, now: float) -> None:
        """Send what a probe wants on the line beside the frames, a few packets at most."""
        probe, stream = self.layer_selector.probe, self._frames
        if probe is None or stream is None:
            return
        if now - self._reported_at >= _ASK_ROUND_TRIP_S:
            self._reported_at = now
            self._report_frames()
        room = probe.room(stream.octets + stream.resent_octets + stream.padded_octets, now=now)
        for _ in range(_MOST_PADDING):
            if room <= 0:
                return
            size = stream.pad(now=now)
            if not size:
                return
            room -= size

    @property
    def layers(self) -> frozenset[int]:
        """The layer that goes out, and the one that is waited for; none before anything can go out.

        Else the first keyframe would be made while the connection is still being set up, for nobody, and the one
        that can be sent would have to keep its distance from it.
        """
        return frozenset() if self._frames is None else frozenset((self.layer, self.layer_selector.layer))

    def _request_keyframe(self, now: float) -> None:
        if now - self._asked_at >= _KEYFRAME_RETRY_S:
            self._asked_at = now
            self._want_keyframe(self.layer_selector.layer)

    # Feedback -----------------------------------------------------------------------------------------------

    def resend(self, sequence_numbers: Sequence[int]) -> None:
        """Answer a NACK."""
        if self._frames is not None:
            self._frames.resend(sequence_numbers, now=time.monotonic(), rtt_s=round_trip_s(self._senders["video"]))

    def ask_for_keyframe(self) -> None:
        """Answer a PLI; a few a second are granted, since every keyframe costs all viewers of the layer."""
        if self._requests.take(1.0, now=time.monotonic()):
            self._want_keyframe(self.layer)

    def report(self, kind: str) -> StreamReport:
        """Return what the sender report of "video" or "audio" shall say."""
        now = time.monotonic()
        stream = self._streams.get(kind)
        return StreamReport(0, 0, 0, 0) if stream is None else stream.report(now)

    def stats(self) -> SubscriberStats:
        """Return the numbers up to now."""
        streams = self._streams.values()
        video = self._senders.get("video")
        return SubscriberStats(
            packets=sum(stream.packets for stream in streams),
            octets=sum(stream.octets for stream in streams),
            resent=sum(stream.resent for stream in streams),
            padded=sum(stream.padded for stream in streams),
            dropped=sum(stream.dropped for stream in streams),
            layer=self.layer if self._in_step else None,
            estimate=self.layer_selector.estimate,
            loss=self.layer_selector.loss,
            rtt_s=None if video is None else round_trip_s(video),
        )
