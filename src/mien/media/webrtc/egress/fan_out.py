"""Egress: what was encoded and cut into packets once goes to every viewer.

    EncodedPicture ─► FanOut ─► Packetiser ─► slices, a few ms apart ─► each Outlet's RtpStream ─► Line
    EncodedSound ──────┘

Each outlet, a viewer's or that of a push elsewhere, is on one rung, a size that the broadcast is encoded in, and
changes it at a keyframe.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from mien.media.codecs.encoded import EncodedPicture, EncodedSound, VideoCodec
from mien.media.webrtc.egress.rtp_stream import stamp
from mien.media.webrtc.egress.subscriber import Outlet
from mien.media.webrtc.packets import Departure, PackedFrame, Packetiser, pack_sound
from mien.media.webrtc.peer import IceServer, Peer
from mien.media.webrtc.sdp.parse import Offer

log = structlog.get_logger()

SILENCE_TIMEOUT_S: Final = 15.0
"""Players report every second or so; who says nothing for so long is gone, long before ICE notices."""
SLICE_INTERVAL_S: Final = 0.002
"""With at most eight slices a frame has left after 14 ms, half the time to the next."""
_TICK_S: Final = 0.25
_FILL_INTERVAL_S: Final = 0.005
_MOST_PROBES: Final = 4
"""Of a broadcast at a time: one takes up to the best rung's rate more than its viewer would get."""
_STALL_S: Final = 2.0


class Viewer(Outlet, Peer):
    """The sending end of WHEP.

    Args:
        offer: What their browser offers.
        ice_servers: As in `Peer`.
        want_keyframe: As in `Outlet`.
        epoch: As in `Outlet`.
        codec: As in `Outlet`.
        bit_rates: As in `Outlet`.
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
        Outlet.__init__(self, codec=codec, bit_rates=bit_rates, want_keyframe=want_keyframe, epoch=epoch)
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
    """A picture whose first slices have left."""

    frame: PackedFrame
    slices: deque[tuple[int, int]]
    outlets: list[Outlet]


class FanOut:
    """All outlets of one broadcast. Lives on the event loop.

    Args:
        codec: Of the broadcast's pictures.
        set_audience: Called with the rungs that somebody gets or waits for, whenever they change.
        silence_timeout_s: An outlet whose far end reports nothing for so long is let go.
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
        self._outlets: set[Outlet] = set()
        self._audience: frozenset[int] = frozenset()
        self._leaving: dict[int, _Leaving] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._probing: list[Outlet] = []
        self._fill_timer: asyncio.TimerHandle | None = None
        self._ticked_at = 0.0

    def use_codec(self, codec: VideoCodec) -> None:
        """Cut pictures of another codec from now on; only before the first outlet comes."""
        self._packetiser = Packetiser(codec)

    def __len__(self) -> int:
        return len(self._outlets)

    def __iter__(self) -> Iterator[Outlet]:
        return iter(tuple(self._outlets))

    def add(self, outlet: Outlet) -> None:
        """Send everything to `outlet` from now on."""
        self._outlets.add(outlet)
        outlet.begun = self._count_audience
        self._count_audience()

    def discard(self, outlet: Outlet) -> None:
        """Send nothing more to `outlet`."""
        self._outlets.discard(outlet)
        for leaving in self._leaving.values():
            if outlet in leaving.outlets:
                leaving.outlets.remove(outlet)
        self._count_audience()

    def push_picture(self, picture: EncodedPicture) -> None:
        """Send a picture to the viewers of its rung; a large one in slices, the last before the next picture."""
        if not self._outlets:
            return
        now = self._clock()
        frame = self._packetiser.picture(picture)
        if not frame.payloads:
            return
        self._finish(None if frame.is_keyframe else frame.rung)
        outlets = [outlet for outlet in self._outlets if outlet.start(frame, now)]
        if outlets:
            leaving = self._leaving[frame.rung] = _Leaving(frame, deque(frame.slices()), outlets)
            self._send_slice(leaving)
            self._schedule()
        self._tick(now)

    def push_sound(self, sound: EncodedSound) -> None:
        """Send a piece of sound to every outlet."""
        now = self._clock()
        departure = Departure(pack_sound(sound), 0, 1, stamp(now))
        for outlet in self._outlets:
            outlet.send_sound(departure, now)
        self._tick(now)

    # Pace ---------------------------------------------------------------------------------------------------

    def _send_slice(self, leaving: _Leaving) -> None:
        now = self._clock()
        first, end = leaving.slices.popleft()
        departure = Departure(leaving.frame, first, end, stamp(now))
        for outlet in leaving.outlets:
            outlet.send_picture(departure, now)
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

    def _schedule_fill(self) -> None:
        if self._probing and self._fill_timer is None:
            self._fill_timer = asyncio.get_running_loop().call_later(_FILL_INTERVAL_S, self._fill)

    def _fill(self) -> None:
        self._fill_timer = None
        now = self._clock()
        self._probing = [outlet for outlet in self._probing if outlet in self._outlets and outlet.is_probing]
        for outlet in self._probing:
            outlet.fill(now)
        self._schedule_fill()

    # Care ---------------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        since = now - self._ticked_at
        if since < _TICK_S:
            return
        self._ticked_at = now
        for outlet in tuple(self._outlets):
            self._consider(outlet, now)
            silent_s = 0.0 if outlet.heard_at is None else now - outlet.heard_at
            if silent_s and since > _STALL_S:
                outlet.heard_at = now  # what came while this process stood still has not been read yet
            elif silent_s > self._silence_timeout_s and not outlet.may_be_silent:
                log.info("far_end_fell_silent", silent_s=round(silent_s, 1))
                outlet.leave()
            if outlet.gone.is_set():
                self.discard(outlet)
        self._count_audience()
        self._schedule_fill()

    def _consider(self, outlet: Outlet, now: float) -> None:
        was_probing = outlet in self._probing
        outlet.consider(now, may_probe=was_probing or len(self._probing) < _MOST_PROBES)
        if outlet.is_probing and not was_probing:
            self._probing.append(outlet)

    def _count_audience(self) -> None:
        audience = frozenset[int]().union(*(outlet.rungs for outlet in self._outlets))
        if audience != self._audience:
            self._audience = audience
            self._set_audience(audience)
