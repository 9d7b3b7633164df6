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

from mien.media.allowance import Allowance
from mien.media.codecs.encoded import PICTURE_CLOCK_RATE, SOUND_CLOCK_RATE, VideoCodec
from mien.media.webrtc.aiortc_internals import StreamReport, StreamTerms, round_trip_s, take_over
from mien.media.webrtc.egress.layer_selector import RungChooser
from mien.media.webrtc.egress.rtp_stream import RtpStream
from mien.media.webrtc.packets import Departure, PackedFrame
from mien.media.webrtc.peer import codecs

log = structlog.get_logger()

_WORD: Final = 1 << 32
_MAX_STEP: Final = 1 << 15
"""Reports that came out of order, or lie, seem to be further apart."""
_RATE_SPAN_S: Final = 2.0
_LEAST_SPAN_S: Final = 0.25
_KEYFRAME_RETRY_S: Final = 0.5
_RESEND_SHARE: Final = 0.25
"""Retransmissions may take a quarter of the rung's bit rate: enough for a tenth of loss and its own losses,
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
class OutletStats:
    """The numbers of one outlet.

    Attributes:
        packets: Sent, of pictures and sound, without retransmissions.
        octets: Of their payload.
        resent: Retransmissions.
        padded: Packets that probes sent.
        dropped: Packets that the kernel or the transport did not take.
        rung: What goes out; None before the first picture.
        estimate: What the far end believes its line carries, bits a second; None if it does not say.
        loss: The share of packets lost, as last reported.
        rtt_s: Round trip time; None before the first report.
    """

    packets: int
    octets: int
    resent: int
    padded: int
    dropped: int
    rung: int | None
    estimate: int | None
    loss: float
    rtt_s: float | None


class _Reports:
    """What the far end reports about one stream, handed on to its outlet."""

    def __init__(self, outlet: "Outlet", kind: str) -> None:
        self._outlet = outlet
        self._kind = kind
        self._highest: int | None = None
        self._highest_again: int | None = None

    def heard(self) -> None:
        self._outlet.heard_at = time.monotonic()

    def missed(self, sequence_numbers: Sequence[int]) -> None:
        if self._kind == "video":
            self._outlet.chooser.missed(len(sequence_numbers))
            self._outlet.resend(sequence_numbers)

    def wants_keyframe(self) -> None:
        if self._kind == "video":
            self._outlet.ask_for_keyframe()

    def lost(self, fraction: float, highest: int) -> None:
        if self._kind != "video":
            return
        since, self._highest = _since(self._highest, highest), highest
        self._outlet.chooser.lost(fraction, since, now=time.monotonic())

    def lost_again(self, fraction: float, highest: int) -> None:
        since, self._highest_again = _since(self._highest_again, highest), highest
        self._outlet.chooser.lost_again(fraction, since, now=time.monotonic())

    def round_trip(self, rtt_s: float) -> None:
        if self._kind == "video":
            self._outlet.chooser.round_trip(rtt_s, now=time.monotonic())

    def estimated(self, bit_rate: int) -> None:
        self._outlet.chooser.estimated(bit_rate, now=time.monotonic())

    def report(self) -> StreamReport:
        return self._outlet.report(self._kind)


def _since(before: int | None, highest: int) -> int:
    """Return how many packets a report covers; none where it cannot be."""
    since = 0 if before is None else (highest - before) % _WORD
    return since if since < _MAX_STEP else 0


class Outlet(ABC):
    """Sends a broadcast over one peer connection, on the rung that its line carries.

    Args:
        codec: Of the broadcast's pictures.
        bit_rates: Of its rungs, best first, in bits a second.
        want_keyframe: Called with a rung when the far end cannot go on without a keyframe of it.
        epoch: The monotonic time that presentation times count from.

    Attributes:
        gone: Set when it is over.
        may_be_silent: Whether the far end may live and report nothing.
        rung: What goes out.
        chooser: Tells what should go out.
        heard_at: When the far end last reported anything; None before it could.
        begun: Called when pictures can go out.
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
        self.rung = 0
        self.heard_at: float | None = None
        self.begun: Callable[[], None] = _do_nothing
        self.chooser = RungChooser(bit_rates, now=time.monotonic())
        self._bit_rates = bit_rates
        self._want_keyframe = want_keyframe
        self._epoch = epoch
        self._senders: dict[str, RTCRtpSender] = {}
        self._report_pictures: Callable[[], None] = _do_nothing
        self._reported_at = 0.0
        self._streams: dict[str, RtpStream] = {}
        self._pictures: RtpStream | None = None
        self._sounds: RtpStream | None = None
        self._in_step = False
        self._asked_at = 0.0
        self._requests = Allowance(rate=1.0, burst=3.0)
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
                begun=self._begin_pictures if kind == "video" else self._begin_sounds,
                ended=self._end,
            )
            if kind == "video":
                self._report_pictures = report

    def _begin_pictures(self, terms: StreamTerms) -> None:
        if terms.mime_type != f"video/{self.codec}".lower():
            log.warning("far_end_without_codec", codec=self.codec)
            self.leave()
            return
        self._pictures = self._streams["video"] = RtpStream(
            terms,
            clock_rate=PICTURE_CLOCK_RATE,
            epoch=self._epoch,
            resend_rate=self._bit_rates[self.rung] * _RESEND_SHARE,
        )
        self.chooser.can_probe = self._pictures.can_pad
        self.heard_at = time.monotonic()
        self.begun()
        self._wish_keyframe(self.heard_at)

    def _begin_sounds(self, terms: StreamTerms) -> None:
        self._sounds = self._streams["audio"] = RtpStream(
            terms, clock_rate=SOUND_CLOCK_RATE, epoch=self._epoch, keeps=False
        )
        self.heard_at = time.monotonic()

    def _end(self) -> None:
        self._pictures = self._sounds = None

    # Media --------------------------------------------------------------------------------------------------

    def start(self, frame: PackedFrame, now: float) -> bool:
        """Return whether this picture goes out; it then must get all its slices."""
        if self._pictures is None:
            return False
        wanted = self.chooser.rung
        if frame.is_keyframe and frame.rung == wanted and (wanted != self.rung or not self._in_step):
            if wanted != self.rung:
                self._pictures.forget()
                self._pictures.allow(self._bit_rates[wanted] * _RESEND_SHARE)
            self.rung, self._in_step = wanted, True
        if not self._in_step or wanted != self.rung:
            self._wish_keyframe(now)
        return self._in_step and frame.rung == self.rung

    def send_picture(self, departure: Departure, now: float) -> None:
        """Send a slice of a picture that goes out."""
        if self._pictures is not None:
            self._pictures.send(departure, now=now)

    def send_sound(self, departure: Departure, now: float) -> None:
        """Send a piece of sound."""
        if self._sounds is not None:
            self._sounds.send(departure, now=now)

    def consider(self, now: float, *, may_probe: bool = True) -> None:
        """Look at what the far end reported, and choose the rung; begin a probe only if `may_probe`."""
        stream = self._pictures
        if stream is None:
            return
        self._sent.append((now, stream.octets + stream.resent_octets))
        while len(self._sent) > 2 and self._sent[1][0] <= now - _RATE_SPAN_S:
            self._sent.popleft()
        since, octets = self._sent[0]
        rate = (self._sent[-1][1] - octets) * 8 / max(now - since, _LEAST_SPAN_S)
        if self.chooser.choose(rate, now=now, may_probe=may_probe) != self.rung:
            self._wish_keyframe(now)
        if self.chooser.wonders:
            self._report_pictures()

    @property
    def is_probing(self) -> bool:
        """Whether `fill` wants to be called every few milliseconds."""
        return self.chooser.probe is not None and self._pictures is not None

    def fill(self, now: float) -> None:
        """Send what a probe wants on the line beside the pictures, a few packets at most."""
        probe, stream = self.chooser.probe, self._pictures
        if probe is None or stream is None:
            return
        if now - self._reported_at >= _ASK_ROUND_TRIP_S:
            self._reported_at = now
            self._report_pictures()
        room = probe.room(stream.octets + stream.resent_octets + stream.padded_octets, now=now)
        for _ in range(_MOST_PADDING):
            if room <= 0:
                return
            size = stream.pad(now=now)
            if not size:
                return
            room -= size

    @property
    def rungs(self) -> frozenset[int]:
        """The rung that goes out, and the one that is waited for; none before anything can go out.

        Else the first keyframe would be made while the connection is still being set up, for nobody, and the one
        that can be sent would have to keep its distance from it.
        """
        return frozenset() if self._pictures is None else frozenset((self.rung, self.chooser.rung))

    def _wish_keyframe(self, now: float) -> None:
        if now - self._asked_at >= _KEYFRAME_RETRY_S:
            self._asked_at = now
            self._want_keyframe(self.chooser.rung)

    # Feedback -----------------------------------------------------------------------------------------------

    def resend(self, sequence_numbers: Sequence[int]) -> None:
        """Answer a NACK."""
        if self._pictures is not None:
            self._pictures.resend(sequence_numbers, now=time.monotonic(), rtt_s=round_trip_s(self._senders["video"]))

    def ask_for_keyframe(self) -> None:
        """Answer a PLI; a few a second are granted, since every keyframe costs all viewers of the rung."""
        if self._requests.take(1.0, now=time.monotonic()):
            self._want_keyframe(self.rung)

    def report(self, kind: str) -> StreamReport:
        """Return what the sender report of "video" or "audio" shall say."""
        now = time.monotonic()
        stream = self._streams.get(kind)
        return StreamReport(0, 0, 0, 0) if stream is None else stream.report(now)

    def stats(self) -> OutletStats:
        """Return the numbers up to now."""
        streams = self._streams.values()
        video = self._senders.get("video")
        return OutletStats(
            packets=sum(stream.packets for stream in streams),
            octets=sum(stream.octets for stream in streams),
            resent=sum(stream.resent for stream in streams),
            padded=sum(stream.padded for stream in streams),
            dropped=sum(stream.dropped for stream in streams),
            rung=self.rung if self._in_step else None,
            estimate=self.chooser.estimate,
            loss=self.chooser.loss,
            rtt_s=None if video is None else round_trip_s(video),
        )
