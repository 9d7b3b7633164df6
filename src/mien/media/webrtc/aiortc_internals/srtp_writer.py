"""pylibsrtp and the sockets of aioice: many packets protected where they lie and sent in one system call.

These are private parts of theirs: the public ones copy every packet. Where there are kernels, one call of theirs does
that for all lines that have a plain UDP socket.
"""

import errno
import socket
import struct
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aioice.ice import CandidatePair
from aiortc import RTCDtlsTransport
from pylibsrtp import Session
from pylibsrtp._binding import ffi, lib

from mien import native
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
_PROTECT_TYPE: Final = "srtp_err_status_t(*)(struct srtp_ctx_t_ *, void *, int *)"
_PACK_LETTER: Final = struct.Struct("@PIIiHH").pack
_ROOM: Final = native.ffi.from_buffer("uint8_t[]", _VIEW)
_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)


def _address_of_protect() -> Any | None:
    """Return libsrtp's `srtp_protect` for the kernels; None where there are none, or where it is another function."""
    found = ffi.addressof(lib, "srtp_protect")
    if native.kernels is None or sys.platform == "win32" or ffi.typeof(found).cname != _PROTECT_TYPE:
        return None
    return native.ffi.cast("void *", int(ffi.cast("uintptr_t", found)))


_PROTECT_ADDRESS: Final = _address_of_protect()


class SrtpWriter:
    """The way out through one DTLS transport: packets are protected where they lie, many to a system call.

    The nominated candidate pair is looked up at every send. Where it has no plain UDP socket (a relay, a
    foreign event loop) packets take the transport's own way, one by one.

    Args:
        transport: Connected.

    Attributes:
        tag: How many bytes protection adds to a packet.
    """

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self.tag = _TAGS[transport._ssl.get_selected_srtp_profile()]  # type: ignore[union-attr]  # noqa: SLF001  # see the module's first lines; it is connected
        self._dtls = transport
        self._session: Session = transport._tx_srtp  # noqa: SLF001  # as above
        self._srtp = self._session._srtp[0]  # noqa: SLF001  # as above
        self._pairs: dict[int, CandidatePair] = transport.transport._connection._nominated  # noqa: SLF001  # as above
        self._pair: CandidatePair | None = None
        self._socket: socket.socket | None = None
        self._address = ("", 0)
        self._line = native.ffi.new("struct mien_line *")
        self._line.srtp = native.ffi.cast("void *", int(ffi.cast("uintptr_t", self._srtp)))
        self._line_at = int(native.ffi.cast("uintptr_t", self._line))
        self._is_plain = False

    @property
    def refused(self) -> int:
        """Packets that the kernel or the transport did not take."""
        return int(self._line.refused)

    def refuse(self, packets: int) -> None:
        """Count packets that were not taken."""
        self._line.refused += packets

    def send(self, template: Template, sequence: int, timestamp: int, ssrc: int, picture_id: int) -> None:
        """Send a template's packets, or have them wait in it for those of other lines: see `send_waiting`.

        Args:
            template: Laid out with this line's tag.
            sequence: The first packet's sequence number; only the lower 16 bits count.
            timestamp: 32 bits.
            ssrc: 32 bits.
            picture_id: 15 bits; used where the template has a place for it.
        """
        # This is what every viewer costs, so it calls as little as can be.
        pair = self._pairs.get(1)
        if pair is not self._pair:
            self._follow(pair)
        if self._is_plain:
            # The number of a socket that was closed meanwhile is -1; a number kept from before could be another's.
            number = self._socket.fileno()  # type: ignore[union-attr]  # a plain line has one
            letter = _PACK_LETTER(self._line_at, timestamp, ssrc, number, sequence & 0xFFFF, picture_id)
            template.waiting.append((self, letter))
            return
        size = len(template.data)
        _VIEW[:size] = template.data
        picture_id_at = template.picture_id_at
        for at, length in template.places:
            _PUT_NUMBERS(_VIEW, at + 2, sequence & 0xFFFF, timestamp, ssrc)
            if picture_id_at:
                _PUT_PICTURE_ID(_VIEW, at + picture_id_at, 0x8000 | picture_id)
            _LENGTH[0] = length
            if _PROTECT(self._srtp, _BUFFER + at, _LENGTH):
                self.refuse(len(template.places))
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
            self.refuse(1)
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
        if out is None or not self._line.segments:
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
                    self._line.segments = 0
                    self._leave_singly(inside)
                else:
                    self.refuse(len(inside))

    def _leave_singly(self, places: Sequence[tuple[int, int]]) -> None:
        pair = self._pair
        if pair is None:
            self.refuse(len(places))
            return
        for at, length in places:
            packet = _VIEW[at : at + length + self.tag]
            try:
                if self._socket is not None:
                    self._socket.sendto(packet, self._address)
                else:
                    pair.protocol.transport.sendto(bytes(packet), pair.remote_addr)
            except OSError:
                self.refuse(1)

    def _follow(self, pair: CandidatePair | None) -> None:
        self._pair = pair
        self._socket = None
        self._is_plain = False
        if pair is None:
            return
        wrapped = pair.protocol.transport.get_extra_info("socket")
        # asyncio hides the socket's own methods behind a wrapper without `sendmsg`.
        found = getattr(wrapped, "_sock", None)
        if isinstance(found, socket.socket) and found.type == socket.SOCK_DGRAM:
            self._socket = found
        self._address = pair.remote_addr
        self._line.segments = sys.platform == "linux"
        self._is_plain = _PROTECT_ADDRESS is not None and self._socket is not None and self._tell_address()

    def _tell_address(self) -> bool:
        """Write the far end's address where the kernels read it; False for one that only Python can read."""
        host, port = self._address[:2]
        family = self._socket.family  # type: ignore[union-attr]  # there is one
        try:
            packed = socket.inet_pton(family, host) if family in _FAMILIES else b""
        except OSError:  # a scope or a name, or of the other family
            return False
        if not packed:
            return False
        line = self._line
        line.address[0 : len(packed)] = packed
        line.port, line.is_ipv6 = port, family == socket.AF_INET6
        return True


def send_waiting(templates: Iterable[Template]) -> None:
    """Send what waits in templates, on all lines, one after the other.

    Other threads run meanwhile. Sockets and sessions belong to the event loop, whose thread is in here, so none of
    them ends until all is sent.
    """
    for template in templates:
        waiting = template.waiting
        if not waiting:
            continue
        places = native.ffi.new("int32_t[]", [number for place in template.places for number in place])
        data = native.ffi.from_buffer(template.data)
        count = len(template.places)
        about = {"data": data, "places": places, "size": len(template.data), "count": count, "tag": template.tag}
        slice_ = native.ffi.new("struct mien_slice *", about | {"picture_id_at": template.picture_id_at})
        letters = native.ffi.from_buffer("struct mien_letter[]", b"".join([letter for _, letter in waiting]))
        sent = native.kernels.mien_send(_PROTECT_ADDRESS, slice_, letters, len(waiting), _ROOM, len(_ROOM))  # type: ignore[union-attr]  # without them nothing waits
        if sent < 0:
            for line, _ in waiting:
                line.refuse(count)
        waiting.clear()  # not before: whoever waits keeps a line's memory and its session
