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

from mien.errors import MienError, SdpError
from mien.media.encoded import PICTURE_CLOCK_RATE, SOUND_CLOCK_RATE
from mien.media.privates import harden, widen_dtls
from mien.media.sdp import Fragment, Offer, ice_ufrag, is_dtls_client, is_hidden, without_hidden_addresses

log = structlog.get_logger()

CLOCK_RATES: Final = {"video": PICTURE_CLOCK_RATE, "audio": SOUND_CLOCK_RATE}
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


class Peer(ABC):
    """One peer connection that answers an offer. Subclasses add their transceivers in `_prepare`.

    Attributes:
        connected: Set once media can flow.
        gone: Set when it is over, by the far end, by a failure, or by `leave`.
        settled: Set with the first of the two.
    """

    def __init__(self, offer: Offer, ice_servers: Sequence[IceServer]) -> None:
        # Explicit always: without a list aiortc asks a public STUN server.
        servers = [RTCIceServer(server.url, server.username, server.credential) for server in ice_servers]
        self.connection = RTCPeerConnection(
            RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        widen_dtls(self.connection, rsa_too=is_dtls_client(offer.text))
        self.offer = offer
        self.connected = asyncio.Event()
        self.gone = asyncio.Event()
        self.settled = asyncio.Event()
        self._remote_ufrag = ice_ufrag(offer.text)
        self._candidates_complete = False
        self._hides_addresses = False
        self.connection.on("connectionstatechange", self._follow)

    async def answer(self) -> str:
        """Return the SDP answer; the connection then sets itself up.

        Raises:
            SdpError: The offer has nothing we speak.
            NoPortError: Every port that media may use is taken.
        """
        self._prepare()
        try:
            offer, self._hides_addresses = without_hidden_addresses(self.offer.text)
            await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            await self.connection.setLocalDescription(await self.connection.createAnswer())
        except MienError:
            await self.close()
            raise
        except Exception as error:
            # Whatever aiortc makes of an offer that the parser let through, the offer is to blame.
            await self.close()
            raise SdpError(f"the offer cannot be answered: {type(error).__name__}: {error}"[:300]) from error
        harden(self.connection)
        return self.connection.localDescription.sdp

    async def trickle(self, fragment: Fragment) -> None:
        """Add remote candidates.

        Raises:
            SdpError: The fragment belongs to other ICE credentials: a restart, which aiortc cannot do.
        """
        if fragment.ufrag is not None and fragment.ufrag != self._remote_ufrag:
            raise SdpError("ICE restarts are not supported: delete the session and make a new one")
        if self._candidates_complete:
            return
        for candidate in fragment.candidates:
            if is_hidden([candidate.ip]):
                self._hides_addresses = True
            else:
                await self.connection.addIceCandidate(candidate)
        if fragment.complete and not self._hides_addresses:
            self._candidates_complete = True
            await self.connection.addIceCandidate(None)

    async def close(self) -> None:
        """Close the connection; safe to call twice."""
        self.leave()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self.connection.close()
        except TimeoutError:
            log.warning("peer_close_timed_out")

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
