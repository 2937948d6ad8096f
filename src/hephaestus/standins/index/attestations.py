"""PEP 740 attestations: what an upload may carry, how they are verified, what is served back."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hephaestus.standins.index.answers import Refused
from hephaestus.standins.index.records import PublisherConfig, StoredFile

__all__ = [
    "PREDICATE_TYPES",
    "VerifyAttestation",
    "WorkflowPolicy",
    "accept_attestations",
    "provenance",
    "sigstore_verifier",
]

PREDICATE_TYPES = ("https://docs.pypi.org/attestations/publish/v1", "https://slsa.dev/provenance/v1")
"""The predicate types the index takes, each at most once a file [facts: pypi 4]."""

VerifyAttestation = Callable[[bytes, str, str, PublisherConfig], None]
"""``(attestation, filename, sha256, publisher)``; raises ValueError when it does not hold, OSError when
verification itself could not be done."""

_GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
_FULCIO = "1.3.6.1.4.1.57264.1"
_PREFIX = "Invalid attestations supplied during upload: "


def accept_attestations(
    field: str,
    *,
    filename: str,
    sha256: str,
    publisher: PublisherConfig | None,
    verify: VerifyAttestation,
) -> tuple[Mapping[str, Any], ...]:
    """Judge the form field ``attestations``; raises Refused with PyPI's beginnings."""
    if publisher is None:
        raise Refused(400, f"{_PREFIX}Attestations are only supported when using Trusted Publishing")
    try:
        attestations = json.loads(field)
    except ValueError as error:
        raise Refused(400, f"{_PREFIX}Error while decoding the included attestation") from error
    if not isinstance(attestations, list) or not all(isinstance(one, dict) for one in attestations):
        raise Refused(400, f"{_PREFIX}Error while decoding the included attestation")
    if not attestations:
        raise Refused(400, f"{_PREFIX}an empty attestation list is not permitted")
    types: list[str] = []
    for attestation in attestations:
        predicate = _predicate_type(attestation)
        if predicate not in PREDICATE_TYPES:
            raise Refused(400, f"{_PREFIX}Invalid predicate type: {predicate!r}")
        if predicate in types:
            raise Refused(400, f"{_PREFIX}Multiple attestations of the type {predicate!r} are not supported")
        types.append(predicate)
        try:
            verify(json.dumps(attestation).encode(), filename, sha256, publisher)
        except ValueError as error:
            raise Refused(
                400, f"{_PREFIX}Could not verify the uploaded artifact using the included attestation: {error}"
            ) from error
        except OSError as error:
            raise Refused(
                400, f"{_PREFIX}Unknown error while trying to verify included attestations: {error}"
            ) from error
    return tuple(attestations)


def _predicate_type(attestation: Mapping[str, Any]) -> str:
    try:
        statement = json.loads(base64.b64decode(attestation["envelope"]["statement"], validate=True))
        return str(statement["predicateType"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(400, f"{_PREFIX}Error while decoding the included attestation") from error


def provenance(file: StoredFile) -> dict[str, Any] | None:
    """The provenance object the Integrity API serves for a file, or None when it has no attestations."""
    if not file.attestations or file.publisher is None:
        return None
    publisher = {
        "kind": "GitHub",
        "repository": file.publisher.repository,
        "workflow": file.publisher.workflow,
        "environment": file.publisher.environment,
        "claims": None,
    }
    return {
        "version": 1,
        "attestation_bundles": [{"publisher": publisher, "attestations": list(file.attestations)}],
    }


def sigstore_verifier(trusted_root: Path | Mapping[str, Any]) -> VerifyAttestation:
    """A real verifier against one trusted root (a path, or the parsed JSON).

    Needs ``sigstore`` and ``pypi-attestations``, imported when the first attestation comes. The policy is
    PyPI's: issued for GitHub, this repository, this workflow file at the ref or commit the certificate itself
    names; then the statement's one subject is compared by name and sha256 [facts: sigstore 4].
    """
    prepared: list[Any] = []

    def verify(attestation: bytes, filename: str, sha256: str, publisher: PublisherConfig) -> None:
        from pypi_attestations import Attestation, AttestationError
        from sigstore.errors import Error as SigstoreError
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier

        if not prepared:
            prepared.append(Verifier(trusted_root=_load_root(trusted_root, TrustedRoot.from_file)))
        try:
            bundle = Attestation.model_validate_json(attestation).to_bundle()
            kind, payload = prepared[0].verify_dsse(bundle, WorkflowPolicy(publisher))
        except (SigstoreError, AttestationError) as error:
            raise ValueError(str(error) or type(error).__name__) from error
        if kind != "application/vnd.in-toto+json":
            message = f"the envelope holds {kind!r}"
            raise ValueError(message)
        _compare_subject(json.loads(payload), filename, sha256)

    return verify


def _load_root(trusted_root: Path | Mapping[str, Any], load: Callable[[str], Any]) -> Any:
    if isinstance(trusted_root, Path):
        return load(str(trusted_root))
    # sigstore reads a trusted root from a file only.
    with tempfile.TemporaryDirectory(prefix="trusted-root-") as folder:
        path = Path(folder) / "trusted_root.json"
        path.write_text(json.dumps(dict(trusted_root)), encoding="utf-8")
        return load(str(path))


def _compare_subject(statement: Mapping[str, Any], filename: str, sha256: str) -> None:
    subjects = statement.get("subject", [])
    if len(subjects) != 1:
        message = f"the statement names {len(subjects)} subjects instead of one"
        raise ValueError(message)
    if subjects[0].get("name") != filename:
        message = f"subject does not match distribution name: {subjects[0].get('name')} != {filename}"
        raise ValueError(message)
    if subjects[0].get("digest", {}).get("sha256") != sha256:
        message = "subject does not match distribution digest"
        raise ValueError(message)


class WorkflowPolicy:
    """A sigstore policy: GitHub's issuer, one repository, one workflow file at any ref."""

    def __init__(self, publisher: PublisherConfig) -> None:
        self._repository = publisher.repository
        self._workflow = publisher.workflow

    def verify(self, cert: Any) -> None:
        """Raise sigstore's VerificationError when the certificate belongs to another identity."""
        from sigstore.errors import VerificationError

        issuer = _claim(cert, 8)
        if issuer != _GITHUB_ISSUER:
            message = f"the certificate's issuer is {issuer!r}"
            raise VerificationError(message)
        source = _claim(cert, 12)
        if source != f"https://github.com/{self._repository}":
            message = f"the certificate's repository is {source!r}"
            raise VerificationError(message)
        built_from = _claim(cert, 18)
        wanted = f"https://github.com/{self._repository}/.github/workflows/{self._workflow}@"
        refs = {ref for number in (13, 14) if (ref := _claim(cert, number))}
        if built_from is None or built_from not in {f"{wanted}{ref}" for ref in refs}:
            message = f"the certificate's workflow is {built_from!r}"
            raise VerificationError(message)


def _claim(cert: Any, number: int) -> str | None:
    """One of Fulcio's certificate extensions (a DER UTF8String), or None."""
    from cryptography.x509 import ExtensionNotFound, ObjectIdentifier

    try:
        value = cert.extensions.get_extension_for_oid(ObjectIdentifier(f"{_FULCIO}.{number}")).value.value
    except ExtensionNotFound:
        return None
    content = bytes(value)
    if len(content) < 2 or content[0] != 0x0C:
        return None
    header = 2 + (content[1] & 0x7F if content[1] & 0x80 else 0)
    return content[header:].decode("utf-8", "replace")
