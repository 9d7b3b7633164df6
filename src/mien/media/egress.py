"""Egress: what was encoded and cut into packets once goes to every viewer.

    EncodedPicture ─► FanOut ─► Packetiser ─► slices, a few ms apart ─► each Viewer's RtpStream ─► Line
    EncodedSound ──────┘

Each viewer is on one rung, a size that the broadcast is encoded in, and changes it at a keyframe.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import av
import structlog
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.mediastreams import MediaStreamError

from mien.media.allowance import Allowance
from mien.media.encoded import PICTURE_CLOCK_RATE, SOUND_CLOCK_RATE, EncodedPicture, EncodedSound, VideoCodec
from mien.media.packets import Departure, PackedFrame, Packetiser, pack_sound
from mien.media.peer import IceServer, Peer, codecs
from mien.media.privates import StreamReport, StreamTerms, round_trip_s, take_over
from mien.media.rtp_stream import RtpStream, stamp
from mien.media.rungs import RungChooser
from mien.media.sdp import Offer

log = structlog.get_logger()

AnyPacket: TypeAlias = "av.Packet[Any]"
"""What encoders that know no `EncodedPicture` give."""

SILENCE_TIMEOUT_S: Final = 15.0
"""Players report every second or so; who says nothing for so long is gone, long before ICE notices."""
SLICE_INTERVAL_S: Final = 0.002
"""With at most eight slices a frame has left after 14 ms, half the time to the next."""
_TICK_S: Final = 0.25
_STALL_S: Final = 2.0
_RATE_SPAN_S: Final = 2.0
_KEYFRAME_RETRY_S: Final = 0.5
_RESEND_SHARE: Final = 0.25
"""Retransmissions may take a quarter of the rung's bit rate: enough for a tenth of loss and its own losses,
too little to keep a congested line congested."""


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
class ViewerStats:
    """The numbers of one viewer.

    Attributes:
        packets: Sent, of pictures and sound, without retransmissions.
        octets: Of their payload.
        resent: Retransmissions.
        dropped: Packets that the kernel or the transport did not take.
        rung: What the viewer gets; None before the first picture.
        estimate: What the viewer believes its line carries, bits a second; None if it does not say.
        loss: The share of packets lost, as last reported.
        rtt_s: Round trip time; None before the first report.
    """

    packets: int
    octets: int
    resent: int
    dropped: int
    rung: int | None
    estimate: int | None
    loss: float
    rtt_s: float | None


class _Reports:
    """What a viewer reports about one stream, handed on to the viewer."""

    def __init__(self, viewer: "Viewer", kind: str) -> None:
        self._viewer = viewer
        self._kind = kind

    def heard(self) -> None:
        self._viewer.heard_at = time.monotonic()

    def missed(self, sequence_numbers: Sequence[int]) -> None:
        if self._kind == "video":
            self._viewer.resend(sequence_numbers)

    def wants_keyframe(self) -> None:
        if self._kind == "video":
            self._viewer.ask_for_keyframe()

    def lost(self, fraction: float) -> None:
        if self._kind == "video":
            self._viewer.chooser.lost(fraction, now=time.monotonic())

    def estimated(self, bit_rate: int) -> None:
        self._viewer.chooser.estimated(bit_rate, now=time.monotonic())

    def report(self) -> StreamReport:
        return self._viewer.report(self._kind)


class Viewer(Peer):
    """The sending end of WHEP.

    Args:
        offer: What their browser offers.
        ice_servers: As in `Peer`.
        want_keyframe: Called with a rung when the viewer cannot go on without a keyframe of it.
        epoch: The monotonic time that presentation times count from.
        codec: Of the broadcast's pictures.
        bit_rates: Of its rungs, best first, in bits a second.
        is_audience: False where the broadcaster looks at their own picture.

    Attributes:
        rung: What the viewer gets.
        chooser: Tells what the viewer should get.
        heard_at: When the viewer last reported anything; None before it could.
    """

    def __init__(
        self,
        offer: Offer,
        ice_servers: Sequence[IceServer],
        *,
        want_keyframe: Callable[[int], None],
        epoch: float,
        codec: VideoCodec = VideoCodec.VP8,
        bit_rates: Sequence[int] = (2_000_000,),
        is_audience: bool = True,
    ) -> None:
        super().__init__(offer, ice_servers)
        self.is_audience = is_audience
        self.codec = codec
        self.rung = 0
        self.heard_at: float | None = None
        self.chooser = RungChooser(bit_rates, now=time.monotonic())
        self._bit_rates = bit_rates
        self._want_keyframe = want_keyframe
        self._epoch = epoch
        self._senders: dict[str, RTCRtpSender] = {}
        self._streams: dict[str, RtpStream] = {}
        self._pictures: RtpStream | None = None
        self._sounds: RtpStream | None = None
        self._in_step = False
        self._asked_at = 0.0
        self._requests = Allowance(rate=1.0, burst=3.0)
        self._sent: deque[tuple[float, int]] = deque()

    def _prepare(self) -> None:
        for kind in self.offer.kinds:
            transceiver = self.connection.addTransceiver(SilentTrack(kind), direction="sendonly")
            # The sender takes the first common codec without asking what the packets hold.
            transceiver.setCodecPreferences(codecs(kind, self.codec if kind == "video" else "opus"))
            self._senders[kind] = transceiver.sender
            take_over(
                transceiver.sender,
                _Reports(self, kind),
                begun=self._begin_pictures if kind == "video" else self._begin_sounds,
                ended=self._end,
            )

    def _begin_pictures(self, terms: StreamTerms) -> None:
        if terms.mime_type != f"video/{self.codec}".lower():
            log.warning("viewer_without_codec", codec=self.codec)
            self.leave()
            return
        self._pictures = self._streams["video"] = RtpStream(
            terms,
            clock_rate=PICTURE_CLOCK_RATE,
            epoch=self._epoch,
            resend_rate=self._bit_rates[self.rung] * _RESEND_SHARE,
        )
        self.heard_at = time.monotonic()
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
        """Return whether the viewer takes this picture; it then must get all its slices."""
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
        """Send a slice of a picture that the viewer takes."""
        if self._pictures is not None:
            self._pictures.send(departure, now=now)

    def send_sound(self, departure: Departure, now: float) -> None:
        """Send a piece of sound."""
        if self._sounds is not None:
            self._sounds.send(departure, now=now)

    def consider(self, now: float) -> None:
        """Look at what the viewer reported, and choose its rung."""
        stream = self._pictures
        if stream is None:
            return
        self._sent.append((now, stream.octets + stream.resent_octets))
        while len(self._sent) > 2 and self._sent[1][0] <= now - _RATE_SPAN_S:
            self._sent.popleft()
        since, octets = self._sent[0]
        rate = (self._sent[-1][1] - octets) * 8 / max(now - since, _TICK_S)
        if self.chooser.choose(rate, now=now) != self.rung:
            self._wish_keyframe(now)

    @property
    def rungs(self) -> frozenset[int]:
        """The rungs that the viewer gets or waits for."""
        return frozenset((self.rung, self.chooser.rung))

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

    def stats(self) -> ViewerStats:
        """Return the viewer's numbers."""
        streams = self._streams.values()
        video = self._senders.get("video")
        return ViewerStats(
            packets=sum(stream.packets for stream in streams),
            octets=sum(stream.octets for stream in streams),
            resent=sum(stream.resent for stream in streams),
            dropped=sum(stream.dropped for stream in streams),
            rung=self.rung if self._in_step else None,
            estimate=self.chooser.estimate,
            loss=self.chooser.loss,
            rtt_s=None if video is None else round_trip_s(video),
        )


@dataclass(slots=True)
class _Leaving:
    """A picture whose first slices have left."""

    frame: PackedFrame
    slices: deque[tuple[int, int]]
    viewers: list[Viewer]


class FanOut:
    """The viewers of one broadcast. Lives on the event loop.

    Args:
        codec: Of the broadcast's pictures.
        set_audience: Called with the rungs that somebody gets or waits for, whenever they change.
        silence_timeout_s: A viewer who reports nothing for so long is let go.
        clock: Tells the monotonic time.
    """

    def __init__(
        self,
        codec: VideoCodec = VideoCodec.VP8,
        *,
        set_audience: Callable[[frozenset[int]], None] = lambda _rungs: None,
        silence_timeout_s: float = SILENCE_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._packetiser = Packetiser(codec)
        self._set_audience = set_audience
        self._silence_timeout_s = silence_timeout_s
        self._clock = clock
        self._viewers: set[Viewer] = set()
        self._audience: frozenset[int] = frozenset()
        self._leaving: dict[int, _Leaving] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._ticked_at = 0.0

    def __len__(self) -> int:
        return len(self._viewers)

    def __iter__(self) -> Iterator[Viewer]:
        return iter(tuple(self._viewers))

    def add(self, viewer: Viewer) -> None:
        """Send everything to `viewer` from now on."""
        self._viewers.add(viewer)
        self._count_audience()

    def discard(self, viewer: Viewer) -> None:
        """Send nothing more to `viewer`."""
        self._viewers.discard(viewer)
        for leaving in self._leaving.values():
            if viewer in leaving.viewers:
                leaving.viewers.remove(viewer)
        self._count_audience()

    def push_picture(self, picture: EncodedPicture) -> None:
        """Send a picture to the viewers of its rung; a large one in slices, the last before the next picture."""
        now = self._clock()
        frame = self._packetiser.picture(picture)
        if not frame.payloads:
            return
        self._finish(None if frame.is_keyframe else frame.rung)
        viewers = [viewer for viewer in self._viewers if viewer.start(frame, now)]
        if viewers:
            leaving = self._leaving[frame.rung] = _Leaving(frame, deque(frame.slices()), viewers)
            self._send_slice(leaving)
            self._schedule()
        self._tick(now)

    def push_sound(self, sound: EncodedSound) -> None:
        """Send a piece of sound to every viewer."""
        now = self._clock()
        departure = Departure(pack_sound(sound), 0, 1, stamp(now))
        for viewer in self._viewers:
            viewer.send_sound(departure, now)
        self._tick(now)

    # Pace ---------------------------------------------------------------------------------------------------

    def _send_slice(self, leaving: _Leaving) -> None:
        now = self._clock()
        first, end = leaving.slices.popleft()
        departure = Departure(leaving.frame, first, end, stamp(now))
        for viewer in leaving.viewers:
            viewer.send_picture(departure, now)
        if not leaving.slices:
            del self._leaving[leaving.frame.rung]

    def _schedule(self) -> None:
        if self._leaving and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SLICE_INTERVAL_S, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        for leaving in tuple(self._leaving.values()):
            self._send_slice(leaving)
        self._schedule()

    def _finish(self, rung: int | None) -> None:
        """Send what is left of the last picture of `rung`; of all rungs at None, where viewers may change theirs."""
        for leaving in tuple(self._leaving.values()):
            while leaving.slices and rung in {None, leaving.frame.rung}:
                self._send_slice(leaving)

    # Care ---------------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        since = now - self._ticked_at
        if since < _TICK_S:
            return
        self._ticked_at = now
        for viewer in tuple(self._viewers):
            viewer.consider(now)
            silent_s = 0.0 if viewer.heard_at is None else now - viewer.heard_at
            if silent_s and since > _STALL_S:
                viewer.heard_at = now  # what came while this process stood still has not been read yet
            elif silent_s > self._silence_timeout_s:
                log.info("viewer_fell_silent", silent_s=round(silent_s, 1))
                viewer.leave()
            if viewer.gone.is_set():
                self.discard(viewer)
        self._count_audience()

    def _count_audience(self) -> None:
        audience = frozenset[int]().union(*(viewer.rungs for viewer in self._viewers))
        if audience != self._audience:
            self._audience = audience
            self._set_audience(audience)
