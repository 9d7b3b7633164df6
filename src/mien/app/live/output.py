"""Where treated frames and audio of a live session go: viewers, recording, thumbnail, servers elsewhere."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Container, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from mien.app.broadcasts.seats import Seats
from mien.app.live.audio_line import AudioLine
from mien.app.live.encoder_thread import EncoderThread
from mien.app.states import LiveLimits, PushReport, RecordingReport
from mien.errors import (
    InputError,
    NoSuchSessionError,
    OutputError,
    PushRefusedError,
    SdpError,
    TargetError,
    TooManySessionsError,
)
from mien.media.codecs.encoded import EncodedAudio, EncodedFrame, VideoCodec
from mien.media.codecs.encoder import bit_rate_of
from mien.media.codecs.layers import LAYERS
from mien.media.recording.recorder import Recorder, recover
from mien.media.thumbnail import ThumbnailMaker
from mien.media.webrtc.egress.fan_out import FanOut, Viewer
from mien.media.webrtc.egress.whip_client import WhipPush
from mien.media.webrtc.peer import IceServer
from mien.media.webrtc.sdp.parse import Offer, choose_codec

log = structlog.get_logger()

_USUAL_SIZE_WH: Final = (1280, 720)
_CLOSE_S: Final = 4.0
_MAX_PUSHES: Final = 4


class LiveOutput:
    """Encodes once and gives it to everybody. Lives on the event loop.

    The encoder thread is the only source of frames here, and it knows treated frames and the slate alone.

    Args:
        epoch: The monotonic time that presentation times count from.
        limits: Waits and bounds.
        ice_servers: For pushes.
    """

    def __init__(self, *, epoch: float, limits: LiveLimits, ice_servers: Sequence[IceServer]) -> None:
        self._epoch = epoch
        self._limits = limits
        self._ice_servers = ice_servers
        self._loop = asyncio.get_running_loop()
        self._codec: VideoCodec | None = None
        self._publisher_takes: Container[VideoCodec] = frozenset(VideoCodec)
        self._watched: frozenset[int] = frozenset()
        self._recorder: Recorder | None = None
        self._pushes: dict[str, tuple[WhipPush, asyncio.Task[None]]] = {}
        self._thumbnail = ThumbnailMaker()
        self._seats: Seats[Viewer] = Seats(limits.max_viewers)
        self._fan_out = FanOut(set_audience=self._watch)
        self.encoder = EncoderThread(
            emit=self._emit,
            epoch=epoch,
            slate_after_s=limits.slate_after_s,
            devices=limits.codec_devices,
            taps=[self._thumbnail],
        )

    # Media --------------------------------------------------------------------------------------------------

    def audio_line(self) -> AudioLine:
        """Return what delays audio as its frames are delayed, and gives it to everybody."""
        return AudioLine(
            epoch=self._epoch,
            delay_s=lambda: self.encoder.delay_s,
            wanted=lambda: self.wants_audio,
            push=self.push_audio,
        )

    def push_audio(self, audio: EncodedAudio) -> None:
        """Give a piece of audio to everybody."""
        self._fan_out.push_audio(audio)
        if self._recorder is not None:
            self._recorder.put_audio(audio)

    @property
    def wants_audio(self) -> bool:
        """Whether anybody listens."""
        return len(self._fan_out) > 0 or self._recorder is not None

    def _emit(self, frame: EncodedFrame) -> None:
        """Take a frame from the encoder thread."""
        recorder = self._recorder
        # What comes before the first treated frame is a slate of another size: nobody wants a file of it.
        if recorder is not None and frame.layer == 0 and self.encoder.size_wh is not None:
            recorder.put_frame(frame)
        self._loop.call_soon_threadsafe(self._fan_out.push_frame, frame)

    def _watch(self, layers: frozenset[int]) -> None:
        self._watched = layers
        self.encoder.set_audience(layers | ({0} if self._recorder is not None else frozenset()))

    # Codec --------------------------------------------------------------------------------------------------

    def publisher_takes(self, offer: Offer) -> None:
        """Note what a publisher's browser can take: who broadcasts looks at their own picture."""
        if self._codec is None:
            self._publisher_takes = offer.takes

    def _settle(self, takes: Container[VideoCodec]) -> VideoCodec:
        """Return the broadcast's codec, chosen when the first one asks.

        Raises:
            SdpError: The viewer cannot take it.
        """
        if self._codec is None:
            preferred = self._limits.codecs
            try:
                self._codec = choose_codec(preferred, [takes, self._publisher_takes])
            except SdpError:
                self._codec = choose_codec(preferred, [takes])
            self._fan_out.use_codec(self._codec)
            self.encoder.use_codec(self._codec)
            log.info("codec_chosen", codec=self._codec.value)
        if self._codec not in takes:
            raise SdpError(f"this broadcast is sent in {self._codec}, which the offer does not take")
        return self._codec

    def _bit_rates(self) -> tuple[int, ...]:
        width, height = self.encoder.size_wh or _USUAL_SIZE_WH
        return tuple(bit_rate_of((width >> layer, height >> layer), layer) for layer in range(LAYERS))

    # Viewers ------------------------------------------------------------------------------------------------

    def add_viewer(self, offer: Offer, *, is_audience: bool, source: str = "") -> Viewer:
        """Return a viewer who gets everything once connected.

        Args:
            offer: What their browser offers.
            is_audience: False for the broadcaster's own preview.
            source: Stands for the address that they come from.

        Raises:
            TooManySessionsError: As many are connected as may be.
            SdpError: They cannot take the broadcast's codec.
        """
        viewer = self._seats.admit(
            partial(self._viewer, offer, is_audience=is_audience), is_audience=is_audience, source=source
        )
        self._fan_out.add(viewer)
        return viewer

    def _viewer(self, offer: Offer, *, is_audience: bool) -> Viewer:
        return Viewer(
            offer,
            self._ice_servers,
            want_keyframe=self.encoder.want_keyframe,
            epoch=self._epoch,
            codec=self._settle(offer.takes),
            bit_rates=self._bit_rates(),
            is_audience=is_audience,
        )

    def may_stay(self, viewer: Viewer) -> bool:
        """Tell whether a viewer who has just connected is not one too many."""
        return self._seats.may_stay(viewer)

    def discard(self, viewer: Viewer) -> None:
        """Give nothing more to a viewer."""
        self._seats.discard(viewer)
        self._fan_out.discard(viewer)

    def let_viewers_go(self) -> None:
        """Close the connection of every viewer."""
        for subscriber in self._fan_out:
            if isinstance(subscriber, Viewer):
                subscriber.leave()

    @property
    def viewers(self) -> int:
        """How many watch, without the broadcaster."""
        return len(self._audience())

    @property
    def layers(self) -> dict[str, int]:
        """How many of them get which layer."""
        return {
            str(layer): number for layer, number in sorted(Counter(each.layer for each in self._audience()).items())
        }

    @property
    def codec(self) -> VideoCodec | None:
        """The broadcast's codec; None before anybody wanted it."""
        return self._codec

    def _audience(self) -> list[Viewer]:
        return [
            subscriber
            for subscriber in self._fan_out
            if isinstance(subscriber, Viewer) and subscriber.is_audience and subscriber.connected.is_set()
        ]

    # Thumbnail and recording --------------------------------------------------------------------------------

    async def thumbnail(self) -> bytes | None:
        """Return a small JPEG of what viewers see; None when there is nothing to see."""
        return await asyncio.to_thread(self._thumbnail.latest)

    async def record(self, folder: Path | None) -> None:
        """Record what viewers get into `folder` from now on; None ends it.

        Raises:
            OutputError: The folder cannot be made or read.
        """
        if (folder is None) == (self._recorder is None):
            return
        if folder is None:
            await self._stop_recording()
            return
        await asyncio.to_thread(_prepare, folder)
        self._recorder = Recorder(
            folder,
            f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
            codec=self._settle(self._publisher_takes),
            want_keyframe=partial(self.encoder.want_keyframe, 0),
            limits=self._limits.recording,
        )
        self._watch(self._watched)
        log.info("recording_began")

    async def _stop_recording(self) -> None:
        recorder, self._recorder = self._recorder, None
        self._watch(self._watched)
        if recorder is not None and not await asyncio.to_thread(recorder.close, timeout_s=_CLOSE_S):
            log.error("recorder_abandoned")
        log.info("recording_ended")

    @property
    def recording(self) -> RecordingReport | None:
        """How the recording fares; None when there is none."""
        recorder = self._recorder
        if recorder is None:
            return None
        return RecordingReport(
            files=tuple(file.name for file in recorder.files),
            name=recorder.name,
            dropped=recorder.dropped,
            ended=recorder.ended,
        )

    # Pushes -------------------------------------------------------------------------------------------------

    def push(self, url: str, token: str | None, *, group: asyncio.TaskGroup) -> str:
        """Push the broadcast to a WHIP server elsewhere until `stop_push`; return the push's id.

        One that is over stays to be asked about until another needs its place.

        Raises:
            TooManySessionsError: There are as many as may be.
        """
        over = [push_id for push_id, (_, running) in self._pushes.items() if running.done()]
        if len(self._pushes) >= _MAX_PUSHES and over:
            del self._pushes[over[0]]
        if len(self._pushes) >= _MAX_PUSHES:
            raise TooManySessionsError(f"a broadcast is pushed to at most {_MAX_PUSHES} servers")
        push = WhipPush(
            url,
            token,
            fan_out=self._fan_out,
            codec=self._settle(self._publisher_takes),
            bit_rates=self._bit_rates(),
            want_keyframe=self.encoder.want_keyframe,
            epoch=self._epoch,
            targets=self._limits.push_targets,
            ice_servers=self._ice_servers,
        )
        push_id = secrets.token_urlsafe(8)
        self._pushes[push_id] = push, group.create_task(_run(push))
        return push_id

    async def stop_push(self, push_id: str) -> None:
        """End a push and its session at the far end.

        Raises:
            NoSuchSessionError: There is no such push.
        """
        if push_id not in self._pushes:
            raise NoSuchSessionError("there is no such push; it may have ended")
        push, running = self._pushes.pop(push_id)
        push.leave()
        await asyncio.wait([running], timeout=_CLOSE_S)

    @property
    def pushes(self) -> dict[str, PushReport]:
        """How the pushes fare."""
        reports = {}
        for push_id, (push, _) in self._pushes.items():
            stats = push.stats
            reports[push_id] = PushReport(stats.state.value, stats.packets, stats.octets, stats.resent, stats.trouble)
        return reports

    # End ----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """End pushes, recording and encoding."""
        for push, _ in self._pushes.values():
            push.leave()
        if self._recorder is not None:
            await self._stop_recording()
        await asyncio.to_thread(self.encoder.close, timeout_s=_CLOSE_S)


async def _run(push: WhipPush) -> None:
    try:
        await push.run()
    except (TargetError, PushRefusedError, InputError):
        pass  # its state says so
    except Exception:
        log.exception("push_failed")


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        recovered = recover(folder)
    except OSError as error:
        raise OutputError(f"recordings cannot be kept in {folder}: {error.strerror or error}") from error
    for file in recovered:
        log.info("recording_recovered", file=file.name)
    # What an older version or a copy left readable to others is closed too; another owner's is left alone.
    with suppress(OSError):
        folder.chmod(0o700)
        for file in folder.iterdir():
            if file.is_file():
                file.chmod(0o600)
