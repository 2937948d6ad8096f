"""A second, independent implementation: sigstore-js verifies our bundles and refuses our forgeries."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from node_programs import installed

from hephaestus.standins.faults import Fault
from hephaestus.standins.sigstore import CarelessSigner, Serving

pytestmark = pytest.mark.conformance
PROGRAM = Path(__file__).parent / "node"
FORGERIES = [
    "wrong-inclusion-proof",
    "wrong-checkpoint-key",
    "self-signed",
    "expired-certificate",
    "missing-sct",
    "wrong-sct",
    "no-log-entry",
]


@pytest.fixture(scope="session")
def node_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The verifier with its locked packages."""
    reason = "sigstore-js is the only client it is needed for"
    return installed(PROGRAM, name="sigstore-js", reason=reason, temporary=tmp_path_factory) / "verify.js"


def verify(program: Path, stand_in: Serving, cases: dict[str, Any]) -> dict[str, str]:
    """What sigstore-js says of each case, all in one process."""
    child = subprocess.run(
        ["node", str(program)],
        input=json.dumps({"root": stand_in.sigstore.trusted_root(), "cases": cases}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    results: dict[str, str] = json.loads(child.stdout)
    return results


def case(stand_in: Serving, bundle: dict[str, Any], content: bytes | None, who: str = "") -> dict[str, Any]:
    return {
        "bundle": bundle,
        "data": None if content is None else base64.b64encode(content).decode(),
        "identity": who or stand_in.identity.certificate_identity,
    }


def signer(stand_in: Serving, version: int) -> CarelessSigner:
    return CarelessSigner(stand_in.sigstore, stand_in.token(), version=version)


def test_sigstore_js_accepts_ours_and_refuses_the_rest(node_program: Path, stand_in: Serving) -> None:
    """Bundles of both logs and an attestation hold; wrong data, a wrong identity and every forgery do not."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "a", "digest": {"sha256": "00"}}],
        "predicateType": "https://example.invalid/p",
        "predicate": {},
    }
    cases: dict[str, Any] = {"dsse v1": case(stand_in, signer(stand_in, 1).attest(statement), None)}
    expected = {"dsse v1": "ok"}
    for version in (1, 2):
        bundles = {content: signer(stand_in, version).sign(content) for content in (b"first", b"second", b"third")}
        for content, bundle in bundles.items():
            cases[f"{content!r} v{version}"] = case(stand_in, bundle, content)
            expected[f"{content!r} v{version}"] = "ok"
        cases[f"wrong data v{version}"] = case(stand_in, bundles[b"first"], b"other")
        expected[f"wrong data v{version}"] = "SIGNATURE_ERROR"
        cases[f"wrong identity v{version}"] = case(stand_in, bundles[b"third"], b"third", "https://github.com/a/b")
        expected[f"wrong identity v{version}"] = "UNTRUSTED_SIGNER_ERROR"
        for kind in FORGERIES:
            stand_in.faults.arm([Fault.parse(f"sigstore:{kind}")])
            cases[f"{kind} v{version}"] = case(stand_in, signer(stand_in, version).sign(b"content"), b"content")
    results = verify(node_program, stand_in, cases)
    forged = {name: code for name, code in results.items() if name not in expected}
    assert len(forged) == 2 * len(FORGERIES)
    assert {name: code for name, code in results.items() if name in expected} == expected
    assert "ok" not in forged.values(), forged
    assert {forged[f"wrong-inclusion-proof v{version}"] for version in (1, 2)} == {"TLOG_INCLUSION_PROOF_ERROR"}
    assert {forged[f"wrong-checkpoint-key v{version}"] for version in (1, 2)} == {"TLOG_INCLUSION_PROOF_ERROR"}


def test_sigstore_js_accepts_what_the_python_client_signed(
    node_program: Path, stand_in: Serving, tmp_path: Path, run_sigstore: Any
) -> None:
    """Signed by the unmodified Python command, verified by the unmodified JavaScript library."""
    file = tmp_path / "artifact.txt"
    file.write_bytes(b"content")
    cases = {}
    for version in (1, 2):
        signed = run_sigstore(
            "--trust-config",
            stand_in.trust_config,
            "sign",
            "--overwrite",
            "--rekor-version",
            version,
            file,
            environment=stand_in.environment(),
        )
        assert signed.returncode == 0, signed.stderr
        bundle = json.loads((tmp_path / "artifact.txt.sigstore.json").read_text())
        cases[f"v{version}"] = case(stand_in, bundle, b"content")
        cases[f"v{version} wrong"] = case(stand_in, bundle, b"other")
    assert verify(node_program, stand_in, cases) == {
        "v1": "ok",
        "v1 wrong": "SIGNATURE_ERROR",
        "v2": "ok",
        "v2 wrong": "SIGNATURE_ERROR",
    }
