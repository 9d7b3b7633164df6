"""Peers whose DTLS differs from ours: other keys, and suites for those keys alone, as cameras have them."""

import datetime as dt

from aiortc import RTCCertificate, RTCConfiguration, RTCDtlsTransport, RTCPeerConnection
from aiortc.rtcdtlstransport import RTCDtlsParameters, SRTPProtectionProfile, State, certificate_digest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

RSA_SUITES = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA"


def key_of(kind: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    """Return a new key: "p256", "p384", or "rsa" and its bits."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65_537, key_size=int(kind.removeprefix("rsa")))
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])


class ForeignCertificate(RTCCertificate):
    """A certificate with a key of some kind, and the only suites that its holder knows."""

    def __init__(self, kind: str, suites: str) -> None:
        key = key_of(kind)
        now = dt.datetime.now(tz=dt.UTC)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "camera")])
        builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(1)).not_valid_after(now + dt.timedelta(1))
        signed = builder.sign(key, hashes.SHA256())
        super().__init__(key, signed)  # type: ignore[arg-type]  # aiortc's hint names only the key that it makes
        self._suites = suites

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(self._suites.encode())
        return context


def foreign_peer(kind: str, suites: str = RSA_SUITES) -> RTCPeerConnection:
    """Return a peer connection that holds a key of `kind` and knows only `suites`."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    certificates = connection._RTCPeerConnection__certificates  # type: ignore[attr-defined]  # aiortc takes none
    certificates[:] = [ForeignCertificate(kind, suites)]
    create = connection._RTCPeerConnection__createDtlsTransport  # type: ignore[attr-defined]  # as above

    def create_by_rfc_8122() -> RTCDtlsTransport:
        transport: RTCDtlsTransport = create()
        transport._validate_peer_identity = lambda remote: _compare(transport, remote)  # type: ignore[method-assign,assignment]  # as above
        return transport

    connection._RTCPeerConnection__createDtlsTransport = create_by_rfc_8122  # type: ignore[attr-defined]  # as above
    return connection


def _compare(transport: RTCDtlsTransport, remote: RTCDtlsParameters) -> None:
    """Let any fingerprint match, as RFC 8122, 5 says; aiortc wants all to match, so two certificates are too many."""
    assert transport._ssl is not None
    certificate = transport._ssl.get_peer_certificate(as_cryptography=True)
    assert certificate is not None
    if not any(each.value == certificate_digest(certificate, each.algorithm) for each in remote.fingerprints):
        transport._set_state(State.FAILED)
