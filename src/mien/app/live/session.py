"""A live session: one publisher's frames and audio, treated, encoded once, sent to every viewer.

    publisher ─► Ingest ─► newest frame ─► VisionThread ─► newest treated ─► EncoderThread ─► LiveOutput
                 audio ──────────── waits as long as the frame takes ─────────────────────────┘

Frames get to `LiveOutput` only through the encoder thread, which knows treated frames and the slate.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import av
import structlog

from mien import tracing
from mien.app.live.audio_line import AudioLine
from mien.app.live.encoder_thread import EncoderThread
from mien.app.live.output import LiveOutput
from mien.app.live.peers import Peers
from mien.app.live.stats import stats_of
from mien.app.live.treating import Treating
from mien.app.ports import Connected, Pipeline, Role, StreamSpec
from mien.app.profiles import Means
from mien.app.states import BroadcastState, LiveLimits, LiveReport, LiveStats, Load, PrimaryChoice
from mien.errors import BroadcastTakenError, LiveError, LiveLostError, PolicyError
from mien.media.meters import RateMeter
from mien.media.webrtc.egress.fan_out import Viewer
from mien.media.webrtc.ingest.publisher import Ingest
from mien.media.webrtc.peer import IceServer, Peer
from mien.media.webrtc.sdp.parse import Fragment, Offer

log = structlog.get_logger()

_HOUSEKEEPING_S: Final = 0.25


class LiveSession:
    """Carries one broadcast (the port `Live`). `run` does everything and owns every task; the other methods feed it.

    Args:
        spec: How frames are treated at first.
        build: Makes pipelines; called off the event loop, also when one hangs.
        limits: Waits and bounds.
        ice_servers: For all peer connections.
        means: What the broadcast may count on.
    """

    def __init__(
        self,
        spec: StreamSpec,
        *,
        build: Callable[[StreamSpec], Pipeline],
        limits: LiveLimits,
        ice_servers: Sequence[IceServer] = (),
        means: Means | None = None,
    ) -> None:
        self._treating = Treating(spec, build=build, limits=limits, means=means)
        self._limits = limits
        self._ice_servers = ice_servers
        self._epoch = time.monotonic()
        self._peers = Peers(see_off=self._see_off, check_open=self._check_open)
        self._publisher: Ingest | None = None
        self._idle_since = self._epoch
        self._left_at: float | None = None
        self._last_frame_at = 0.0
        self._in = RateMeter()
        self._dropped_before = 0
        self._audio: AudioLine
        self._asked_to_end = False
        self._ending, self._over, self._ready = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._group: asyncio.TaskGroup
        self._output: LiveOutput
        self._encoder: EncoderThread

    # Life ---------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Make the first pipeline.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
        """
        await self._treating.prepare()

    async def run(self) -> None:
        """Serve until `end` is called; then close every connection and thread. Comes after `prepare`."""
        self._output = LiveOutput(epoch=self._epoch, limits=self._limits, ice_servers=self._ice_servers)
        self._encoder = self._output.encoder
        self._audio = self._output.audio_line()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._peers.start(group)
                self._treating.start(self._encoder, group)
                watchdog = group.create_task(self._watchdog())
                self._ready.set()
                await self._ending.wait()
                watchdog.cancel()
                self._peers.leave()
                await self._output.close()
        finally:
            self._ending.set()
            await self._treating.stop()
            await self._output.close()
            self._over.set()

    async def started(self) -> None:
        """Return once `run` can serve."""
        await self._ready.wait()

    def end(self) -> None:
        """Make `run` close everything and return."""
        self._asked_to_end = True
        self._ending.set()

    async def wait(self) -> None:
        """Return when `run` has closed everything.

        Raises:
            LiveLostError: It did so because it broke.
        """
        await self._over.wait()
        if not self._asked_to_end:
            raise LiveLostError("the live session broke")

    # Peers --------------------------------------------------------------------------------------------------

    async def publish(self, offer: Offer) -> Connected:
        """Take a publisher.

        Raises:
            BroadcastTakenError: Somebody publishes already.
            SdpError: The offer cannot be answered.
            LiveError: The session is over.
        """
        self._check_open()
        previous = self._publisher
        if previous is not None and not previous.gone.is_set():
            if time.monotonic() - self._last_frame_at < self._limits.slate_after_s:
                raise BroadcastTakenError("somebody is live in this broadcast already")
            previous.leave()  # it fell silent; the new one has the same token
        ingest = Ingest(
            offer,
            self._ice_servers,
            start_kbps=self._limits.start_kbps,
            max_kbps=self._limits.max_kbps,
            max_pixels=self._limits.max_pixels,
            devices=self._limits.codec_devices,
            sink=self._take_frame,
        )
        self._publisher = ingest
        self._output.publisher_takes(offer)
        self._last_frame_at = time.monotonic()  # a grace to connect in
        try:
            return await self._peers.connect(ingest, partial(self._serve_publisher, ingest))
        except BaseException:
            self._see_off(ingest)
            raise

    async def watch(self, offer: Offer, *, is_audience: bool = True, source: str = "") -> Connected:
        """Take a viewer.

        Args:
            offer: What their browser offers.
            is_audience: False where the broadcaster looks at their own picture; it does not count.
            source: Stands for the address that they come from.

        Raises:
            TooManySessionsError: There are as many viewers as may be.
            SdpError: The offer cannot be answered.
            LiveError: The session is over.
        """
        self._check_open()
        viewer = self._output.add_viewer(offer, is_audience=is_audience, source=source)
        try:
            return await self._peers.connect(viewer, partial(self._serve_viewer, viewer))
        except BaseException:
            self._see_off(viewer)
            raise

    async def check(self, session_id: str, role: Role) -> None:
        """Let pass who names a session that is there.

        Raises:
            NoSuchSessionError: There is no such session of that role.
        """
        self._peers.check(session_id, role)

    async def trickle(self, session_id: str, fragment: Fragment) -> None:
        """Add a peer's late ICE candidates.

        Raises:
            NoSuchSessionError: There is no such session.
            IceRestartError: The fragment has other ICE credentials.
            SdpError: It cannot be used.
        """
        await self._peers.get(session_id).trickle(fragment)

    async def close_peer(self, session_id: str) -> None:
        """End one peer's session.

        Raises:
            NoSuchSessionError: There is no such session.
        """
        self._peers.get(session_id).leave()

    # Frames -----------------------------------------------------------------------------------------------

    async def set_policy(self, spec: StreamSpec) -> None:
        """Treat the next frame by `spec`. When this returns, no frame of the old one follows.

        A frame that has been under treatment for longer than the waiting time is cut off.

        Raises:
            PersonaError: There is no such persona.
            PolicyError: The policy cannot be followed.
            ModelError: A model cannot be had.
        """
        self._check_open()
        await self._treating.set_policy(spec)
        self._check_open()

    async def choose_primary(self, choice: PrimaryChoice) -> int:
        """Bind the primary person to a face that viewers see; return its id. Raises what `Treating` does."""
        self._check_open()
        return self._treating.choose_primary(choice)

    async def thumbnail(self) -> bytes | None:
        """Return a small JPEG of what viewers see; None when there is nothing to see."""
        return await self._output.thumbnail()

    async def trace(self, seconds: float) -> bytes:
        """Record what each thread of this process does (`tracing.record_json`)."""
        return await tracing.record_json(seconds, process="mien worker")

    async def record(self, *, on: bool) -> None:
        """Begin or end the recording of what viewers get.

        Raises:
            OutputError: It cannot be written.
            PolicyError: This server records nothing.
        """
        self._check_open()
        folder = self._limits.recordings_dir
        if on and folder is None:
            raise PolicyError("this server records nothing: MIEN_RECORDINGS__ENABLED is off")
        await self._output.record(folder if on else None)

    async def push(self, url: str, token: str | None) -> str:
        """Push the broadcast to a WHIP server elsewhere; return the push's id.

        Raises:
            TooManySessionsError: There are as many as may be.
        """
        self._check_open()
        return self._output.push(url, token, group=self._group)

    async def stop_push(self, push_id: str) -> None:
        """End a push.

        Raises:
            NoSuchSessionError: There is no such push.
        """
        await self._output.stop_push(push_id)

    @property
    def report(self) -> LiveReport:
        """What viewers see, the numbers of the last seconds, and for how long nobody has published."""
        idle_s = 0.0 if self._publisher is not None else time.monotonic() - self._idle_since
        return LiveReport(self._state(), self._stats(), idle_s)

    def _state(self) -> BroadcastState:
        if self._ending.is_set():
            return BroadcastState.ENDED
        if self._publisher is None:
            return BroadcastState.WAITING
        return BroadcastState.LIVE if self._encoder.flows else BroadcastState.PAUSED

    def _stats(self) -> LiveStats:
        now, publisher = time.monotonic(), self._publisher
        return stats_of(
            now,
            arrived=self._in,
            dropped=self._dropped_before + (0 if publisher is None else publisher.dropped),
            treating=self._treating,
            output=self._output,
            load=self._load(now),
        )

    def _load(self, now: float) -> Load:
        if self._publisher is None:
            return Load.OK
        is_paused = self._state() is BroadcastState.PAUSED
        return self._treating.load(is_paused=is_paused, is_fed=self._in.rate(now) >= 1)

    # Inside -------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._over.is_set() and not self._asked_to_end:
            raise LiveLostError("the live session broke; it is being started again")
        if self._ending.is_set():
            raise LiveError("the broadcast is over")

    def _see_off(self, peer: Peer) -> None:
        if isinstance(peer, Viewer):
            self._output.discard(peer)
        elif peer is self._publisher:
            peer.leave()  # from here on no frame of theirs comes: what is forgotten below stays forgotten
            self._dropped_before += self._publisher.dropped
            self._publisher = None
            self._idle_since = self._left_at = time.monotonic()
            self._treating.forget()
            self._encoder.forget()

    async def _serve_viewer(self, viewer: Viewer) -> None:
        if self._output.may_stay(viewer):
            await viewer.gone.wait()
        else:
            log.info("viewer_over_limit")

    async def _serve_publisher(self, ingest: Ingest) -> None:
        async with asyncio.TaskGroup() as group:
            audio = group.create_task(self._audio.run(ingest.audio()))
            await ingest.gone.wait()
            audio.cancel()

    def _take_frame(self, frame: av.VideoFrame, at: float) -> None:
        """Have a frame treated. Runs on the decoder's thread: one mailbox lies between it and the vision thread."""
        self._last_frame_at = time.monotonic()
        self._in.tick(self._last_frame_at)
        self._treating.put(frame, at)

    async def _watchdog(self) -> None:
        """Notice what does not announce itself: silence, absence, a pipeline that hangs."""
        while True:
            await asyncio.sleep(_HOUSEKEEPING_S)
            now = time.monotonic()
            publisher = self._publisher
            if publisher is not None and now - self._last_frame_at > self._limits.publisher_timeout_s:
                publisher.leave()
            left_at = self._left_at
            if publisher is None and left_at is not None and now - left_at > self._limits.viewer_grace_s:
                self._left_at = None
                self._output.let_viewers_go()
            self._treating.supervise(now, lost=None if publisher is None else self._dropped_before + publisher.dropped)
