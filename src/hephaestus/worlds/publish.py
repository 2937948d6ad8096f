"""The real world: made only for someone who has asked for it, in so many words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hephaestus.release.errors import ReleaseError
from hephaestus.services.github_token import GITHUB_TOKENS, github_token
from hephaestus.worlds.addresses import PUBLIC, Addresses
from hephaestus.worlds.children import AUTHORITY_VARIABLES, builder, credential_names, installer, isolated
from hephaestus.worlds.world import (
    ChildKind,
    DirtyPolicy,
    GitHub,
    Index,
    Policy,
    Publisher,
    Sigstore,
    TagPolicy,
    World,
)

__all__ = [
    "PUBLISH_POLICY",
    "PUBLISH_VARIABLE",
    "Consent",
    "PublishNotAskedForError",
    "consent",
    "publish_world",
]

#: The variable that asks for a publish where no option can be given.
PUBLISH_VARIABLE = "HEPHAESTUS_PUBLISH"

#: What is published comes from a clean commit under its tag.
PUBLISH_POLICY = Policy(dirty=DirtyPolicy.REFUSE, tag=TagPolicy.REQUIRED)

#: Ambient identity, as the ``id`` library finds it: GitHub Actions (an endpoint) and GitLab (ready tokens).
_IDENTITY = ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "GITHUB_ACTIONS", "GITLAB_CI")
_READY_TOKENS = {"pypi": "PYPI_ID_TOKEN", "testpypi": "TESTPYPI_ID_TOKEN", "sigstore": "SIGSTORE_ID_TOKEN"}


class PublishNotAskedForError(ReleaseError):
    """Raised when the real world is wanted without anybody having asked for a publish."""

    def __init__(self) -> None:
        super().__init__(
            what="refused: nobody asked for a publish",
            why="uploads to PyPI and entries in the public transparency log can never be taken back",
            next_step=f"rehearse with `nox -s release`; publish with `nox -s release -- --publish` "
            f"or {PUBLISH_VARIABLE}=1",
        )


@dataclass(frozen=True, kw_only=True)
class Consent:
    """That somebody asked for a publish; ``given_by`` says how, for the record."""

    given_by: str


def consent(*, option: bool, environ: Mapping[str, str]) -> Consent | None:
    """The consent given by ``--publish`` or by ``HEPHAESTUS_PUBLISH=1`` (exactly ``1``), or None."""
    if option:
        return Consent(given_by="--publish")
    if environ.get(PUBLISH_VARIABLE) == "1":
        return Consent(given_by=f"{PUBLISH_VARIABLE}=1")
    return None


def publish_world(
    *,
    consent: Consent | None,
    repository: str,
    workflow: str,
    ref: str,
    environments: Mapping[str, str],
    state: Path,
    environ: Mapping[str, str],
    policy: Policy = PUBLISH_POLICY,
    addresses: Addresses = PUBLIC,
) -> World:
    """The world of the real services; raises PublishNotAskedForError without ``consent``.

    ``ref`` is the full ref the job runs on; ``environments`` names the deployment environment per index (``pypi``,
    ``testpypi``); ``state`` holds the empty homes of children. Identity comes from ``environ`` (the CI's variables)
    and reaches signers and uploaders only. ``addresses`` are the public services unless the workflow itself is
    rehearsed.
    """
    if consent is None:
        raise PublishNotAskedForError
    homes = state / "home"
    # Led to stand-ins, a child neither reaches the public services nor trusts them.
    trusting = {} if addresses.public else dict.fromkeys(AUTHORITY_VARIABLES, str(addresses.authority))
    led = {} if addresses.public else {**trusting, "HTTPS_PROXY": addresses.proxy}

    def identity(service: str) -> dict[str, str]:
        names = (*_IDENTITY, _READY_TOKENS[service])
        return {name: environ[name] for name in names if environ.get(name)}

    def alone(kind: str) -> dict[str, str]:
        return isolated(environ, home=homes / kind, network=addresses.public)

    children = {
        ChildKind.BUILDER: builder(environ),
        ChildKind.INSTALLER: installer(environ),
        ChildKind.SIGNER: alone("signer") | trusting | identity("sigstore"),
        ChildKind.UPLOADER: alone("uploader") | led,
        ChildKind.PROBE: alone("probe"),
    }
    used = {*_IDENTITY, *_READY_TOKENS.values(), *GITHUB_TOKENS}
    return World(
        label="publish",
        indexes={name: Index.at(addresses.indexes[name], name=name) for name in environments},
        github=GitHub(
            api_url=addresses.github_api,
            uploads_url=addresses.github_uploads,
            repository=repository,
            token=github_token(environ),
        ),
        sigstore=Sigstore(trust_config=addresses.trust_config),
        publisher=Publisher(repository=repository, workflow=workflow, ref=ref),
        policy=replace(policy, propagation_seconds=addresses.propagation_seconds, poll_seconds=addresses.poll_seconds),
        children=children,
        uploaders={name: alone("uploader") | led | identity(name) for name in environments},
        withheld=tuple(name for name in credential_names(environ) if name not in used),
    )
