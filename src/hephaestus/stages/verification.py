"""Verification inside the chain: one worker run over bundles and attestations, under the identity of this world."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hephaestus.consumer.trust import Claim, TrustRootError, worker_request
from hephaestus.release.errors import Finding
from hephaestus.stages.stage import Context
from hephaestus.worlds.world import ChildKind

__all__ = ["Proof", "attestation_of", "bundle_of", "refusals", "verify"]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A file and what proves it: a Sigstore bundle or a PEP 740 attestation."""

    file: Path
    proof: Path
    kind: str


def bundle_of(name: str) -> str:
    """The release-directory path of a file's Sigstore bundle."""
    return f"bundles/{name}.sigstore.json"


def attestation_of(name: str) -> str:
    """The release-directory path of a distribution's PEP 740 attestation."""
    return f"attestations/{name}.publish.attestation"


def verify(context: Context, proofs: Iterable[Proof]) -> list[dict[str, Any]]:
    """Verify every proof cryptographically; one result each (see workers/verify.py).

    Raises WorkerError, and TrustRootError when there is nothing to verify against.
    """
    wanted = list(proofs)
    publisher = context.world.publisher
    trust = context.world.sigstore.trust_config
    request = worker_request(
        [
            Claim(file=one.file, kind="bundle" if one.kind == "bundle" else "attestation", proof=one.proof)
            for one in wanted
        ],
        subject=publisher.subject,
        issuer=publisher.issuer,
        repository=publisher.repository,
        trusted_root=trust,
    )
    answer = context.environment.work("verify", request, env=context.world.children[ChildKind.PROBE], timeout=300)
    if answer["error"]:
        raise TrustRootError(trusted_root=trust, problem=str(answer["error"]))
    results: list[dict[str, Any]] = answer["results"]
    return results


def refusals(results: Iterable[Mapping[str, Any]], *, subject: str) -> list[Finding]:
    """What did not verify, one finding each; ``subject`` is the identity that was expected."""
    return [
        Finding(
            code=f"{result['kind']}-invalid",
            subject=str(result["proof"]),
            message=f"does not prove {result['file']} under {subject}: {result['reason']}",
            remedy="nox -s sign -- --redo=sign",
        )
        for result in results
        if not result["ok"]
    ]
