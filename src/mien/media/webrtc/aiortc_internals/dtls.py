"""aiortc's DTLS transports: handshakes with peers of other key types, and failures that say why.

aiortc's own SSL context offers cipher suites for ECDSA certificates only, so a server with an RSA certificate
(GStreamer's webrtcbin, cameras) answers its first flight with a fatal alert. aiortc reads that alert with a call
that drops the error, and cuts a flight of more than 1,500 bytes in the middle of a record.
"""

import asyncio
import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

import structlog
from aiortc import RTCCertificate, RTCDtlsTransport, RTCPeerConnection
from aiortc.rtcdtlstransport import (
    X509_DIGEST_ALGORITHMS,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    SRTPProtectionProfile,
    State,
    certificate_digest,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

log = structlog.get_logger()

# RFC 8827, 6.5: forward secrecy always, so no suite with plain RSA key exchange.
CIPHERS: Final = ":".join(
    f"ECDHE-{key_type}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "CHACHA20-POLY1305", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA")
    for key_type in ("ECDSA", "RSA")
)
_DTLS_1_2: Final = 0xFEFD
"""RFC 8827, 6.5: nothing older. OpenSSL gives it no name."""
_MTU: Final = 1200
_RECORD_HEADER: Final = 13
_READ_BYTES: Final = 1 << 16
_IS_DTLS: Final = range(20, 64)
"""The first byte of a datagram that belongs to DTLS (RFC 9443)."""
_RSA_BITS: Final = 2048
_DAY: Final = dt.timedelta(days=1)
_HASHES_STRONGEST_FIRST: Final = ("sha-512", "sha-384", "sha-256")


def widen_dtls(connection: RTCPeerConnection, *, rsa_too: bool) -> None:
    """Let `connection` shake hands with peers that hold RSA certificates too, and log why a handshake failed.

    Call it before transceivers are added.

    Args:
        connection: Has no transports yet.
        rsa_too: Whether to hold an RSA certificate beside the ECDSA one. Only the DTLS server needs it, for clients
            that cannot check ECDSA: it is the client that lists the suites. Some peers take one fingerprint alone,
            so without need there is one certificate.
    """
    certificates = connection._RTCPeerConnection__certificates  # type: ignore[attr-defined]  # noqa: SLF001  # see the package's first line
    certificates[:] = [_Certificates([*certificates, *([_rsa_certificate()] if rsa_too else [])])]
    create = connection._RTCPeerConnection__createDtlsTransport  # type: ignore[attr-defined]  # noqa: SLF001  # as above

    def create_and_widen() -> RTCDtlsTransport:
        transport: RTCDtlsTransport = create()
        _Handshake(transport).take_over()
        return transport

    connection._RTCPeerConnection__createDtlsTransport = create_and_widen  # type: ignore[attr-defined]  # noqa: SLF001  # as above


class _Certificates(RTCCertificate):
    """One or two certificates of different key types; OpenSSL presents the one that the chosen suite wants."""

    def __init__(self, held: Sequence[RTCCertificate]) -> None:
        super().__init__(held[0]._key, held[0]._cert)  # noqa: SLF001  # as above
        self._held = held

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:  # noqa: N802  # aiortc's name
        """Return the fingerprints; of two certificates, the ECDSA one's come first and last.

        RFC 8122, 5 lets a peer match any. One that reads a single line takes the first, or the last.
        """
        first, *others = super().getFingerprints()
        return [first, *(each for more in self._held[1:] for each in more.getFingerprints()), *others]

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(_DTLS_1_2)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU)
        # Whoever has the fingerprint in the offer is the peer (RFC 8827, 6.5); `identify` compares it.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        for certificate in reversed(self._held):  # a client presents the one that was put in last
            context.use_certificate(certificate._cert)  # noqa: SLF001  # as above
            context.use_privatekey(certificate._key)  # noqa: SLF001  # as above
        context.set_cipher_list(CIPHERS.encode())
        context.set_tlsext_use_srtp(b":".join(profile.openssl_profile for profile in srtp_profiles))
        return context


class _Handshake:
    """Stands in for the parts of a transport that shake hands."""

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self._transport = transport
        self._set_up_srtp = transport._setup_srtp  # noqa: SLF001  # as above

    def take_over(self) -> None:
        transport: Any = self._transport  # mypy does not let methods be replaced
        transport._do_handshake = self.run  # noqa: SLF001  # as above
        transport._validate_peer_identity = self.identify  # noqa: SLF001  # as above
        transport._setup_srtp = self.set_up_srtp  # noqa: SLF001  # as above
        transport._write_ssl = self.write  # noqa: SLF001  # as above

    @property
    def _ssl(self) -> SSL.Connection:
        return cast("SSL.Connection", self._transport._ssl)  # noqa: SLF001  # as above; it is there once it starts

    async def run(self) -> None:
        """Shake hands; a failure is logged with what OpenSSL says of it, and sets the state."""
        if self._transport.transport.state in {"failed", "closed"}:
            # Nobody ever answered our checks, as with most who leave; aiortc begins a handshake with them all the same.
            self._transport._set_state(State.FAILED)  # noqa: SLF001  # as above
            return
        self._ssl.set_ciphertext_mtu(_MTU)
        try:
            while not self._transport.encrypted:
                try:
                    self._ssl.do_handshake()
                except SSL.WantReadError:
                    await self.write()
                    await self._read()
                else:
                    self._transport.encrypted = True
            await self.write()
        except SSL.Error as error:
            await self._say_why_to_the_peer()
            self._fail("handshake", _reason(error))
        except ConnectionError:
            self._fail("handshake", "the ICE transport was closed")

    def identify(self, remote: RTCDtlsParameters) -> None:
        """Compare the peer's certificate with the fingerprints of its description (RFC 8122, 5).

        Those of the strongest hash function that we have count, and one of them must match: a peer with several
        certificates names them all.
        """
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            self._fail("identity", "the peer showed no certificate")
            return
        for algorithm in _HASHES_STRONGEST_FIRST:
            named = {each.value.upper() for each in remote.fingerprints if each.algorithm.lower() == algorithm}
            if named:
                if certificate_digest(certificate, algorithm) not in named:
                    self._fail("identity", "the certificate does not match the fingerprint")
                return
        self._fail("identity", f"no fingerprint of {', '.join(X509_DIGEST_ALGORITHMS)}")

    def set_up_srtp(self) -> None:
        """Derive the SRTP keys."""
        self._set_up_srtp()
        if self._transport.state == "failed":
            log.warning("dtls_failed", step="srtp", reason="no shared SRTP profile", dtls_role=self._role)

    async def write(self) -> None:
        """Send what OpenSSL has put by, in datagrams of whole records."""
        flight = bytearray()
        while True:
            try:
                flight += self._ssl.bio_read(_READ_BYTES)
            except SSL.Error:
                break
        for datagram in datagrams(bytes(flight)):
            await self._transport.transport._send(datagram)  # noqa: SLF001  # as above

    async def _read(self) -> None:
        timeout_s = self._ssl.DTLSv1_get_timeout()
        try:
            async with asyncio.timeout(timeout_s):
                data = await self._transport.transport._recv()  # noqa: SLF001  # as above
        except TimeoutError:
            self._ssl.DTLSv1_handle_timeout()
            await self.write()
            return
        if data and data[0] in _IS_DTLS:
            self._ssl.bio_write(data)

    async def _say_why_to_the_peer(self) -> None:
        try:
            await self.write()
        except ConnectionError:
            return

    def _fail(self, step: str, reason: str) -> None:
        log.warning("dtls_failed", step=step, reason=reason, dtls_role=self._role)
        self._transport._set_state(State.FAILED)  # noqa: SLF001  # as above

    @property
    def _role(self) -> str:
        return self._transport._role  # noqa: SLF001  # as above


def datagrams(flight: bytes) -> Iterator[bytes]:
    """Cut a flight of DTLS records into datagrams that end with a record (RFC 6347, 4.1.1).

    Args:
        flight: Whole records of DTLS 1.2, one after the other.
    """
    begin = end = 0
    while end < len(flight):
        record = _RECORD_HEADER + int.from_bytes(flight[end + 11 : end + _RECORD_HEADER])
        if begin < end and end + record - begin > _MTU:
            yield flight[begin:end]
            begin = end
        end += record
    if begin < len(flight):
        yield flight[begin:]


def _reason(error: SSL.Error) -> str:
    """Return what OpenSSL says went wrong; its own words, nothing of the peer's."""
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(dict.fromkeys(reason for _, _, reason in entries if reason)) or type(error).__name__


_rsa: list[RTCCertificate] = []
"""The last RSA certificate; it serves all peers of this process for some weeks."""


def prepare_dtls() -> None:
    """Make the RSA certificate now, before anybody waits: it holds the thread for a tenth of a second."""
    _rsa_certificate()


def _rsa_certificate() -> RTCCertificate:
    now = dt.datetime.now(tz=dt.UTC)
    if not _rsa or _rsa[0].expires < now + _DAY:
        key = rsa.generate_private_key(public_exponent=65_537, key_size=_RSA_BITS)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{x509.random_serial_number():x}"[:32])])
        builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - _DAY).not_valid_after(now + 30 * _DAY)
        _rsa[:] = [RTCCertificate(key, builder.sign(key, hashes.SHA256()))]  # type: ignore[arg-type]  # aiortc's hint names only the key that it makes itself
    return _rsa[0]
