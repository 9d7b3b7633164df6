"""Egress: what was encoded and cut into packets once goes to every viewer.

    EncodedFrame ─► FanOut ─► Packetiser ─► slices, a few ms apart ─► each Subscriber's RtpStream ─► SrtpWriter ─┐
    EncodedAudio ──────┘                                                            all of them ◄─ send_waiting ◄┘

Each subscriber, a viewer's or that of a push elsewhere, is on one layer, a size that the broadcast is encoded in, and
changes it at a keyframe.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from mien.media.codecs.encoded import EncodedAudio, EncodedFrame, VideoCodec
from mien.media.webrtc.aiortc_internals import send_waiting
from mien.media.webrtc.egress.rtp_stream import stamp
from mien.media.webrtc.egress.subscriber import Subscriber
from mien.media.webrtc.packets import PackedFrame, PacketBatch, Packetiser, pack_audio
from mien.media.webrtc.peer import IceServer, Peer
from mien.media.webrtc.sdp.parse import Offer
from mien.tracing import span

log = structlog.get_logger()

SILENCE_TIMEOUT_S: Final = 15.0
"""Players report every second or so; who says nothing for so long is gone, long before ICE notices."""
SLICE_INTERVAL_S: Final = 0.002
"""With at most eight slices a frame has left after 14 ms, half the time to the next."""
_TICK_S: Final = 0.25
_FILL_INTERVAL_S: Final = 0.005
_MOST_PROBES: Final = 4
"""Probes that run at a time in one broadcast: one takes up to the best layer's rate more than its viewer would get."""
_STALL_S: Final = 2.0


class Viewer(Subscriber, Peer):
    """The sending end of WHEP.

    Args:
        offer: What their browser offers.
        ice_servers: As in `Peer`.
        want_keyframe: As in `Subscriber`.
        epoch: As in `Subscriber`.
        codec: As in `Subscriber`.
        bit_rates: As in `Subscriber`.
        is_audience: False where the broadcaster looks at their own picture.
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
        Peer.__init__(self, offer, ice_servers)
        Subscriber.__init__(self, codec=codec, bit_rates=bit_rates, want_keyframe=want_keyframe, epoch=epoch)
        self.is_audience = is_audience

    @property
    def is_connected(self) -> bool:
        """Whether media flow to them."""
        return self.connected.is_set() and not self.gone.is_set()

    def leave(self) -> None:
        """Let whoever serves this viewer close the connection."""
        Peer.leave(self)

    def _prepare(self) -> None:
        self.send_over(self.connection, self.offer.kinds)


@dataclass(slots=True)
class _Leaving:
    """A frame whose first slices have left."""

    frame: PackedFrame
    slices: deque[tuple[int, int]]
    subscribers: list[Subscriber]


class FanOut:
    """All subscribers of one broadcast. Lives on the event loop.

    Args:
        codec: The codec of the broadcast's frames.
        set_audience: Called with the layers that somebody gets or waits for, whenever they change.
        silence_timeout_s: An subscriber whose far end reports nothing for so long is let go.
        clock: Tells the monotonic time.
    """

    def __init__(
        self,
        codec: VideoCodec = VideoCodec.VP8,
        *,
        set_audience: Callable[[frozenset[int]], None] = lambda _layers: None,
        silence_timeout_s: float = SILENCE_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._packetiser = Packetiser(codec)
        self._set_audience = set_audience
        self._silence_timeout_s = silence_timeout_s
        self._clock = clock
        self._subscribers: set[Subscriber] = set()
        self._audience: frozenset[int] = frozenset()
        self._leaving: dict[int, _Leaving] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._probing: list[Subscriber] = []
        self._fill_timer: asyncio.TimerHandle | None = None
        self._ticked_at = 0.0

    def use_codec(self, codec: VideoCodec) -> None:
        """Cut frames of another codec from now on; only before the first subscriber comes."""
        self._packetiser = Packetiser(codec)

    def __len__(self) -> int:
        return len(self._subscribers)

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(tuple(self._subscribers))

    def add(self, subscriber: Subscriber) -> None:
        """Send everything to `subscriber` from now on."""
        self._subscribers.add(subscriber)
        subscriber.begun = self._count_audience
        self._count_audience()

    def discard(self, subscriber: Subscriber) -> None:
        """Send nothing more to `subscriber`."""
        self._subscribers.discard(subscriber)
        for leaving in self._leaving.values():
            if subscriber in leaving.subscribers:
                leaving.subscribers.remove(subscriber)
        self._count_audience()

    def push_frame(self, encoded: EncodedFrame) -> None:
        """Send a frame to the viewers of its layer; a large one in slices, the last before the next frame."""
        if not self._subscribers:
            return
        now = self._clock()
        with span("packetise"):
            frame = self._packetiser.packetise(encoded)
        if not frame.payloads:
            return
        self._finish(None if frame.is_keyframe else frame.layer)
        subscribers = [subscriber for subscriber in self._subscribers if subscriber.start(frame, now)]
        if subscribers:
            leaving = self._leaving[frame.layer] = _Leaving(frame, deque(frame.slices()), subscribers)
            self._send_slice(leaving)
            self._schedule()
        self._tick(now)

    def push_audio(self, audio: EncodedAudio) -> None:
        """Send a piece of audio to every subscriber."""
        now = self._clock()
        batch = PacketBatch(pack_audio(audio), 0, 1, stamp(now))
        with span("protect and send audio"):
            for subscriber in self._subscribers:
                subscriber.send_audio(batch, now)
            send_waiting(batch.templates)
        self._tick(now)

    # Pace ---------------------------------------------------------------------------------------------------

    def _send_slice(self, leaving: _Leaving) -> None:
        now = self._clock()
        first, end = leaving.slices.popleft()
        batch = PacketBatch(leaving.frame, first, end, stamp(now))
        with span("protect and send"):
            for subscriber in leaving.subscribers:
                subscriber.send_frame(batch, now)
            send_waiting(batch.templates)
        if not leaving.slices:
            del self._leaving[leaving.frame.layer]

    def _schedule(self) -> None:
        if self._leaving and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SLICE_INTERVAL_S, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        for leaving in tuple(self._leaving.values()):
            self._send_slice(leaving)
        self._schedule()

    def _finish(self, layer: int | None) -> None:
        """Send what is left of the last frame of `layer`; of all layers at None, where viewers may change theirs."""
        for leaving in tuple(self._leaving.values()):
            while leaving.slices and layer in {None, leaving.frame.layer}:
                self._send_slice(leaving)

    def _schedule_fill(self) -> None:
        if self._probing and self._fill_timer is None:
            self._fill_timer = asyncio.get_running_loop().call_later(_FILL_INTERVAL_S, self._fill)

    def _fill(self) -> None:
        self._fill_timer = None
        now = self._clock()
        self._probing = [
            subscriber for subscriber in self._probing if subscriber in self._subscribers and subscriber.is_probing
        ]
        for subscriber in self._probing:
            subscriber.fill(now)
        self._schedule_fill()

    # Care ---------------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        since = now - self._ticked_at
        if since < _TICK_S:
            return
        self._ticked_at = now
        for subscriber in tuple(self._subscribers):
            self._consider(subscriber, now)
            silent_s = 0.0 if subscriber.last_report_at is None else now - subscriber.last_report_at
            if silent_s and since > _STALL_S:
                subscriber.last_report_at = now  # what came while this process stood still has not been read yet
            elif silent_s > self._silence_timeout_s and not subscriber.may_be_silent:
                log.info("subscriber_silent", silent_s=round(silent_s, 1))
                subscriber.leave()
            if subscriber.gone.is_set():
                self.discard(subscriber)
        self._count_audience()
        self._schedule_fill()

    def _consider(self, subscriber: Subscriber, now: float) -> None:
        was_probing = subscriber in self._probing
        subscriber.consider(now, may_probe=was_probing or len(self._probing) < _MOST_PROBES)
        if subscriber.is_probing and not was_probing:
            self._probing.append(subscriber)

    def _count_audience(self) -> None:
        audience = frozenset[int]().union(*(subscriber.layers for subscriber in self._subscribers))
        if audience != self._audience:
            self._audience = audience
            self._set_audience(audience)
