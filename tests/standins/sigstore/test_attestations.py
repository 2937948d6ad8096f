"""PEP 740 attestations, made and checked by the unmodified pypi-attestations library."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pypi_attestations import Attestation, Distribution, GitHubPublisher
from sigstore.errors import Error as SigstoreError
from sigstore.errors import VerificationError
from sigstore.models import ClientTrustConfig, TrustedRoot
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from sigstore.verify import Verifier

from hephaestus.standins.faults import Fault
from hephaestus.standins.sigstore import CarelessSigner, Serving

pytestmark = pytest.mark.conformance
CONTENT = b"not really a wheel"
WHEEL = Distribution(name="hephaestus_toolkit-0.2.5-py3-none-any.whl", digest=hashlib.sha256(CONTENT).hexdigest())


def attest(stand_in: Serving, *, version: int = 1) -> Attestation:
    config = ClientTrustConfig.from_json(stand_in.trust_config.read_text())
    config.force_tlog_version = version
    with SigningContext.from_trust_config(config).signer(IdentityToken(stand_in.token())) as signer:
        return Attestation.sign(signer, WHEEL)


def verify(
    stand_in: Serving,
    attestation: Attestation,
    *,
    repository: str = "IAmJonoBo/Hephaestus",
    workflow: str = "publish-pypi.yml",
) -> dict[str, object]:
    """The subject of an attestation that is valid under this publisher; raises VerificationError."""
    verifier = Verifier(trusted_root=TrustedRoot.from_file(str(stand_in.trusted_root)))
    publisher = GitHubPublisher(repository=repository, workflow=workflow)
    _, payload = verifier.verify_dsse(attestation.to_bundle(), publisher._as_policy())
    statement = json.loads(payload)
    assert statement["predicateType"] == "https://docs.pypi.org/attestations/publish/v1"
    (subject,) = statement["subject"]
    return dict(subject)


def test_an_attestation_holds_for_its_publisher(stand_in: Serving) -> None:
    """Signed under log v1, read back from JSON, it verifies for repository and workflow and names the file."""
    attestation = Attestation.model_validate_json(attest(stand_in).model_dump_json())
    subject = verify(stand_in, attestation)
    assert subject == {"name": WHEEL.name, "digest": {"sha256": WHEEL.digest}}
    assert attestation.certificate_claims["1.3.6.1.4.1.57264.1.14"] == "refs/tags/v0.2.5"
    with pytest.raises(VerificationError):
        verify(stand_in, attestation, workflow="ci.yml")
    with pytest.raises(VerificationError):
        verify(stand_in, attestation, repository="someone/else")


def test_an_attestation_needs_log_version_1(stand_in: Serving) -> None:
    """Under v2 signing succeeds and verifying fails: an attestation has no place for a time stamp."""
    with pytest.raises(SigstoreError, match="signed timestamp"):
        verify(stand_in, attest(stand_in, version=2))


def test_the_careless_signer_attests_too(stand_in: Serving) -> None:
    """Its attestation is valid without a fault, so what a forged one fails by is the forgery."""
    signer = CarelessSigner(stand_in.sigstore, stand_in.token(), version=1)
    made = signer.publish_attestation(WHEEL.name, WHEEL.digest)
    assert verify(stand_in, Attestation.model_validate(made))["name"] == WHEEL.name


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("wrong-inclusion-proof", "inclusion proof"),
        ("wrong-checkpoint-key", "checkpoint"),
        ("self-signed", "certificate chain"),
        ("expired-certificate", "certificate chain|expired"),
        ("missing-sct", "signed certificate timestamp"),
        ("wrong-sct", "SCT verify failed"),
    ],
)
def test_forged_attestations_are_refused(stand_in: Serving, kind: str, message: str) -> None:
    """Each forgery, made as an attestation, fails by what it is named after."""
    stand_in.faults.arm([Fault.parse(f"sigstore:{kind}")])
    signer = CarelessSigner(stand_in.sigstore, stand_in.token(), version=1)
    made = Attestation.model_validate(signer.publish_attestation(WHEEL.name, WHEEL.digest))
    with pytest.raises(VerificationError, match=message):
        verify(stand_in, made)


def test_an_attestation_without_a_log_entry_is_none(stand_in: Serving) -> None:
    """no-log-entry: the format itself refuses an empty list of entries."""
    stand_in.faults.arm([Fault.parse("sigstore:no-log-entry")])
    signer = CarelessSigner(stand_in.sigstore, stand_in.token(), version=1)
    made = signer.publish_attestation(WHEEL.name, WHEEL.digest)
    with pytest.raises(ValueError, match="transparency_entries"):
        Attestation.model_validate(made)


def test_the_command_line_verifies_with_a_pinned_root(stand_in: Serving, tmp_path: Path) -> None:
    """``pypi-attestations verify attestation --offline`` takes our root from a client cache that holds it.

    The command knows no trust configuration; the cache is the one way in for an unmodified client.
    """
    wheel = tmp_path / WHEEL.name
    wheel.write_bytes(CONTENT)
    attestation = tmp_path / f"{WHEEL.name}.publish.attestation"
    attestation.write_text(attest(stand_in).model_dump_json())
    cache = tmp_path / "cache" / "sigstore-python" / "tuf" / "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"

    def verified() -> subprocess.CompletedProcess[str]:
        who = ("--identity", stand_in.identity.certificate_identity)
        return subprocess.run(
            [sys.executable, "-m", "pypi_attestations", "verify", "attestation", "--offline", *who, str(wheel)],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    assert verified().returncode == 1
    config = json.loads(stand_in.trust_config.read_text())
    (cache / "trusted_root.json").write_text(json.dumps(config["trustedRoot"]))
    (cache / "signing_config.v0.2.json").write_text(json.dumps(config["signingConfig"]))
    child = verified()
    assert child.returncode == 0, child.stderr
    wheel.write_bytes(b"other bytes")
    assert verified().returncode == 1
