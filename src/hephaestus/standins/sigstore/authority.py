"""Fulcio: a certificate authority that turns an identity token into a certificate for ten minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hephaestus.standins.http import Request, Response
from hephaestus.standins.identity import Issuer, TokenRejected
from hephaestus.standins.keys import ec_key, settle
from hephaestus.standins.sigstore import der
from hephaestus.standins.sigstore.answers import RefusedError, answer_json, decoded, read_json, refusal
from hephaestus.standins.sigstore.ctlog import CertificateLog
from hephaestus.standins.sigstore.forgeries import Forgery, Strike

__all__ = ["LEAF_LIFETIME", "Authority", "Fulcio"]

LEAF_LIFETIME = timedelta(minutes=10)
_AUTHORITY_LIFETIME = timedelta(days=3650)
_BACKDATED = timedelta(days=1)
_FULCIO = "1.3.6.1.4.1.57264.1"
_GITHUB = "https://github.com"


class Authority:
    """A root and an intermediate certificate with their P-384 keys, kept in ``state``."""

    def __init__(self, state: Path, *, name: str, clock: Callable[[], float]) -> None:
        root_key = ec_key(state / "root.pem", ec.SECP384R1())
        self.key = ec_key(state / "intermediate.pem", ec.SECP384R1())
        now = _moment(clock())

        def root() -> bytes:
            subject = _name(name)
            return _pem(_authority(subject, subject, root_key, root_key, now, path_length=1))

        self.root = x509.load_pem_x509_certificate(settle(state / "root.crt", root))

        def intermediate() -> bytes:
            subject = _name(f"{name}-intermediate")
            return _pem(_authority(subject, self.root.subject, self.key, root_key, now, path_length=0))

        self.certificate = x509.load_pem_x509_certificate(settle(state / "intermediate.crt", intermediate))

    @property
    def chain(self) -> list[x509.Certificate]:
        """What issues leaves, then what issued that."""
        return [self.certificate, self.root]

    def sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """The certificate that ``builder`` describes, issued here."""
        return builder.issuer_name(self.certificate.subject).sign(self.key, hashes.SHA384())


class Fulcio:
    """Answers Fulcio's API v2 at the root of a host.

    ``strike`` is asked once per certificate; ``issued`` is told which forgery, if any, the certificate carries.
    """

    def __init__(
        self,
        authority: Authority,
        *,
        ctlog: CertificateLog,
        issuer: Issuer,
        strike: Strike,
        issued: Callable[[Forgery | None], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.authority = authority
        self._ctlog = ctlog
        self._issuer = issuer
        self._strike = strike
        self._issued = issued
        self._clock = clock

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            match request.method, request.path:
                case "POST", "/api/v2/signingCert":
                    return self._certify(request)
                case "GET", "/api/v2/trustBundle":
                    chain = {"certificates": [_pem(one).decode() for one in self.authority.chain]}
                    return answer_json({"chains": [chain]})
                case "GET", "/api/v2/configuration":
                    issuer = {
                        "issuerUrl": self._issuer.issuer,
                        "audience": "sigstore",
                        "challengeClaim": "sub",
                        "spiffeTrustDomain": "",
                    }
                    return answer_json({"issuers": [issuer]})
            raise RefusedError("not found", status=404)
        except RefusedError as error:
            return refusal(error)

    def _certify(self, request: Request) -> Response:
        wanted = read_json(request.body)
        try:
            claims = self._issuer.verify(_identity_token(request, wanted), "sigstore")
        except TokenRejected as error:
            message = f"There was an error processing the identity token: {error.reason}"
            raise RefusedError(message, status=401) from error
        csr = _signing_request(decoded(wanted.get("certificateSigningRequest"), "certificateSigningRequest"))
        subject, extensions = _subject(claims)
        forgery = self._strike()
        if forgery is Forgery.REFUSE_CERTIFICATE:
            raise RefusedError("error creating certificate", status=500)
        leaf, chain = self._leaf(csr, subject, extensions, forgery)
        self._issued(forgery)
        certificates = {"certificates": [_pem(one).decode() for one in (leaf, *chain)]}
        return answer_json({"signedCertificateEmbeddedSct": {"chain": certificates}})

    def _leaf(
        self,
        csr: x509.CertificateSigningRequest,
        subject: x509.GeneralName,
        extensions: dict[str, bytes],
        forgery: Forgery | None,
    ) -> tuple[x509.Certificate, list[x509.Certificate]]:
        authority = self.authority
        if forgery is Forgery.SELF_SIGNED:
            authority = _Stranger(authority.certificate.subject, _moment(self._clock()))
        now = self._clock()
        start = _moment(now)
        public = csr.public_key()
        issuer_id = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + LEAF_LIFETIME)
            .public_key(public)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False)
            .add_extension(x509.SubjectAlternativeName([subject]), critical=True)
        )
        for oid, value in extensions.items():
            raw = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
            builder = builder.add_extension(raw, critical=False)
        precertificate = authority.sign(builder)
        if forgery is Forgery.MISSING_SCT:
            return precertificate, authority.chain
        stranger = ec.generate_private_key(ec.SECP256R1()) if forgery is Forgery.WRONG_SCT else None
        promise = self._ctlog.extension(precertificate, issuer=authority.key, moment=now, key=stranger)
        # Verifiers take this extension out again and must arrive at the bytes that the log signed:
        # it goes last, and everything before it comes from the same builder.
        return authority.sign(builder.add_extension(promise, critical=False)), authority.chain


class _Stranger(Authority):
    """An authority under the same name that nobody trusts: its certificate is signed by its own key."""

    def __init__(self, subject: x509.Name, now: datetime) -> None:
        self.key = ec.generate_private_key(ec.SECP384R1())
        self.certificate = self.root = _authority(subject, subject, self.key, self.key, now, path_length=0)


def _identity_token(request: Request, wanted: dict[str, Any]) -> str:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer:
        return bearer.strip()
    match wanted.get("credentials"):
        case {"oidcIdentityToken": str(token)}:
            return token
    raise RefusedError("an identity token is needed", status=401)


def _signing_request(pem: bytes) -> x509.CertificateSigningRequest:
    try:
        csr = x509.load_pem_x509_csr(pem)
        proven = csr.is_signature_valid
        key = csr.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise RefusedError("the certificate signing request is malformed") from error
    if not proven:
        raise RefusedError("the certificate signing request does not prove possession of its key")
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise RefusedError("only ECDSA keys are certified here")
    return csr


def _subject(claims: dict[str, Any]) -> tuple[x509.GeneralName, dict[str, bytes]]:
    """Subject and Fulcio's extensions (its oid-info) for a token's claims; raises RefusedError."""
    issuer = claims["iss"]
    common = {f"{_FULCIO}.1": issuer.encode(), f"{_FULCIO}.8": der.utf8(issuer)}
    if claims.get("email"):
        if claims.get("email_verified") is not True:
            raise RefusedError("email_verified claim was false", status=401)
        return x509.RFC822Name(str(claims["email"])), common
    try:
        repository = f"{_GITHUB}/{claims['repository']}"
        raw = {
            2: claims["event_name"],
            3: claims["sha"],
            4: claims["workflow"],
            5: claims["repository"],
            6: claims["ref"],
        }
        encoded = {
            9: f"{_GITHUB}/{claims['job_workflow_ref']}",
            10: claims["job_workflow_sha"],
            11: claims["runner_environment"],
            12: repository,
            13: claims["sha"],
            14: claims["ref"],
            15: claims["repository_id"],
            16: f"{_GITHUB}/{claims['repository_owner']}",
            17: claims["repository_owner_id"],
            18: f"{_GITHUB}/{claims['workflow_ref']}",
            19: claims["workflow_sha"],
            20: claims["event_name"],
            21: f"{repository}/actions/runs/{claims['run_id']}/attempts/{claims['run_attempt']}",
            22: claims["repository_visibility"],
        }
    except KeyError as error:
        raise RefusedError(f"the token lacks the claim {error.args[0]}", status=401) from error
    extensions = {
        **common,
        **{f"{_FULCIO}.{number}": str(value).encode() for number, value in raw.items()},
        **{f"{_FULCIO}.{number}": der.utf8(str(value)) for number, value in encoded.items()},
    }
    ordered = sorted(extensions.items(), key=lambda item: int(item[0].rpartition(".")[2]))
    return x509.UniformResourceIdentifier(encoded[9]), dict(ordered)


def _authority(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    *,
    path_length: int,
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _AUTHORITY_LIFETIME)
        .public_key(key.public_key())
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA384())
    )


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "rehearsal.invalid"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
