"""WHIP out: a treated broadcast pushed to a WHIP server elsewhere, as it was encoded (RFC 9725, the client's side)."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import structlog
from aiortc import RTCSessionDescription

from mien.errors import PushLostError, PushRefusedError, SdpError, TargetError
from mien.media.address_policy import Targets
from mien.media.codecs.encoded import VideoCodec
from mien.media.webrtc.aiortc_internals import allow_checks, harden
from mien.media.webrtc.egress.fan_out import FanOut
from mien.media.webrtc.egress.subscriber import Subscriber, SubscriberStats
from mien.media.webrtc.egress.whip_signalling import signalled
from mien.media.webrtc.peer import CONNECT_TIMEOUT_S, IceServer, close_connection, open_connection
from mien.media.webrtc.sdp.parse import read_answer, read_off_loop
from mien.rate_limit import Backoff

log = structlog.get_logger()

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_LONGEST_RETRY_AFTER_S: Final = 300.0
_SETTLED_S: Final = 10.0
"""A session that lasted so long was a good one: the next attempt comes soon."""


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
        packets: Sent since the start, without retransmissions.
        octets: Bytes of payload in them.
        resent: Retransmissions.
        connected_s: For how long the present session has stood; 0 where none does.
        trouble: What went wrong last, in words for the broadcaster; None while all is well.
    """

    state: PushState
    attempts: int
    packets: int
    octets: int
    resent: int
    connected_s: float
    trouble: str | None


class WhipPush:
    """Pushes a broadcast to a WHIP server, again and again until `leave` is called.

    Args:
        url: The server's WHIP endpoint; hostile until it was looked up.
        token: Bearer token for it, or None. It follows redirects, as the far end decides who serves it.
        fan_out: Gives the frames and the audio, while a line stands.
        codec: As in `Subscriber`.
        bit_rates: As in `Subscriber`.
        want_keyframe: As in `Subscriber`.
        epoch: As in `Subscriber`.
        audio: Whether there is audio.
        targets: Which addresses may be reached.
        ice_servers: For a machine that cannot reach the far end directly.
        first_pause_s: Wait after the first failure; each further one doubles it.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        fan_out: FanOut,
        codec: VideoCodec,
        bit_rates: Sequence[int],
        want_keyframe: Callable[[int], None],
        epoch: float,
        audio: bool = True,
        targets: Targets = Targets(),  # noqa: B008  # frozen
        ice_servers: Sequence[IceServer] = (),
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        self._url = url
        self._token = token
        self._fan_out = fan_out
        self._codec = codec
        self._bit_rates = bit_rates
        self._want_keyframe = want_keyframe
        self._epoch = epoch
        self._audio = audio
        self._targets = targets
        self._ice_servers = ice_servers
        # Spread, so that the pushes which one far end lost do not come back all at once.
        self._backoff = Backoff(first_pause_s, _LONGEST_PAUSE_S, spread=(0.5, 1.0))
        self._leaving = asyncio.Event()
        self._session: _Session | None = None
        self._state = PushState.CONNECTING
        self._trouble: str | None = None
        self._attempts = 0
        self._packets = self._octets = self._resent = 0  # of sessions that are over

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

    @property
    def stats(self) -> PushStats:
        """The numbers up to now."""
        session = self._session
        now: SubscriberStats | None = session.stats() if session else None
        return PushStats(
            state=self._state,
            attempts=self._attempts,
            packets=self._packets + (now.packets if now else 0),
            octets=self._octets + (now.octets if now else 0),
            resent=self._resent + (now.resent if now else 0),
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
            bit_rates=self._bit_rates,
            audio=self._audio,
            epoch=self._epoch,
            ice_servers=self._ice_servers,
            want_keyframe=self._want_keyframe,
        )
        try:
            offer = await session.offer()
            async with signalled(self._url, self._token, offer, self._targets) as answer:
                await session.connect(answer, self._targets)
                self._session, self._state, self._trouble = session, PushState.LIVE, None
                self._fan_out.add(session)
                log.info("push_connected", attempts=self._attempts)
                await _first_of(session.gone.wait(), self._leaving.wait())
                if session.gone.is_set() and not self._leaving.is_set():
                    raise PushLostError("the connection to the far end broke")
        finally:
            self._fan_out.discard(session)
            self._session = None
            sent = session.stats()
            self._packets += sent.packets
            self._octets += sent.octets
            self._resent += sent.resent
            await session.close()

    def _pause_s(self, failures: int, retry_after_s: float | None) -> float:
        pause_s = self._backoff.pause_s(failures, chance=random.random())  # noqa: S311  # no secret
        return max(pause_s, min(retry_after_s or 0.0, _LONGEST_RETRY_AFTER_S))


class _Session(Subscriber):
    """One peer connection to the far end."""

    may_be_silent = True  # a server need not report; ICE tells when it is gone

    def __init__(
        self,
        *,
        codec: VideoCodec,
        bit_rates: Sequence[int],
        audio: bool,
        epoch: float,
        ice_servers: Sequence[IceServer],
        want_keyframe: Callable[[int], None],
    ) -> None:
        super().__init__(codec=codec, bit_rates=bit_rates, want_keyframe=want_keyframe, epoch=epoch)
        # Two fingerprints in an offer are too much for some servers.
        self._connection = open_connection(ice_servers, rsa_too=False)
        self.gone = asyncio.Event()
        self.connected_at: float | None = None
        self._settled = asyncio.Event()
        self._kinds = ("video", "audio") if audio else ("video",)
        self._connection.on("connectionstatechange", self._follow)

    def leave(self) -> None:
        """Give this connection up; another attempt follows."""
        self.gone.set()

    async def offer(self) -> str:
        """Return an offer with all its candidates: nothing has to trickle."""
        self.send_over(self._connection, self._kinds)
        harden(self._connection)
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return self._connection.localDescription.sdp

    async def connect(self, text: str, targets: Targets) -> None:
        """Take the answer and wait until media can flow.

        Args:
            text: The answer, as the far end wrote it.
            targets: Which addresses may be reached.

        Raises:
            PushRefusedError: The answer cannot be used.
            PushLostError: No connection came about.
        """
        try:
            answer = await read_off_loop(read_answer, text, kinds=self._kinds, may_reach=targets.may_reach)
            allow_checks(self._connection, len(text))
            await self._connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
            for number, candidate in enumerate(answer.candidates):
                await self._connection.addIceCandidate(candidate.for_aiortc("0", number=number))
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

    async def close(self) -> None:
        """Close the connection."""
        await close_connection(self._connection)

    def _follow(self) -> None:
        if self._connection.connectionState in {"failed", "closed"}:
            self.gone.set()
        if self._connection.connectionState in {"connected", "failed", "closed"}:
            self._settled.set()


async def _first_of(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
