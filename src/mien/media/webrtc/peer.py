"""What both ends of a broadcast share: a peer connection that answers one offer, and closes."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpCodecCapability,
    RTCRtpReceiver,
    RTCSessionDescription,
)

from mien.errors import IceRestartError, MienError, SdpError, SdpLimitError
from mien.media.codecs.encoded import AUDIO_CLOCK_RATE, VIDEO_CLOCK_RATE
from mien.media.webrtc.aiortc_internals import allow_checks, harden, neighbours, widen_dtls
from mien.media.webrtc.ice.candidates import Candidate, is_fit
from mien.media.webrtc.sdp.parse import MAX_CANDIDATES, Fragment, Offer, answer_to

log = structlog.get_logger()

CLOCK_RATES: Final = {"video": VIDEO_CLOCK_RATE, "audio": AUDIO_CLOCK_RATE}
CONNECT_TIMEOUT_S: Final = 20.0
_CLOSE_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server.

    Attributes:
        url: As in "stun:host:port" or "turn:host:port?transport=udp".
        username: For TURN.
        credential: For TURN.
    """

    url: str
    username: str | None = None
    credential: str | None = None


def codecs(kind: str, *names: str) -> list[RTCRtpCodecCapability]:
    """Return aiortc's codecs of `names`, in that order, each with its retransmission format."""
    known = RTCRtpReceiver.getCapabilities(kind)
    wanted = [f"{kind}/{name}".lower() for name in (*names, "rtx")]
    found = [codec for codec in (known.codecs if known else []) if codec.mimeType.lower() in wanted]
    return sorted(found, key=lambda codec: wanted.index(codec.mimeType.lower()))


def open_connection(ice_servers: Sequence[IceServer], *, rsa_too: bool) -> RTCPeerConnection:
    """Return a new peer connection whose media share one transport.

    Args:
        ice_servers: To find the far end.
        rsa_too: As in `widen_dtls`.
    """
    # Explicit always: without a list aiortc asks a public STUN server.
    servers = [RTCIceServer(server.url, server.username, server.credential) for server in ice_servers]
    connection = RTCPeerConnection(RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    widen_dtls(connection, rsa_too=rsa_too)
    return connection


async def close_connection(connection: RTCPeerConnection) -> None:
    """Close a peer connection, or leave it to the collector where that takes too long; safe to call twice."""
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await connection.close()
    except TimeoutError:
        log.warning("peer_close_timed_out")


class Peer(ABC):
    """One peer connection that answers an offer. Subclasses add their transceivers in `_prepare`.

    Attributes:
        connected: Set once media can flow.
        gone: Set when it is over, by the far end, by a failure, or by `leave`.
        settled: Set with the first of the two.
        payload_types: What the answer takes, by kind: numbers and names of codecs.
    """

    def __init__(self, offer: Offer, ice_servers: Sequence[IceServer]) -> None:
        self.connection = open_connection(ice_servers, rsa_too=offer.is_dtls_client)
        self.offer = offer
        self.payload_types: dict[str, dict[int, str]] = {}
        self.connected = asyncio.Event()
        self.gone = asyncio.Event()
        self.settled = asyncio.Event()
        self._neighbours = neighbours()
        self._candidates: set[Candidate] = set()
        self.connection.on("connectionstatechange", self._follow)

    async def answer(self) -> str:
        """Return the SDP answer; the connection then sets itself up.

        Raises:
            SdpError: The offer has nothing we speak.
            NoPortError: Every port that media may use is taken.
        """
        self._prepare()
        allow_checks(self.connection, self.offer.octets)
        try:
            await self.connection.setRemoteDescription(RTCSessionDescription(self.offer.text, "offer"))
            await self._add(self.offer.candidates)
            await self.connection.setLocalDescription(await self.connection.createAnswer())
            answer = answer_to(self.offer, self.connection.localDescription.sdp)
            self.payload_types = answer.payload_types
        except MienError:
            await self.close()
            raise
        except Exception as error:
            # Whatever aiortc makes of an offer that the parser let through, the offer is to blame.
            await self.close()
            raise SdpError(f"the offer cannot be answered: {type(error).__name__}: {error}"[:300]) from error
        harden(self.connection)
        return answer.text

    async def trickle(self, fragment: Fragment) -> None:
        """Add remote candidates.

        Raises:
            IceRestartError: The fragment belongs to other ICE credentials; aiortc cannot restart.
            SdpLimitError: The session has as many candidates as it may have.
        """
        if fragment.ufrag is not None and fragment.ufrag != self.offer.ufrag:
            raise IceRestartError("ICE restarts are not supported: delete the session and make a new one")
        allow_checks(self.connection, fragment.octets)
        await self._add(fragment.candidates)

    async def _add(self, candidates: Sequence[Candidate]) -> None:
        """Add the candidates that may be reached.

        aioice is never told that no more will come. It would give up when all of them have failed, while the far end
        may still show itself from elsewhere (RFC 8863, 4); whoever serves this peer has a deadline.
        """
        for candidate in candidates:
            if candidate in self._candidates or not is_fit(candidate, self._neighbours.may_reach):
                continue
            if len(self._candidates) == MAX_CANDIDATES:
                raise SdpLimitError(f"at most {MAX_CANDIDATES} candidates are taken in a session")
            self._candidates.add(candidate)
            await self.connection.addIceCandidate(candidate.for_aiortc(self._mid, number=len(self._candidates)))

    @property
    def _mid(self) -> str | None:
        """The name of the media section whose transport all others share."""
        mid: str | None = self.connection.getTransceivers()[0].mid
        return mid

    async def close(self) -> None:
        """Close the connection; safe to call twice."""
        self.leave()
        await close_connection(self.connection)

    def leave(self) -> None:
        """Let whoever serves this peer close it."""
        self.gone.set()
        self.settled.set()

    @abstractmethod
    def _prepare(self) -> None:
        """Add the transceivers that the answer shall have, in the order of the offer."""

    def _follow(self) -> None:
        if self.connection.connectionState == "connected":
            self.connected.set()
            self.settled.set()
        elif self.connection.connectionState in {"failed", "closed"}:
            self.leave()
