"""pylibsrtp and the sockets of aioice: many packets protected where they lie and sent in one system call.

These are private parts of theirs: the public ones copy every packet.
"""

import errno
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Final

from aioice.ice import CandidatePair
from aiortc import RTCDtlsTransport
from pylibsrtp import Session
from pylibsrtp._binding import ffi, lib

from mien.media.webrtc.packets import Ancillary, Template
from mien.tracing import span

# One for all lines: it is filled and emptied between two turns of the event loop, of which a process has one.
_BUFFER: Final = ffi.new("char[]", 1 << 16)
_VIEW: Final = memoryview(ffi.buffer(_BUFFER))
_LENGTH: Final = ffi.new("int *")
_PROTECT: Final = lib.srtp_protect
_PUT_NUMBERS: Final = struct.Struct("!HLL").pack_into
_PUT_PICTURE_ID: Final = struct.Struct("!H").pack_into
_TAGS: Final = {b"SRTP_AES128_CM_SHA1_80": 10, b"SRTP_AEAD_AES_128_GCM": 16, b"SRTP_AEAD_AES_256_GCM": 16}
"""Bytes that each profile of aiortc's adds (RFC 3711, 8.2; RFC 7714, 13.1)."""
_NO_SEGMENTATION: Final = frozenset({errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOPROTOOPT, errno.EOPNOTSUPP})
"""How kernels, drivers and narrow paths refuse to cut one send into packets."""


class SrtpWriter:
    """The way out through one DTLS transport: packets are protected where they lie, many to a system call.

    The nominated candidate pair is looked up at every send. Where it has no plain UDP socket (a relay, a
    foreign event loop) packets take the transport's own way, one by one.

    Args:
        transport: Connected.

    Attributes:
        tag: How many bytes protection adds to a packet.
        refused: Packets that the kernel or the transport did not take.
    """

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self.tag = _TAGS[transport._ssl.get_selected_srtp_profile()]  # type: ignore[union-attr]  # noqa: SLF001  # see the module's first lines; it is connected
        self.refused = 0
        self._dtls = transport
        self._session: Session = transport._tx_srtp  # noqa: SLF001  # as above
        self._srtp = self._session._srtp[0]  # noqa: SLF001  # as above
        self._pairs: dict[int, CandidatePair] = transport.transport._connection._nominated  # noqa: SLF001  # as above
        self._pair: CandidatePair | None = None
        self._socket: socket.socket | None = None
        self._address = ("", 0)
        self._segments = False

    def send(self, template: Template, sequence: int, timestamp: int, ssrc: int, picture_id: int) -> None:
        """Send a template's packets.

        Args:
            template: Laid out with this line's tag.
            sequence: The first packet's sequence number; only the lower 16 bits count.
            timestamp: 32 bits.
            ssrc: 32 bits.
            picture_id: 15 bits; used where the template has a place for it.
        """
        # This is what every viewer costs, so it calls as little as can be.
        size = len(template.data)
        _VIEW[:size] = template.data
        picture_id_at = template.picture_id_at
        for at, length in template.places:
            _PUT_NUMBERS(_VIEW, at + 2, sequence & 0xFFFF, timestamp, ssrc)
            if picture_id_at:
                _PUT_PICTURE_ID(_VIEW, at + picture_id_at, 0x8000 | picture_id)
            _LENGTH[0] = length
            if _PROTECT(self._srtp, _BUFFER + at, _LENGTH):
                self.refused += len(template.places)
                return
            sequence += 1
        with span("send"):
            self._leave(template.runs, template.places)

    def send_one(self, packet: bytes) -> None:
        """Send one complete packet."""
        length = len(packet)
        _VIEW[:length] = packet
        _LENGTH[0] = length
        if _PROTECT(self._srtp, _BUFFER, _LENGTH):
            self.refused += 1
            return
        self._leave(((0, length + self.tag, None),), ((0, length),))

    def send_control(self, packet: bytes) -> None:
        """Send one complete packet of RTCP."""
        protected = self._session.protect_rtcp(packet)
        length = len(protected)
        _VIEW[:length] = protected
        self._leave(((0, length, None),), ((0, length - self.tag),))

    def _leave(self, runs: Sequence[tuple[int, int, Ancillary | None]], places: Sequence[tuple[int, int]]) -> None:
        pair = self._pairs.get(1)
        if pair is not self._pair:
            self._follow(pair)
        out = self._socket
        if out is None or not self._segments:
            self._leave_singly(places)
            return
        for begin, end, order in runs:
            try:
                if order is None:
                    out.sendto(_VIEW[begin:end], self._address)
                else:
                    out.sendmsg((_VIEW[begin:end],), order, 0, self._address)
            except OSError as error:
                inside = [place for place in places if begin <= place[0] < end]
                if order is not None and error.errno in _NO_SEGMENTATION:
                    self._segments = False
                    self._leave_singly(inside)
                else:
                    self.refused += len(inside)

    def _leave_singly(self, places: Sequence[tuple[int, int]]) -> None:
        pair = self._pair
        if pair is None:
            self.refused += len(places)
            return
        for at, length in places:
            packet = _VIEW[at : at + length + self.tag]
            try:
                if self._socket is not None:
                    self._socket.sendto(packet, self._address)
                else:
                    pair.protocol.transport.sendto(bytes(packet), pair.remote_addr)
            except OSError:
                self.refused += 1

    def _follow(self, pair: CandidatePair | None) -> None:
        self._pair = pair
        self._socket = None
        if pair is None:
            return
        wrapped = pair.protocol.transport.get_extra_info("socket")
        # asyncio hides the socket's own methods behind a wrapper without `sendmsg`.
        found = getattr(wrapped, "_sock", None)
        if isinstance(found, socket.socket) and found.type == socket.SOCK_DGRAM:
            self._socket = found
        self._address = pair.remote_addr
        self._segments = sys.platform == "linux"
