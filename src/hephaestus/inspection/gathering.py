"""Gathering what an audit needs: pages and provenance from the indexes, tags from git and GitHub, manifests."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.version import Version

from hephaestus.consumer.identity import Identity
from hephaestus.consumer.trust import Claim, Trust
from hephaestus.consumer.verdict import State
from hephaestus.inspection.audit import Audited, Claims, File, Manifest, Tag
from hephaestus.inspection.manifest import sums_of
from hephaestus.inspection.places import Places
from hephaestus.release.errors import ReleaseError
from hephaestus.release.project import Project
from hephaestus.release.repository import Repository
from hephaestus.release.tags import tag_of, version_of_tag
from hephaestus.services.errors import RateLimited, ServiceError
from hephaestus.services.github import GitHubClient
from hephaestus.services.index import IndexClient, IndexFile
from hephaestus.services.releases import Release

__all__ = ["gather", "local_tags"]


def local_tags(project: Project) -> dict[str, str]:
    """Every tag of the clone that is of a version of the project, with the commit it stands for; empty without any."""
    shown = Repository(root=project.root).ask(
        "for-each-ref", "--format=%(refname:strip=2) %(objectname) %(*objectname)", "refs/tags"
    )
    tags = {}
    for line in shown.text.splitlines():
        name, commit, *peeled = line.split()
        if version_of_tag(name, project.config.tag_prefix) is not None:
            tags[name] = peeled[0] if peeled else commit
    return tags


def gather(
    project: Project, places: Places, *, indexes: Collection[str], tags: Mapping[str, str], trust: Trust | None = None
) -> Audited:
    """Ask everybody. ``tags`` are the clone's. With ``trust`` every file and attestation is fetched and verified.

    A service that does not answer is a trouble in the result. Raises what ``trust`` raises where it cannot verify.
    """
    troubles: dict[str, str] = {}
    shelves: dict[str, dict[Version, list[File]]] = {}
    statuses: dict[str, str] = {}
    prefix = project.config.tag_prefix
    named = {version: name for name in sorted(tags) if (version := version_of_tag(name, prefix)) is not None}
    with places.http() as http:
        for name in indexes:
            client = places.index(name, http)
            try:
                page = client.project(project.normalized)
                shelf: dict[Version, list[File]] = {}
                for file in page.files if page is not None else ():
                    if file.version is not None:
                        tag = named.get(file.version, tag_of(file.version, prefix))
                        shelf.setdefault(file.version, []).append(_file(client, file, places, trust, tag=tag))
            except ServiceError as error:
                troubles[name] = error.what
                continue
            shelves[name] = shelf
            statuses[name] = "active" if page is None else page.status
        github = places.releases(http)
        served = {version for shelf in shelves.values() for version in shelf}
        known, manifests = _from_github(github, served, tags, troubles, places, prefix)
    both = {*tags, *known}
    grouped: dict[Version, list[Tag]] = {}
    for name in sorted(both):
        version = version_of_tag(name, prefix)
        if version is not None:
            grouped.setdefault(version, []).append(Tag(name=name, here=tags.get(name), github=known.get(name)))
    promoted = ("testpypi", "pypi") if project.config.prerelease_to_pypi else ("testpypi",)
    return Audited(
        repository=project.repository,
        workflow=project.config.workflow,
        indexes=shelves,
        tags=grouped,
        manifests=manifests,
        statuses=statuses,
        troubles=troubles,
        expected=(("testpypi", "pypi"), promoted),
        github_told="github" not in troubles,
        tag_prefix=prefix,
    )


def _from_github(
    client: GitHubClient,
    served: Collection[Version],
    tags: Mapping[str, str],
    troubles: dict[str, str],
    places: Places,
    prefix: str,
) -> tuple[dict[str, str], dict[Version, Manifest]]:
    """The commits of every tag that matters, and the manifest of every release."""
    known: dict[str, str] = {}
    manifests: dict[Version, Manifest] = {}
    if places.unnamed:
        troubles["github"] = places.unnamed
        return known, manifests
    try:
        releases = {release.tag: release for release in client.releases() if not release.draft}
        for name in sorted({*tags, *releases, *(tag_of(version, prefix) for version in served)}):
            version = version_of_tag(name, prefix)
            target = client.tag_target(name) if version is not None else None
            if target is not None:
                known[name] = target.commit
            if version is not None and name in releases:
                manifests[version] = _manifest(client, releases[name])
    except RateLimited as error:
        anonymous = "" if places.github.token else "; with a token (GITHUB_TOKEN) it answers eighty times as often"
        troubles["github"] = f"{error.what}{anonymous}"
    except ServiceError as error:
        troubles["github"] = error.what
    return known, manifests


def _manifest(client: GitHubClient, release: Release) -> Manifest:
    try:
        return Manifest(files=sums_of(client, release))
    except ServiceError:
        raise
    except ReleaseError as error:
        return Manifest(trouble=error.what)


def _file(client: IndexClient, file: IndexFile, places: Places, trust: Trust | None, *, tag: str) -> File:
    bundles = _bundles(client.provenance(file) or {})
    attestations = [attestation for bundle in bundles for attestation in _listed(bundle.get("attestations"))]
    told = File(
        filename=file.filename,
        sha256=file.sha256,
        yanked=file.yank,
        attestations=len(attestations),
        publishers=tuple(_claims(bundle.get("publisher")) for bundle in bundles),
    )
    if trust is None or not attestations:
        return told
    return replace(told, unproven=tuple(_verified(client, file, places, trust, attestations, tag=tag)))


def _verified(
    client: IndexClient, file: IndexFile, places: Places, trust: Trust, attestations: Sequence[Any], *, tag: str
) -> list[str]:
    """What is wrong with the attestations of one file, by real cryptography, for our workflow at its version's tag."""
    publisher = places.publisher
    identity = Identity.of_tag(publisher.repository, tag, workflow=publisher.workflow)
    with tempfile.TemporaryDirectory(prefix="hephaestus-audit-") as folder:
        target = Path(folder) / file.filename
        client.download(file, target)
        claims = []
        for number, attestation in enumerate(attestations):
            proof = Path(folder) / f"{number}.attestation"
            proof.write_text(json.dumps(attestation), encoding="utf-8")
            claims.append(Claim(file=target, kind="attestation", proof=proof, name=file.filename))
        return [verdict.reason for verdict in trust.verify(identity, claims) if verdict.state is not State.PASS]


def _bundles(provenance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [bundle for bundle in _listed(provenance.get("attestation_bundles")) if isinstance(bundle, dict)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _claims(publisher: Any) -> Claims:
    """The publisher an index names; one that is no GitHub workflow is nobody we know."""
    told = publisher if isinstance(publisher, dict) and publisher.get("kind") == "GitHub" else {}
    return Claims(repository=str(told.get("repository") or ""), workflow=str(told.get("workflow") or ""))
