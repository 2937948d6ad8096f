"""The real verifier: attestations of a stand-in Sigstore, judged by sigstore's own library at upload."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pypi_attestations import Provenance
from sigstore.errors import VerificationError
from standins.index.bench import Bench
from standins.index.distributions import make_wheel

from hephaestus.standins.faults import Fault
from hephaestus.standins.identity import WorkflowIdentity
from hephaestus.standins.index import Index, PublisherConfig, sigstore_verifier
from hephaestus.standins.index.attestations import VerifyAttestation, WorkflowPolicy
from hephaestus.standins.sigstore import CarelessSigner, Serving, serving

pytestmark = pytest.mark.conformance

IDENTITY = WorkflowIdentity(
    repository="Owner/repo", workflow="publish-pypi.yml", ref="refs/tags/v1.0", sha="0" * 40, environment="pypi"
)
PUBLISHER = PublisherConfig(project="tiny-thing", repository="Owner/repo", workflow="publish-pypi.yml")
NAME, DIGEST = "tiny_thing-1.0-py3-none-any.whl", hashlib.sha256(b"wheel").hexdigest()


@pytest.fixture(scope="module")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One Sigstore for all of these tests."""
    with serving(tmp_path_factory.mktemp("sigstore"), IDENTITY) as running:
        yield running


@pytest.fixture(scope="module")
def verify(sigstore: Serving) -> VerifyAttestation:
    """The verifier, with the trusted root as a document."""
    return sigstore_verifier(sigstore.sigstore.trusted_root())


def signed(sigstore: Serving, name: str = NAME, digest: str = DIGEST, *, version: int = 1) -> bytes:
    """An attestation as it lies beside a distribution."""
    signer = CarelessSigner(sigstore.sigstore, sigstore.token(), version=version)
    return json.dumps(signer.publish_attestation(name, digest)).encode()


def test_a_good_attestation_holds(sigstore: Serving, verify: VerifyAttestation) -> None:
    """Right workflow, name and digest: nothing is raised; the root may be a file too."""
    verify(signed(sigstore), NAME, DIGEST, PUBLISHER)
    sigstore_verifier(sigstore.trusted_root)(signed(sigstore), NAME, DIGEST, PUBLISHER)


@pytest.mark.parametrize(
    ("name", "digest", "publisher", "words"),
    [
        ("other-1.0-py3-none-any.whl", DIGEST, PUBLISHER, "subject does not match distribution name"),
        (NAME, "0" * 64, PUBLISHER, "subject does not match distribution digest"),
        (NAME, DIGEST, replace(PUBLISHER, repository="Owner/other"), "repository is"),
        (NAME, DIGEST, replace(PUBLISHER, workflow="ci.yml"), "workflow is"),
    ],
)
def test_what_it_was_not_made_for(
    sigstore: Serving, verify: VerifyAttestation, name: str, digest: str, publisher: PublisherConfig, words: str
) -> None:
    """Another file, other bytes, another repository or workflow: refused, and said which."""
    with pytest.raises(ValueError, match=words):
        verify(signed(sigstore), name, digest, publisher)


@pytest.mark.parametrize("kind", ["wrong-inclusion-proof", "self-signed", "missing-sct"])
def test_forgeries_are_refused(sigstore: Serving, verify: VerifyAttestation, kind: str) -> None:
    """What sigstore's own library finds wrong is a ValueError."""
    sigstore.faults.arm([Fault.parse(f"sigstore:{kind}")])
    forged = signed(sigstore)
    sigstore.faults.arm([])
    with pytest.raises(ValueError, match=r"\w"):
        verify(forged, NAME, DIGEST, PUBLISHER)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"version": 1}'])
def test_noise_is_refused(verify: VerifyAttestation, content: bytes) -> None:
    """What is no attestation is a ValueError, not a traceback of another library."""
    with pytest.raises(ValueError, match=r"\w"):
        verify(content, NAME, DIGEST, PUBLISHER)


def test_log_version_2_and_another_root_are_refused(
    sigstore: Serving, verify: VerifyAttestation, tmp_path: Path
) -> None:
    """An attestation has no place for a time stamp, so it needs log v1; and it needs this very trusted root."""
    with pytest.raises(ValueError, match="timestamp"):
        verify(signed(sigstore, version=2), NAME, DIGEST, PUBLISHER)
    with serving(tmp_path / "other", IDENTITY) as other, pytest.raises(ValueError, match=r"\w"):
        verify(signed(other), NAME, DIGEST, PUBLISHER)


def test_a_missing_root_is_not_the_uploaders_fault(sigstore: Serving, tmp_path: Path) -> None:
    """A trusted root that cannot be read is an OSError, which the index answers as its own trouble."""
    with pytest.raises(OSError, match="No such file"):
        sigstore_verifier(tmp_path / "missing.json")(signed(sigstore), NAME, DIGEST, PUBLISHER)


def certificate(**claims: str) -> x509.Certificate:
    """A certificate with Fulcio's extensions: issuer, source repository, ref and build configuration."""
    numbers = {"issuer": 8, "source": 12, "ref": 14, "config": 18}
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(minutes=10))
    )
    for name, text in claims.items():
        value = text.encode()
        length = bytes([len(value)]) if len(value) < 128 else bytes([0x81, len(value)])
        oid = x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{numbers[name]}")
        unrecognized = x509.UnrecognizedExtension(oid, b"\x0c" + length + value)
        builder = builder.add_extension(unrecognized, critical=False)
    return builder.sign(key, hashes.SHA256())


GOOD = {
    "issuer": "https://token.actions.githubusercontent.com",
    "source": "https://github.com/Owner/repo",
    "ref": "refs/tags/v1.0",
    "config": "https://github.com/Owner/repo/.github/workflows/publish-pypi.yml@refs/tags/v1.0",
}


def test_the_policy_on_certificates() -> None:
    """Each claim is needed and compared: another or a missing one is refused, also a very long reference taken."""
    policy = WorkflowPolicy(PUBLISHER)
    policy.verify(certificate(**GOOD))
    long = "refs/tags/" + "v" * 90
    policy.verify(certificate(**{**GOOD, "ref": long, "config": GOOD["config"].partition("@")[0] + "@" + long}))
    spoiled = [{**GOOD, name: f"{value}x"} for name, value in GOOD.items()]
    spoiled += [{key: value for key, value in GOOD.items() if key != name} for name in GOOD]
    for claims in spoiled:
        with pytest.raises(VerificationError, match="the certificate's"):
            policy.verify(certificate(**claims))


def test_uploaded_and_read_back(sigstore: Serving, verify: VerifyAttestation, tmp_path: Path) -> None:
    """Through the whole upload: wrong bytes are refused, right ones stored, the provenance parses as PEP 740's."""
    bench = Bench(tmp_path / "index")
    bench.index = Index(
        "pypi",
        tmp_path / "real",
        verify_token=sigstore.issuer.verify,
        verify_attestation=verify,
        publishers=(PUBLISHER,),
    )
    status, answer = bench.post("/_/oidc/mint-token", {"token": sigstore.token("pypi")})
    assert status == 200, answer
    path = make_wheel(tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    stranger, ours = (json.loads(signed(sigstore, digest=value)) for value in (DIGEST, digest))
    refused = bench.upload(path, answer["token"], attestations=json.dumps([stranger]))
    assert (refused.reason or "").startswith("Invalid attestations supplied during upload: Could not verify")
    assert bench.upload(path, answer["token"], attestations=json.dumps([ours])).status == 200
    page = bench.get(f"/integrity/tiny-thing/1.0/{path.name}/provenance")
    (bundle,) = Provenance.model_validate_json(page.body).attestation_bundles
    assert bundle.publisher.kind == "GitHub"
    assert len(bundle.attestations) == 1


def test_the_index_checks_who_signed_the_identity_token(sigstore: Serving, tmp_path: Path) -> None:
    """Another audience and noise are invalid-token through the real issuer's check."""
    bench = Bench(tmp_path / "index")
    bench.index = Index(
        "pypi", tmp_path / "real", verify_token=sigstore.issuer.verify, verify_attestation=lambda *_: None
    )
    for token in (sigstore.token("testpypi"), "x.y.z"):
        status, answer = bench.post("/_/oidc/mint-token", {"token": token})
        assert (status, answer["errors"][0]["code"]) == (422, "invalid-token")
