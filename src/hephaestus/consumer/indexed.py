"""One version as the indexes serve it: PyPI's files and attestations fetched, Test PyPI's compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hephaestus.consumer.expectation import Pinned
from hephaestus.consumer.served import PUBLISH_PREDICATE, attestations_in, fetched, index_verdicts, predicate_of
from hephaestus.consumer.trust import Claim
from hephaestus.consumer.verdict import State, Verdict
from hephaestus.release.manifest import SUMS
from hephaestus.services.errors import ServiceError
from hephaestus.services.index import IndexClient, IndexFile, IndexProject, plan_upload
from hephaestus.services.transfer import Progress

__all__ = ["BY_MANIFEST", "Indexed", "absent", "compare_trial", "fetch_release", "unanswered"]

BY_MANIFEST = f"its SHA-256 is that of {SUMS}"


@dataclass(frozen=True, kw_only=True)
class Indexed:
    """What PyPI serves of a version: verdicts, files that arrived, digests (hex) by name, attestations to verify."""

    verdicts: tuple[Verdict, ...]
    files: Mapping[str, Path] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()


def fetch_release(
    client: IndexClient,
    pinned: Pinned,
    expected: Mapping[str, str],
    folder: Path,
    *,
    announce: Callable[[str], None],
    progress: Progress | None,
) -> Indexed:
    """Fetch a version from PyPI into ``folder``, held against ``expected`` (name to sha256; empty: not known)."""
    files: dict[str, Path] = {}
    claims: list[Claim] = []
    try:
        project = client.project(pinned.name)
        there = project.release_files(pinned.version) if project is not None else ()
        if project is None or not there:
            reason = f"the index has no such {'version' if project is not None else 'project'}"
            status = [_status(project, "pypi")] if project is not None else []
            return Indexed(verdicts=(absent("pypi", pinned.text, reason), *status))
        digests = {file.filename: file.sha256 or "" for file in there}
        against = BY_MANIFEST if expected else "no manifest to hold it against"
        verdicts = _compared("pypi", project, pinned, expected or digests, against=against)
        verdicts.append(_status(project, "pypi"))
        for file in there:
            announce(f"downloading {file.filename} ({file.size or '?'} bytes)")
            target = folder / file.filename
            wrong = fetched(client, file, target, place="pypi", progress=progress)
            if wrong is not None:
                verdicts.append(wrong)
                continue
            files[file.filename] = target
            found, attested = _attested(client, file, target)
            verdicts += found
            claims += attested
    except ServiceError as error:
        return Indexed(verdicts=(unanswered("pypi", "index", error),))
    return Indexed(verdicts=tuple(verdicts), files=files, digests=digests, claims=tuple(claims))


def compare_trial(client: IndexClient, pinned: Pinned, expected: Mapping[str, str], *, manifest: bool) -> list[Verdict]:
    """Test PyPI is where releases are tried: nothing need be there, but what is there must be the same.

    ``manifest``: whether ``expected`` are the manifest's digests; PyPI's otherwise.
    """
    try:
        project = client.project(pinned.name)
    except ServiceError as error:
        return [replace(unanswered("testpypi", "index", error), required=False)]
    if project is None or not project.release_files(pinned.version):
        return [replace(absent("testpypi", pinned.text, "it is not on Test PyPI"), required=False)]
    against = BY_MANIFEST if manifest else "the same as on PyPI"
    compared = _compared("testpypi", project, pinned, expected, against=against)
    unchecked = absent("testpypi", "attestations", "not looked at: those of PyPI are of the same files")
    verdicts = [*compared, _status(project, "testpypi"), unchecked]
    return [replace(verdict, required=False) for verdict in verdicts]


def absent(place: str, subject: str, reason: str) -> Verdict:
    """That something required is not there, or was not looked at."""
    return Verdict(state=State.ABSENT, place=place, subject=subject, reason=reason)


def unanswered(place: str, subject: str, error: ServiceError) -> Verdict:
    """That a service did not answer."""
    return absent(place, subject, f"not looked at: {error.what}")


def _compared(
    place: str, project: IndexProject, pinned: Pinned, expected: Mapping[str, str], *, against: str
) -> list[Verdict]:
    files = project.release_files(pinned.version)
    # A release that is yanked from where it was tried is none the worse for its users.
    yanked = [file.filename for file in files if file.yanked is not False and place != "testpypi"]
    plan = plan_upload(
        {name: digest.removeprefix("sha256:") for name, digest in expected.items()}, project, pinned.version
    )
    compared = index_verdicts(place, plan, yanked=yanked, status="active")
    why = {file.filename: f": {file.yanked}" for file in files if file.yanked and file.filename in yanked}
    said = {State.PASS: against, State.ABSENT: "it is not there"}
    return [
        replace(verdict, reason=f"{verdict.reason or said[verdict.state]}{why.get(verdict.subject, '')}")
        for verdict in compared
    ]


def _status(project: IndexProject, place: str) -> Verdict:
    state = State.FAIL if project.status == "quarantined" else State.PASS
    reason = f"it is {project.status}{f': {project.reason}' if project.reason else ''}"
    return Verdict(state=state, place=place, subject=f"project {project.name}", reason=reason)


def _attested(client: IndexClient, file: IndexFile, target: Path) -> tuple[list[Verdict], list[Claim]]:
    """The attestations that the index serves for a file, written beside it; at least one there must be."""
    subject = f"attestation of {file.filename}"
    provenance = client.provenance(file)
    if provenance is None:
        return [absent("pypi", subject, "the index has none; none can be added to it any more")], []
    found = attestations_in(provenance)
    if not found:
        reason = "the provenance is empty: it holds no attestation"
        return [Verdict(state=State.FAIL, place="pypi", subject=subject, reason=reason)], []
    verdicts: list[Verdict] = []
    claims: list[Claim] = []
    for number, attestation in enumerate(found):
        # PyPI takes SLSA provenance too (facts: pypi, section 4); who published is what another kind does not say.
        kind = predicate_of(attestation)
        if kind not in ("", PUBLISH_PREDICATE):
            reason = f"another kind of attestation, not looked at: {kind}"
            verdicts.append(replace(absent("pypi", subject, reason), required=False))
            continue
        path = target.parent / f"{target.name}.{number}.attestation"
        path.write_text(json.dumps(attestation), encoding="utf-8")
        claims.append(Claim(file=target, kind="attestation", proof=path, name=file.filename))
    if not claims:
        verdicts.append(absent("pypi", subject, "none of them says who published the file"))
    return verdicts, claims
