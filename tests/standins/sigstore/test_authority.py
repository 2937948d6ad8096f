"""Fulcio: whom it certifies, what the certificate says, and whom it turns away."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.certificate_transparency import LogEntryType
from cryptography.x509.oid import ExtendedKeyUsageOID

from hephaestus.standins.http import Request, Response
from hephaestus.standins.identity import GITHUB_ISSUER, Issuer, WorkflowIdentity
from hephaestus.standins.sigstore import Sigstore, der


class Clock:
    """Seconds that pass only when told."""

    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(tmp_path: Path, clock: Clock) -> Issuer:
    return Issuer(tmp_path, clock=clock)


@pytest.fixture
def sigstore(tmp_path: Path, clock: Clock, issuer: Issuer) -> Sigstore:
    return Sigstore(tmp_path, issuer=issuer, clock=clock)


def signing_request(key: Any = None) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def ask(sigstore: Sigstore, token: str, pem: bytes | None = None, **body: object) -> Response:
    wanted = {"certificateSigningRequest": base64.b64encode(pem or signing_request()).decode(), **body}
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return sigstore.fulcio(
        Request(method="POST", path="/api/v2/signingCert", headers=headers, body=json.dumps(wanted).encode())
    )


def chain(answer: Response) -> list[x509.Certificate]:
    assert answer.status == 200, answer.body
    pems = json.loads(answer.body)["signedCertificateEmbeddedSct"]["chain"]["certificates"]
    return [x509.load_pem_x509_certificate(pem.encode()) for pem in pems]


def claim(certificate: x509.Certificate, number: int) -> str:
    oid = x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{number}")
    raw = certificate.extensions.get_extension_for_oid(oid).value.public_bytes()
    return raw.decode() if number <= 6 else der.only_element(raw, 0x0C).decode()


def test_the_certificate_says_who_and_for_ten_minutes(
    sigstore: Sigstore, issuer: Issuer, identity: WorkflowIdentity, clock: Clock
) -> None:
    """Subject, key, validity, usage and chain are those of a Fulcio certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf, intermediate, root = chain(ask(sigstore, issuer.token(identity, "sigstore"), signing_request(key)))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert list(names.value) == [x509.UniformResourceIdentifier(identity.certificate_identity)]
    assert leaf.public_key() == key.public_key()
    assert leaf.not_valid_before_utc.timestamp() == clock.now
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(minutes=10)
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CODE_SIGNING]
    leaf.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)


def test_the_certificate_carries_githubs_claims(sigstore: Sigstore, issuer: Issuer, identity: WorkflowIdentity) -> None:
    """Every extension of Fulcio's list for GitHub is there, from .1 to .22 without .7."""
    leaf = chain(ask(sigstore, issuer.token(identity, "sigstore")))[0]
    github, workflow = "https://github.com", identity.certificate_identity
    expected = {
        1: GITHUB_ISSUER,
        2: "release",
        3: identity.sha,
        4: "Publish",
        5: "IAmJonoBo/Hephaestus",
        6: "refs/tags/v0.2.5",
        8: GITHUB_ISSUER,
        9: workflow,
        10: identity.sha,
        11: "github-hosted",
        12: f"{github}/IAmJonoBo/Hephaestus",
        13: identity.sha,
        14: "refs/tags/v0.2.5",
        15: "42",
        16: f"{github}/IAmJonoBo",
        17: "7",
        18: workflow,
        19: identity.sha,
        20: "release",
        21: f"{github}/IAmJonoBo/Hephaestus/actions/runs/1/attempts/1",
        22: "public",
    }
    assert {number: claim(leaf, number) for number in expected} == expected
    prefix = "1.3.6.1.4.1.57264.1."
    found = [one.oid.dotted_string for one in leaf.extensions if one.oid.dotted_string.startswith(prefix)]
    assert found == [f"{prefix}{number}" for number in expected]


def test_an_embedded_timestamp_is_last_and_of_a_precertificate(
    sigstore: Sigstore, issuer: Issuer, identity: WorkflowIdentity, clock: Clock
) -> None:
    """One SCT, as the last extension, naming the log of the trusted root and the time of issue."""
    leaf = chain(ask(sigstore, issuer.token(identity, "sigstore")))[0]
    extension = list(leaf.extensions)[-1]
    assert isinstance(extension.value, x509.PrecertificateSignedCertificateTimestamps)
    assert not extension.critical
    (timestamp,) = extension.value
    log_id = sigstore.trusted_root()["ctlogs"][0]["logId"]["keyId"]
    assert timestamp.log_id == base64.b64decode(log_id)
    assert timestamp.entry_type is LogEntryType.PRE_CERTIFICATE
    assert timestamp.timestamp.replace(tzinfo=leaf.not_valid_before_utc.tzinfo) == leaf.not_valid_before_utc


def test_a_token_in_the_body_is_taken_too(sigstore: Sigstore, issuer: Issuer, identity: WorkflowIdentity) -> None:
    """Fulcio's API takes the token as credentials in the body as well."""
    token = issuer.token(identity, "sigstore")
    assert chain(ask(sigstore, "", credentials={"oidcIdentityToken": token}))


def test_a_person_is_certified_by_e_mail(sigstore: Sigstore, issuer: Issuer) -> None:
    """A token with a verified e-mail address yields that address as the subject; an unverified one nothing."""
    person = {"sub": "1", "email": "who@example.invalid", "email_verified": True}
    leaf = chain(ask(sigstore, issuer.token(person, "sigstore")))[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.RFC822Name("who@example.invalid")]
    assert ask(sigstore, issuer.token({**person, "email_verified": False}, "sigstore")).status == 401


def test_bad_tokens_are_turned_away(
    sigstore: Sigstore, issuer: Issuer, identity: WorkflowIdentity, tmp_path: Path, clock: Clock
) -> None:
    """No token, a stranger's, one for another audience, an expired one and one without claims: all 401."""
    stranger = Issuer(tmp_path / "stranger", clock=clock)
    assert ask(sigstore, "").status == 401
    assert ask(sigstore, stranger.token(identity, "sigstore")).status == 401
    assert ask(sigstore, issuer.token(identity, "pypi")).status == 401
    lacking = ask(sigstore, issuer.token({"sub": "nobody"}, "sigstore"))
    assert lacking.status == 401
    assert "lacks the claim repository" in json.loads(lacking.body)["message"]
    expired = issuer.token(identity, "sigstore")
    clock.now += 400
    answer = ask(sigstore, expired)
    assert answer.status == 401
    assert "expired" in json.loads(answer.body)["message"]


def test_possession_of_the_key_must_be_proven(sigstore: Sigstore, issuer: Issuer, identity: WorkflowIdentity) -> None:
    """A signing request whose signature is of another key, a broken one, and an RSA one are refused."""
    token = issuer.token(identity, "sigstore")
    raw = x509.load_pem_x509_csr(signing_request()).public_bytes(serialization.Encoding.DER)
    bent = raw[:-1] + bytes([raw[-1] ^ 1])
    pem = b"-----BEGIN CERTIFICATE REQUEST-----\n%b-----END CERTIFICATE REQUEST-----\n"
    answer = ask(sigstore, token, pem % base64.encodebytes(bent))
    assert answer.status == 400
    assert "does not prove possession" in json.loads(answer.body)["message"]
    assert ask(sigstore, token, b"rubbish").status == 400
    assert ask(sigstore, token, signing_request(rsa.generate_private_key(65537, 2048))).status == 400


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"{}", b'{"certificateSigningRequest": 1}', b'{"certificateSigningRequest": "?"}']
)
def test_malformed_requests_are_refused(
    sigstore: Sigstore, issuer: Issuer, identity: WorkflowIdentity, body: bytes
) -> None:
    """Whatever is no request is answered 400 with a message, never 500."""
    headers = {"authorization": f"Bearer {issuer.token(identity, 'sigstore')}"}
    answer = sigstore.fulcio(Request(method="POST", path="/api/v2/signingCert", headers=headers, body=body))
    assert answer.status == 400
    assert json.loads(answer.body)["message"]


def test_trust_bundle_and_configuration(sigstore: Sigstore) -> None:
    """The chain can be fetched and is the one of the trusted root; unknown paths are 404."""
    bundle = json.loads(sigstore.fulcio(Request(method="GET", path="/api/v2/trustBundle")).body)
    pems = bundle["chains"][0]["certificates"]
    kept = sigstore.trusted_root()["certificateAuthorities"][0]["certChain"]["certificates"]
    ders = [x509.load_pem_x509_certificate(pem.encode()).public_bytes(serialization.Encoding.DER) for pem in pems]
    assert ders == [base64.b64decode(one["rawBytes"]) for one in kept]
    configuration = json.loads(sigstore.fulcio(Request(method="GET", path="/api/v2/configuration")).body)
    assert configuration["issuers"][0]["issuerUrl"] == GITHUB_ISSUER
    assert sigstore.fulcio(Request(method="GET", path="/")).status == 404
