"""Egress: packets encoded once go to every viewer through senders that only pack and protect."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from mien.media.peer import CLOCK_RATES, IceServer, Peer, codecs
from mien.media.privates import on_keyframe_request, report_capture_times
from mien.media.sdp import Offer

AnyPacket: TypeAlias = "av.Packet[Any]"

_VIDEO_QUEUE: Final = 30
"""A second of video. Who is later than that gets a fresh start at the next keyframe."""
_SOUND_QUEUE: Final = 50


class PacketTrack(MediaStreamTrack):
    """A media track of encoded packets, with a short queue of its own.

    aiortc sends an `av.Packet` that `recv` returns without encoding it.

    Args:
        size: Longest queue.
        epoch: The time that the packets' presentation times count from.

    Attributes:
        dropped: Packets that never were sent.
        started: Whether the sender has begun to fetch.
        lag_s: How long the last packet took from its capture to here.
    """

    def __init__(self, size: int, *, epoch: float) -> None:
        super().__init__()
        self.dropped = 0
        self.started = False
        self.lag_s = 0.0
        self._size = size
        self._epoch = epoch
        self._packets: deque[AnyPacket] = deque()
        self._arrived = asyncio.Event()

    def put(self, packet: AnyPacket) -> None:
        """Queue a packet; the oldest goes when there are too many, all go before the first `recv`."""
        if not self.started:
            return
        if len(self._packets) == self._size:
            self._packets.popleft()
            self.dropped += 1
        self._packets.append(packet)
        self._arrived.set()

    async def recv(self) -> AnyPacket:
        """Return the next packet (called by aiortc's sender).

        Raises:
            MediaStreamError: The track was stopped.
        """
        self.started = True
        while not self._packets:
            if self.readyState != "live":
                raise MediaStreamError
            self._arrived.clear()
            await self._arrived.wait()
        packet = self._packets.popleft()
        if packet.pts is not None:
            self.lag_s = time.monotonic() - self._epoch - float(packet.pts * packet.time_base)
        return packet

    def stop(self) -> None:
        """End the track and wake who waits for it."""
        super().stop()
        self._packets.clear()
        self._arrived.set()


class SoundTrack(PacketTrack):
    """Opus packets for one viewer."""

    kind = "audio"

    def __init__(self, *, epoch: float) -> None:
        super().__init__(_SOUND_QUEUE, epoch=epoch)


class PictureTrack(PacketTrack):
    """VP8 packets for one viewer, beginning at a keyframe, and again at one after any loss.

    Args:
        want_keyframe: Called when the viewer cannot go on without a keyframe.
        epoch: As in `PacketTrack`.
    """

    kind = "video"

    def __init__(self, want_keyframe: Callable[[], None], *, epoch: float) -> None:
        super().__init__(_VIDEO_QUEUE, epoch=epoch)
        self._want_keyframe = want_keyframe
        self._in_step = False

    def put(self, packet: AnyPacket) -> None:
        """Queue a packet if the viewer can decode it."""
        if not self.started:
            return
        if len(self._packets) == self._size:
            # A picture builds on the one before: after a gap nothing is of use until a keyframe.
            self.dropped += len(self._packets)
            self._packets.clear()
            self._in_step = False
        if packet.is_keyframe:
            self._in_step = True
        if self._in_step:
            super().put(packet)
        else:
            self.dropped += 1
            self._want_keyframe()

    async def recv(self) -> AnyPacket:
        """Return the next packet; the first call, made when DTLS is up, asks for a keyframe."""
        if not self.started:
            self._want_keyframe()
        return await super().recv()


class Viewer(Peer):
    """The sending end of WHEP.

    Attributes:
        is_audience: False where the broadcaster looks at their own picture.
    """

    def __init__(
        self,
        offer: Offer,
        ice_servers: Sequence[IceServer],
        *,
        want_keyframe: Callable[[], None],
        epoch: float,
        is_audience: bool = True,
    ) -> None:
        super().__init__(offer, ice_servers)
        self.is_audience = is_audience
        self._want_keyframe = want_keyframe
        self.picture = PictureTrack(want_keyframe, epoch=epoch)
        self.sound = SoundTrack(epoch=epoch)

    def _prepare(self) -> None:
        for kind in self.offer.kinds:
            track: PacketTrack = self.picture if kind == "video" else self.sound
            transceiver = self.connection.addTransceiver(track, direction="sendonly")
            # The sender takes the first common codec without asking what the packets hold.
            transceiver.setCodecPreferences(codecs(kind, "VP8" if kind == "video" else "opus"))
            report_capture_times(transceiver.sender, CLOCK_RATES[kind], partial(getattr, track, "lag_s"))
            if kind == "video":
                on_keyframe_request(transceiver.sender, self._want_keyframe)


class FanOut:
    """The viewers of one broadcast. Lives on the event loop."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()

    def __len__(self) -> int:
        return len(self._viewers)

    def __iter__(self) -> Iterator[Viewer]:
        return iter(tuple(self._viewers))

    def add(self, viewer: Viewer) -> None:
        """Send everything to `viewer` from now on."""
        self._viewers.add(viewer)

    def discard(self, viewer: Viewer) -> None:
        """Send nothing more to `viewer`."""
        self._viewers.discard(viewer)

    def push_picture(self, packet: AnyPacket) -> None:
        """Queue a VP8 packet for every viewer."""
        for viewer in self._viewers:
            viewer.picture.put(packet)

    def push_sound(self, packet: AnyPacket) -> None:
        """Queue an Opus packet for every viewer."""
        for viewer in self._viewers:
            viewer.sound.put(packet)
