"""Verify Sigstore bundles and PEP 740 attestations under one expected identity, all in one process.

Request: ``{"trust_config": path or null, "offline": bool, "subject": SAN, "issuer": URL, "repository": "OWNER/NAME",
"bundles": [{"file": path, "bundle": path}], "attestations": [{"file": path, "attestation": path}]}``.
Answer: ``{"results": [{"file": name, "proof": name, "kind": "bundle" or "attestation", "ok": bool, "reason": text,
"log_index": number or null, "integrated": seconds or null}]}``.

The policy pins issuer, repository, workflow file and tag: ``pypi-attestations verify`` alone would take the workflow
from the provenance itself, never look at the ref, and pass on an empty provenance (facts: sigstore, section 4).
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

PUBLISH = "https://docs.pypi.org/attestations/publish/v1"


def main(request_path: str) -> int:
    """Answer one request."""
    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    from sigstore.models import ClientTrustConfig
    from sigstore.verify import Verifier

    if request["trust_config"]:
        config = ClientTrustConfig.from_json(Path(request["trust_config"]).read_text(encoding="utf-8"))
        verifier = Verifier(trusted_root=config.trusted_root)
    else:
        verifier = Verifier.production(offline=bool(request.get("offline")))
    results = [_judge(verifier, request, entry, "bundle") for entry in request["bundles"]]
    results += [_judge(verifier, request, entry, "attestation") for entry in request["attestations"]]
    print(json.dumps({"results": results}))  # noqa: T201
    return 0 if all(result["ok"] for result in results) else 1


def _judge(verifier: Any, request: dict[str, Any], entry: dict[str, str], kind: str) -> dict[str, Any]:
    proof = Path(entry[kind])
    result: dict[str, Any] = {"file": Path(entry["file"]).name, "proof": proof.name, "kind": kind}
    result |= {"ok": False, "reason": "", "log_index": None, "integrated": None}
    try:
        check = _bundle if kind == "bundle" else _attestation
        bundle = check(verifier, request, Path(entry["file"]), proof)
    except Exception as error:  # noqa: BLE001 - any doubt is a refusal, and its reason the answer
        result["reason"] = f"{type(error).__name__}: {error}".splitlines()[0]
        return result
    entry = json.loads(bundle.to_json())["verificationMaterial"]["tlogEntries"][0]
    return {**result, "ok": True, "log_index": entry.get("logIndex"), "integrated": entry.get("integratedTime")}


def _policy(request: dict[str, Any]) -> Any:
    from sigstore.verify import policy

    return policy.AllOf(
        [
            policy.Identity(identity=request["subject"], issuer=request["issuer"]),
            policy.OIDCSourceRepositoryURI(f"https://github.com/{request['repository']}"),
            policy.OIDCBuildConfigURI(request["subject"]),
        ]
    )


def _bundle(verifier: Any, request: dict[str, Any], file: Path, proof: Path) -> Any:
    from sigstore.hashes import Hashed
    from sigstore.models import Bundle
    from sigstore_models.common.v1 import HashAlgorithm

    bundle = Bundle.from_json(proof.read_bytes())
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()
    verifier.verify_artifact(Hashed(algorithm=HashAlgorithm.SHA2_256, digest=digest), bundle, _policy(request))
    return bundle


def _attestation(verifier: Any, request: dict[str, Any], file: Path, proof: Path) -> Any:
    from pypi_attestations import Attestation

    attestation = Attestation.model_validate_json(proof.read_bytes())
    bundle = attestation.to_bundle()
    payload_type, payload = verifier.verify_dsse(bundle, _policy(request))
    if payload_type != "application/vnd.in-toto+json":
        raise ValueError(f"the payload is {payload_type}, not an in-toto statement")
    statement = json.loads(payload)
    if statement.get("predicateType") != PUBLISH:
        raise ValueError(f"the predicate is {statement.get('predicateType')}, not {PUBLISH}")
    subjects = statement.get("subject", [])
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    expected = [{"name": file.name, "digest": {"sha256": digest}}]
    if subjects != expected:
        raise ValueError(f"the statement is about {_names(subjects)}, not about these bytes of {file.name}")
    return bundle


def _names(subjects: list[dict[str, Any]]) -> str:
    named = [f"{entry.get('name')} {entry.get('digest', {}).get('sha256', '')[:12]}" for entry in subjects]
    return ", ".join(named) or "nothing"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
