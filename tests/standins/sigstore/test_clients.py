"""The unmodified command lines of sigstore, as a job of the workflow would run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hephaestus.standins.faults import Fault
from hephaestus.standins.identity import GITHUB_ISSUER, WorkflowIdentity
from hephaestus.standins.sigstore import Serving

pytestmark = pytest.mark.conformance
RunSigstore = Callable[..., "subprocess.CompletedProcess[str]"]


def artifacts(folder: Path, count: int) -> list[Path]:
    files = [folder / f"artifact-{number}.txt" for number in range(count)]
    for file in files:
        file.write_text(file.name)
    return files


@pytest.mark.parametrize("version", [None, 1, 2])
def test_seven_files_by_ambient_identity(
    stand_in: Serving, run_sigstore: RunSigstore, tmp_path: Path, version: int | None
) -> None:
    """Seven files are signed in one run by the job's ambient identity and verify by its claims; v2 is default."""
    files, bundles = artifacts(tmp_path, 7), tmp_path / "bundles"
    chosen = [] if version is None else ["--rekor-version", version]
    signed = run_sigstore(
        "--trust-config",
        stand_in.trust_config,
        "sign",
        *chosen,
        "--output-directory",
        bundles,
        *files,
        environment=stand_in.environment("pypi"),
    )
    assert signed.returncode == 0, signed.stderr
    entries = [json.loads(bundle.read_text())["verificationMaterial"]["tlogEntries"][0] for bundle in bundles.iterdir()]
    assert sorted(int(entry["logIndex"]) for entry in entries) == list(range(7))
    assert {entry["kindVersion"]["version"] for entry in entries} == {"0.0.1" if version == 1 else "0.0.2"}
    # verify looks for bundles only beside the files.
    for bundle in list(bundles.iterdir()):
        bundle.rename(tmp_path / bundle.name)
    by_claims = run_sigstore(
        "--trust-config",
        stand_in.trust_config,
        "verify",
        "github",
        "--repository",
        stand_in.identity.repository,
        "--ref",
        stand_in.identity.ref,
        "--sha",
        stand_in.identity.sha,
        "--name",
        stand_in.identity.workflow_name,
        "--trigger",
        stand_in.identity.event_name,
        *files,
    )
    assert by_claims.returncode == 0, by_claims.stderr
    assert by_claims.stdout.count("OK: ") + by_claims.stderr.count("OK: ") == 7


def test_one_file_and_who_it_is_not(stand_in: Serving, run_sigstore: RunSigstore, tmp_path: Path) -> None:
    """One file verifies under its identity, and not under another workflow, repository, ref, or content."""
    (file,) = artifacts(tmp_path, 1)
    config = ("--trust-config", stand_in.trust_config)
    assert run_sigstore(*config, "sign", file, environment=stand_in.environment()).returncode == 0
    who, issuer = stand_in.identity.certificate_identity, ("--cert-oidc-issuer", GITHUB_ISSUER)

    def verified(*arguments: str) -> int:
        return run_sigstore(*config, "verify", *arguments, file).returncode

    assert verified("identity", "--cert-identity", who, *issuer) == 0
    assert verified("identity", "--cert-identity", who.replace("publish-pypi", "ci"), *issuer) == 1
    assert verified("github", "--repository", "someone/else") == 1
    assert verified("github", "--repository", stand_in.identity.repository, "--ref", "refs/heads/main") == 1
    file.write_text("changed")
    assert verified("identity", "--cert-identity", who, *issuer) == 1


@pytest.mark.parametrize(
    ("version", "reason"),
    [(1, "failed to build timestamp certificate chain"), (2, "not enough sources of verified time")],
)
def test_production_does_not_trust_a_rehearsal(
    stand_in: Serving, run_sigstore: RunSigstore, tmp_path: Path, version: int, reason: str
) -> None:
    """Under Sigstore's real trust root, embedded in the client, no rehearsal bundle verifies, v1 or v2."""
    (file,) = artifacts(tmp_path, 1)
    signed = run_sigstore(
        "--trust-config",
        stand_in.trust_config,
        "sign",
        "--rekor-version",
        version,
        file,
        environment=stand_in.environment(),
    )
    assert signed.returncode == 0, signed.stderr
    who = ("--cert-identity", stand_in.identity.certificate_identity, "--cert-oidc-issuer", GITHUB_ISSUER)
    real = run_sigstore("verify", "identity", "--offline", *who, file)
    assert real.returncode == 1, real.stdout
    assert reason in " ".join(real.stderr.split())


def test_attest(stand_in: Serving, run_sigstore: RunSigstore, tmp_path: Path) -> None:
    """An SLSA provenance statement is attested under both logs, and verifies."""
    (file,) = artifacts(tmp_path, 1)
    predicate = tmp_path / "predicate.json"
    predicate.write_text(
        json.dumps(
            {
                "buildDefinition": {"buildType": "https://example.invalid/build", "externalParameters": {}},
                "runDetails": {"builder": {"id": "https://example.invalid/builder"}},
            }
        )
    )
    config = ("--trust-config", stand_in.trust_config)
    kind = ("--predicate", predicate, "--predicate-type", "https://slsa.dev/provenance/v1")
    who = ("--cert-identity", stand_in.identity.certificate_identity, "--cert-oidc-issuer", GITHUB_ISSUER)
    # Clients before 4.3.0 send a dsse 0.0.2 entry to log v2.
    kinds = {1: {("dsse", "0.0.1")}, 2: {("hashedrekord", "0.0.2"), ("dsse", "0.0.2")}}
    for version, recorded in kinds.items():
        made = run_sigstore(
            *config,
            "attest",
            "--overwrite",
            "--rekor-version",
            version,
            *kind,
            file,
            environment=stand_in.environment(),
        )
        assert made.returncode == 0, made.stderr
        bundle = json.loads((tmp_path / f"{file.name}.sigstore.json").read_text())
        entry = bundle["verificationMaterial"]["tlogEntries"][0]["kindVersion"]
        assert (entry["kind"], entry["version"]) in recorded
        assert run_sigstore(*config, "verify", "identity", *who, file).returncode == 0


def test_a_failing_log_leaves_part_of_the_bundles(stand_in: Serving, run_sigstore: RunSigstore, tmp_path: Path) -> None:
    """The fact the sign stage is built around: one entry of six fails, five bundles lie there, exit 1."""
    stand_in.faults.arm([Fault.parse("sigstore:rekor-500@4")])
    files, bundles = artifacts(tmp_path, 6), tmp_path / "bundles"
    arguments = ("--trust-config", stand_in.trust_config, "sign", "--output-directory", bundles, *files)
    failed = run_sigstore(*arguments, environment=stand_in.environment())
    assert failed.returncode == 1
    assert len(list(bundles.iterdir())) == 5
    again = run_sigstore(*arguments, environment=stand_in.environment())
    assert again.returncode == 2
    assert "Refusing to overwrite" in again.stderr


@pytest.mark.parametrize("fault", ["oidc:no-permission", "oidc:500", "oidc:html", "oidc:expired-token"])
def test_without_a_usable_identity_nothing_is_signed(
    stand_in: Serving, run_sigstore: RunSigstore, tmp_path: Path, fault: str
) -> None:
    """When the job may not have a token, or gets a bad one, signing ends with exit 1 and no bundle."""
    stand_in.faults.arm([Fault.parse(fault)])
    (file,) = artifacts(tmp_path, 1)
    failed = run_sigstore("--trust-config", stand_in.trust_config, "sign", file, environment=stand_in.environment())
    assert failed.returncode == 1, failed.stdout
    assert not (tmp_path / f"{file.name}.sigstore.json").exists()


def test_a_job_without_permission_variables(stand_in: Serving, run_sigstore: RunSigstore, tmp_path: Path) -> None:
    """GITHUB_ACTIONS without the request variables, as in a pull request, is a hard error."""
    (file,) = artifacts(tmp_path, 1)
    failed = run_sigstore("--trust-config", stand_in.trust_config, "sign", file, environment={"GITHUB_ACTIONS": "true"})
    assert failed.returncode == 1
    assert "ACTIONS_ID_TOKEN_REQUEST_TOKEN" in failed.stderr


def test_two_identities_of_one_issuer(
    stand_in: Serving, run_sigstore: RunSigstore, tmp_path: Path, identity: WorkflowIdentity
) -> None:
    """One service serves jobs of different identities at once: each bundle names its own."""
    (file,) = artifacts(tmp_path, 1)
    other = WorkflowIdentity(repository="a/b", workflow="w.yml", ref="refs/heads/main", sha="f" * 40)
    config = ("--trust-config", stand_in.trust_config)
    signed = run_sigstore(*config, "sign", file, environment=stand_in.environment(identity=other))
    assert signed.returncode == 0, signed.stderr
    for one, code in [(other, 0), (identity, 1)]:
        who = ("--cert-identity", one.certificate_identity, "--cert-oidc-issuer", GITHUB_ISSUER)
        assert run_sigstore(*config, "verify", "identity", *who, file).returncode == code


def test_the_command_is_the_one_of_this_environment() -> None:
    """What these tests call sigstore is the package of their own environment, a version the facts cover."""
    shown = subprocess.run(
        [sys.executable, "-m", "sigstore", "--version"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.startswith("sigstore 4.")
