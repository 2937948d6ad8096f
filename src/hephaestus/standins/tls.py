"""A throw-away certificate authority for the host names that twine has built in.

Its private key is never written: it signs one server certificate and is forgotten. It may speak only for the
names it was made for (name constraints, RFC 5280 section 4.2.1.10), so even a copy of what lies on disk cannot
vouch for anything else.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hephaestus.standins.private import write_private

__all__ = ["LOOPBACK", "ServerCertificate"]

#: Names every certificate carries besides those asked for: the listeners' own address.
LOOPBACK = ("localhost", "127.0.0.1")

_LIFETIME = timedelta(days=90)
_RENEW_BEFORE = timedelta(days=2)
#: Clients whose clock is a little behind must not find a certificate "not yet valid".
_BACKDATED = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class ServerCertificate:
    """A server certificate with its authority, as PEM files in one folder.

    ``authority`` is what a client must trust (``REQUESTS_CA_BUNDLE``, ``SSL_CERT_FILE``); ``chain`` holds the
    private key, the certificate and the authority in one file of mode 0600, replaced as a whole.
    """

    authority: Path
    chain: Path

    @classmethod
    def open(cls, folder: Path, *, names: Sequence[str], clock: Callable[[], float]) -> ServerCertificate:
        """The certificate kept in ``folder``; a new one when there is none, it is of other names or ends soon.

        ``clock`` gives seconds since the epoch. Raises OSError when the folder cannot be written.
        """
        kept = cls(authority=folder / "authority.pem", chain=folder / "server.pem")
        wanted = tuple(dict.fromkeys((*names, *LOOPBACK)))
        now = datetime.fromtimestamp(clock(), UTC)
        if not kept._serves(wanted, now=now):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            authority, chain = _issue(wanted, now=now)
            write_private(kept.authority, authority)
            write_private(kept.chain, chain + authority)
        return kept

    def context(self) -> ssl.SSLContext:
        """A TLS context for a server of these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.chain)
        return context

    def _serves(self, names: Sequence[str], *, now: datetime) -> bool:
        try:
            chain = self.chain.read_bytes()
            authority = self.authority.read_bytes()
            key = serialization.load_pem_private_key(chain, password=None)
            leaf, issuer = x509.load_pem_x509_certificates(chain)
            leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
            held = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (OSError, ValueError, TypeError, x509.ExtensionNotFound, InvalidSignature):
            # Missing, cut short or of two different makings: a new pair replaces it.
            return False
        ends = min(leaf.not_valid_after_utc, issuer.not_valid_after_utc)
        return (
            set(_general_names(names)) == set(held)
            and leaf.not_valid_before_utc <= now <= ends - _RENEW_BEFORE
            and _spki(key.public_key()) == _spki(leaf.public_key())
        )


def _issue(names: Sequence[str], *, now: datetime) -> tuple[bytes, bytes]:
    """PEM of a new authority, and PEM of the server's key and certificate."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "Hephaestus rehearsal stand-in authority (not to be trusted)")]
    )
    general = _general_names(names)
    permitted = [
        x509.IPAddress(ipaddress.ip_network(name.value)) if isinstance(name, x509.IPAddress) else name
        for name in general
    ]

    def certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + _LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )

    authority = (
        certificate(authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    server = (
        certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")]), server_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(general), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = serialization.Encoding.PEM
    return authority.public_bytes(pem), private + server.public_bytes(pem)


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    general: list[x509.GeneralName] = []
    for name in names:
        try:
            general.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            general.append(x509.DNSName(name))
    return general


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _spki(key: CertificatePublicKeyTypes | PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
