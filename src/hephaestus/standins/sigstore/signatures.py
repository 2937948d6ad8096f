"""Checking the signatures that a log is asked to record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from hephaestus.standins.sigstore.answers import RefusedError

__all__ = ["Verifier", "pre_authentication_encoding"]

_HASHES: dict[str, tuple[type[hashes.HashAlgorithm], str, str]] = {
    "secp256r1": (hashes.SHA256, "SHA2_256", "PKIX_ECDSA_P256_SHA_256"),
    "secp384r1": (hashes.SHA384, "SHA2_384", "PKIX_ECDSA_P384_SHA_384"),
    "secp521r1": (hashes.SHA512, "SHA2_512", "PKIX_ECDSA_P521_SHA_512"),
}


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """A public key that a signature is checked with. Only ECDSA: Sigstore clients sign with nothing else here."""

    key: ec.EllipticCurvePublicKey

    @classmethod
    def from_pem(cls, pem: bytes) -> Verifier:
        """From a PEM certificate or public key; raises RefusedError."""
        key: object
        try:
            if b"-----BEGIN CERTIFICATE-----" in pem:
                key = x509.load_pem_x509_certificate(pem).public_key()
            else:
                key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise RefusedError("the verifier is neither a certificate nor a public key") from error
        return cls._of(key)

    @classmethod
    def from_der_certificate(cls, der: bytes) -> Verifier:
        """From a DER certificate; raises RefusedError."""
        try:
            key = x509.load_der_x509_certificate(der).public_key()
        except (ValueError, UnsupportedAlgorithm) as error:
            raise RefusedError("the verifier is not a certificate") from error
        return cls._of(key)

    @classmethod
    def _of(cls, key: object) -> Verifier:
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _HASHES:
            raise RefusedError("only ECDSA keys on the NIST curves are taken")
        return cls(key=key)

    @property
    def hash_name(self) -> str:
        """The hash that goes with the key, by its Sigstore name (``SHA2_256``)."""
        return _HASHES[self.key.curve.name][1]

    @property
    def key_details(self) -> str:
        """Key and hash by their Sigstore name (``PKIX_ECDSA_P256_SHA_256``)."""
        return _HASHES[self.key.curve.name][2]

    def digest(self, data: bytes) -> bytes:
        """``data`` hashed with the hash that goes with the key."""
        return hashlib.new(_HASHES[self.key.curve.name][0]().name, data).digest()

    def check(self, signature: bytes, digest: bytes) -> None:
        """Raise RefusedError unless ``signature`` is this key's over ``digest``."""
        algorithm = _HASHES[self.key.curve.name][0]()
        self._check(signature, digest, algorithm)

    def check_sha256(self, signature: bytes, digest: bytes) -> None:
        """The same for a SHA-256 digest, whatever the key: what hashedrekord 0.0.1 records."""
        self._check(signature, digest, hashes.SHA256())

    def _check(self, signature: bytes, digest: bytes, algorithm: hashes.HashAlgorithm) -> None:
        if len(digest) != algorithm.digest_size:
            raise RefusedError(f"the digest is not {algorithm.digest_size} bytes long")
        try:
            self.key.verify(signature, digest, ec.ECDSA(Prehashed(algorithm)))
        except InvalidSignature as error:
            raise RefusedError("the signature does not verify") from error


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """What a DSSE envelope's signature covers (DSSE protocol, version 1)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
