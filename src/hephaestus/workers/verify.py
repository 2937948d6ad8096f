"""Verify Sigstore bundles and PEP 740 attestations under one expected identity, all in one process.

Request: ``{"trust_config": path or null, "offline": bool, "subject": SAN, "issuer": URL, "repository": "OWNER/NAME",
"bundles": [{"file": path, "bundle": path}], "attestations": [{"file": path, "attestation": path}]}``. ``trust_config``
is a trusted root or a client trust configuration; null is the production instance, through TUF, or ``offline`` as it
came with the library. An entry may give the published file's ``name``, and the ``sha256`` (hex) of a file that the
caller has hashed.
Answer: ``{"results": [{"file": name, "proof": name, "kind": "bundle" or "attestation", "ok": bool, "reason": text,
"log_index": number or null, "integrated": seconds or null}], "error": text}``; with an ``error`` nothing was judged.

The policy pins issuer, repository, workflow file and ref: ``pypi-attestations verify`` alone would take the workflow
from the provenance itself, never look at the ref, and pass on an empty provenance (facts: sigstore, section 4).
``answer`` is the same for callers in whose process the libraries are.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from importlib import resources
from pathlib import Path
from typing import Any

PUBLISH = "https://docs.pypi.org/attestations/publish/v1"
_PRODUCTION = "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
_SUBJECT = re.compile(
    r"https://github\.com/(?P<repository>[^/]+/[^/]+)/\.github/workflows/(?P<workflow>[^@]+)@(?P<ref>.+)"
)
_LARGEST = 16 << 20

#: What the library says, and what it means; the first that fits. Whether something holds never depends on this.
_MEANINGS = (
    ("not valid at validation time", "the certificate was not valid when the signature was made: expired, or too new"),
    ("certificate chain", "no authority that is trusted issued the certificate: self-signed, or of another Sigstore"),
    ("does not contain a signed certificate timestamp", "the certificate has no SCT: no certificate log has seen it"),
    ("verify SCT", "the certificate's SCT is not of a certificate log that is trusted"),
    ("expected exactly one log entry", "there is no log entry: no transparency log has seen the signature"),
    ("checkpoint: invalid", "the checkpoint is not signed with the key of a log that is trusted"),
    ("inclusion proof contains", "the inclusion proof does not lead to the log's root: the entry is not in that log"),
    ("log entry is inconsistent", "the log entry is of another signature"),
    ("message digest mismatch", "it is the signature of another file, or the file was changed"),
    (
        "not enough sources of verified time",
        "no trusted time of signing: log and time stamp are of another Sigstore",
    ),
    ("failed to load bundle", "it is no Sigstore bundle"),
    ("for Attestation", "it is no PEP 740 attestation"),
)


class RefusedError(Exception):
    """Raised with the reason why a proof does not hold, where the library has none."""


def main(request_path: str) -> int:
    """Answer one request; 0 only when everything holds."""
    answered = answer(json.loads(Path(request_path).read_text(encoding="utf-8")))
    print(json.dumps(answered))  # noqa: T201
    return 0 if not answered["error"] and all(result["ok"] for result in answered["results"]) else 1


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Judge everything that ``request`` asks for."""
    try:
        verifier = _verifier(request)
    except Exception as error:  # noqa: BLE001 - without a trust root nothing is judged, whatever the library raises
        causes = [error, error.__cause__]
        told = "; ".join(f"{type(one).__name__}: {one}" for one in causes if one is not None)
        return {"results": [], "error": " ".join(told.split())[:500]}
    results = [_judge(verifier, request, entry, "bundle") for entry in request["bundles"]]
    results += [_judge(verifier, request, entry, "attestation") for entry in request["attestations"]]
    return {"results": results, "error": ""}


def _verifier(request: dict[str, Any]) -> Any:
    from sigstore.models import ClientTrustConfig, TrustedRoot
    from sigstore.verify import Verifier

    if request["trust_config"]:
        text = Path(request["trust_config"]).read_text(encoding="utf-8")
        if "trustedRoot" in json.loads(text):
            return Verifier(trusted_root=ClientTrustConfig.from_json(text).trusted_root)
        return Verifier(trusted_root=TrustedRoot.from_file(request["trust_config"]))
    if request.get("offline"):
        # Not the library's offline mode: that one reads its cache without verifying it (facts: sigstore, section 4).
        packed = resources.files("sigstore._store") / _PRODUCTION / "trusted_root.json"
        with resources.as_file(packed) as path:
            return Verifier(trusted_root=TrustedRoot.from_file(str(path)))
    return Verifier.production()


def _judge(verifier: Any, request: dict[str, Any], entry: dict[str, str], kind: str) -> dict[str, Any]:
    proof = Path(entry[kind])
    result: dict[str, Any] = {"file": entry.get("name") or Path(entry["file"]).name, "proof": proof.name, "kind": kind}
    result |= {"ok": False, "reason": "", "log_index": None, "integrated": None}
    try:
        digest = entry.get("sha256") or _sha256(Path(entry["file"]))
        check = _bundle if kind == "bundle" else _attestation
        bundle = check(verifier, request, result["file"], digest, _read(proof))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - any doubt is a refusal; a parser in Rust panics past Exception
        result["reason"] = _meaning(error)
        return result
    logged = json.loads(bundle.to_json())["verificationMaterial"]["tlogEntries"][0]
    return {**result, "ok": True, "log_index": logged.get("logIndex"), "integrated": logged.get("integratedTime")}


def _bundle(verifier: Any, request: dict[str, Any], name: str, digest: str, proof: bytes) -> Any:
    from sigstore.hashes import Hashed
    from sigstore.models import Bundle
    from sigstore_models.common.v1 import HashAlgorithm

    del name  # a bundle names no file
    bundle = Bundle.from_json(proof)
    hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=bytes.fromhex(digest))
    verifier.verify_artifact(hashed, bundle, _Publisher(request))
    return bundle


def _attestation(verifier: Any, request: dict[str, Any], name: str, digest: str, proof: bytes) -> Any:
    from pypi_attestations import Attestation

    document = json.loads(proof)
    if isinstance(document, dict) and document.get("verification_material", {}).get("transparency_entries") == []:
        raise RefusedError("there is no log entry: no transparency log has seen the signature")
    attestation = Attestation.model_validate_json(proof)
    bundle = attestation.to_bundle()
    payload_type, payload = verifier.verify_dsse(bundle, _Publisher(request))
    if payload_type != "application/vnd.in-toto+json":
        raise RefusedError(f"the payload is {payload_type}, not an in-toto statement")
    statement = json.loads(payload)
    if statement.get("predicateType") != PUBLISH:
        raise RefusedError(f"the predicate is {statement.get('predicateType')}, not {PUBLISH}")
    subjects = statement.get("subject", [])
    if subjects != [{"name": name, "digest": {"sha256": digest}}]:
        raise RefusedError(f"the statement is about {_names(subjects)}, not about these bytes of {name} {digest[:12]}")
    return bundle


class _Publisher:
    """The library's policy for the one workflow expected; what differs is named. Asked once the chain holds."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request

    def verify(self, certificate: Any) -> None:
        """Raise RefusedError, or the library's VerificationError, unless the certificate is that workflow's."""
        from cryptography.x509 import SubjectAlternativeName, UniformResourceIdentifier
        from sigstore.verify import policy

        wanted, issuer = self._request["subject"], self._request["issuer"]
        names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
        found = names.get_values_for_type(UniformResourceIdentifier)
        if wanted not in found:
            raise RefusedError(_difference(wanted, ", ".join(found) or "nobody that GitHub knows"))
        policy.AllOf(
            [
                policy.Identity(identity=wanted, issuer=issuer),
                policy.OIDCIssuerV2(issuer),
                policy.OIDCSourceRepositoryURI(f"https://github.com/{self._request['repository']}"),
                policy.OIDCSourceRepositoryRef(wanted.partition("@")[2]),
                policy.OIDCBuildConfigURI(wanted),
            ]
        ).verify(certificate)


def _difference(wanted: str, found: str) -> str:
    ours, theirs = _SUBJECT.fullmatch(wanted), _SUBJECT.fullmatch(found)
    if ours is None or theirs is None:
        return f"it was signed by {found}, not by {wanted}"
    words = {"repository": "repository", "workflow": "workflow file", "ref": "ref"}
    other = [f"{text} {theirs[part]}, not {ours[part]}" for part, text in words.items() if theirs[part] != ours[part]]
    return f"it was signed by another identity: {'; '.join(other)}"


def _meaning(error: BaseException) -> str:
    if isinstance(error, RefusedError):
        return " ".join(str(error).split())[:300]
    said = f"{type(error).__name__}: {error}"
    line = said.splitlines()[0]
    if "OIDCIssuer" in line:
        return f"the identity was given by another issuer ({line[:200]})"
    meaning = next((meaning for words, meaning in _MEANINGS if words in said), "")
    return f"{meaning} ({line[:120]})" if meaning else line[:300]


def _read(proof: Path) -> bytes:
    with proof.open("rb") as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise RefusedError(f"it is larger than {_LARGEST} bytes, which no proof is")
    return content


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _names(subjects: list[dict[str, Any]]) -> str:
    named = [f"{entry.get('name')} {entry.get('digest', {}).get('sha256', '')[:12]}" for entry in subjects]
    return ", ".join(named) or "nothing"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
