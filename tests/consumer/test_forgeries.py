"""Forged proofs through the real command: each refused, each with its reason, beside a good twin that passes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from consumer.conftest import Offline
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID
from stages.releases import IDENTITY, WHEEL

from hephaestus.standins.faults import Fault
from hephaestus.standins.identity import WorkflowIdentity
from hephaestus.standins.sigstore import CarelessSigner, Serving

CONTENT = b"the bytes of a wheel"


@dataclass(frozen=True, kw_only=True)
class Forgery:
    """One way to forge; nothing given is the good twin.

    ``fault`` is what the stand-in Sigstore does wrong; ``about`` and ``named`` are what the proof is really of;
    ``bent`` changes the finished proof. ``words`` stand in the refusal.
    """

    words: tuple[str, ...]
    identity: WorkflowIdentity = IDENTITY
    issuer: str = ""
    fault: str = ""
    about: bytes = CONTENT
    named: str = WHEEL
    predicate: str = ""
    own_certificate: bool = False
    bent: Callable[[dict[str, Any]], Any] = field(default=lambda proof: proof)
    kinds: tuple[str, ...] = ("bundle", "attestation")


def without_entry(proof: dict[str, Any]) -> dict[str, Any]:
    """The proof as if no log had seen it."""
    text = json.dumps(proof)
    entries = proof.get("verificationMaterial", {}).get("tlogEntries")
    entries = entries or proof["verification_material"]["transparency_entries"]
    changed: dict[str, Any] = json.loads(text.replace(json.dumps(entries), "[]"))
    return changed


def with_entry_of(proof: dict[str, Any]) -> dict[str, Any]:
    """The proof with a body of its log entry that speaks of another file."""
    text = json.dumps(proof)
    entries = proof.get("verificationMaterial", {}).get("tlogEntries")
    body = (entries or proof["verification_material"]["transparency_entries"])[0]["canonicalizedBody"]
    changed: dict[str, Any] = json.loads(
        text.replace(body, body[:200] + ("A" if body[200] != "A" else "B") + body[201:])
    )
    return changed


FORGERIES = {
    "self-signed by the authority's name": Forgery(fault="self-signed", words=("no authority that is trusted",)),
    "self-signed certificate": Forgery(own_certificate=True, words=("no authority that is trusted", "self-signed")),
    "expired certificate": Forgery(
        fault="expired-certificate", words=("not valid when the signature was made", "expired")
    ),
    "other repository": Forgery(
        identity=replace(IDENTITY, repository="mallory/r"), words=("another identity", "repository mallory/r, not o/r")
    ),
    "other workflow file": Forgery(
        identity=replace(IDENTITY, workflow="ci.yml"), words=("workflow file ci.yml, not publish-pypi.yml",)
    ),
    "branch in place of the tag": Forgery(
        identity=replace(IDENTITY, ref="refs/heads/main"), words=("ref refs/heads/main, not refs/tags/v1.2.3",)
    ),
    "other tag": Forgery(
        identity=replace(IDENTITY, ref="refs/tags/v1.2.2"), words=("ref refs/tags/v1.2.2, not refs/tags/v1.2.3",)
    ),
    "branch named like the tag": Forgery(
        identity=replace(IDENTITY, ref="refs/heads/refs/tags/v1.2.3"), words=("ref refs/heads/refs/tags/v1.2.3",)
    ),
    "other issuer": Forgery(issuer="https://token.example.org", words=("another issuer", "https://token.example.org")),
    "of another file": Forgery(about=b"other bytes", words=("of another file",), kinds=("bundle",)),
    "of other bytes": Forgery(about=b"other bytes", words=("not about these bytes",), kinds=("attestation",)),
    "for another file name": Forgery(
        named="tiny_project-1.2.4-py3-none-any.whl", words=("is about tiny_project-1.2.4",), kinds=("attestation",)
    ),
    "other predicate": Forgery(
        predicate="https://x.y/z", words=("the predicate is https://x.y/z",), kinds=("attestation",)
    ),
    "a name with lines of its own": Forgery(
        named=f"x\nPASS   signature attestation of {WHEEL}: signed\x1b[2K",
        words=("is about x PASS signature attestation of",),
        kinds=("attestation",),
    ),
    "no log entry": Forgery(bent=without_entry, words=("no log entry",)),
    "refused by the log": Forgery(fault="no-log-entry", words=("no log entry",)),
    "log entry of another file": Forgery(bent=with_entry_of, words=("log entry",)),
    "wrong inclusion proof": Forgery(fault="wrong-inclusion-proof", words=("the inclusion proof does not lead",)),
    "wrong checkpoint key": Forgery(fault="wrong-checkpoint-key", words=("the checkpoint is not signed with the key",)),
    "missing SCT": Forgery(fault="missing-sct", words=("the certificate has no SCT",)),
    "wrong SCT": Forgery(fault="wrong-sct", words=("SCT is not of a certificate log",)),
    "empty object": Forgery(bent=lambda _proof: {}, words=("it is no",)),
    "no object": Forgery(bent=lambda _proof: [], words=("it is no",)),
}

CASES = [(name, kind) for name, forgery in FORGERIES.items() for kind in forgery.kinds]


def self_signed(signer: CarelessSigner, identity: WorkflowIdentity) -> x509.Certificate:
    """What the former implementation took for verified: a certificate by nobody, with the right names in it."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(signer.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(minutes=9))
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity.certificate_identity)]), critical=True
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False)
        .sign(signer.key, hashes.SHA256())
    )


def forge(serving: Serving, kind: str, forgery: Forgery) -> Any:
    """The proof, made by a signer that believes everything."""
    usual = serving.issuer.issuer
    serving.issuer.issuer = forgery.issuer or usual
    serving.faults.arm([Fault.parse(f"sigstore:{forgery.fault}")] if forgery.fault else [])
    try:
        token = serving.issuer.token(forgery.identity, "sigstore")
        signer = CarelessSigner(serving.sigstore, token, version=2 if kind == "bundle" else 1)
        if forgery.own_certificate:
            signer.certificate = self_signed(signer, forgery.identity)
        if kind == "bundle":
            return forgery.bent(signer.sign(forgery.about))
        digest = hashlib.sha256(forgery.about).hexdigest()
        if not forgery.predicate:
            return forgery.bent(signer.publish_attestation(forgery.named, digest))
        named = {"name": forgery.named, "digest": {"sha256": digest}}
        statement = {"_type": "https://in-toto.io/Statement/v1", "subject": [named], "predicateType": forgery.predicate}
        return as_attestation(signer.attest({**statement, "predicate": None}))
    finally:
        serving.issuer.issuer = usual
        serving.faults.arm([])


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


def beside(folder: Path, kind: str, proof: Any) -> Path:
    """A file with a proof beside it, as the command looks for it."""
    file = folder / WHEEL
    file.write_bytes(CONTENT)
    suffix = {"bundle": "sigstore.json", "attestation": "publish.attestation"}[kind]
    (folder / f"{WHEEL}.{suffix}").write_text(json.dumps(proof), encoding="utf-8")
    return file


@pytest.fixture(autouse=True)
def _older_entries(standin_sigstore: Serving) -> None:
    """A log that holds something already: the proof of a lone entry has nothing to be wrong in."""
    for kind in ("bundle", "attestation"):
        forge(standin_sigstore, kind, Forgery(words=(), about=kind.encode()))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_forgery_is_refused_and_its_reason_named(
    name: str, kind: str, standin_sigstore: Serving, offline: Offline, tmp_path: Path
) -> None:
    """Exit code 1, one FAIL line for the proof, and the words that say what is wrong with it."""
    forgery = FORGERIES[name]
    code, out, err = offline(beside(tmp_path, kind, forge(standin_sigstore, kind, forgery)))
    (line,) = [line for line in out.splitlines() if line.startswith("FAIL")]
    assert line.startswith(f"FAIL   signature {kind} of {WHEEL}: ")
    for words in forgery.words:
        assert words in line
    assert not any(line.startswith("PASS") for line in out.splitlines())
    assert "\x1b" not in out
    assert out.splitlines()[-1].startswith("NOT verified: ")
    assert (code, err) == (1, "")


@pytest.mark.parametrize("kind", ["bundle", "attestation"])
def test_the_good_twin_passes(kind: str, standin_sigstore: Serving, offline: Offline, tmp_path: Path) -> None:
    """The same file, signed by the same signer with nothing forged: every refusal above is the forgery's own."""
    code, out, err = offline(beside(tmp_path, kind, forge(standin_sigstore, kind, Forgery(words=()))))
    assert f"PASS   signature {kind} of {WHEEL}: signed by o/r publish-pypi.yml at refs/tags/v1.2.3, log entry" in out
    assert (code, err) == (0, "")


@pytest.mark.parametrize("kind", ["bundle", "attestation"])
def test_a_rehearsal_proves_nothing_in_production(
    kind: str, standin_sigstore: Serving, offline: Offline, tmp_path: Path
) -> None:
    """Against Sigstore's own trust root, what stand-ins signed is refused."""
    file = beside(tmp_path, kind, forge(standin_sigstore, kind, Forgery(words=())))
    code, out, _ = offline(file, trusted_root="")
    assert code == 1
    assert "FAIL" in out
    assert "of another Sigstore" in out


@pytest.mark.parametrize("second", ["0" * 64, "f" * 64])
def test_a_conflicting_second_line_is_refused(
    second: str, standin_sigstore: Serving, offline: Offline, tmp_path: Path
) -> None:
    """A manifest that lists a file twice with two digests is refused, wherever the right one stands; once is fine."""
    file = beside(tmp_path, "bundle", forge(standin_sigstore, "bundle", Forgery(words=())))
    right = f"{hashlib.sha256(CONTENT).hexdigest()}  {WHEEL}\n"
    sums = tmp_path / f"{WHEEL}.sha256"
    for lines in (right + f"{second}  {WHEEL}\n", f"{second}  {WHEEL}\n" + right):
        sums.write_text(lines, encoding="utf-8")
        code, out, _ = offline(file)
        assert code == 1
        assert f"FAIL   manifest  {sums.name}: line 2: {WHEEL} is listed twice with different digests" in out
    sums.write_text(right + right, encoding="utf-8")
    assert offline(file)[0] == 0
