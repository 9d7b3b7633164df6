"""WHIP out: a treated broadcast pushed to a WHIP server elsewhere, as it was encoded (RFC 9725, the client's side)."""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, TypeAlias
from urllib.parse import urljoin, urlsplit

import av
import httpx
import structlog
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from mien.errors import PushLostError, PushRefusedError, SdpError, TargetError
from mien.media.encoded import PICTURE_CLOCK_RATE, SOUND_CLOCK_RATE, EncodedPicture, EncodedSound, VideoCodec
from mien.media.peer import CONNECT_TIMEOUT_S, IceServer, codecs
from mien.media.privates import on_keyframe_request, report_capture_times
from mien.media.sdp import MAX_SDP_BYTES, read_answer
from mien.media.targets import Target, Targets

log = structlog.get_logger()

AnyPacket: TypeAlias = "av.Packet[Any]"

_PICTURE_QUEUE: Final = 30
"""A second of pictures. What the line is later than that is not made up for: the next keyframe is."""
_SOUND_QUEUE: Final = 50
_KEYFRAME_INTERVAL_S: Final = 0.5
"""A far end may ask as often as it likes; each keyframe costs every viewer's line the bits of six pictures."""
_HTTP_TIMEOUT_S: Final = 10.0
_CLOSE_TIMEOUT_S: Final = 5.0
_MAX_REDIRECTS: Final = 3
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_LONGEST_WISH_S: Final = 300.0
_SETTLED_S: Final = 10.0
"""A session that lasted so long was a good one: the next attempt comes soon."""
_REDIRECTS: Final = {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}
_HOPELESS: Final = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.GONE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Asking again would get the same answer. 404 is not among them: the far end may not have begun yet."""


class PushState(StrEnum):
    """How a push fares."""

    CONNECTING = "connecting"
    LIVE = "live"
    RETRYING = "retrying"
    """The line broke or could not be made; another attempt follows."""
    REFUSED = "refused"
    """The far end, or our own rules, will not have it; no attempt follows."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class PushStats:
    """The numbers of a push.

    Attributes:
        state: How it fares.
        attempts: How often a session was asked for.
        pictures: Handed to the line since the start.
        dropped: Pictures that were not, because the line was slow or a keyframe had to come first.
        octets: Of the pictures and the sound that were handed to the line.
        connected_s: For how long the present session has stood; 0 where none does.
        trouble: What went wrong last, in words for the broadcaster; None while all is well.
    """

    state: PushState
    attempts: int
    pictures: int
    dropped: int
    octets: int
    connected_s: float
    trouble: str | None


class WhipPush:
    """Pushes one rung of a broadcast to a WHIP server, again and again until `leave` is called.

    Args:
        url: The server's WHIP endpoint; hostile until it was looked up.
        token: Bearer token for it, or None. It follows redirects, as the far end decides who serves it.
        codec: Of the broadcast's pictures.
        want_keyframe: Called with the rung when the far end needs a picture complete in itself.
        epoch: The monotonic time that presentation times count from.
        rung: Which of the broadcast's rungs is pushed.
        sound: Whether there is sound.
        targets: Which addresses may be reached.
        ice_servers: For a machine that cannot reach the far end directly.
        first_pause_s: Wait after the first failure; each further one doubles it.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        codec: VideoCodec,
        want_keyframe: Callable[[int], None],
        epoch: float,
        rung: int = 0,
        sound: bool = True,
        targets: Targets = Targets(),  # noqa: B008  # frozen
        ice_servers: Sequence[IceServer] = (),
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        self._url = url
        self._token = token
        self._codec = codec
        self._want_keyframe = want_keyframe
        self._epoch = epoch
        self._rung = rung
        self._sound = sound
        self._targets = targets
        self._ice_servers = ice_servers
        self._first_pause_s = first_pause_s
        self._leaving = asyncio.Event()
        self._session: _Session | None = None
        self._state = PushState.CONNECTING
        self._trouble: str | None = None
        self._attempts = 0
        self._pictures = self._dropped = self._octets = 0  # of sessions that are over

    async def run(self) -> None:
        """Push until `leave` is called.

        Raises:
            TargetError: The URL may not be reached.
            PushRefusedError: The far end will not have it.
        """
        failures = 0
        try:
            while not self._leaving.is_set():
                began = time.monotonic()
                try:
                    await self._push_once()
                    failures = 0
                    continue
                except PushLostError as error:
                    failures = 1 if time.monotonic() - began > _SETTLED_S else failures + 1
                    self._state, self._trouble = PushState.RETRYING, str(error)
                    pause_s = self._pause_s(failures, error.retry_after_s)
                log.info("push_lost", code=PushLostError.code, failures=failures, pause_s=round(pause_s, 1))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._leaving.wait()
            self._state = PushState.ENDED
        except (TargetError, PushRefusedError) as error:
            self._state, self._trouble = PushState.REFUSED, str(error)
            log.info("push_refused", code=error.code)
            raise

    def leave(self) -> None:
        """Let `run` end the session and return."""
        self._leaving.set()

    def push_picture(self, picture: EncodedPicture) -> None:
        """Hand a picture to the line; one of another rung is none of ours."""
        if self._session is not None and picture.rung == self._rung:
            self._session.picture.put(picture.data, picture.pts, is_keyframe=picture.is_keyframe)

    def push_sound(self, sound: EncodedSound) -> None:
        """Hand a piece of sound to the line."""
        if self._session is not None and self._session.sound is not None:
            self._session.sound.put(sound.data, sound.pts)

    @property
    def rung(self) -> int | None:
        """The rung that has to be encoded for this push; None while no line stands."""
        return self._rung if self._session is not None else None

    @property
    def stats(self) -> PushStats:
        """The numbers up to now."""
        session = self._session
        tracks = session.tracks if session else ()
        return PushStats(
            state=self._state,
            attempts=self._attempts,
            pictures=self._pictures + (session.picture.sent if session else 0),
            dropped=self._dropped + (session.picture.dropped if session else 0),
            octets=self._octets + sum(track.octets for track in tracks),
            connected_s=round(time.monotonic() - session.connected_at, 1) if session and session.connected_at else 0.0,
            trouble=self._trouble,
        )

    async def _push_once(self) -> None:
        """Push until `leave` is called.

        Raises:
            PushLostError: The session could not be made, or broke.
        """
        self._attempts += 1
        session = _Session(
            codec=self._codec,
            sound=self._sound,
            epoch=self._epoch,
            ice_servers=self._ice_servers,
            want_keyframe=partial(self._want_keyframe, self._rung),
        )
        try:
            offer = await session.offer()
            async with _signalled(self._url, self._token, offer, self._targets) as answer:
                await session.connect(answer)
                self._session, self._state, self._trouble = session, PushState.LIVE, None
                log.info("push_connected", attempts=self._attempts)
                await _first_of(session.gone.wait(), self._leaving.wait())
                if session.gone.is_set() and not self._leaving.is_set():
                    raise PushLostError("the connection to the far end broke")
        finally:
            self._session = None
            self._pictures += session.picture.sent
            self._dropped += session.picture.dropped
            self._octets += sum(track.octets for track in session.tracks)
            await session.close()

    def _pause_s(self, failures: int, wished_s: float | None) -> float:
        longest = min(self._first_pause_s * 2.0 ** (min(failures, 10) - 1), _LONGEST_PAUSE_S)
        # From half to all of it, so that the pushes which one far end lost do not come back all at once.
        pause_s = longest * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
        return max(pause_s, min(wished_s or 0.0, _LONGEST_WISH_S))


class _PushTrack(MediaStreamTrack):
    """Encoded packets on their way to aiortc's sender, which sends an `av.Packet` without encoding it."""

    def __init__(self, kind: str, size: int, clock_rate: int, *, epoch: float) -> None:
        super().__init__()
        self.kind = kind
        self.sent = 0
        self.octets = 0
        self.dropped = 0
        self.lag_s = 0.0
        self._time_base = Fraction(1, clock_rate)
        self._size = size
        self._epoch = epoch
        self._packets: deque[AnyPacket] = deque()
        self._arrived = asyncio.Event()

    def put(self, data: bytes, pts: int, *, is_keyframe: bool = True) -> None:  # noqa: ARG002  # pictures look at it
        """Queue a packet; the oldest goes when there are too many."""
        if len(self._packets) == self._size:
            self._packets.popleft()
            self.dropped += 1
        packet: AnyPacket = av.Packet(data)
        packet.pts, packet.time_base = pts, self._time_base
        self._packets.append(packet)
        self._arrived.set()

    async def recv(self) -> AnyPacket:
        """Return the next packet (called by aiortc's sender).

        Raises:
            MediaStreamError: The track was stopped.
        """
        while not self._packets:
            if self.readyState != "live":
                raise MediaStreamError
            self._arrived.clear()
            await self._arrived.wait()
        packet = self._packets.popleft()
        self.sent += 1
        self.octets += packet.size
        self.lag_s = time.monotonic() - self._epoch - float((packet.pts or 0) * self._time_base)
        return packet

    def stop(self) -> None:
        """End the track and wake who waits for it."""
        super().stop()
        self._packets.clear()
        self._arrived.set()


class _PictureTrack(_PushTrack):
    """Pictures, beginning at a keyframe, and again at one after any loss."""

    def __init__(self, want_keyframe: Callable[[], None], *, epoch: float) -> None:
        super().__init__("video", _PICTURE_QUEUE, PICTURE_CLOCK_RATE, epoch=epoch)
        self._want_keyframe = want_keyframe
        self._asked_at = 0.0
        self._in_step = False

    def put(self, data: bytes, pts: int, *, is_keyframe: bool = True) -> None:
        """Queue a picture if the far end can decode it."""
        if len(self._packets) == self._size:
            # A picture builds on the one before: after a gap nothing is of use until a keyframe.
            self.dropped += len(self._packets)
            self._packets.clear()
            self._in_step = False
        self._in_step = self._in_step or is_keyframe
        if self._in_step:
            super().put(data, pts)
        else:
            self.dropped += 1
            self.ask_for_keyframe()

    def ask_for_keyframe(self) -> None:
        """Ask, but not again and again."""
        now = time.monotonic()
        if now - self._asked_at >= _KEYFRAME_INTERVAL_S:
            self._asked_at = now
            self._want_keyframe()


class _Session:
    """One peer connection to the far end."""

    def __init__(
        self,
        *,
        codec: VideoCodec,
        sound: bool,
        epoch: float,
        ice_servers: Sequence[IceServer],
        want_keyframe: Callable[[], None],
    ) -> None:
        servers = [RTCIceServer(server.url, server.username, server.credential) for server in ice_servers]
        self._connection = RTCPeerConnection(
            RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self.gone = asyncio.Event()
        self.connected_at: float | None = None
        self._settled = asyncio.Event()
        self._codec = codec
        self.picture = _PictureTrack(want_keyframe, epoch=epoch)
        self.sound = _PushTrack("audio", _SOUND_QUEUE, SOUND_CLOCK_RATE, epoch=epoch) if sound else None
        self.tracks: tuple[_PushTrack, ...] = (self.picture, self.sound) if self.sound else (self.picture,)
        self._connection.on("connectionstatechange", self._follow)

    async def offer(self) -> str:
        """Return an offer with all its candidates: nothing has to trickle."""
        for track in self.tracks:
            transceiver = self._connection.addTransceiver(track, direction="sendonly")
            transceiver.setCodecPreferences(codecs(track.kind, self._codec if track is self.picture else "opus"))
            rate = PICTURE_CLOCK_RATE if track is self.picture else SOUND_CLOCK_RATE
            report_capture_times(transceiver.sender, rate, partial(getattr, track, "lag_s"))
            if track is self.picture:
                on_keyframe_request(transceiver.sender, self.picture.ask_for_keyframe)
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return self._connection.localDescription.sdp

    async def connect(self, answer: str) -> None:
        """Take the answer and wait until media can flow.

        Raises:
            PushRefusedError: The answer cannot be used.
            PushLostError: No connection came about.
        """
        try:
            read_answer(answer, kinds=[track.kind for track in self.tracks])
            await self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        except SdpError as error:
            raise PushRefusedError(f"the far end's answer cannot be used: {error}") from error
        except Exception as error:
            # Whatever aiortc makes of an answer that the parser let through, the answer is to blame.
            raise PushRefusedError(f"the far end's answer cannot be used: {type(error).__name__}") from error
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._settled.wait()
        except TimeoutError:
            raise PushLostError("no media connection to the far end came about in time") from None
        if self.gone.is_set():
            raise PushLostError("no media connection to the far end came about")
        self.connected_at = time.monotonic()
        self.picture.ask_for_keyframe()

    async def close(self) -> None:
        """Close the connection."""
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._connection.close()
        except TimeoutError:
            log.warning("push_close_timed_out")
        for track in self.tracks:
            track.stop()

    def _follow(self) -> None:
        if self._connection.connectionState in {"failed", "closed"}:
            self.gone.set()
        if self._connection.connectionState in {"connected", "failed", "closed"}:
            self._settled.set()


@asynccontextmanager
async def _signalled(url: str, token: str | None, offer: str, targets: Targets) -> AsyncIterator[str]:
    """Make a session at the far end; yield its answer; delete the session in the end.

    Raises:
        TargetError: A URL on the way may not be reached.
        PushRefusedError: The far end will not have us.
        PushLostError: It cannot be reached, or has no room just now.
    """
    headers = {"User-Agent": f"mien/{version('mien')}", "Accept": "application/sdp"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    # No proxy of the environment: it would look the name up once more, and elsewhere.
    async with httpx.AsyncClient(timeout=_HTTP_TIMEOUT_S, headers=headers, trust_env=False) as client:
        location, answer = await _post(client, url, offer, targets)
        try:
            yield targets.only_reachable(answer)
        finally:
            # A server that cannot be told any more notices by itself.
            with contextlib.suppress(TargetError, PushLostError, PushRefusedError):
                await _ask(client, "DELETE", await targets.look_up(location))


async def _post(client: httpx.AsyncClient, url: str, offer: str, targets: Targets) -> tuple[str, str]:
    """Return the session's URL and the answer."""
    for _ in range(_MAX_REDIRECTS + 1):
        response, text = await _ask(client, "POST", await targets.look_up(url), offer)
        status = response.status_code
        location = response.headers.get("location", "")
        if status in _REDIRECTS and location:
            url = _joined(url, location)
            continue
        if status in _HOPELESS:
            raise PushRefusedError(f"the far end refuses the broadcast: it answers {status}")
        if status != HTTPStatus.CREATED:
            raise PushLostError(f"the far end answers {status}", retry_after_s=_retry_after_s(response))
        if not location:
            raise PushRefusedError("the far end names no session in its answer")
        return _joined(url, location), text
    raise PushRefusedError(f"the far end redirects more than {_MAX_REDIRECTS} times")


async def _ask(
    client: httpx.AsyncClient, verb: str, target: Target, body: str | None = None
) -> tuple[httpx.Response, str]:
    """Ask the very address that was looked up, under the name it was asked for."""
    # Not compressed: what is small on the line must not become large here.
    headers = {"Host": target.authority, "Accept-Encoding": "identity"}
    headers |= {"Content-Type": "application/sdp"} if body is not None else {}
    read = bytearray()
    try:
        async with (
            asyncio.timeout(_HTTP_TIMEOUT_S),
            client.stream(
                verb, target.pinned, content=body, headers=headers, extensions={"sni_hostname": target.host}
            ) as response,
        ):
            async for chunk in response.aiter_raw():
                read += chunk
                if len(read) > MAX_SDP_BYTES:
                    raise PushRefusedError(f"the far end's answer has more than {MAX_SDP_BYTES} bytes")
    except (httpx.HTTPError, TimeoutError) as error:
        raise PushLostError(f"the far end cannot be reached: {type(error).__name__}") from error
    return response, read.decode(errors="replace")


def _joined(url: str, location: str) -> str:
    joined = urljoin(url, location)
    if urlsplit(url).scheme == "https" and urlsplit(joined).scheme != "https":
        raise PushRefusedError("the far end leads from https to http, where the token could be read")
    return joined


def _retry_after_s(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None


async def _first_of(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
