"""Which stand-ins there are, opened over one state folder and wired to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trove_classifiers import classifiers

from hephaestus.standins.faults import Faults
from hephaestus.standins.github import FAULT_KINDS as GITHUB_FAULTS
from hephaestus.standins.github import GitHub
from hephaestus.standins.identity import FAULT_KINDS as IDENTITY_FAULTS
from hephaestus.standins.identity import Issuer, WorkflowIdentity
from hephaestus.standins.index import FAULT_KINDS as INDEX_FAULTS
from hephaestus.standins.index import Index, PublisherConfig, sigstore_verifier
from hephaestus.standins.services import INDEX_NAMES, Configuration, Services
from hephaestus.standins.sigstore import FAULT_KINDS as SIGSTORE_FAULTS
from hephaestus.standins.sigstore import Sigstore

__all__ = ["open_services"]


def open_services(
    state: Path,
    configuration: Configuration,
    *,
    github_token: str,
    clock: Callable[[], float],
    faults: Faults,
) -> Services:
    """Open every stand-in over ``state``; what they keep there is found again by the next host.

    Each index trusts the project's publisher in that index's environment. Raises OSError, ValueError when what is
    kept cannot be read.
    """
    issuer = Issuer(state, clock=clock, faults=faults)
    sigstore = Sigstore(state, issuer=issuer, clock=clock, faults=faults)
    # Sigstore's own libraries verify; they are imported when the first attestation comes.
    verify_attestation = sigstore_verifier(sigstore.trusted_root())
    indexes = {
        name: Index(
            name,
            state / "index" / name,
            verify_token=issuer.verify,
            verify_attestation=verify_attestation,
            publishers=[
                PublisherConfig(
                    project=configuration.project,
                    repository=configuration.repository,
                    workflow=configuration.workflow,
                    environment=configuration.environments[name],
                )
            ],
            clock=clock,
            faults=faults,
            classifiers=classifiers,
        )
        for name in INDEX_NAMES
    }
    github = GitHub(
        state / "github", repository=configuration.repository, token=github_token, clock=clock, faults=faults
    )

    def trust_config(urls: Mapping[str, str]) -> Mapping[str, Any]:
        return sigstore.trust_config(
            fulcio_url=urls["fulcio"],
            rekor_v1_url=urls["rekor-v1"],
            rekor_v2_url=urls["rekor-v2"],
            timestamp_url=urls["timestamp"],
            oidc_url=f"{urls['oidc']}/oidc",
        )

    def job(url: str, identity: Mapping[str, Any], environment: str) -> Mapping[str, str]:
        return issuer.environment(url, WorkflowIdentity(**identity), environment=environment)

    pushed: dict[str, str] = {}

    def push(commits: Sequence[str], tag: str) -> None:
        # Every session of a run pushes; as with git, what is there already costs nothing.
        if pushed.get(tag) != commits[-1]:
            github.push(commits)
            github.push_tag(tag, commits[-1])
            pushed[tag] = commits[-1]

    return Services(
        handlers={
            **{name: index.handle for name, index in indexes.items()},
            "oidc": issuer.handle,
            "fulcio": sigstore.fulcio,
            "rekor-v1": sigstore.rekor_v1,
            "rekor-v2": sigstore.rekor_v2,
            "timestamp": sigstore.timestamp,
            "github": github.handle,
        },
        trust_config=trust_config,
        job=job,
        push=push,
        faults={
            **dict.fromkeys(indexes, INDEX_FAULTS),
            "oidc": IDENTITY_FAULTS,
            "sigstore": SIGSTORE_FAULTS,
            "github": GITHUB_FAULTS,
        },
    )
