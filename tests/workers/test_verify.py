"""The verify worker: every way in which a signature can be true of something else, judged by the real client."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stages.releases import IDENTITY
from standins.index.distributions import make_wheel
from workers.conftest import Ask

from hephaestus.standins.faults import Fault
from hephaestus.standins.identity import WorkflowIdentity
from hephaestus.standins.sigstore import CarelessSigner, Serving

PUBLISH = "https://docs.pypi.org/attestations/publish/v1"

Results = dict[str, dict[str, Any]]


def signer(
    running: Serving, *, version: int, identity: WorkflowIdentity = IDENTITY, faults: str = ""
) -> CarelessSigner:
    running.faults.arm([Fault.parse(faults)] if faults else [])
    return CarelessSigner(running.sigstore, running.issuer.token(identity, "sigstore"), version=version)


def as_attestation(bundle: dict[str, Any]) -> dict[str, Any]:
    """A DSSE bundle in the form of PEP 740."""
    envelope, material = bundle["dsseEnvelope"], bundle["verificationMaterial"]
    return {
        "version": 1,
        "verification_material": {
            "certificate": material["certificate"]["rawBytes"],
            "transparency_entries": material["tlogEntries"],
        },
        "envelope": {"statement": envelope["payload"], "signature": envelope["signatures"][0]["sig"]},
    }


def statement(*subjects: dict[str, Any], predicate: str = PUBLISH) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": list(subjects),
        "predicateType": predicate,
        "predicate": None,
    }


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheel(tmp_path_factory.mktemp("dist"), "tiny-project", "1.2.3")


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory, running: Serving, ask_worker: Ask, subject: Path) -> Results:
    """Every variant judged in one run of the worker, by name; the exit code under ``code``."""
    folder = tmp_path_factory.mktemp("proofs")
    content = subject.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    named = {"name": subject.name, "digest": {"sha256": digest}}
    made: dict[str, tuple[str, bytes]] = {}

    def add(name: str, kind: str, proof: Any) -> None:
        made[name] = (kind, proof if isinstance(proof, bytes) else json.dumps(proof).encode())

    for name, identity in {
        "good": IDENTITY,
        "repository": replace(IDENTITY, repository="mallory/r"),
        "workflow": replace(IDENTITY, workflow="ci.yml"),
        "branch": replace(IDENTITY, ref="refs/heads/main"),
        "tag": replace(IDENTITY, ref="refs/tags/v1.2.4"),
    }.items():
        add(f"bundle-{name}", "bundle", signer(running, version=2, identity=identity).sign(content))
        attested = signer(running, version=1, identity=identity).publish_attestation(subject.name, digest)
        add(f"attestation-{name}", "attestation", attested)
    add("bundle-log-1", "bundle", signer(running, version=1).sign(content))
    for fault in ("missing-sct", "wrong-sct", "self-signed", "expired-certificate"):
        add(f"bundle-{fault}", "bundle", signer(running, version=2, faults=f"sigstore:{fault}").sign(content))
        attester = signer(running, version=1, faults=f"sigstore:{fault}")
        add(f"attestation-{fault}", "attestation", attester.publish_attestation(subject.name, digest))
    for fault in ("no-log-entry", "wrong-inclusion-proof", "wrong-checkpoint-key"):
        add(f"bundle-{fault}", "bundle", signer(running, version=2, faults=f"sigstore:{fault}").sign(content))
        attester = signer(running, version=1, faults=f"sigstore:{fault}")
        add(f"attestation-{fault}", "attestation", attester.publish_attestation(subject.name, digest))
    running.faults.arm([])
    bundles, attester = signer(running, version=2), signer(running, version=1)
    good = json.dumps(bundles.sign(content))
    add("bundle-other-bytes", "bundle", bundles.sign(content + b"x"))
    add("bundle-truncated", "bundle", good[: len(good) // 2].encode())
    add("bundle-empty", "bundle", b"")
    add("bundle-object", "bundle", {})
    add("bundle-not-utf8", "bundle", b"\xff\xfe")
    spoilt = json.loads(good)
    signature = bytearray(base64.b64decode(spoilt["messageSignature"]["signature"]))
    signature[-1] ^= 1
    spoilt["messageSignature"]["signature"] = base64.b64encode(bytes(signature)).decode()
    add("bundle-flipped", "bundle", spoilt)
    add("bundle-is-attestation", "bundle", bundles.attest(statement(named)))
    add("attestation-log-2", "attestation", as_attestation(bundles.attest(statement(named))))
    add("attestation-is-bundle", "attestation", good.encode())
    add("attestation-list", "attestation", [])
    add(
        "attestation-predicate",
        "attestation",
        as_attestation(attester.attest(statement(named, predicate="https://x.y/z"))),
    )
    add("attestation-nobody", "attestation", as_attestation(attester.attest(statement())))
    other = {"name": "tiny_project-9.whl", "digest": {"sha256": digest}}
    add("attestation-two", "attestation", as_attestation(attester.attest(statement(named, other))))
    add("attestation-name", "attestation", as_attestation(attester.attest(statement(other))))
    wrong = {"name": subject.name, "digest": {"sha256": "0" * 64}}
    add("attestation-bytes", "attestation", as_attestation(attester.attest(statement(wrong))))

    request = asking(running)
    for name, (kind, proof) in made.items():
        path = folder / name
        path.write_bytes(proof)
        request[f"{kind}s"].append({"file": str(subject), kind: str(path)})
    request["bundles"].append({"file": str(subject), "bundle": str(folder / "bundle-nowhere")})
    request["bundles"].append({"file": str(folder / "nowhere.whl"), "bundle": str(folder / "bundle-good")})
    code, answer = ask_worker("verify", "check", request)
    last = answer["results"].pop(len(request["bundles"]) - 1)
    found = {result["proof"]: result for result in answer["results"]}
    assert len(found) == len(made) + 1
    return {**found, "file-nowhere": last, "code": {"code": code}}


def asking(running: Serving) -> dict[str, Any]:
    return {
        "trust_config": str(running.trust_config),
        "subject": IDENTITY.certificate_identity,
        "issuer": running.issuer.issuer,
        "repository": IDENTITY.repository,
        "bundles": [],
        "attestations": [],
    }


@pytest.mark.parametrize("name", ["bundle-good", "bundle-log-1", "attestation-good"])
def test_what_the_workflow_signed_holds(results: Results, name: str) -> None:
    """Bundles of both logs and an attestation verify, with their place in the log."""
    result = results[name]
    assert result["ok"], result["reason"]
    assert int(result["log_index"]) >= 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("repository", "mallory/r"),
        ("workflow", "ci.yml"),
        ("branch", "refs/heads/main"),
        ("tag", "refs/tags/v1.2.4"),
    ],
)
@pytest.mark.parametrize("kind", ["bundle", "attestation"])
def test_another_identity_is_refused_and_named(results: Results, kind: str, name: str, words: str) -> None:
    """Another repository, workflow file, branch or tag is no substitute for the one expected."""
    result = results[f"{kind}-{name}"]
    assert not result["ok"]
    assert words in result["reason"]


@pytest.mark.parametrize("kind", ["bundle", "attestation"])
@pytest.mark.parametrize(
    "name",
    [
        "missing-sct",
        "wrong-sct",
        "self-signed",
        "expired-certificate",
        "no-log-entry",
        "wrong-inclusion-proof",
        "wrong-checkpoint-key",
    ],
)
def test_a_forged_proof_is_refused(results: Results, kind: str, name: str) -> None:
    """Forged certificates and log entries never verify, whoever believed them while signing."""
    assert not results[f"{kind}-{name}"]["ok"]
    assert results[f"{kind}-{name}"]["reason"]


@pytest.mark.parametrize(
    "name",
    [
        "bundle-other-bytes",
        "bundle-truncated",
        "bundle-empty",
        "bundle-object",
        "bundle-not-utf8",
        "bundle-flipped",
        "bundle-is-attestation",
        "bundle-nowhere",
        "file-nowhere",
        "attestation-log-2",
        "attestation-is-bundle",
        "attestation-list",
    ],
)
def test_what_is_no_proof_of_these_bytes_is_refused(results: Results, name: str) -> None:
    """Other bytes, half a file, nothing at all, the wrong kind of proof, a proof without a time: one reason each."""
    result = results[name]
    assert not result["ok"]
    assert "\n" not in result["reason"]
    assert result["reason"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("predicate", "the predicate is https://x.y/z"),
        ("nobody", "the statement is about nothing"),
        ("two", "tiny_project-9.whl"),
        ("name", "about tiny_project-9.whl"),
        ("bytes", "not about these bytes"),
    ],
)
def test_a_true_statement_about_something_else_is_refused(results: Results, name: str, words: str) -> None:
    """A valid signature over another predicate, name, digest, nobody or two files does not attest this one."""
    assert not results[f"attestation-{name}"]["ok"]
    assert words in results[f"attestation-{name}"]["reason"]


def test_one_refusal_is_enough_for_the_exit_code(results: Results) -> None:
    """The worker ends with 1 as soon as anything does not hold."""
    assert results["code"]["code"] == 1


def test_a_rehearsal_proves_nothing_in_production(
    running: Serving, ask_worker: Ask, subject: Path, tmp_path: Path
) -> None:
    """Against the production trust root, a rehearsal's bundle and attestation are refused."""
    content = subject.read_bytes()
    (tmp_path / "b").write_text(json.dumps(signer(running, version=2).sign(content)), encoding="utf-8")
    attested = signer(running, version=1).publish_attestation(subject.name, hashlib.sha256(content).hexdigest())
    (tmp_path / "a").write_text(json.dumps(attested), encoding="utf-8")
    request = asking(running) | {
        "trust_config": None,
        "offline": True,
        "bundles": [{"file": str(subject), "bundle": str(tmp_path / "b")}],
        "attestations": [{"file": str(subject), "attestation": str(tmp_path / "a")}],
    }
    code, answer = ask_worker("verify", "check", request)
    assert code == 1
    assert [result["ok"] for result in answer["results"]] == [False, False]


def test_another_issuer_is_refused(running: Serving, ask_worker: Ask, subject: Path, tmp_path: Path) -> None:
    """The right workflow under the wrong issuer is somebody else."""
    (tmp_path / "b").write_text(json.dumps(signer(running, version=2).sign(subject.read_bytes())), encoding="utf-8")
    request = asking(running) | {
        "issuer": "https://token.example.org",
        "bundles": [{"file": str(subject), "bundle": str(tmp_path / "b")}],
    }
    code, answer = ask_worker("verify", "check", request)
    assert code == 1
    assert "issuer" in answer["results"][0]["reason"].lower()


def test_nothing_to_verify_is_nothing_refused(running: Serving, ask_worker: Ask) -> None:
    """An empty request has an empty answer; that there must be proofs is the caller's to say."""
    assert ask_worker("verify", "check", asking(running)) == (0, {"results": [], "error": ""})
