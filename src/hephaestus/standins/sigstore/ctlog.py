"""The certificate transparency log: it promises, inside a certificate, to have seen it (RFC 6962, section 3)."""

from __future__ import annotations

import hashlib
import struct

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hephaestus.standins.keys import SigningKey
from hephaestus.standins.sigstore import der
from hephaestus.standins.sigstore.log import public_der

__all__ = ["SCT_LIST", "CertificateLog"]

SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_VERSION_1 = 0
_CERTIFICATE_TIMESTAMP = 0
_PRECERTIFICATE = 1
_SHA256, _ECDSA = 4, 3


class CertificateLog:
    """Signs certificate timestamps with ``key``. It keeps no tree: Sigstore clients check the promise only."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self.key = key
        self.log_id = hashlib.sha256(public_der(key)).digest()

    def extension(
        self,
        precertificate: x509.Certificate,
        *,
        issuer: SigningKey,
        moment: float,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> x509.UnrecognizedExtension:
        """The SCT list extension for the certificate that is ``precertificate`` and this extension, no more.

        ``key`` signs instead of the log's own (a forgery).
        """
        milliseconds = int(moment * 1000)
        tbs = precertificate.tbs_certificate_bytes
        signed = (
            struct.pack("!BBQH", _VERSION_1, _CERTIFICATE_TIMESTAMP, milliseconds, _PRECERTIFICATE)
            + hashlib.sha256(public_der(issuer)).digest()
            + len(tbs).to_bytes(3, "big")
            + tbs
            + struct.pack("!H", 0)
        )
        signature = (key or self.key).sign(signed, ec.ECDSA(hashes.SHA256()))
        timestamp = (
            struct.pack("!B32sQH", _VERSION_1, self.log_id, milliseconds, 0)
            + struct.pack("!BBH", _SHA256, _ECDSA, len(signature))
            + signature
        )
        listed = struct.pack("!H", len(timestamp)) + timestamp
        return x509.UnrecognizedExtension(SCT_LIST, der.octets(struct.pack("!H", len(listed)) + listed))
