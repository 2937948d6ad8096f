"""The time-stamp authority (RFC 3161, with the certificate reference of RFC 5816)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from hephaestus.standins.faults import Faults
from hephaestus.standins.http import Request, Response
from hephaestus.standins.keys import ec_key, settle
from hephaestus.standins.sigstore import der
from hephaestus.standins.sigstore.answers import RefusedError, refusal
from hephaestus.standins.sigstore.authority import Authority
from hephaestus.standins.sigstore.forgeries import TIMESTAMP_KINDS

__all__ = ["TimestampAuthority", "TimestampRequest"]

_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_SIGNING_TIME = "1.2.840.113549.1.9.5"
_SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_SIGNED_DATA = "1.2.840.113549.1.7.2"
_ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2"
_SHA256 = "2.16.840.1.101.3.4.2.1"
_POLICY = "1.3.6.1.4.1.57264.2"
_DIGEST_SIZES = {
    der.object_identifier(_SHA256): 32,
    der.object_identifier("2.16.840.1.101.3.4.2.2"): 48,
    der.object_identifier("2.16.840.1.101.3.4.2.3"): 64,
}
_NULL = der.element(0x05, b"")


@dataclass(frozen=True, kw_only=True)
class TimestampRequest:
    """A TimeStampReq: the ``imprint`` as encoded, the nonce if any, whether certificates are wanted."""

    imprint: bytes
    nonce: int | None = None
    certificates: bool = False

    @classmethod
    def parse(cls, encoded: bytes) -> TimestampRequest:
        """Read a request; raises RefusedError with what is wrong with it."""
        try:
            (tag, version, _), (imprint_tag, imprint_content, imprint), *rest = der.elements(
                der.only_element(encoded, der.SEQUENCE)
            )
            if (tag, imprint_tag) != (der.INTEGER, der.SEQUENCE) or der.to_integer(version) != 1:
                raise RefusedError("not a time-stamp request of version 1")
            (_, algorithm, _), (digest_tag, digest, _) = der.elements(imprint_content)
            _, _, oid = der.elements(algorithm)[0]
        except (ValueError, IndexError) as error:
            if isinstance(error, RefusedError):
                raise
            raise RefusedError(f"the time-stamp request is malformed: {error}") from error
        if digest_tag != der.OCTET_STRING or len(digest) != _DIGEST_SIZES.get(oid):
            raise RefusedError("the hash of the time-stamp request is not one that is taken here")
        nonce, certificates = None, False
        try:
            for place, content, _ in rest:
                match place:
                    case der.INTEGER:
                        nonce = der.to_integer(content)
                    case der.BOOLEAN:
                        certificates = content != b"\x00"
                    case der.OBJECT_IDENTIFIER:
                        if der.element(der.OBJECT_IDENTIFIER, content) != der.object_identifier(_POLICY):
                            raise RefusedError("the requested policy is unknown")
                    case _:
                        raise RefusedError("extensions of a time-stamp request are not taken")
        except der.DERError as error:
            raise RefusedError(f"the time-stamp request is malformed: {error}") from error
        return cls(imprint=imprint, nonce=nonce, certificates=certificates)


class TimestampAuthority:
    """Signs what time it is; key and certificates are kept in ``state``.

    Fault ``tsa-down`` of service ``sigstore`` strikes one request (503). ``lateness`` tells by how many
    seconds the clock here runs late (a forgery).
    """

    def __init__(self, state: Path, *, clock: Callable[[], float], faults: Faults, lateness: Callable[[], int]) -> None:
        self.authority = Authority(state, name="rehearsal-tsa", clock=clock)
        self._key = ec_key(state / "timestamping.pem", ec.SECP256R1())
        self.certificate = x509.load_pem_x509_certificate(settle(state / "timestamping.crt", self._certify))
        self._clock = clock
        self._faults = faults
        self._lateness = lateness

    @property
    def chain(self) -> list[x509.Certificate]:
        """The certificate that time stamps are signed with, then its issuers up to the root."""
        return [self.certificate, *self.authority.chain]

    def handle(self, request: Request) -> Response:
        """Answer a time-stamp query; any path is ours, the host decides where we are."""
        if request.method != "POST":
            return refusal(RefusedError("method not allowed", status=405))
        if self._faults.take("sigstore", TIMESTAMP_KINDS):
            return refusal(RefusedError("the time-stamp authority is down", status=503))
        try:
            wanted = TimestampRequest.parse(request.body)
        except RefusedError as error:
            return refusal(error)
        return Response(status=201, headers={"Content-Type": "application/timestamp-reply"}, body=self.reply(wanted))

    def reply(self, wanted: TimestampRequest) -> bytes:
        """A granted TimeStampResp in DER."""
        moment = self._clock() + self._lateness()
        info = der.sequence(
            der.integer(1),
            der.object_identifier(_POLICY),
            wanted.imprint,
            der.integer(secrets.randbits(63) | 1),
            der.generalized_time(moment),
            der.sequence(der.integer(1)),
            b"" if wanted.nonce is None else der.integer(wanted.nonce),
            der.explicit(0, der.explicit(4, self.certificate.subject.public_bytes())),
        )
        token = der.sequence(
            der.object_identifier(_SIGNED_DATA),
            der.explicit(0, self._signed_data(info, moment, certificates=wanted.certificates)),
        )
        return der.sequence(der.sequence(der.integer(0)), token)

    def _signed_data(self, info: bytes, moment: float, *, certificates: bool) -> bytes:
        chain = [one.public_bytes(serialization.Encoding.DER) for one in self.chain]
        return der.sequence(
            der.integer(3),
            der.set_of([_sha256()]),
            der.sequence(der.object_identifier(_TST_INFO), der.explicit(0, der.octets(info))),
            der.set_of(chain, tag=0xA0) if certificates else b"",
            der.set_of([self._signer_info(info, moment)]),
        )

    def _signer_info(self, info: bytes, moment: float) -> bytes:
        attributes = [
            _attribute(_CONTENT_TYPE, der.object_identifier(_TST_INFO)),
            _attribute(_SIGNING_TIME, der.utc_time(moment)),
            _attribute(_MESSAGE_DIGEST, der.octets(hashlib.sha256(info).digest())),
            _attribute(_SIGNING_CERTIFICATE_V2, self._certificate_reference()),
        ]
        issuer = self.certificate.issuer.public_bytes()
        # The signature covers the attributes as a SET OF, though they travel under an implicit tag (RFC 5652, 5.4).
        signature = self._key.sign(der.set_of(attributes), ec.ECDSA(hashes.SHA256()))
        return der.sequence(
            der.integer(1),
            der.sequence(issuer, der.integer(self.certificate.serial_number)),
            _sha256(),
            der.set_of(attributes, tag=0xA0),
            der.sequence(der.object_identifier(_ECDSA_WITH_SHA256)),
            der.octets(signature),
        )

    def _certificate_reference(self) -> bytes:
        """SigningCertificateV2 with one ESSCertIDv2; SHA-256 is its default and so is not written."""
        digest = hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).digest()
        issuer = der.sequence(der.explicit(4, self.certificate.issuer.public_bytes()))
        serial = der.integer(self.certificate.serial_number)
        return der.sequence(der.sequence(der.sequence(der.octets(digest), der.sequence(issuer, serial))))

    def _certify(self) -> bytes:
        issuer = self.authority.certificate
        issuer_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        public = self._key.public_key()
        organization = issuer.subject.rdns[0]
        name = x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rehearsal-tsa-signer")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([organization, name]))
            .serial_number(x509.random_serial_number())
            .not_valid_before(issuer.not_valid_before_utc)
            .not_valid_after(issuer.not_valid_after_utc - timedelta(days=1))
            .public_key(public)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=False,
                    crl_sign=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False)
        )
        return self.authority.sign(builder).public_bytes(serialization.Encoding.PEM)


def _sha256() -> bytes:
    return der.sequence(der.object_identifier(_SHA256), _NULL)


def _attribute(oid: str, value: bytes) -> bytes:
    return der.sequence(der.object_identifier(oid), der.set_of([value]))
